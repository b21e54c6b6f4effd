"""Rows to learn from or to predict on: one primary symbol, with others beside it by the minute, or many stacked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from feature_service import build
from feature_service.choosing import choose
from lake import Lake
from lake.errors import ProblemError
from lake.features import content_hash
from lake.features.naming import KEYS
from lake.schema import check_symbol
from lake.sessions import Moment
from training_service import coverage, labels, panels
from training_service.joining import STRICT, beside, put_together, staleness
from training_service.labels import Label
from training_service.parts import Series, read


class SymbolsError(ProblemError):
    """Symbols that make no data set."""


@dataclass(frozen=True)
class Dataset:
    """Rows of the primary symbol at which every context symbol has a bar too, or of several stacked.

    Attributes:
        frame: ``timestamp`` (the bar's opening, UTC), ``session_date``, in a panel ``symbol``, then
            ``columns`` and those that are ``empty`` and, with a label, ``label`` and ``label_end``;
            sorted by timestamp, and in a panel by symbol.
        columns: What a model may look at: ``close`` and the primary's features, then each
            context symbol's close and features with its name as suffix (``close_SPY``), and in an
            as-of join its age (``age_SPY``, minutes). A panel's ``close`` is in the frame alone: prices
            of different companies say nothing beside one another.
        coverage: What the join costs; see :func:`training_service.coverage.report`.
        sources: Where the bars of each symbol come from.
        set_version: Of the feature set.
        empty: Columns that are null in every row: nothing can be learnt from them.
        join: How context symbols were joined.
        panel: Whether every row says its symbol.
    """

    frame: pl.DataFrame
    columns: tuple[str, ...]
    coverage: pl.DataFrame
    sources: dict[str, str]
    set_version: str
    empty: tuple[str, ...] = ()
    join: str = STRICT
    panel: bool = False

    @property
    def content_hash(self) -> str:
        """The hash of every value."""
        return content_hash(panels.numbered(self.frame) if self.panel else self.frame)


def assemble(
    lk: Lake,
    symbols: Sequence[str],
    set_name: str,
    *,
    label: Label | None = None,
    start: Moment = None,
    end: Moment = None,
    sources: Mapping[str, str] | None = None,
    join: str = STRICT,
    panel: bool = False,
    context: Sequence[str] = (),
) -> Dataset:
    """Features of the primary symbol and of its context, joined on the minute.

    Features that are not built yet, or whose bars have changed since, are built first. Labels
    come from all bars of the primary symbol, so that the join thins out rows but no horizon.

    An as-of join takes the newest context row at or before the primary's minute, never from another
    session. A row is known when its bar is complete, and the bars of primary and context that open
    in the same minute are complete at the same time: nothing of the future is seen.

    Args:
        lk: The lake; features are built into it where they are not.
        symbols: The primary symbol first, then its context. In a panel all are primaries.
        set_name: The feature set, the same for all symbols.
        label: Adds ``label`` and ``label_end``; rows without a label stay, with nulls.
        start: A New York session date, or a time with its zone; None for the beginning.
        end: As ``start``, both included; None for the newest.
        sources: Where the bars of a symbol come from; those ``bars`` shows where it says nothing.
        join: ``strict``: context of the same minute, rows without it are left out. ``asof:MINUTES``
            (1 to 390): context at most so old, with its age as one more column.
        panel: Stack the rows of all symbols, each with labels of its own.
        context: Symbols beside every row of a panel.

    Raises:
        BarsMissingError: The lake has no bars of a symbol.
        SymbolsError: No symbol, the same twice, a source of one that is not named, or no minute
            they have in common.
        JoinError: There is no such join.
    """
    staleness(join)
    primaries, others = _roles(symbols, context, panel=panel)
    names = (*primaries, *others)
    asked, wanted = _sources(sources or {}, names), choose(lk, set_name)
    builds = {name: build.build(lk, name, wanted, asked.get(name)) for name in names}
    series = {name: Series(lk, wanted, built, start, end) for name, built in builds.items()}
    parts = {name: read(series[name]) for name in others}
    frames: dict[str, pl.DataFrame] = {}
    costs: list[dict[str, Any]] = []
    for name in primaries:
        mine = read(series[name], label)
        found = [beside(mine.own, part, other, join) for other, part in parts.items()]
        costs += [coverage.of_primary(name, mine.own, found)] if panel else []
        costs += [coverage.of_context(name, mine.own, one) for one in found]
        several = [part.copy() if panel else part for part in parts.values()]
        frames[name] = put_together(mine, several, found)
        if frames[name].is_empty():
            raise SymbolsError(_nothing(name, others, join))
    frame = panels.stacked(frames) if panel else frames.pop(primaries[0])
    empty = [name for name in frame.columns if frame[name].null_count() == frame.height]
    hidden = {*KEYS, labels.VALUE, labels.END, *empty, *(["close"] if panel else [])}
    missing = {one.symbol: [name for name in one.columns if name in empty] for one in found}
    return Dataset(
        frame=frame,
        columns=tuple(name for name in frame.columns if name not in hidden),
        coverage=coverage.report(costs, missing),
        sources={name: built.source for name, built in builds.items()},
        set_version=wanted.version,
        empty=tuple(name for name in empty if name not in {labels.VALUE, labels.END}),
        join=join,
        panel=panel,
    )


def check_symbols(symbols: Sequence[str]) -> tuple[str, ...]:
    """The tickers in capitals, the primary one first.

    Raises:
        SymbolsError: There is none, the same twice, or one text instead of a list.
        SymbolError: One is not a ticker.
    """
    if isinstance(symbols, str):
        problem = f"Give symbols as a list, like ['SPY'], not {symbols[:40]!r}."
        raise SymbolsError(problem)
    names = tuple(check_symbol(symbol) for symbol in symbols)
    if not names:
        problem = "Name at least one symbol: the first is the one to foresee."
        raise SymbolsError(problem)
    if len(set(names)) < len(names):
        problem = (
            f"{', '.join(names)} names a symbol twice. Name each once, the one to foresee first."
        )
        raise SymbolsError(problem)
    return names


def _roles(
    symbols: Sequence[str], context: Sequence[str], *, panel: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Primaries and their context."""
    if context and not panel:
        problem = "Only a panel has a context of its own: name context symbols after the first."
        raise SymbolsError(problem)
    names = check_symbols(symbols)
    if not panel:
        return names[:1], names[1:]
    return names, check_symbols([*names, *context])[len(names) :]


def _sources(asked: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    """By ticker in capitals.

    Raises:
        SymbolsError: One is of a symbol that is not in the data set.
    """
    found = {check_symbol(symbol): source for symbol, source in asked.items()}
    if stranger := next((name for name in found if name not in names), None):
        problem = (
            f"A source is said for {stranger}, which is none of {', '.join(names)}. "
            "Name the symbol too, or leave its source out."
        )
        raise SymbolsError(problem)
    return found


def _nothing(primary: str, others: Sequence[str], join: str) -> str:
    if not others:
        return f"{primary} has no bar in that range. Ask for another, or fetch its bars first."
    together = " and ".join((primary, *others))
    most = staleness(join)
    near = "of the same minute" if most is None else f"within {most} minutes of one session"
    return f"{together} have no bar {near} in that range."
