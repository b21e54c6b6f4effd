"""Rows to learn from or to predict on: one primary symbol, with others beside it by the minute."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from feature_service import build
from feature_service.build import Build
from lake import Lake
from lake.errors import ProblemError
from lake.features import content_hash, read_features
from lake.features.naming import KEYS
from lake.schema import check_symbol
from lake.sessions import Moment
from training_service import labels
from training_service.labels import Label


class SymbolsError(ProblemError):
    """Symbols that make no data set."""


@dataclass(frozen=True)
class Dataset:
    """Rows of the primary symbol at which every context symbol has a bar too.

    Attributes:
        frame: ``timestamp`` (the bar's opening, UTC), ``session_date``, ``columns`` and, with a
            label, ``label`` and ``label_end``; sorted.
        columns: What a model may look at: ``close`` and the primary's features, then each
            context symbol's close and features with its name as suffix (``close_SPY``).
        coverage: A row a context symbol: what the join with it costs.
        sources: Where the bars of each symbol come from.
        set_version: Of the feature set.
    """

    frame: pl.DataFrame
    columns: tuple[str, ...]
    coverage: pl.DataFrame
    sources: dict[str, str]
    set_version: str

    @property
    def content_hash(self) -> str:
        """The hash of every value."""
        return content_hash(self.frame)


def assemble(
    lk: Lake,
    symbols: Sequence[str],
    set_name: str,
    *,
    label: Label | None = None,
    start: Moment = None,
    end: Moment = None,
    sources: Mapping[str, str] | None = None,
) -> Dataset:
    """Features of the primary symbol and of its context, joined on the minute, strictly.

    Features that are not built yet, or whose bars have changed since, are built first. Labels
    come from all bars of the primary symbol, so that the join thins out rows but no horizon.

    Args:
        symbols: The primary symbol first.
        label: Adds ``label`` and ``label_end``; rows without a label stay, with nulls.
        start: A New York session date, or a time with its zone; None for the beginning.
        end: As ``start``, both included; None for the newest.
        sources: Where the bars of a symbol come from; those ``bars`` shows where it says nothing.

    Raises:
        BarsMissingError: The lake has no bars of a symbol.
        SymbolsError: No symbol, the same twice, or no minute they have in common.
    """
    names = check_symbols(symbols)
    asked = sources or {}
    builds = {name: build.build(lk, name, set_name, asked.get(name)) for name in names}
    origins = {name: built.source for name, built in builds.items()}
    parts = {name: _features(lk, name, built, start, end) for name, built in builds.items()}
    primary = names[0]
    joined = parts[primary]
    if label is not None:
        joined = _labelled(lk, joined, label, primary, origins[primary])
    for name in names[1:]:
        joined = joined.join(_suffixed(parts[name], name), on="timestamp", how="inner")
    if joined.is_empty():
        problem = f"{' and '.join(names)} have no bar of the same minute in that range."
        raise SymbolsError(problem)
    own = {*KEYS, labels.VALUE, labels.END}
    return Dataset(
        frame=joined.sort("timestamp"),
        columns=tuple(name for name in joined.columns if name not in own),
        coverage=_coverage(parts, primary),
        sources=origins,
        set_version=builds[primary].set_version,
    )


def check_symbols(symbols: Sequence[str]) -> tuple[str, ...]:
    """The tickers in capitals, the primary one first.

    Raises:
        SymbolsError: There is none, or the same twice.
        SymbolError: One is not a ticker.
    """
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


def _features(lk: Lake, symbol: str, built: Build, start: Moment, end: Moment) -> pl.DataFrame:
    """Keys, close and features of one symbol; the close as the features saw it, split-adjusted.

    Of exactly the version that was built: another process may have built another one since.
    """
    version, source = built.set_version, built.source
    features = read_features(
        lk, symbol, built.feature_set, start, end, source=source, set_version=version
    )
    closes = lk.bars(
        symbol, start, end, adjust="split", source=source, columns=["timestamp", "close"]
    )
    joined = features.drop("symbol").join(closes, on="timestamp", maintain_order="left")
    return joined.select("timestamp", "session_date", "close", pl.exclude(*KEYS, "close"))


def _labelled(lk: Lake, part: pl.DataFrame, label: Label, symbol: str, source: str) -> pl.DataFrame:
    """With the label, which may look at more than closes."""
    more = [name for name in label.columns if name not in part.columns]
    if not more or part.is_empty():
        return labels.add(part, label)
    first, last = part["timestamp"][0], part["timestamp"][-1]
    prices = lk.bars(
        symbol, first, last, adjust="split", source=source, columns=["timestamp", *more]
    )
    joined = part.join(prices, on="timestamp", how="left", maintain_order="left")
    return labels.add(joined, label).drop(more)


def _suffixed(part: pl.DataFrame, symbol: str) -> pl.DataFrame:
    values = part.drop("session_date", "timestamp")
    return part.select(
        "timestamp", *(pl.col(name).alias(f"{name}_{symbol}") for name in values.columns)
    )


def _coverage(parts: dict[str, pl.DataFrame], primary: str) -> pl.DataFrame:
    """``symbol``, ``rows`` (its own), ``lost`` (of the primary's), ``share``, and where most."""
    base = parts[primary].select("timestamp", "session_date")
    rows = []
    for name, part in parts.items():
        if name == primary:
            continue
        lost = base.join(part.select("timestamp"), on="timestamp", how="anti")
        worst = lost["session_date"].value_counts().sort("count", "session_date", descending=True)
        rows.append(
            {
                "symbol": name,
                "rows": part.height,
                "lost": lost.height,
                "share": lost.height / base.height if base.height else 0.0,
                "worst_session": worst["session_date"][0] if worst.height else None,
                "worst_lost": worst["count"][0] if worst.height else 0,
            }
        )
    return pl.DataFrame(
        rows,
        schema={
            "symbol": pl.String,
            "rows": pl.Int64,
            "lost": pl.Int64,
            "share": pl.Float64,
            "worst_session": pl.Date,
            "worst_lost": pl.Int64,
        },
    )
