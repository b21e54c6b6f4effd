"""From what a user asks for to a job in the journal and on the broker."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from agents.sources import earliest, require_keys
from lake.datasets import BARS_1M, check_dataset
from lake.errors import InvalidError, RangeError, ReversedRangeError
from lake.journal import Job, Journal
from lake.schema import check_symbol
from lake.sessions import FIRST_SESSION, NEW_YORK, schedule, today
from lake.settings import Settings

#: Which years of a long job come first; the first of these by default.
ORDERS = ("newest", "oldest")

_DAYS = {"d": 1, "w": 7}
_YEARS = 12


def queue_ingest(
    journal: Journal,
    settings: Settings,
    symbols: str | Sequence[str],
    start: date | str | None = None,
    end: date | str | None = None,
    *,
    dataset: str = "bars_1m",
    again: bool = False,
    order: str = "newest",
    now: datetime,
    send: Callable[[Job], None],
) -> tuple[Job, bool]:
    """Queue the backfill of one symbol, or of many as one job.

    Args:
        symbols: Tickers; one alone has a job of its own name.
        start: First New York session date; None for ``BARLAKE_HISTORY`` before today.
        end: Last one, included; None for today.
        dataset: ``bars_1m``, or ``bars_daily`` for the provider's own daily bars.
        again: Ask the provider for what was fetched before too.
        order: Whether the ``newest`` or the ``oldest`` years come first.
        send: Puts a job on the broker; called for new jobs only.

    Returns:
        The job, and whether it is new: what is queued or running already is not queued twice.

    Raises:
        SymbolError, DatasetError, RangeError, KeysMissingError: What cannot be. Nothing was queued.
        BrokerMissingError: No broker answers.
    """
    tickers = check_symbols([symbols] if isinstance(symbols, str) else symbols)
    params = ingest_params(dataset, again=again, order=order)
    first, last = asked_span(settings, start, end, now=now)
    require_keys(settings)
    alone = tickers[0] if len(tickers) == 1 else ""
    many = {} if alone else {"symbols": tickers}
    job, new = journal.queue("ingest", settings.source, alone, first, last, params | many)
    if new:
        send(job)
    return job, new


def check_symbols(symbols: Sequence[str]) -> list[str]:
    """Tickers in capitals, each once, in the order of the alphabet where there are several.

    Raises:
        SymbolError: One is no ticker.
        NoSymbolsError: There is none.
    """
    tickers = sorted({check_symbol(symbol) for symbol in symbols})
    if not tickers:
        raise NoSymbolsError
    return tickers


class NoSymbolsError(InvalidError):
    """Nothing was named."""

    def __str__(self) -> str:
        return "No symbols are named. Give at least one, like SPY."


def ingest_params(dataset: str, *, again: bool, order: str = "newest") -> dict[str, Any]:
    """What tells a job's work from that of others for the same sessions.

    Minutes have none: so jobs that were queued before there were other datasets are theirs.

    Raises:
        DatasetError: There is no such dataset.
        OrderError: There is no such order.

    >>> ingest_params("bars_1m", again=False), ingest_params("bars_daily", again=True)
    ({}, {'dataset': 'bars_daily', 'again': True})
    """
    name = check_dataset(dataset).name
    if order not in ORDERS:
        raise OrderError(order)
    params: dict[str, Any] = {} if name == BARS_1M.name else {"dataset": name}
    params |= {"again": True} if again else {}
    return params | ({} if order == ORDERS[0] else {"order": order})


class OrderError(InvalidError):
    """An order in which nothing can be fetched."""

    def __init__(self, order: str) -> None:
        super().__init__(order)
        self.order = order

    def __str__(self) -> str:
        return f"{self.order[:40]!r} is no order. Use one of {', '.join(ORDERS)}."


def asked_span(
    settings: Settings, start: date | str | None, end: date | str | None, *, now: datetime
) -> tuple[date, date]:
    """As :func:`span`; without a start not before the source's own beginning."""
    first, last = span(settings.history, start, end, now=now)
    return (first if start else min(max(first, earliest(settings)), last)), last


def span(
    history: str, start: date | str | None, end: date | str | None, *, now: datetime
) -> tuple[date, date]:
    """The session dates an ingest is about, both included.

    Raises:
        RangeError: Not dates, reversed, in the future, or without any session between them.
    """
    newest = today(now)
    last = _date(end) or newest
    first = _date(start) or back(history, newest)
    if start is None and last < first:
        first = back(history, last)
    for day in (first, last):
        if day > newest:
            raise RangeError(
                f"{day} is in the future (today is {newest} in New York). Give an earlier date."
            )
    if last < first:
        raise ReversedRangeError(first, last)
    if first < FIRST_SESSION:
        raise RangeError(f"{first} is too early. The calendar here begins on {FIRST_SESSION}.")
    if schedule(first, last).is_empty():
        raise RangeError(f"There is no session from {first} to {last}: the exchange was closed.")
    return first, last


def back(history: str, day: date) -> date:
    """The day this much history before another one.

    >>> back("2y", date(2024, 2, 29)), back("3m", date(2024, 1, 31)), back("10d", date(2024, 1, 31))
    (datetime.date(2022, 2, 28), datetime.date(2023, 10, 31), datetime.date(2024, 1, 21))
    """
    count, unit = int(history[:-1]), history[-1]
    if unit in _DAYS:
        return day - timedelta(days=count * _DAYS[unit])
    months = day.year * _YEARS + day.month - 1 - count * (_YEARS if unit == "y" else 1)
    year, month = divmod(months, _YEARS)
    return _last_valid(max(year, 1), month + 1, day.day)


def _last_valid(year: int, month: int, day: int) -> date:
    while True:
        try:
            return date(year, month, day)
        except ValueError:
            day -= 1


def _date(value: date | str | None) -> date | None:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            problem = f"{value[:40]!r} is not a date. Write it like 2024-05-01."
            raise RangeError(problem) from None
    if isinstance(value, datetime):
        return value.astimezone(NEW_YORK).date()
    return value
