"""Instruments: each paper with the tickers it had and when, and what was known when.

A paper is a share of a company (or a fund, a coin) under the provider's own number, which outlives a
change of names. What a ticker meant on a day is told from here; how it is worked out from lists of
assets and corporate actions is :mod:`lake.papers`.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import duckdb
import polars as pl

from lake import known, papers, sessions
from lake.actions import ACTION_SCHEMA, provider_of
from lake.datasets import DATASETS
from lake.papers import ASSET_SCHEMA, ENDS, INSTRUMENT_SCHEMA
from lake.reading import known_until
from lake.sessions import Moment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lake.presence import Lifespan
    from lake.store import Lake

__all__ = [
    "ASSET_SCHEMA",
    "INSTRUMENT_SCHEMA",
    "Rename",
    "actions",
    "commit_assets",
    "fetched",
    "instruments",
    "last_tickers",
    "lifespans",
    "renames",
]

_NAMED = """instrument_id IN (SELECT i.instrument_id FROM instruments i
    WHERE i.source = $source AND list_contains($symbols, i.symbol))"""
#: A list that lacks so many of the papers it had is not believed.
_MOST_GONE = 0.5
#: So long must a series have been fetched before its first bar for that bar to tell its listing.
_QUIET = timedelta(days=14)


def commit_assets(lake: "Lake", source: str, assets: pl.DataFrame, day: date) -> int | None:
    """Store what a list of assets and the corporate actions in the lake say of all papers.

    The same list again changes nothing. What holds no more stays, for as-of reads.

    Args:
        lake: To read and to write.
        source: Whose; papers belong to the provider.
        assets: The whole list, as ``ASSET_SCHEMA``.
        day: When it was asked for, in New York.

    Returns:
        How many rows came or went; None if the list is no answer: it is empty, or lacks more than
        half of the papers that the one before it had. Nothing was written then.
    """
    provider = provider_of(source)
    before = known.newest_read(lake, provider, "assets")
    with lake.reading() as connection:
        held = known.rows(connection, "instruments", INSTRUMENT_SCHEMA, provider)
        renamed, ended = _renames(connection, provider), _ends(connection, provider)
    shown = held.filter(pl.col("first_seen").is_not_null() & pl.col("last_seen").is_null())
    left = shown.filter(pl.col("instrument_id").is_in(assets["instrument_id"].implode()))
    if assets.is_empty() or left.height < shown.height * _MOST_GONE:
        return None
    told = papers.instruments(held, assets, renamed, ended, day=day, before=before)
    read = ("assets", day, day, assets.height)
    return known.replace(lake, "instruments", INSTRUMENT_SCHEMA, provider, told, read=read)


def instruments(
    lake: "Lake",
    source: str,
    symbols: "Sequence[str] | None" = None,
    *,
    on: date | None = None,
    as_of: Moment = None,
) -> pl.DataFrame:
    """Papers and their tickers, a row a paper and ticker.

    Args:
        lake: Read only.
        source: Whose; papers belong to the provider.
        symbols: Only papers that ever had one of these tickers, with all of theirs; None for all.
        on: Only tickers of that day.
        as_of: As the lake knew them then: a New York date (its end) or a time; None for now.

    Returns:
        As ``INSTRUMENT_SCHEMA``, sorted by symbol and day.
    """
    only = "true" if symbols is None else _NAMED
    asked = {} if symbols is None else {"symbols": [*symbols]}
    provider, moment = provider_of(source), known_until(as_of)
    with lake.reading() as connection:
        found = known.rows(
            connection, "instruments", INSTRUMENT_SCHEMA, provider, moment, only=only, **asked
        )
    if symbols is not None:
        named = found.filter(pl.col("symbol").is_in([*symbols]))
        found = found.join(named.select("instrument_id").unique(), on="instrument_id", how="semi")
    if on is not None:
        found = found.filter(_valid_on(on))
    return found.sort("symbol", "valid_from", "instrument_id", nulls_last=False)


@dataclass(frozen=True)
class Rename:
    """A ticker that a paper had, and the one that it has now.

    Attributes:
        old: The earlier ticker.
        new: The newest one.
        begin: The first day under the earlier one; None: as far as is known.
        until: The first day no longer under the earlier one.
        since: The first day under the newest one.
    """

    old: str
    new: str
    begin: date | None
    until: date
    since: date


def renames(lake: "Lake", source: str, symbols: "Sequence[str] | None" = None) -> list[Rename]:
    """The earlier tickers of papers (that ever had one of some tickers), oldest first."""
    found = []
    for chain in papers.chains(instruments(lake, source, symbols)).values():
        newest = chain[-1]
        found += [
            Rename(
                row["symbol"],
                newest["symbol"],
                row["valid_from"],
                row["valid_to"],
                newest["valid_from"],
            )
            for row in chain[:-1]
            if row["symbol"] != newest["symbol"] and row["valid_to"] and newest["valid_from"]
        ]
    return sorted(found, key=lambda change: (change.until, change.old))


def actions(
    lake: "Lake",
    source: str,
    symbols: "Sequence[str] | None" = None,
    *,
    kind: str | None = None,
    as_of: Moment = None,
) -> pl.DataFrame:
    """Corporate actions as ``ACTION_SCHEMA``, newest ex date first.

    Args:
        lake: Read only.
        source: Whose; actions belong to the provider.
        symbols: Only of these; None for all.
        kind: Only of this kind, like forward_split.
        as_of: As the lake knew them then: a New York date (its end) or a time; None for now.
    """
    only = (
        "($symbols IS NULL OR list_contains($symbols, symbol)) AND ($kind IS NULL OR kind = $kind)"
    )
    asked = {"symbols": None if symbols is None else [*symbols], "kind": kind}
    provider, moment = provider_of(source), known_until(as_of)
    with lake.reading() as connection:
        found = known.rows(
            connection, "corporate_actions", ACTION_SCHEMA, provider, moment, only=only, **asked
        )
    return found.sort("ex_date", "symbol", "action_id", descending=[True, False, False])


def fetched(lake: "Lake", source: str) -> list[str]:
    """Every symbol that was ever asked for or has bars of a source."""
    with lake.reading() as connection:
        rows = connection.execute(
            """SELECT symbol FROM series WHERE source = $source
               UNION SELECT symbol FROM coverage WHERE source = $source ORDER BY symbol""",
            {"source": source},
        ).fetchall()
    return [symbol for (symbol,) in rows]


def last_tickers(
    lake: "Lake", source: str, members: "Mapping[str, tuple[date, date]]"
) -> dict[str, list[str]]:
    """What the papers that some tickers meant are called now.

    Args:
        members: Tickers, each with first and last day (included) on which it is meant.

    Returns:
        The last tickers of the papers that had it on those days; where nobody had it then, of the
        one that had it last before; itself where no paper is known.
    """
    held = instruments(lake, source)
    last = {name: chain[-1]["symbol"] for name, chain in papers.chains(held).items()}
    found = {}
    for symbol, (first, final) in members.items():
        mine = held.filter((pl.col("symbol") == symbol) & _began_by(final))
        then = mine.filter(pl.col("valid_to").is_null() | (pl.col("valid_to") > first))
        if then.is_empty():
            then = mine.sort("valid_to").tail(1)
        names = then["instrument_id"].unique(maintain_order=True)
        found[symbol] = sorted({last.get(name, symbol) for name in names}) or [symbol]
    return found


def lifespans(lake: "Lake", source: str, symbols: "Sequence[str]") -> "dict[str, Lifespan]":
    """From when (inside) to when (outside) the papers that have some tickers are traded.

    A provider answers for the paper that has a ticker now with all of its history, so the life of a
    ticker is that of its paper; a ticker that nobody has any more has none from then on. Lists of
    assets seldom say when a paper was listed: its first bar does, where the two weeks before it were
    fetched and had none. An end that is not told is that of the last bar of a paper that is not
    active any more. Only tickers of known papers are in the answer.
    """
    held = instruments(lake, source, symbols)
    owned = held.filter(pl.col("symbol").is_in([*symbols])).sort(
        "symbol", "valid_to", nulls_last=True
    )
    newest = owned.unique("symbol", keep="last", maintain_order=True)
    if newest.is_empty():
        return {}
    bounds = _bounds(lake, source, newest["symbol"].to_list())
    chains = papers.chains(held)
    found: dict[str, Lifespan] = {}
    for row in newest.iter_rows(named=True):
        symbol, first, last = row["symbol"], *bounds.get(row["symbol"], (None, None))
        chain = chains.get(row["instrument_id"], [])
        if chain and chain[-1]["symbol"] != symbol and row["valid_to"] is not None:
            found[symbol] = (row["valid_from"], row["valid_to"])
            continue
        listed = min(filter(None, (row["listed"], first)), default=None)
        ended = row["delisted"]
        if row["status"] != "active" and last is not None:
            ended = max(ended or date.min, last + timedelta(days=1))
        found[symbol] = (listed, ended)
    return found


def _bounds(
    lake: "Lake", source: str, symbols: list[str]
) -> dict[str, tuple[date | None, date | None]]:
    """The first bar's day where it tells the listing, and the last bar's day, of each series."""
    firsts: dict[str, datetime] = {}
    lasts: dict[str, datetime] = {}
    for name in DATASETS:
        series = lake.symbols(dataset=name).filter(
            (pl.col("source") == source) & pl.col("symbol").is_in(symbols)
        )
        for symbol, first, last in series.select("symbol", "first", "last").iter_rows():
            firsts[symbol] = min(first, firsts.get(symbol, first))
            lasts[symbol] = max(last, lasts.get(symbol, last))
    asked: dict[str, datetime] = {}
    for name in DATASETS:
        for symbol, spans in lake.covered_many(symbols, source, dataset=name).items():
            first = firsts.get(symbol)
            for low, high in spans:
                if first is not None and low <= first <= high:
                    asked[symbol] = min(low, asked.get(symbol, low))
    return {
        symbol: (
            sessions.today(first) if first - asked.get(symbol, first) >= _QUIET else None,
            sessions.today(lasts[symbol]),
        )
        for symbol, first in firsts.items()
    }


def _began_by(day: date) -> pl.Expr:
    return pl.col("valid_from").is_null() | (pl.col("valid_from") <= day)


def _valid_on(day: date) -> pl.Expr:
    return _began_by(day) & (pl.col("valid_to").is_null() | (pl.col("valid_to") > day))


def _renames(connection: duckdb.DuckDBPyConnection, provider: str) -> pl.DataFrame:
    return connection.execute(
        """SELECT DISTINCT symbol AS old, details ->> '$.new_symbol' AS new, coalesce(process_date, ex_date) AS day
           FROM corporate_actions WHERE source = ? AND superseded_at IS NULL AND kind = 'name_change'
             AND new IS NOT NULL AND new <> symbol""",
        [provider],
    ).pl()


def _ends(connection: duckdb.DuckDBPyConnection, provider: str) -> pl.DataFrame:
    return connection.execute(
        """SELECT symbol, max(ex_date) AS day FROM corporate_actions
           WHERE source = ? AND superseded_at IS NULL AND list_contains(?, kind) GROUP BY symbol""",
        [provider, [*ENDS]],
    ).pl()
