"""The works during which a process is killed: all that writes to a lake, or from one.

A work is a row of steps, each safe to repeat. It begins in a lake of its own that has bars,
corrections, quarantined and live bars, actions, features, a pin, and files to tidy up.
"""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

import lake
from agents.importing import import_files
from agents.sources.files import Form
from lake import BAR_SCHEMA, Covered, Fetched, sessions
from lake.actions import ACTION_SCHEMA, Answered
from lake.backup import backup, restore
from lake.errors import BarsMissingError
from lake.export import export
from lake.features import Built, Definition, store_features
from lake.macros import MACROS
from lake.models import (
    ModelMissingError,
    StoredModel,
    delete_model,
    insert_model,
    tag_model,
)
from lake.searches import TRIALS, StoredSearch, store_search
from lake.simulations import EQUITY, ORDERS, StoredSimulation, store_simulation
from lake.upkeep import Plan, Rule, delete_symbol, gather_live, run
from training_service import artifact

SOURCE, OTHER = "alpaca:iex", "alpaca:sip"
OPEN = datetime(2024, 11, 4, 14, 30, tzinfo=UTC)
DAY = timedelta(days=1)
AHEAD = timedelta(days=2)
PIN = "a model"

Step = Callable[[lake.Lake, Path], object]


@dataclass(frozen=True)
class Work:
    """Something that is done to a lake.

    Attributes:
        steps: Each takes the open lake and the folder around its home.
        begin: What is done before, undisturbed, to a lake that has a bit of everything.
        forgets: Whether bars go that were known before, so that as-of reads lose them too.
        makes: Whether the work is to make the lake: there is none before.
    """

    steps: tuple[Step, ...]
    begin: tuple[Step, ...] = ()
    forgets: bool = False
    makes: bool = False


def bars(
    first: int, count: int, symbol: str = "SPY", close: float = 100.0, day: int = 0
) -> pl.DataFrame:
    """Good bars in a row, from a minute after the open of 2024-11-04."""
    begin = OPEN + day * DAY
    rows = [
        {
            "symbol": symbol,
            "timestamp": begin + timedelta(minutes=first + n),
            "open": close + n / 8,
            "high": close + n / 8 + 1,
            "low": close - 1,
            "close": close + n / 16,
            "volume": 100.0 + n,
            "trade_count": n,
            "vwap": close,
        }
        for n in range(count)
    ]
    return pl.DataFrame(rows, schema=BAR_SCHEMA)


def day_of(symbol: str, day: int = 0) -> Covered:
    midnight = sessions.midnight((OPEN + day * DAY).date())
    return Covered(symbol, midnight, midnight + DAY)


def _commit(*frames: pl.DataFrame, covered: tuple[Covered, ...] = (), source: str = SOURCE) -> Step:
    return lambda lk, _: lk.commit_bars(Fetched(source, pl.concat(frames), covered))


def _live(frame: pl.DataFrame) -> Step:
    return lambda lk, _: lk.commit_bars(Fetched(SOURCE, frame, live=True))


def _gather(lk: lake.Lake, _: Path) -> None:
    """What the live agent does now and then, with less patience."""
    gather_live(lk, 1)


def _daily(count: int, close: float = 100.0) -> Step:
    rows = bars(0, count, close=close).with_columns(
        timestamp=pl.Series(
            [sessions.midnight(date(2024, 11, 4) + n * DAY) for n in range(count)],
            dtype=pl.Datetime("us", "UTC"),
        )
    )
    return lambda lk, _: lk.commit_bars(Fetched(SOURCE, rows), dataset="bars_daily")


def _actions(ratio: float) -> Step:
    names = ("a", "b")[: 1 + (ratio > 2)]
    rows = [
        (f"{name}", "SPY", "forward_split", date(2024, 11, 5), None, ratio, None, "{}")
        for name in names
    ]
    told = pl.DataFrame(rows, schema=ACTION_SCHEMA, orient="row")
    return lambda lk, _: lk.commit_actions(
        Answered(SOURCE, told, ("SPY",), date(2024, 1, 1), date(2024, 12, 31))
    )


def _features(value: float) -> Step:
    frame = bars(0, 20).select(
        "timestamp",
        session_date=pl.lit(date(2024, 11, 4)),
        sma_5=pl.col("close") + value,
        rsi_14=pl.lit(value),
    )
    built = Built(
        feature_set="core",
        set_version="a" * 64,
        source=SOURCE,
        symbol="SPY",
        frame=frame,
        snapshot=1,
        changes_commit=int(value),
        seconds=0.1,
        adjust="split",
        definitions=(Definition("sma_5", "trend", {"bars": 5}, f"h{value}", "here:sma"),),
    )
    return lambda lk, _: store_features(lk, built)


def _upkeep(*only: str, rules: tuple[Rule, ...] = ()) -> Step:
    """Upkeep without its patience: whatever may go, goes."""

    def tidy(lk: lake.Lake, _: Path) -> None:
        now = datetime.now(UTC) + AHEAD
        none = timedelta(0)
        run(lk, Plan(now, keep=none, replaced_kept=none, rules=rules, only=only or None))

    return tidy


def _delete(symbol: str) -> Step:
    def forget(lk: lake.Lake, _: Path) -> None:
        try:
            delete_symbol(lk, symbol)
        except BarsMissingError:  # a repeat after the last of it went
            return

    return forget


def _restore(lk: lake.Lake, root: Path) -> None:
    if not (root / "again").exists():
        restore(root / "saved", root / "again")


def _import(lk: lake.Lake, root: Path) -> None:
    import_files(lk, [root / "given.csv"], "given", Form(), complete=True, rows=30)


def _write_file(_: lake.Lake, root: Path) -> None:
    pl.concat(
        bars(0, 20, symbol, day=day) for symbol in ("AAA", "SPY") for day in range(3)
    ).write_csv(root / "given.csv")


def _age(lk: lake.Lake, root: Path) -> None:
    """Make an older lake of it: without what the second layout brought."""
    with lk.writing() as transaction:
        views = transaction.connection.execute(
            "SELECT view_name FROM duckdb_views() WHERE database_name = 'lake' AND NOT internal"
        ).fetchall()
        for (view,) in views:
            transaction.connection.execute(f"DROP VIEW {view}")
        for macro in MACROS:
            transaction.connection.execute(f"DROP MACRO TABLE {macro}")
        for table in ("bars_daily", "bars_live", "pins"):
            transaction.connection.execute(f"DROP TABLE {table}")
        transaction.connection.execute("DELETE FROM series WHERE dataset = 'bars_daily'")
        transaction.connection.execute("DELETE FROM bar_revisions WHERE dataset = 'bars_daily'")
        transaction.connection.execute("DELETE FROM changes WHERE session = '2024-11-06'")
    lk.close()
    with sqlite3.connect(lk.place.catalog) as catalog:
        catalog.execute("DROP TABLE barlake_layout")
    catalog.close()


def _model(own: str) -> Step:
    """Registered, with its pin, and champion of its kind."""
    facts = {"label": "direction_15", "feature_set": "core", "set_version": "v", "snapshot": 1}
    place = f"models/{own}.joblib"

    def step(lk: lake.Lake, _: Path) -> None:
        draft = artifact.draft(lk.home / place, {"model": own})  # as training does
        told = {"params": {}, "metrics": {}, "path": place, "file_hash": draft.file_hash}
        with draft, lk.writing() as transaction:
            insert_model(transaction, StoredModel(own, own, "SPY", ("QQQ",), **facts, **told))
            draft.publish()
        tag_model(lk, own, "champion")

    return step


def _delete_model(own: str) -> Step:
    def step(lk: lake.Lake, _: Path) -> None:
        with suppress(ModelMissingError):  # it went before the kill
            delete_model(lk, own)

    return step


def _run(own: str) -> Step:
    params = {"params": {}, "metrics": {}, "orders_hash": "h", "state": "done"}
    new = StoredSimulation(own, own, None, "SPY", "realistic", OPEN, OPEN + DAY, 1, **params)
    curve = pl.DataFrame([(OPEN, 1.0, 1.0), (OPEN + DAY, 2.0, 1.0)], schema=EQUITY, orient="row")
    row = (1, OPEN, OPEN, "buy", 1.0, 1.0, 0.0, "SPY", "entry")
    filled = pl.DataFrame([row], schema=ORDERS, orient="row")
    return lambda lk, _: store_simulation(lk, new, curve, filled)


def _search(own: str) -> Step:
    facts = {"params": {}, "metrics": {}, "state": "done"}
    new = StoredSearch(own, own, "SPY", "realistic", OPEN, OPEN + DAY, 1, **facts)
    row = (1, "a", "{}", 1.0, 0.1, -0.1, 3)
    tried = pl.DataFrame([row], schema=TRIALS, orient="row")
    return lambda lk, _: store_search(lk, new, tried)


_BAD = bars(30, 4).with_columns(low=pl.col("high") + 1)

#: What every lake has before a work begins.
FURNISHED: tuple[Step, ...] = (
    _commit(bars(0, 20), bars(0, 20, "QQQ"), covered=(day_of("SPY"), day_of("QQQ"))),
    _commit(bars(0, 20, day=1), bars(0, 10, "QQQ", day=1)),
    _commit(bars(5, 5, close=101.0), bars(30, 2), _BAD, source=SOURCE),
    _commit(bars(0, 20, "QQQ", 90.0), source=OTHER),
    _daily(3),
    _live(pl.concat([bars(100, 6), bars(100, 6, "QQQ")])),
    _live(bars(110, 6)),
    _actions(2.0),
    _features(1.0),
    lambda lk, _: lk.pin(PIN),
    _commit(bars(6, 3, close=102.0), bars(50, 5, "QQQ")),
)

WORKS: dict[str, Work] = {
    "new bars": Work(
        (
            _commit(bars(200, 20), bars(200, 20, "IWM"), covered=(day_of("IWM"),)),
            _commit(bars(0, 30, day=2), bars(0, 30, "QQQ", day=2), covered=(day_of("SPY", 2),)),
        )
    ),
    "corrections and withdrawals": Work(
        (
            _commit(bars(0, 10, close=103.0), covered=(day_of("SPY"),)),
            _commit(bars(2, 10, close=104.0), bars(0, 5, "QQQ", 80.0), covered=(day_of("QQQ"),)),
        )
    ),
    "bad bars": Work(
        (
            _commit(_BAD.with_columns(timestamp=pl.col("timestamp") + DAY), bars(60, 3)),
            _commit(_BAD.with_columns(volume=-1.0)),
        )
    ),
    "live bars": Work((_live(bars(120, 4)), _live(bars(124, 4, "QQQ")))),
    "daily bars": Work((_daily(5), _daily(2, 105.0))),
    "corporate actions": Work((_actions(3.0), _actions(1.5))),
    "features": Work((_features(2.0), _features(3.0))),
    "models and tags": Work((_model("one"), _model("two"), _delete_model("one"))),
    "runs and searches": Work((_run("one"), _search("two"), _run("three"))),
    "pins": Work((lambda lk, _: lk.pin("other"), lambda lk, _: lk.pin("third"))),
    "gathering live bars": Work(
        (_gather, _live(bars(126, 2, close=106.0)), _gather),
        begin=(_live(bars(120, 4)), _live(bars(121, 2, close=105.0))),
    ),
    "moving live bars": Work((_upkeep("live"),)),
    "rewriting": Work((_upkeep("rewrite"),)),
    "merging": Work((_upkeep("merge"),)),
    "expiry": Work((_upkeep("expire"),), begin=(_upkeep("live", "rewrite", "merge"),)),
    "cleanup and orphans": Work(
        (_upkeep("cleanup", "orphans"),), begin=(_upkeep("live", "rewrite", "merge", "expire"),)
    ),
    "retention": Work((_upkeep("retire", rules=(Rule("bars_1m", 1),)),), forgets=True),
    "a whole round": Work((_upkeep(),)),
    "deleting a symbol": Work((_delete("QQQ"),), forgets=True),
    "backup": Work(
        (
            lambda lk, root: backup(lk, root / "saved"),
            _commit(bars(200, 20)),
            lambda lk, root: backup(lk, root / "saved"),
        )
    ),
    "restore": Work((_restore,), begin=(lambda lk, root: backup(lk, root / "saved"),)),
    "export": Work(
        (
            lambda lk, root: export(lk, root / "out"),
            _commit(bars(0, 9, close=99.0), covered=(day_of("SPY"), day_of("SPY", 1))),
            lambda lk, root: export(lk, root / "out"),
        )
    ),
    "import": Work((_import,), begin=(_write_file,)),
    "making a lake": Work((), makes=True),
    "upgrading a lake": Work((lambda lk, _: lk.snapshot(),), begin=(_upkeep("live"), _age)),
}
