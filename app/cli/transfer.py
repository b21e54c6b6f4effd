"""``barlake export`` and ``barlake import``: plain files for other tools, and theirs into the lake."""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.doors import opened_lake
from app.cli.options import AnySymbols, AsJson, End, FileFormat, Source, Start
from app.cli.output import OutputError, counted, remark, say, show_json
from app.cli.teaching import add

if TYPE_CHECKING:
    from agents.importing import Imported
    from lake.export import Exported

SHOWN = 12


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
    add(app, import_files, "import")


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


def import_files(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Parquet or CSV, or folders of them.")
    ],
    *,
    source: Annotated[
        str, typer.Option(metavar="NAME", help="A name of your own; stored as file:NAME.")
    ],
    symbol: Annotated[
        str | None, typer.Option(metavar="SYMBOL", help="Of files without a column of symbols.")
    ] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="THEIRS=OURS", help="Columns, apart by commas."),
    ] = None,
    zone: Annotated[
        str | None,
        typer.Option(metavar="ZONE", help="Of times without one: America/New_York, UTC, ..."),
    ] = None,
    unit: Annotated[
        str | None, typer.Option(metavar="s|ms|us|ns", help="Of numeric times; default: by size.")
    ] = None,
    dataset: Annotated[str, typer.Option(help="bars_1m or bars_daily.")] = "bars_1m",
    complete: Annotated[
        bool,
        typer.Option(
            "--complete", help="The files lack nothing: first to last session count as fetched."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and check only; nothing is written.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring bars of Parquet or CSV files into the lake.

    They go through the same checks as downloaded ones, under a source of their own. Usual names
    of columns are known (t, o, h, l, c, v, date, ticker, ...). A repeat changes nothing.

    Examples:
        barlake import bars.parquet --source kaggle --dry-run
        barlake import spy.csv --source broker --symbol SPY --zone America/New_York
        barlake import old/ --source archive --map When=timestamp,Last=close --complete
    """
    from agents.importing import import_files as bring
    from agents.importing import look
    from agents.sources.files import Form

    form = Form(_columns(mapping or []), symbol, zone, unit, daily=dataset == "bars_daily")
    if dry_run:
        done = look(files, source, form, dataset=dataset)
    else:
        with opened_lake(create=True) as lake:
            done = bring(lake, files, source, form, dataset=dataset, complete=complete)
    if as_json:
        show_json(asdict(done))
    else:
        _tell_import(done, dry=dry_run)


def _columns(mapping: list[str]) -> dict[str, str]:
    pairs = [pair.partition("=") for text in mapping for pair in text.split(",")]
    if wrong := ["".join(pair) for pair in pairs if not (pair[0].strip() and pair[2].strip())]:
        problem = f"{wrong[0][:60]!r} is no mapping. Write it like --map Last=close,When=timestamp."
        raise OutputError(problem)
    return {theirs.strip(): ours.strip() for theirs, _, ours in pairs}


def _tell_import(done: "Imported", *, dry: bool) -> None:
    if done.ignored:
        remark(f"Columns that are not used: {', '.join(done.ignored)}.")
    symbols = ", ".join(done.symbols[:SHOWN]) + (", …" if len(done.symbols) > SHOWN else "")
    span = f", {done.first} to {done.last}" if done.first else ""
    say(f"{counted(done.read, 'bar')} read of {symbols or 'no symbol'}{span}.")
    if dry:
        say(f"{counted(done.quarantined, 'bar')} would be quarantined; nothing was written.")
        for rule, count in sorted(done.rules.items()):
            say(f"  {count:,} break the rule: {rule}")
        return
    say(
        f"{done.source}: {done.new:,} new, {done.corrected:,} corrected, {done.withdrawn:,} withdrawn, "
        f"{done.unchanged:,} unchanged, {done.quarantined:,} quarantined."
    )
