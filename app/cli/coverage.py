"""``barlake coverage``: what was fetched, what was not, and which fetched bars there are not."""

from datetime import date
from typing import TYPE_CHECKING, Any

import typer

from app.cli.doors import check_past, opened_lake
from app.cli.options import AsJson, Dataset, End, Source, Start, Symbol
from app.cli.output import counted, say, show_frame, show_json
from app.cli.teaching import add

if TYPE_CHECKING:
    import polars as pl

    from lake import Lake

SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, coverage)


def coverage(
    symbol: Symbol,
    *,
    start: Start = None,
    end: End = None,
    source: Source = None,
    dataset: Dataset = "bars_1m",
    as_json: AsJson = False,
) -> None:
    """Show what was fetched, gaps, and absent minutes; of bars_daily whole sessions.

    A gap is a minute of a regular session that was never fetched: ask for it. An absent minute
    was fetched and the source has no bar for it: nobody made an eligible trade, it was halted, or
    the source has lost it: `barlake gaps` says which.

    Examples:
        barlake coverage SPY
        barlake coverage SPY --start 2024-05-01 --end 2024-05-31 --json
        barlake coverage SPY --dataset bars_daily
    """
    check_past(start)
    with opened_lake() as lake:
        found = _collect(lake, symbol.upper(), (start, end), source, dataset)
    if as_json:
        show_json({name: _plain(value) for name, value in found.items()})
    else:
        _show(found)


def _collect(
    lake: "Lake",
    symbol: str,
    span: tuple[str | None, str | None],
    source: str | None,
    dataset: str,
) -> dict[str, Any]:
    chosen = lake.source_of(symbol, source, dataset=dataset)
    return {
        "symbol": symbol,
        "source": chosen,
        "dataset": dataset,
        "intervals": _touched(lake.coverage(symbol, chosen, dataset=dataset), *span),
        "gaps": lake.gaps(symbol, *span, chosen, dataset=dataset),
        "absent": lake.absent(symbol, *span, chosen, dataset=dataset),
    }


def _touched(intervals: "pl.DataFrame", start: str | None, end: str | None) -> "pl.DataFrame":
    """The intervals, whole, that have a moment in common with the range."""
    from lake.sessions import window

    begin, finish = window(start, end)
    if begin is not None:
        intervals = intervals.filter(intervals["end"] > begin)
    return intervals if finish is None else intervals.filter(intervals["start"] < finish)


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else value.to_dicts()


def _show(found: dict[str, Any]) -> None:
    symbol, intervals, gaps = found["symbol"], found["intervals"], found["gaps"]
    show_frame(
        intervals, title=f"{symbol} from {found['source']}: fetched intervals (UTC, end outside)"
    )
    if found["dataset"] == "bars_daily":
        _show_days(found)
        return
    if gaps.is_empty():
        say("\nNo gaps: every regular session minute from the first to the last was fetched.")
    else:
        show_frame(gaps, title="Gaps: regular session minutes that were never fetched", most=SHOWN)
        say(f"\nMissing: {_total(gaps, 'minutes')}. `{_ingest(symbol, gaps)}` fetches them.")
    holes = found["absent"].filter(found["absent"]["absent"] > 0)
    if holes.is_empty():
        say("\nNo absent minutes: every fetched minute of regular hours has its bar.")
        return
    show_frame(
        holes,
        title="Absent: fetched, yet the source has no bar (no trade, a halt, lost)",
        most=SHOWN,
    )
    say(
        f"\nAbsent: {_total(holes, 'absent')} of {counted(holes.height, 'session')}. These are no gaps; "
        f"`barlake gaps {symbol}` says why."
    )


def _show_days(found: dict[str, Any]) -> None:
    gaps = found["gaps"].select("session_date")
    if gaps.is_empty():
        say("\nNo gaps: every session from the first to the last that is over was fetched.")
    else:
        show_frame(gaps, title="Gaps: sessions that were never fetched", most=SHOWN)
        ingest = f"{_ingest(found['symbol'], gaps)} --dataset {found['dataset']}"
        say(f"\nMissing: {counted(gaps.height, 'session')}. `{ingest}` fetches them.")
    absent = found["absent"].filter(found["absent"]["absent"] > 0).select("session_date")
    if absent.is_empty():
        say("\nNo absent days: every fetched session has its bar.")
        return
    show_frame(absent, title="Absent: fetched, yet the source has no bar", most=SHOWN)
    say(f"\nAbsent: {counted(absent.height, 'session')}. These are no gaps.")


def _ingest(symbol: str, gaps: "pl.DataFrame") -> str:
    days: list[date] = gaps["session_date"].to_list()
    return f"barlake ingest {symbol} --start {min(days)} --end {max(days)}"


def _total(frame: "pl.DataFrame", column: str) -> str:
    return counted(int(frame[column].sum()), "minute")
