"""``barlake export``: plain files for other tools, kept up to date by a repeat."""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.doors import opened_lake
from app.cli.options import AnySymbols, AsJson, End, FileFormat, Source, Start
from app.cli.output import counted, say, show_json
from app.cli.teaching import add

if TYPE_CHECKING:
    from lake.export import Exported


class Layout(StrEnum):
    """What one file of an export holds."""

    DAY = "day"
    YEAR = "year"
    SYMBOL = "symbol"


class Names(StrEnum):
    """How the folder of a symbol is called."""

    BARE = "bare"
    HIVE = "hive"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    add(app, export_files, "export")


def export_files(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files go.")],
    symbols: AnySymbols = None,
    *,
    start: Start = None,
    end: End = None,
    layout: Annotated[
        Layout | None, typer.Option(help="A file for each; default: day, or as DIR has it.")
    ] = None,
    names: Annotated[
        Names | None, typer.Option(help="SPY, or symbol=SPY; default: bare, or as DIR has it.")
    ] = None,
    file_format: Annotated[
        FileFormat | None,
        typer.Option("--format", help="Default: parquet, or as DIR has it."),
    ] = None,
    source: Source = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every file again and compare it with the lake.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write plain files of the raw 1-minute bars, for other tools.

    By default DIR/SPY/dt=2024-05-01/bars.parquet: all bars of that session. A repeat writes only
    what changed since, and removes files whose bars are gone. All symbols without one.

    Examples:
        barlake export mirror
        barlake export mirror SPY --start 2024-05-01 --end 2024-05-31
        barlake export spreadsheets SPY --layout year --format csv
        barlake export mirror --verify
    """
    from lake.export import export

    with opened_lake() as lake:
        done = export(
            lake,
            folder,
            symbols or (),
            start,
            end,
            layout=layout,
            names=names,
            file_format=file_format,
            source=source,
            verify=verify,
        )
    if as_json:
        show_json(asdict(done))
    else:
        _tell_export(done, verified=verify)


def _tell_export(done: "Exported", *, verified: bool) -> None:
    say(
        f"{counted(done.written, 'file')} written to {done.folder} "
        f"({counted(done.bars, 'bar')} of {counted(done.symbols, 'symbol')}), "
        f"{done.unchanged:,} unchanged, {done.removed:,} removed."
    )
    if done.mended:
        say(f"{counted(done.mended, 'file')} were not as the lake has them and are written again.")
    if verified:
        say("Every file holds what the lake holds.")
