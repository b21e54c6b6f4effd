"""What the lake notes of builds: which definitions, from which bars, how many rows."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from lake.catalog import Transaction
from lake.features.naming import HELD, KEYS
from lake.features.sums import can_be_replaced
from lake.schema import UTC_TIME
from lake.sqltext import moment_of

if TYPE_CHECKING:
    from lake.store import Lake


@dataclass(frozen=True)
class Definition:
    """One feature as it was when it was built."""

    name: str
    group: str
    params: Mapping[str, int]
    hash: str
    code_reference: str


@dataclass(frozen=True)
class StoredBuild:
    """What the lake knows of one build."""

    build_id: str
    feature_set: str
    set_version: str
    source: str
    symbol: str
    row_count: int
    seconds: float
    content_hash: str
    snapshot: int
    start: datetime | None
    end: datetime | None
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def changes_commit(self) -> int:
        """Newest commit in ``changes`` when the bars were read."""
        return int(self.params["changes_commit"])

    @property
    def goes_on(self) -> bool:
        """Whether its rows lie so that a later build can go on from them."""
        return bool(self.params.get("goes_on")) and can_be_replaced(self.content_hash)


@dataclass(frozen=True)
class Continued:
    """A build that another goes on from: its rows of sessions before ``since`` stay."""

    build: StoredBuild
    since: date


@dataclass(frozen=True)
class Built:
    """The features of one symbol, computed and not stored yet.

    Attributes:
        frame: ``timestamp`` (UTC), ``session_date``, then a Float64 column a feature, and those
            of recursions with ``held_`` before their names.
        changes_commit: Newest commit in ``changes`` when the bars were read: what a later build
            compares with to see whether anything is new.
        rest: What stays of an older build; None: nothing does.
        params: More facts for ``feature_builds.params``.
    """

    feature_set: str
    set_version: str
    source: str
    symbol: str
    frame: pl.DataFrame
    snapshot: int
    changes_commit: int
    seconds: float
    adjust: str
    definitions: tuple[Definition, ...]
    rest: Continued | None = None
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        """The feature columns."""
        return [
            name for name in self.frame.columns if name not in KEYS and not name.startswith(HELD)
        ]


_BUILD = ("build_id", "row_count", "seconds", "content_hash", "snapshot", "start", "end", "params")


def latest_build(
    lk: "Lake", feature_set: str, set_version: str, source: str, symbol: str
) -> StoredBuild | None:
    """The newest build of one symbol in one version of a set; None if there is none."""
    keys = {
        "feature_set": [feature_set],
        "set_version": [set_version],
        "source": [source],
        "symbol": [symbol],
    }
    rows = lk.ledger_rows("feature_builds", [*_BUILD, "created_at"], keys)
    if not rows:
        return None
    newest = max(rows, key=lambda row: moment_of(row[-1]))
    build_id, count, seconds, content, snapshot, start, end, params, _ = newest
    return StoredBuild(
        str(build_id),
        feature_set,
        set_version,
        source,
        symbol,
        int(str(count)),
        float(str(seconds)),
        str(content),
        int(str(snapshot)),
        _maybe(start),
        _maybe(end),
        json.loads(str(params)),
    )


def latest_id(
    lk: "Lake", feature_set: str, set_version: str, source: str, symbol: str
) -> str | None:
    """Which build :func:`latest_build` would give; its facts are many times as long."""
    keys = {
        "feature_set": [feature_set],
        "set_version": [set_version],
        "source": [source],
        "symbol": [symbol],
    }
    rows = lk.ledger_rows("feature_builds", ["build_id", "created_at"], keys)
    return str(max(rows, key=lambda row: moment_of(row[1]))[0]) if rows else None


def current_version(lk: "Lake", feature_set: str, source: str, symbol: str) -> str | None:
    """The version of a set that was built last for a symbol; None if none was."""
    keys = {"feature_set": [feature_set], "source": [source], "symbol": [symbol]}
    rows = lk.ledger_rows("feature_builds", ["set_version", "created_at"], keys)
    return str(max(rows, key=lambda row: moment_of(row[1]))[0]) if rows else None


def kept_sets(
    lk: "Lake", source: str | None = None, symbols: Sequence[str] = ()
) -> list[tuple[str, str, str]]:
    """What was ever built: source, symbol and set, in this order, each once.

    Args:
        lk: The lake.
        source: Only from this one.
        symbols: Only of these.
    """
    keys = {"source": [source] if source else [], "symbol": symbols}
    given = {name: values for name, values in keys.items() if values}
    rows = lk.ledger_rows("feature_builds", ["source", "symbol", "feature_set"], given)
    return sorted({(str(origin), str(symbol), str(name)) for origin, symbol, name in rows})


def changed_sessions(
    lk: "Lake", source: str, symbol: str, after: int, until: int | None = None
) -> tuple[date | None, set[str], int]:
    """What happened to a symbol since a commit.

    Args:
        lk: The lake.
        source: Provider and feed.
        symbol: A ticker in capitals.
        after: The commit.
        until: The last commit to look at, for whoever reads the bars of that snapshot; None: the newest.

    Returns:
        The first session that was touched, the kinds of changes (``new``, ``corrected``,
        ``withdrawn``, ``actions``) and the newest commit; None, nothing and ``after`` if nothing did.
    """
    rows = lk.ledger_rows(
        "changes",
        ["session", "kind", "commit"],
        {"source": [source], "symbol": [symbol]},
        ("commit", after),
    )
    seen = [
        (_day(session), str(kind), int(str(commit)))
        for session, kind, commit in rows
        if until is None or int(str(commit)) <= until
    ]
    if not seen:
        return None, set(), after
    days, kinds, commits = zip(*seen, strict=True)
    return min(days), {*kinds}, max(commits)


def note_definitions(transaction: Transaction, wanted: Sequence[Definition]) -> None:
    """Note definitions that were not known, each with the next number of its feature."""
    run = transaction.connection
    rows = run.execute("SELECT feature_name, hash, version FROM feature_definitions").fetchall()
    known = {(name, digest) for name, digest, _ in rows}
    newest: dict[str, int] = {}
    for name, _, version in rows:
        newest[name] = max(version, newest.get(name, 0))
    fresh = [
        {
            "feature_name": item.name,
            "feature_group": item.group,
            "version": newest.get(item.name, 0) + 1,
            "params": json.dumps(dict(item.params), sort_keys=True),
            "hash": item.hash,
            "code_reference": item.code_reference,
        }
        for item in wanted
        if (item.name, item.hash) not in known
    ]
    if not fresh:
        return
    run.register("fresh", pl.DataFrame(fresh))
    run.execute(
        "INSERT INTO feature_definitions BY NAME SELECT *, ?::TIMESTAMPTZ AS created_at FROM fresh",
        [transaction.recorded_at],
    )
    run.unregister("fresh")


def note_audit(lk: "Lake", build: str, verdict: Mapping[str, Any]) -> None:
    """Write what an audit found into the metadata of a build.

    Raises:
        GateBusyError: Another process held the commit gate too long. Nothing was written.
    """
    with lk.writing() as transaction:
        run = transaction.connection
        row = run.execute(
            "SELECT params FROM feature_builds WHERE build_id = ?", [build]
        ).fetchone()
        if row is not None:
            at = transaction.recorded_at.isoformat()
            params = {**json.loads(row[0]), "audit": {"at": at, **verdict}}
            run.execute(
                "UPDATE feature_builds SET params = ? WHERE build_id = ?",
                [json.dumps(params, sort_keys=True), build],
            )


def build_row(built: Built, stored: StoredBuild, at: datetime) -> pl.DataFrame:
    """A build as ``feature_builds`` has it."""
    row = {
        "build_id": stored.build_id,
        "feature_set": built.feature_set,
        "set_version": built.set_version,
        "source": built.source,
        "symbol": built.symbol,
        "snapshot": built.snapshot,
        "start": stored.start,
        "end": stored.end,
        "row_count": stored.row_count,
        "column_count": len(built.columns),
        "seconds": built.seconds,
        "content_hash": stored.content_hash,
        "adjust": built.adjust,
        "params": json.dumps(stored.params, sort_keys=True),
        "created_at": at,
    }
    types = dict[str, pl.DataType | type[pl.DataType]](
        start=UTC_TIME, end=UTC_TIME, created_at=UTC_TIME, column_count=pl.Int32
    )
    return pl.DataFrame([row], schema_overrides=types)


def build_id(built: Built, at: datetime) -> str:
    """A name of its own for a build."""
    facts = f"{built.set_version}/{built.source}/{built.symbol}/{at.isoformat()}"
    return hashlib.sha256(facts.encode()).hexdigest()[:16]


def _maybe(value: object) -> datetime | None:
    return None if value is None else moment_of(value)


def _day(value: object) -> date:
    return value if isinstance(value, date) else date.fromisoformat(str(value))
