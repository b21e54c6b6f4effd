"""How a command's docstring becomes its help: prose flows, examples keep their lines."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

_KEEP_LINES = "\b\n"  # typer's mark of a paragraph that it must not wrap
_HEADING = "\n\nExamples:\n"


def add(app: typer.Typer, command: Callable[..., Any], name: str | None = None) -> None:
    """Register a function as a command, with the help its docstring teaches."""
    full = help_text(command)
    short = full.partition("\n")[0].rstrip(".")
    app.command(name=name, help=full, short_help=short)(command)


def add_group(app: typer.Typer, name: str, text: str) -> typer.Typer:
    """Register a group of commands, which shows its help when it is called alone."""
    group = typer.Typer(rich_markup_mode=None)

    def alone(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            typer.echo(context.get_help())

    group.callback(invoke_without_command=True, help=text)(alone)
    app.add_typer(group, name=name, short_help=text.rstrip("."))
    return group


def add_listing(app: typer.Typer, name: str, alone: Callable[..., None]) -> typer.Typer:
    """Register a group of commands that lists what there is when it is called alone.

    Args:
        alone: Lists it; takes ``as_json``.
    """
    group = typer.Typer(rich_markup_mode=None)

    def listing(
        context: typer.Context,
        *,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
    ) -> None:
        if context.invoked_subcommand is None:
            alone(as_json=as_json)

    full = help_text(alone)
    group.callback(invoke_without_command=True, help=full)(listing)
    app.add_typer(group, name=name, short_help=full.partition("\n")[0].rstrip("."))
    return group


def help_text(command: Callable[..., Any]) -> str:
    """The docstring, with its examples marked so that each stays on its line."""
    prose, heading, examples = (inspect.getdoc(command) or "").partition(_HEADING)
    return f"{prose}\n\n{_KEEP_LINES}Examples:\n{examples}" if heading else prose
