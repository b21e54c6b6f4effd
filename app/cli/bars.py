"""``barlake bars``: bars of one symbol as a table, CSV or Parquet."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.doors import check_past, opened_lake
from app.cli.options import AsJson, End, Output, Source, Start, Symbol, TableFormat
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

SHOWN = 20
_COLUMNS = (
    "timestamp",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "trade_count",
    "vwap",
    "session_date",
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, bars)


def bars(
    symbol: Symbol,
    *,
    start: Start = None,
    end: End = None,
    timeframe: Annotated[
        str | None, typer.Option(help="1min, 5min, 1h, 1d, 1week ...; default: the dataset's own.")
    ] = None,
    dataset: Annotated[
        str, typer.Option(help="bars_1m, or bars_daily: the provider's own daily bars.")
    ] = "bars_1m",
    adjust: Annotated[
        str, typer.Option(help="raw, split, dividend, or all: prices in today's shares.")
    ] = "raw",
    as_of: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="As the lake knew them at this date or time."),
    ] = None,
    source: Source = None,
    regular: Annotated[
        bool, typer.Option("--regular", help="Only bars of regular hours; default: all hours.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the newest N bars.")] = None,
    output_format: Annotated[
        TableFormat | None,
        typer.Option("--format", help="Default: by the name of FILE, else table."),
    ] = None,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Show the bars of a symbol, oldest first.

    Without a range: all raw bars of all hours.

    Examples:
        barlake bars SPY
        barlake bars SPY --start 2024-05-01 --end 2024-05-03 --timeframe 5min
        barlake bars SPY --start 2024-05-01T13:30:00Z --format csv | head
        barlake bars SPY --regular --adjust all -o spy.parquet
        barlake bars SPY --start 2024-05-01 --as-of 2024-05-02T20:00:00Z
    """
    if as_json and (output_format or output):
        problem = "--json prints JSON; --format and -o do something else. Choose one."
        raise OutputError(problem)
    chosen = output_format or _by_name(output)
    if chosen is TableFormat.PARQUET and output is None and sys.stdout.isatty():
        problem = "Parquet is not for a terminal. Name a file with -o FILE, or send it into a pipe."
        raise OutputError(problem)
    check_past(start)
    with opened_lake() as lake:
        found = lake.bars(
            symbol,
            start,
            end,
            dataset=dataset,
            timeframe=timeframe,
            adjust=adjust,
            as_of=as_of,
            source=source,
            limit=limit,
            regular_only=regular,
        )
    if as_json:
        show_json(found.to_dicts())
    elif chosen is TableFormat.TABLE and output is None:
        _show(found, symbol.upper(), timeframe or _own_timeframe(dataset))
    else:
        write(found, chosen, output)


def write(frame: "pl.DataFrame", chosen: TableFormat, output: Path | None) -> None:
    """Send a frame as CSV, Parquet or table into a file, or to stdout without one.

    Raises:
        OutputError: The file cannot be written.
    """
    if output is None:
        _send(frame, chosen)
        return
    with replacing(output) as part:
        if chosen is TableFormat.PARQUET:
            frame.write_parquet(part)
        elif chosen is TableFormat.CSV:
            part.write_text(csv_text(frame), encoding="utf-8", newline="")
        else:
            problem = (
                "A table is for the screen. Add --format csv or --format parquet to write a file."
            )
            raise OutputError(problem)
    remark(f"{output} has {counted(frame.height, 'row')}.")


def _send(frame: "pl.DataFrame", chosen: TableFormat) -> None:
    if chosen is TableFormat.PARQUET:
        frame.write_parquet(sys.stdout.buffer)
    else:
        sys.stdout.write(csv_text(frame))


def _own_timeframe(dataset: str) -> str:
    from lake.datasets import check_dataset

    return check_dataset(dataset).timeframe


def _by_name(output: Path | None) -> TableFormat:
    suffix = output.suffix.lstrip(".").lower() if output else ""
    known = {"csv": TableFormat.CSV, "parquet": TableFormat.PARQUET, "pq": TableFormat.PARQUET}
    return known.get(suffix, TableFormat.TABLE)


def _show(found: "pl.DataFrame", symbol: str, timeframe: str) -> None:
    if found.is_empty():
        say(
            f"{symbol} has no {timeframe} bars in that range. "
            f"`barlake coverage {symbol}` says what was fetched."
        )
        return
    shown = [name for name in _COLUMNS if name in found.columns]
    show_frame(found.select(shown), most=SHOWN)
    sources = (
        ", ".join(sorted(found["source"].unique().to_list())) if "source" in found.columns else ""
    )
    amount = f"{counted(found.height, 'bar')} of {symbol} ({timeframe}, {sources})"
    days = found["session_date"].n_unique()
    say(f"\n{amount} in {counted(days, 'session')}; times are UTC.")
