"""Where the ``barlake`` command begins, and where each error becomes one sentence.

Exit codes: 0 done; 1 something unexpected (the log has it); 2 what was asked for cannot be done,
and the sentence on stderr says why and what to do; 130 interrupted.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from app.cli import (
    agents,
    backup,
    bars,
    coverage,
    demo,
    events,
    features,
    gaps,
    ingest,
    instruments,
    jobs,
    lists,
    live,
    models,
    quality,
    sandbox,
    searches,
    simulations,
    sql,
    statistics,
    status,
    training,
    transfer,
    up,
    upkeep,
    verify,
)
from app.cli.teaching import help_text

UNEXPECTED, REFUSED, INTERRUPTED = 1, 2, 130

app = typer.Typer(name="barlake", add_completion=False, rich_markup_mode=None)
for subject in (
    up,
    demo,
    ingest,
    live,
    jobs,
    agents,
    events,
    status,
    bars,
    statistics,
    coverage,
    quality,
    gaps,
    instruments,
    lists,
    features,
    training,
    models,
    simulations,
    searches,
    sql,
    transfer,
    upkeep,
    sandbox,
    verify,
    backup,
):
    subject.register(app)


def barlake(
    context: typer.Context,
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.")
    ] = False,
) -> None:
    """Barlake: an embedded lake of 1-minute market bars, with agents that fill it.

    Dates are New York session dates, both ends included; times are RFC 3339.
    The lake lives in ./data, or where BARLAKE_HOME says.

    Examples:
        Try it without a key:     barlake demo
        Start everything:         barlake up
        Bring bars and see them:  barlake ingest SPY --wait && barlake bars SPY
        Ask in SQL:               barlake sql "FROM bars LIMIT 5"
    """
    if version:
        from importlib.metadata import version as version_of

        typer.echo(f"barlake {version_of('barlake')}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.callback(invoke_without_command=True, help=help_text(barlake))(barlake)


def run() -> None:
    """Run the command of this process's arguments and leave with its exit code."""
    sys.exit(outcome(sys.argv[1:]))


def outcome(arguments: Sequence[str]) -> int:
    """Run one command.

    Returns:
        Its exit code, as the module says. Nothing is raised unless ``BARLAKE_DEBUG`` is set.
    """
    try:
        result = app(list(arguments), prog_name="barlake", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, like `head`, had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("Interrupted.", err=True)
        return INTERRUPTED
    except Exception as error:
        if os.environ.get("BARLAKE_DEBUG"):
            raise
        return _explain(error, arguments)
    return result if isinstance(result, int) else 0


def _explain(error: Exception, arguments: Sequence[str]) -> int:
    from typer.exceptions import TyperException

    from lake.errors import LakeError

    if isinstance(error, TyperException):
        typer.echo(f"{_sentence(error.format_message())} {_help_of(error)}", err=True)
        return REFUSED
    if isinstance(error, LakeError):
        typer.echo(str(error), err=True)
        return REFUSED
    if isinstance(error, OSError) and (place := _home_of(error)):
        reason = error.strerror or type(error).__name__
        typer.echo(
            f"BARLAKE_HOME names {place}, which cannot be used ({reason}). "
            "Mend that, or choose another folder.",
            err=True,
        )
        return REFUSED
    from app.cli.crash import keep

    log = keep(error, arguments)
    typer.echo(
        f"Something unexpected happened ({type(error).__name__}); {log} has it. "
        "BARLAKE_DEBUG=1 shows it here.",
        err=True,
    )
    return UNEXPECTED


def _home_of(error: OSError) -> Path | None:
    """The home, if it is there that a file could not be opened, made or written."""
    from lake.errors import LakeError
    from lake.settings import load_settings

    try:
        home = load_settings().home.expanduser().resolve()
    except LakeError:
        return None
    if not isinstance(error.filename, str):
        return None
    file = Path(error.filename).resolve()
    return home if file.is_relative_to(home) or home.is_relative_to(file) else None


def _sentence(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if one_line.endswith((".", "?", "!", ")")) else f"{one_line}."


def _help_of(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "barlake"
    return f"`{command} --help` shows how it is used."
