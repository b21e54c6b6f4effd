"""Which part of a request a page has answered. Pure.

A page covers its earlier symbols and its last symbol up to its last bar, if it is sorted and
continues the page before. From the first page that is not, everything waits for the end of the
data: nothing may be called fetched on the word of pages that repeat, jump or come shuffled. Bars
that nobody asked for are put aside with the rule they break.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import polars as pl

from agents.sources import Page
from lake import BAR_SCHEMA, Covered, sessions

#: So many pages go on after one before it is believed.
LAG = 4

NOT_ASKED = "the bar was asked for"
NO_TIME = "the timestamp can be read"
_NONE_REFUSED = pl.DataFrame(schema={**BAR_SCHEMA, "rule": pl.String()})

#: The first moment after a bar's opening at which the next one may open.
Next = Callable[[datetime], datetime]


def next_minute(opening: datetime) -> datetime:
    """The minute after one."""
    return opening + timedelta(minutes=1)


def next_day(opening: datetime) -> datetime:
    """The midnight in New York after one; the clocks may change between the two."""
    return sessions.midnight(sessions.today(opening) + timedelta(days=1))


@dataclass(frozen=True)
class Answered:
    """Bars to commit together, with what they complete.

    Attributes:
        bars: As ``BAR_SCHEMA``.
        covered: What they are the whole answer to.
        refused: Bars that nobody asked for, as ``BAR_SCHEMA`` and ``rule``.
        pages: How many pages they came in.
        orderly: They came in order.
    """

    bars: pl.DataFrame
    covered: tuple[Covered, ...]
    refused: pl.DataFrame
    pages: int = 1
    orderly: bool = True


def answered(
    pages: Iterable[Page],
    symbols: Sequence[str],
    start: datetime,
    end: datetime,
    *,
    after: Next = next_minute,
    believe: bool = True,
) -> Iterator[Answered]:
    """Cut a stream of pages into parts that can be committed one after another.

    A page is believed when :data:`LAG` more have gone on after it: where pages have changed places,
    those that came too early would else be called fetched before the others have come.

    Args:
        pages: All pages of one request for ``symbols`` from ``start`` (inside) to ``end`` (outside).
        after: When the bar after one may open.
        believe: Whether pages that came out of order cover the request once all have come. If not,
            their bars are told and nothing is called fetched: the caller asks again.

    Yields:
        One part a page while pages come in order; the rest as one part when they do not, and the
        last ones together. All parts cover the request exactly once, or less if the pages end
        before the last one.
    """
    open_from = dict.fromkeys(sorted(symbols), start)
    held: deque[_Held] = deque()
    left, orderly = open_from, True
    for page in pages:
        bars, refused = _judged(page.bars, symbols, start, end)
        orderly = orderly and _continues(bars, left)
        covered, left = _close(left, bars, end, after) if orderly and not page.last else ((), left)
        held.append(_Held(bars, refused, covered, left))
        if page.last:
            whole = _all(open_from, end) if orderly or believe else ()
            yield replace(_together(held, whole), orderly=orderly)
            return
        if orderly and len(held) > LAG:
            oldest = held.popleft()
            yield _together([oldest], oldest.covered)
            open_from = oldest.left


@dataclass(frozen=True)
class _Held:
    """A page that is not believed yet: what it answers if it is, and what is open after it."""

    bars: pl.DataFrame
    refused: pl.DataFrame
    covered: tuple[Covered, ...]
    left: dict[str, datetime]


def _together(held: Collection[_Held], covered: tuple[Covered, ...]) -> Answered:
    bars = pl.concat([one.bars for one in held])
    return Answered(bars, covered, pl.concat([one.refused for one in held]), len(held))


def _judged(
    bars: pl.DataFrame, symbols: Sequence[str], start: datetime, end: datetime
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The bars that were asked for, and the others with the rule that each breaks."""
    time = pl.col("timestamp")
    asked = pl.col("symbol").is_in([*symbols]) & (time >= start) & (time < end)
    keeps = bars.select(asked.fill_null(value=False)).to_series()
    if keeps.all():
        return bars, _NONE_REFUSED
    rule = pl.when(time.is_null()).then(pl.lit(NO_TIME)).otherwise(pl.lit(NOT_ASKED))
    return bars.filter(keeps), bars.filter(~keeps).select(*BAR_SCHEMA.names(), rule=rule)


def _continues(bars: pl.DataFrame, open_from: dict[str, datetime]) -> bool:
    """Whether the bars are sorted, of symbols still open, and not before what is answered already."""
    symbol, time = pl.col("symbol"), pl.col("timestamp")
    begins = (symbol != symbol.shift()).fill_null(value=True)
    told = bars.select(
        known=symbol.is_not_null().all() & time.is_not_null().all(),
        sorted=((time >= time.shift()).fill_null(value=False) | begins).all(),
        starts=begins.arg_true().implode(),
    )
    firsts = bars.select(symbol, time)[told["starts"][0].to_list()].rows()
    names = [name for name, _ in firsts]
    if not told["known"][0] or not told["sorted"][0] or names != sorted({*names}):
        return False
    return all(name in open_from and first >= open_from[name] for name, first in firsts)


def _close(
    open_from: dict[str, datetime], bars: pl.DataFrame, end: datetime, after: Next
) -> tuple[tuple[Covered, ...], dict[str, datetime]]:
    """What an orderly page answers, and what is open after it."""
    if bars.is_empty():
        return (), open_from
    newest_symbol, newest = bars.select("symbol", "timestamp").row(-1)
    done = [Covered(name, since, end) for name, since in open_from.items() if name < newest_symbol]
    reached = min(after(newest), end)
    done.append(Covered(newest_symbol, open_from[newest_symbol], reached))
    left = {name: since for name, since in open_from.items() if name > newest_symbol}
    return (
        tuple(part for part in done if part.start < part.end),
        {newest_symbol: reached, **left},
    )


def _all(open_from: dict[str, datetime], end: datetime) -> tuple[Covered, ...]:
    return tuple(Covered(name, since, end) for name, since in open_from.items() if since < end)
