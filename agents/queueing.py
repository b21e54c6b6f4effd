"""From what a user asks for to a job in the journal and on the broker."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from agents.sources import require_keys
from lake.datasets import BARS_1M, check_dataset
from lake.errors import RangeError, ReversedRangeError
from lake.journal import Job, Journal
from lake.schema import check_symbol
from lake.sessions import FIRST_SESSION, NEW_YORK, schedule, today
from lake.settings import Settings

_FIRST_ALPACA = date(2016, 1, 1)
_DAYS = {"d": 1, "w": 7}
_YEARS = 12


def queue_ingest(
    journal: Journal,
    settings: Settings,
    symbol: str,
    start: date | str | None = None,
    end: date | str | None = None,
    *,
    dataset: str = "bars_1m",
    again: bool = False,
    now: datetime,
    send: Callable[[Job], None],
) -> tuple[Job, bool]:
    """Queue the backfill of one symbol.

    Args:
        start: First New York session date; None for ``BARLAKE_HISTORY`` before today.
        end: Last one, included; None for today.
        dataset: ``bars_1m``, or ``bars_daily`` for the provider's own daily bars.
        again: Ask the provider for what was fetched before too.
        send: Puts a job on the broker; called for new jobs only.

    Returns:
        The job, and whether it is new: what is queued or running already is not queued twice.

    Raises:
        SymbolError, DatasetError, RangeError, KeysMissingError: What cannot be. Nothing was queued.
        BrokerMissingError: No broker answers.
    """
    ticker, params = check_symbol(symbol), ingest_params(dataset, again=again)
    first, last = span(settings.history, start, end, now=now)
    require_keys(settings)
    job, new = journal.queue("ingest", settings.source, ticker, first, last, params)
    if new:
        send(job)
    return job, new


def ingest_params(dataset: str, *, again: bool) -> dict[str, Any]:
    """What tells a job's work from that of others for the same sessions.

    Minutes have none: so jobs that were queued before there were other datasets are theirs.

    Raises:
        DatasetError: There is no such dataset.

    >>> ingest_params("bars_1m", again=False), ingest_params("bars_daily", again=True)
    ({}, {'dataset': 'bars_daily', 'again': True})
    """
    name = check_dataset(dataset).name
    params = {} if name == BARS_1M.name else {"dataset": name}
    return params | ({"again": True} if again else {})


def span(
    history: str, start: date | str | None, end: date | str | None, *, now: datetime
) -> tuple[date, date]:
    """The session dates an ingest is about, both included.

    Raises:
        RangeError: Not dates, reversed, in the future, or without any session between them.
    """
    newest = today(now)
    last = _date(end) or newest
    first = _date(start) or max(back(history, newest), _FIRST_ALPACA)
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
