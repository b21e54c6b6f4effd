"""Which paper had which ticker when: told from lists of assets and from corporate actions. Pure.

A provider's list of assets says who has a ticker today, under a number that outlives a change of
names; corporate actions say on which day a name changed, long ago too. Neither is enough: the list
has no past, and actions come late. So what the lists showed is kept, and all else is told anew from
both each time: an action that comes late, changes or goes mends the past.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import polars as pl

#: A paper as a provider lists it.
ASSET_SCHEMA = pl.Schema(
    {
        "instrument_id": pl.String(),  # the provider's own, which outlives a change of names
        "symbol": pl.String(),
        "asset_class": pl.String(),  # us_equity, crypto ...
        "exchange": pl.String(),
        "calendar": pl.String(),  # as exchange_calendars names it
        "name": pl.String(),
        "status": pl.String(),  # active or inactive
    }
)
_FACTS = ("asset_class", "exchange", "calendar", "name", "status")

#: A paper under one of its tickers.
INSTRUMENT_SCHEMA = pl.Schema(
    {
        "instrument_id": pl.String(),
        "symbol": pl.String(),
        "valid_from": pl.Date(),  # first session date under it; null: as far as is known
        "valid_to": pl.Date(),  # first day no longer under it; null: it still has it
        **{name: pl.String() for name in _FACTS},
        "listed": pl.Date(),  # first day of the paper; null: not known
        "delisted": pl.Date(),  # first day without it; null: traded, or not known
        "first_seen": pl.Date(),  # when a list first had it so; null: an action tells of it
        "last_seen": pl.Date(),  # when a list last had it so; null: the newest has
    }
)

#: Kinds of corporate actions that end a paper.
ENDS = (
    "cash_merger",
    "stock_merger",
    "stock_and_cash_merger",
    "worthless_removal",
    "redemption",
)
#: What :func:`instruments` needs of corporate actions, a row each.
RENAME_SCHEMA = pl.Schema({"old": pl.String(), "new": pl.String(), "day": pl.Date()})
END_SCHEMA = pl.Schema({"symbol": pl.String(), "day": pl.Date()})

#: A list may have a new name some days before the action's own day.
_EARLY = timedelta(days=7)


@dataclass
class _Seen:
    """A ticker under which lists had a paper."""

    symbol: str
    first: date
    last: date | None


@dataclass
class _Paper:
    name: str
    facts: dict[str, Any]
    seen: list[_Seen] = field(default_factory=list)
    listed: date | None = None
    delisted: date | None = None

    @property
    def active(self) -> bool:
        return bool(self.facts["status"] == "active")


@dataclass
class _Span:
    paper: _Paper
    symbol: str
    start: date | None
    end: date | None
    seen: _Seen | None

    @property
    def is_empty(self) -> bool:
        return self.end is not None and self.start == self.end

    @property
    def order(self) -> tuple[date, bool, date, str]:
        return (
            self.end or date.max,
            self.paper.active,
            self.start or date.min,
            self.paper.name,
        )


def instruments(
    known: pl.DataFrame,
    assets: pl.DataFrame,
    renames: pl.DataFrame,
    ends: pl.DataFrame,
    *,
    day: date,
    before: date | None,
) -> pl.DataFrame:
    """What is known of all papers after one more list of assets.

    Spans of one ticker never overlap: where two papers had it and nobody says until when the first
    one did, it ends where the second begins; where nobody says that either, it is empty.

    Args:
        known: What was known before, as ``INSTRUMENT_SCHEMA``.
        assets: The list, as ``ASSET_SCHEMA``.
        renames: ``RENAME_SCHEMA``: from ``day`` on ``old`` is called ``new``.
        ends: ``END_SCHEMA``: from ``day`` on there is no such paper.
        day: Of the list, in New York.
        before: The day of the list before it; None: this is the first.

    Returns:
        As ``INSTRUMENT_SCHEMA``, sorted by symbol, a row a paper and ticker.
    """
    papers = _read(known)
    _see(papers, assets.cast(ASSET_SCHEMA), day, before)
    told = _Told(renames, ends, day)
    order = sorted(papers.values(), key=lambda one: (not one.active, one.name))
    spans = [span for paper in order for span in told.spans(paper)]
    _keep_apart(spans)
    rows = [_row(span) for span in spans]
    frame = pl.DataFrame(rows, schema=INSTRUMENT_SCHEMA, orient="row")
    return frame.sort("symbol", "valid_from", "instrument_id", nulls_last=False)


def _read(known: pl.DataFrame) -> dict[str, _Paper]:
    """The papers as lists have shown them; what actions told of them is told anew."""
    papers: dict[str, _Paper] = {}
    for row in known.cast(INSTRUMENT_SCHEMA).sort("first_seen").iter_rows(named=True):
        if row["first_seen"] is None:
            continue
        name = row["instrument_id"]
        if name not in papers:
            facts = {key: row[key] for key in _FACTS}
            papers[name] = _Paper(name, facts, [], row["listed"], row["delisted"])
        papers[name].seen.append(_Seen(row["symbol"], row["first_seen"], row["last_seen"]))
    return papers


def _see(papers: dict[str, _Paper], assets: pl.DataFrame, day: date, before: date | None) -> None:
    """Add what a list shows."""
    shown = assets.unique("instrument_id", keep="last", maintain_order=True)
    for row in shown.iter_rows(named=True):
        name, symbol = row["instrument_id"], row["symbol"]
        facts = {key: row[key] for key in _FACTS}
        paper = papers.get(name)
        if paper is None:
            new = None if before is None or before >= day else day
            papers[name] = _Paper(name, facts, [_Seen(symbol, day, None)], listed=new)
            continue
        ended = paper.active and facts["status"] != "active"
        paper.delisted = None if facts["status"] == "active" else day if ended else paper.delisted
        paper.facts = facts
        newest = paper.seen[-1]
        if newest.symbol == symbol or not paper.active:  # dead papers may be given odd names
            newest.last = None
        elif newest.first == day:  # the same day's list, read again
            newest.symbol, newest.last = symbol, None
        else:
            newest.last = newest.last or before or day
            paper.seen.append(_Seen(symbol, day, None))
    gone = papers.keys() - set(shown["instrument_id"])
    for name in gone:
        newest = papers[name].seen[-1]
        newest.last = newest.last or before or day


class _Told:
    """What corporate actions say about papers; each change of names is one paper's."""

    def __init__(self, renames: pl.DataFrame, ends: pl.DataFrame, day: date) -> None:
        self._day = day
        self._renames: dict[str, list[tuple[date, str]]] = {}
        happened = renames.cast(RENAME_SCHEMA).filter(pl.col("day") <= day).unique().sort("day")
        for old, new, since in happened.iter_rows():
            self._renames.setdefault(new, []).append((since, old))
        self._ends: dict[str, date] = dict(
            ends.cast(END_SCHEMA).filter(pl.col("day") <= day).sort("day").iter_rows()
        )
        self._claimed: set[tuple[str, str, date]] = set()

    def spans(self, paper: _Paper) -> list[_Span]:
        """The tickers of a paper, oldest first."""
        self._end(paper)
        chain: list[tuple[str, date | None, _Seen | None]] = []
        for seen in paper.seen:
            since = self._since(chain[-1][0], seen) if chain else paper.listed
            chain.append((seen.symbol, since, seen))
        self._go_back(paper, chain)
        starts: list[date | None] = [since for _, since, _ in chain]
        ends = [*starts[1:], None if paper.active else paper.delisted]
        return [
            _Span(paper, symbol, since, end, seen)
            for (symbol, since, seen), end in zip(chain, ends, strict=True)
        ]

    def _end(self, paper: _Paper) -> None:
        told = self._ends.get(paper.seen[-1].symbol)
        if told is not None and not paper.active:
            paper.delisted = told

    def _since(self, old: str, seen: _Seen) -> date:
        """When a paper took a ticker that lists showed: the action's day, else that of the list."""
        told = [day for day, one in self._renames.get(seen.symbol, []) if one == old]
        told = [day for day in told if day <= seen.first + _EARLY]
        since = max(told, default=seen.first)
        self._claimed.add((old, seen.symbol, since))
        return since

    def _go_back(self, paper: _Paper, chain: list[tuple[str, date | None, _Seen | None]]) -> None:
        """Add what a paper was called before any list had it."""
        limit = chain[1][1] if len(chain) > 1 else paper.delisted
        while True:
            symbol, _, seen = chain[0]
            found = [
                (day, old)
                for day, old in self._renames.get(symbol, [])
                if (limit is None or day < limit) and (old, symbol, day) not in self._claimed
            ]
            if not found:
                return
            since, old = max(found)
            self._claimed.add((old, symbol, since))
            chain[0] = (symbol, since, seen)
            chain.insert(0, (old, None, None))
            limit = since


def _keep_apart(spans: Iterable[_Span]) -> None:
    """Let no two spans of a ticker overlap, by their unknown ends first."""
    holders: dict[str, list[_Span]] = {}
    for span in spans:
        holders.setdefault(span.symbol, []).append(span)
    for several in holders.values():
        _order(several)


def _order(spans: list[_Span]) -> None:
    ordered = sorted(spans, key=lambda span: span.order)
    bound: date | None = None
    for span in reversed(ordered):  # nobody has a ticker longer than until the next one gets it
        if span is not ordered[-1]:
            span.end = min(filter(None, (span.end, bound)), default=None)
            if span.end is None:  # nobody tells: it is the newer one's, on all days
                span.end = span.start or (span.seen.first if span.seen else date.min)
                span.start = span.end
        if span.start is not None:
            span.start = min(span.start, span.end or date.max)
            bound = min(filter(None, (span.start, bound)))
    reached: date | None = None
    for span in ordered:  # and not before the last one has lost it
        if reached is not None and not span.is_empty:
            span.start = max(span.start or date.min, reached)
            span.end = span.end and max(span.end, span.start)
        if not span.is_empty:
            reached = max(filter(None, (span.end, reached)), default=None)


def _row(span: _Span) -> tuple[Any, ...]:
    paper, seen = span.paper, span.seen
    return (
        paper.name,
        span.symbol,
        span.start,
        span.end,
        *(paper.facts[name] for name in _FACTS),
        paper.listed,
        paper.delisted,
        seen.first if seen else None,
        seen.last if seen else None,
    )


def chains(held: pl.DataFrame) -> Mapping[str, Sequence[dict[str, Any]]]:
    """The tickers of each paper that had several, oldest first: rows of ``INSTRUMENT_SCHEMA``."""
    several = held.filter(pl.len().over("instrument_id") > 1)
    several = several.sort("instrument_id", "valid_from", "first_seen", nulls_last=False)
    found: dict[str, list[dict[str, Any]]] = {}
    for row in several.iter_rows(named=True):
        found.setdefault(row["instrument_id"], []).append(row)
    return found
