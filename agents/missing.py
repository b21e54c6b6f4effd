"""Alerts for what a provider lacks: minutes in which somebody must have traded and that have no bar."""

from collections.abc import Collection
from datetime import date

from agents.alerts import raise_one, settle_one
from lake import Lake
from lake.journal import Journal, alerts

#: The alert's kind, and the class of absence that it is about.
KIND = "missing_at_provider"

Key = tuple[str, str, str]  # dataset, source, symbol

_NAMED_DAYS = 3


def judge(lake: Lake, journal: Journal, symbols: Collection[str] = ()) -> None:
    """Raise an alert for each series whose newest scans found such minutes; end those that are filled.

    Harmless to repeat: it looks at what the scans have left in the lake.

    Args:
        symbols: Only series of these; none: of all.

    Raises:
        JournalBusyError: The journal cannot be used.
    """
    lacking = _lacking(lake, symbols)
    for key, days in lacking.items():
        dataset, source, symbol = key
        facts = {"dataset": dataset, "source": source, "symbol": symbol}
        named = {"days": [day.isoformat() for day in days], "minutes": sum(days.values())}
        raise_one(journal, KIND, _subject(key), _words(key, days), facts | named)
    raised = {_subject(key) for key in lacking}
    for alert in alerts.read(journal, kind=KIND, limit=100_000):
        mine = not symbols or alert.facts["symbol"] in symbols
        if mine and alert.subject not in raised:
            settle_one(journal, KIND, alert.subject)


def _lacking(lake: Lake, symbols: Collection[str]) -> dict[Key, dict[date, int]]:
    """Minutes by session, of series that lack any."""
    with lake.reading() as connection:
        rows = connection.execute(
            """SELECT dataset, source, symbol, session_date, missing_at_provider FROM completeness
               WHERE missing_at_provider > 0 AND (len($symbols) = 0 OR list_contains($symbols, symbol))
               ORDER BY ALL""",
            {"symbols": [*symbols]},
        ).fetchall()
    found: dict[Key, dict[date, int]] = {}
    for dataset, source, symbol, day, minutes in rows:
        found.setdefault((dataset, source, symbol), {})[day] = minutes
    return found


def _subject(key: Key) -> str:
    dataset, source, symbol = key
    return f"{source} {symbol}" + ("" if dataset == "bars_1m" else f" {dataset}")


def _words(key: Key, days: dict[date, int]) -> str:
    dataset, source, symbol = key
    named = ", ".join(day.isoformat() for day in [*days][:_NAMED_DAYS])
    named += f" and {len(days) - _NAMED_DAYS} more days" if len(days) > _NAMED_DAYS else ""
    count = sum(days.values())
    noun = f"{count:,} regular minute{'s' if count > 1 else ''}"
    lacks = f"{noun} of {named}" if dataset == "bars_1m" else f"the daily bar of {named}"
    more = "" if dataset == "bars_1m" else f" --dataset {dataset}"
    return (
        f"{symbol} from {source}: the provider lacks {lacks}, in which somebody must have traded. "
        f"`barlake gaps {symbol} --start {min(days)} --end {max(days)}{more}` shows them."
    )
