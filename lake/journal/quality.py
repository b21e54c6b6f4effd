"""The quality of stored minutes by source, symbol and session, as it was computed last.

Kept in the journal and not in the lake: a row changes again and again, and each change in the lake
would be a commit, a snapshot and a file.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, tuple_

from lake.journal.tables import quality

if TYPE_CHECKING:
    from lake.journal.journal import Journal

#: What is good enough; beyond it an alert is raised.
LEAST_COMPLETENESS = 0.95
MOST_HOURS_BEHIND = 24.0
MOST_ERRORS = 0.01
LEAST_PASSED = 0.99

_BATCH = 500


@dataclass(frozen=True)
class Quality:
    """How good one series of minutes is on one session.

    Attributes:
        day: The session's New York date; of requests the same date in UTC.
        expected: Regular minutes of the session.
        fetched: How many of them lie in a fetched interval, with or without a bar.
        bars: Bars of the day that are stored, extended hours included.
        quarantined: Minutes of the day whose bar broke a rule.
        requests: Attempts to ask the provider about the symbol on that day, whatever they asked for.
        failures: How many of them gave no usable answer.
        hours_behind: For how long the next minute after the newest one could have been there;
            None where the session was not the newest when it was computed.
        computed_at: When (UTC).
    """

    source: str
    symbol: str
    day: date
    expected: int
    fetched: int
    bars: int
    quarantined: int
    requests: int
    failures: int
    hours_behind: float | None
    computed_at: datetime

    @property
    def completeness(self) -> float | None:
        """The share of the session's regular minutes that are accounted for."""
        return self.fetched / self.expected if self.expected else None

    @property
    def error_rate(self) -> float | None:
        """The share of requests that failed; None without requests."""
        return self.failures / self.requests if self.requests else None

    @property
    def passed(self) -> float | None:
        """The share of bars that passed the checks; None without bars."""
        seen = self.bars + self.quarantined
        return self.bars / seen if seen else None

    @property
    def breaches(self) -> tuple[str, ...]:
        """What is not good enough: some of ``completeness freshness errors checks``."""
        broken = {
            "completeness": self.completeness is not None
            and self.completeness < LEAST_COMPLETENESS,
            "freshness": self.hours_behind is not None and self.hours_behind > MOST_HOURS_BEHIND,
            "errors": self.error_rate is not None and self.error_rate > MOST_ERRORS,
            "checks": self.passed is not None and self.passed < LEAST_PASSED,
        }
        return tuple(name for name, is_broken in broken.items() if is_broken)


def keep(journal: "Journal", computed: Sequence[Quality]) -> list[Quality]:
    """Keep the quality of some days of one series, in place of what was computed before.

    Of an earlier computation stay the requests that are forgotten since, and how far behind the
    series was when a day was its newest.

    Returns:
        The rows as they are kept.
    """
    if not computed:
        return []
    c, days = quality.c, [one.day for one in computed]
    mine = (c.source == computed[0].source) & (c.symbol == computed[0].symbol)
    between = select(quality).where(mine, c.day.between(min(days), max(days)))
    with journal.database.writing() as connection:
        before = {row.day: row for row in connection.execute(between)}
        rows = [_with_before(one, before.get(one.day)) for one in computed]
        for some in _batches([row.day for row in rows if row.day in before]):
            connection.execute(delete(quality).where(mine, c.day.in_(some)))
        connection.execute(insert(quality), [vars(row) for row in rows])
    return rows


def of_series(
    journal: "Journal",
    symbol: str,
    *,
    source: str | None = None,
    first: date | None = None,
    last: date | None = None,
    limit: int = 1000,
) -> list[Quality]:
    """The newest kept days of a symbol, oldest first, by source.

    Args:
        first: First session, inclusive; None: from the beginning.
        last: Last session, inclusive.
    """
    c = quality.c
    wanted = select(quality).where(c.symbol == symbol)
    if source is not None:
        wanted = wanted.where(c.source == source)
    if first is not None:
        wanted = wanted.where(c.day >= first)
    if last is not None:
        wanted = wanted.where(c.day <= last)
    with journal.database.reading() as connection:
        newest = wanted.order_by(c.day.desc(), c.source).limit(limit)
        found = [_quality(row) for row in connection.execute(newest)]
    return sorted(found, key=lambda one: (one.source, one.day))


def newest(journal: "Journal") -> list[Quality]:
    """The newest kept session of each series, with the requests of its newest date that had any.

    By symbol and source. Of a series without any session: the newest date.
    """
    c = quality.c
    with journal.database.reading() as connection:
        every = {(one.source, one.symbol): one for one in _newest(connection)}
        held = {(one.source, one.symbol): one for one in _newest(connection, c.expected > 0)}
        asked = {(one.source, one.symbol): one for one in _newest(connection, c.requests > 0)}
    found = every | held
    for series, one in asked.items():
        found[series] = replace(found[series], requests=one.requests, failures=one.failures)
    return list(found.values())


def computed_at(journal: "Journal") -> dict[tuple[str, str], datetime]:
    """When each series (source, symbol) was last computed."""
    c = quality.c
    wanted = select(c.source, c.symbol, func.max(c.computed_at).label("at")).group_by(
        c.source, c.symbol
    )
    with journal.database.reading() as connection:
        return {(row.source, row.symbol): row.at for row in connection.execute(wanted)}


def _newest(connection: Connection, *such: ColumnElement[bool]) -> list[Quality]:
    c = quality.c
    last = select(c.source, c.symbol, func.max(c.day)).where(*such).group_by(c.source, c.symbol)
    wanted = select(quality).where(tuple_(c.source, c.symbol, c.day).in_(last))
    return [_quality(row) for row in connection.execute(wanted.order_by(c.symbol, c.source))]


def _batches(days: Sequence[date]) -> list[Sequence[date]]:
    """In pieces that fit into one statement of any database."""
    return [days[at : at + _BATCH] for at in range(0, len(days), _BATCH)]


def _with_before(one: Quality, before: Any) -> Quality:
    if before is None:
        return one
    behind = before.hours_behind if one.hours_behind is None else one.hours_behind
    more = {"requests": max(one.requests, before.requests)}
    more |= {"failures": max(one.failures, before.failures)}
    return replace(one, hours_behind=behind, **more)


def _quality(row: Any) -> Quality:
    return Quality(**{name: getattr(row, name) for name in Quality.__dataclass_fields__})
