"""Reading bars: one source per symbol, a range, a timeframe, adjusted or raw, now or as once known."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from lake import actions, sessions
from lake.datasets import Dataset, check_dataset
from lake.errors import InvalidError, RangeError
from lake.schema import check_symbol
from lake.sessions import Moment
from lake.timeframes import READ_COLUMNS, WEEK, check_timeframe, minutes_of

Span = tuple[datetime | None, datetime | None]


#: More columns than a sentence has place for.
_LISTED = 40


class ColumnsError(InvalidError):
    """Columns that bars do not have."""

    def __init__(self, unknown: Sequence[str], known: Sequence[str]) -> None:
        super().__init__(list(unknown), list(known))
        self.unknown, self.known = list(unknown), list(known)

    def __str__(self) -> str:
        choice = ", ".join(self.known)
        if len(self.known) > _LISTED:
            near = difflib.get_close_matches(self.unknown[0], self.known, n=3)
            few = [*near, *self.known[: 3 - len(near)]]
            choice = f"{len(self.known):,} others, like {', '.join(few)}"
        return f"There is no column {', '.join(self.unknown[:3])[:100]}. Choose from {choice}."


@dataclass(frozen=True)
class Question:
    """A checked request for bars.

    Attributes:
        start: Inside (UTC); None for the beginning.
        end: Outside; None for the newest.
        as_of: What the lake knew up to and with this moment; None for all it knows.
        snapshot: Of DuckLake; None for the newest.
        limit: The newest this many bars of each symbol; None for all.
    """

    symbols: tuple[str, ...]
    start: datetime | None
    end: datetime | None
    dataset: Dataset
    timeframe: str
    adjust: str
    columns: tuple[str, ...]
    regular_only: bool
    limit: int | None
    as_of: datetime | None
    snapshot: int | None
    source: str | None

    @property
    def span(self) -> Span:
        """From ``start`` to before ``end``."""
        return self.start, self.end

    @property
    def rolls_up(self) -> bool:
        """Whether bars of the dataset are joined into longer ones."""
        return self.timeframe != self.dataset.timeframe

    def whole_days(self, span: Span) -> Span:
        """The days that hold all bars of the dataset that those asked for are made of.

        A longer bar at the edge of a range is made of all its minutes, or it would not be that bar.
        """
        if not self.rolls_up:
            return span
        low, high = span
        first = sessions.today(low) if low else None
        last = sessions.today(high) if high else None
        if self.timeframe == WEEK:
            first = first - timedelta(days=first.weekday()) if first else None
            last = last + timedelta(days=6 - last.weekday()) if last else None
        return (
            sessions.midnight(first) if first else None,
            sessions.midnight(last + timedelta(days=1)) if last else None,
        )


def ask(
    symbols: str | Sequence[str],
    start: Moment,
    end: Moment,
    *,
    dataset: str,
    timeframe: str | None,
    adjust: str,
    columns: Sequence[str] | None,
    regular_only: bool,
    limit: int | None,
    as_of: Moment = None,
    snapshot: int | None = None,
    source: str | None = None,
) -> Question:
    """Check what a user asks for, before anything is read.

    Raises:
        SymbolError, RangeError, DatasetError, TimeframeError, AdjustmentError, ColumnsError: What
            is wrong.
    """
    names = (symbols,) if isinstance(symbols, str) else tuple(symbols)
    wanted = tuple(columns) if columns is not None else READ_COLUMNS
    if unknown := [name for name in wanted if name not in READ_COLUMNS]:
        raise ColumnsError(unknown, READ_COLUMNS)
    if limit is not None and limit < 1:
        raise RangeError(f"limit must be at least 1, was {limit}.")
    if not names:
        raise RangeError("Name at least one symbol.")
    chosen = check_dataset(dataset)
    low, high = sessions.window(start, end)
    return Question(
        symbols=tuple(sorted({check_symbol(name) for name in names})),
        start=low,
        end=high,
        dataset=chosen,
        timeframe=_timeframe(timeframe, chosen),
        adjust=actions.check_adjustment(adjust),
        columns=wanted,
        regular_only=regular_only,
        limit=limit,
        as_of=known_until(as_of),
        snapshot=snapshot,
        source=source,
    )


def known_until(as_of: Moment) -> datetime | None:
    """The last moment of what a user means by ``as_of``: a date is the whole New York day.

    Raises:
        RangeError: Neither a date nor a time with its zone.
    """
    if as_of is None:
        return None
    _, outside = sessions.window(None, as_of)
    return outside - timedelta(microseconds=1) if outside else None


def _timeframe(timeframe: str | None, dataset: Dataset) -> str:
    if timeframe is None:
        return dataset.timeframe
    checked = check_timeframe(timeframe)
    if minutes_of(dataset.timeframe) is None and minutes_of(checked) is not None:
        raise RangeError(f"{dataset.name} has no bars of {checked}: ask for 1d or 1week.")
    return checked


# The newest N bars of a thin symbol may lie far back, so the search widens until it has them or
# the history ends.
_MINUTES_TO_SESSION = 390
_DAYS_OF = {"1d": 2, WEEK: 8}
_WIDEN = 8
_NOWHERE = datetime(2000, 1, 3, tzinfo=UTC)


def windows(question: Question, first: datetime | None, last: datetime | None) -> Iterator[Span]:
    """Ever wider ranges to look for the newest ``limit`` bars in; the last one holds all there are.

    Args:
        question: With a limit.
        first: The first moment that bars can lie at; None where there are none.
        last: The last one.
    """
    if first is None or last is None:
        nowhere = question.start or question.end or _NOWHERE
        yield nowhere, question.end
        return
    limit = question.limit or 0
    days = 4 + limit // _MINUTES_TO_SESSION
    if question.timeframe in _DAYS_OF:
        days = 5 + _DAYS_OF[question.timeframe] * limit
    reach = (last - first).days + 2
    while True:
        start = sessions.midnight(sessions.today(last) - timedelta(days=min(days, reach)))
        whole = days >= reach or (question.start is not None and start <= question.start)
        yield (question.start if whole else start), question.end
        if whole:
            return
        days *= _WIDEN


def without_limit(question: Question, span: Span) -> Question:
    """The same question for all bars of a range."""
    return replace(question, start=span[0], end=span[1], limit=None)
