"""``barlake sql``: one query, or DuckDB's own shell on the lake."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.doors import opened_lake, settings
from app.cli.options import AsJson, Output
from app.cli.output import (
    OutputError,
    counted,
    csv_text,
    remark,
    replacing,
    say,
    show_frame,
    show_json,
)
from app.cli.teaching import add

if TYPE_CHECKING:
    import polars as pl


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, sql)


def sql(
    query: Annotated[
        str | None, typer.Argument(help="One SQL query; without it DuckDB's shell opens.")
    ] = None,
    *,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    init: Annotated[
        bool,
        typer.Option("--init", help="Print the file that attaches a plain `duckdb` to the lake."),
    ] = False,
    output: Output = None,
) -> None:
    """Ask the lake in SQL, read-only.

    Examples:
        barlake sql "FROM bars LIMIT 5"
        barlake sql "SELECT symbol, count(*) AS bars FROM bars GROUP BY ALL" --json
        barlake sql                                    (DuckDB's shell, attached)
        barlake sql --init -o lake.sql && duckdb -init lake.sql
    """
    if as_json and as_csv:
        problem = "--json and --csv exclude each other. Choose one."
        raise OutputError(problem)
    if init:
        _write(_init_text(), output)
    elif query is None:
        _shell()
    else:
        _answer(query, output, as_json=as_json, as_csv=as_csv)


def _answer(query: str, output: Path | None, *, as_json: bool, as_csv: bool) -> None:
    with opened_lake() as lake:
        found = lake.sql(query)
    if as_json:
        show_json(found.to_dicts())
    elif as_csv or output is not None:
        _write(csv_text(found), output)
    else:
        _show(found)


def _show(found: "pl.DataFrame") -> None:
    show_frame(found)
    say(f"\n{counted(found.height, 'row')}")


def _write(content: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(content if content.endswith("\n") else f"{content}\n")
        return
    with replacing(output) as part:
        part.write_text(content, encoding="utf-8")
    remark(f"Written to {output}.")


def _init_text() -> str:
    from lake.catalog import init_sql

    with opened_lake():  # says so if there is none
        return init_sql(settings().home)


def _shell() -> None:
    """Become DuckDB's shell: the terminal, its signals and its history are then DuckDB's own."""
    content = _init_text()
    file = settings().home / "run" / "init.sql"
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as part:
        part.write_text(content, encoding="utf-8")
    sys.stdout.flush()
    command = [sys.executable, "-m", "duckdb_cli", "-init", str(file)]
    os.execv(sys.executable, command)  # noqa: S606
