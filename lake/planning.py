"""Which files hold the bars of a symbol: planned from DuckLake's own tables, which are indexed.

DuckLake's scan looks at every file of a table, so its planning grows with the lake (380-700 ms
with 60,000 files). Its tables are a public specification; one question to them costs about 1 ms
whatever the size. Where they hold what we do not read ourselves (rows or deletions inlined in the
catalog, another format), the answer is None and DuckLake's own scan has to do.
"""

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import duckdb

from lake.catalog import METADATA, Catalog, patiently
from lake.home import Home
from lake.sqltext import Row, quoted, sqlite

_KEPT_PLANS = 4096
#: Replaced files stay for an hour; whoever was slower than that plans once more.
TRIES = 2
# A file's time of change is only so fine: two commits within this long may leave the same one.
_SETTLED_NS = 50_000_000

Token = tuple[object, ...]


@dataclass(frozen=True)
class DataFile:
    """One Parquet file of bars and what the catalog says of it.

    Attributes:
        path: Of the Parquet file.
        first: No row's timestamp is before (UTC); None where it is not known.
        last: No row's timestamp is after.
        symbols: The least and the greatest symbol in it; None where it is not known.
        sources: Likewise.
        deletes: The Parquet file that lists deleted rows by their position; None if there are none.
        rows: How many it has, deleted ones among them.
        number: In the catalog.
    """

    path: str
    first: datetime | None
    last: datetime | None
    symbols: tuple[str, str] | None
    sources: tuple[str, str] | None
    deletes: str | None
    rows: int = 0
    number: int = -1

    def may_hold(self, symbol: str, low: datetime | None, high: datetime | None) -> bool:
        """Whether a bar of the symbol from ``low`` to before ``high`` can be in it."""
        return (
            (self.symbols is None or self.symbols[0] <= symbol <= self.symbols[1])
            and (low is None or self.last is None or self.last >= low)
            and (high is None or self.first is None or self.first < high)
        )

    def may_be_of(self, source: str) -> bool:
        """Whether a bar of the source can be in it."""
        return self.sources is None or self.sources[0] <= source <= self.sources[1]

    def exact(self, symbol: str, source: str | None = None) -> bool:
        """Whether it holds nothing but one symbol of one source (of any one if none is named)."""
        return (
            self.symbols == (symbol, symbol)
            and self.sources is not None
            and self.sources[0] == self.sources[1]
            and source in (None, self.sources[0])
        )


@dataclass(frozen=True)
class Plan:
    """The files of some tables that can hold bars of some symbols, in one snapshot."""

    snapshot: int
    files: dict[str, tuple[DataFile, ...]]
    inlined: tuple[str, ...] = ()  # where the catalog itself keeps more rows of the tables
    ids: Mapping[str, int] = field(default_factory=dict)  # of the tables


@dataclass(frozen=True)
class _Table:
    id: int
    folder: str
    since: int
    columns: dict[str, int]


class Planner:
    """Plans reads of one lake; safe for threads. Plans are kept until the catalog's file changes."""

    def __init__(self, catalog: Catalog, home: Home) -> None:
        self._catalog, self._home = catalog, home
        self._lock = threading.Lock()
        self._kept: OrderedDict[object, tuple[Token, Plan | None]] = OrderedDict()
        self._tables: tuple[int, dict[str, _Table]] = (-1, {})
        self._local = threading.local()

    @contextmanager
    def ahead(
        self, wanted: Mapping[str, Sequence[str]], snapshot: int | None = None
    ) -> Iterator[Plan | None]:
        """Plan once what a block will ask for: all its reads are of one snapshot, after one question.

        Of this thread alone; what the block asks beyond that is planned as ever.

        Args:
            wanted: The tables, and of which symbols each (none: all of its files).
            snapshot: Of DuckLake; None for the newest, which stands for the newest in the block.

        Yields:
            The plan; None where the files alone do not hold the whole answer.
        """
        outer = self._held
        key = (tuple((name, *symbols) for name, symbols in wanted.items()), snapshot)
        with self._catalog.planning() as connection:
            held = self._local.held = _Ahead(dict(wanted), snapshot, connection)
            try:
                held.plan = self._remembered(key, lambda: self._ask(wanted, snapshot))
                yield held.plan
            finally:
                self._local.held = outer

    def ask(self, query: str) -> list[Row]:
        """What DuckLake's tables answer; in a block of :meth:`ahead` the catalog is opened once."""
        if (held := self._held) is not None and (rows := held.ask(query)) is not None:
            return rows
        with self._catalog.planning() as connection:
            return patiently(lambda: sqlite(connection, METADATA, query))

    @property
    def _held(self) -> "_Ahead | None":
        held: _Ahead | None = getattr(self._local, "held", None)
        return held

    def plan(
        self,
        tables: Sequence[str],
        symbols: Sequence[str] = (),
        snapshot: int | None = None,
        *,
        inlined: bool = False,
    ) -> Plan | None:
        """The files to read, as the newest commit (or a snapshot) has them.

        Args:
            tables: Of the lake.
            symbols: Only files that can hold one of them; all files if there is none.
            snapshot: Of DuckLake; None for the newest.
            inlined: Whether the caller reads rows that lie in the catalog itself.

        Returns:
            None where the files alone do not hold the whole answer: ask DuckLake.
        """
        if (held := self._held) is not None and (part := _part(held, tables, symbols, snapshot)):
            return part if inlined or not part.inlined else None
        plan = self._remembered(
            (tuple(tables), tuple(symbols), snapshot),
            lambda: self._ask(dict.fromkeys(tables, symbols), snapshot),
        )
        return plan if plan is None or inlined or not plan.inlined else None

    def _remembered(self, key: object, ask: Callable[[], Plan | None]) -> Plan | None:
        """A plan that is kept, if nothing was committed since, or a new one."""
        token = self._token()
        with self._lock:
            kept = self._kept.get(key)
            if token is not None and kept is not None and kept[0] == token:
                self._kept.move_to_end(key)
                return kept[1]
        plan = ask()
        if token is not None:
            with self._lock:
                self._kept[key] = (token, plan)
                while len(self._kept) > _KEPT_PLANS:
                    self._kept.popitem(last=False)
        return plan

    def forget(self) -> None:
        """Plan anew from now on."""
        self._local.held = None
        with self._lock:
            self._kept.clear()

    def _token(self) -> Token | None:
        """What changes with every commit: the catalog's files; None while they have just changed.

        A commit writes to the WAL file, or a checkpoint to the database. As with git's index, a
        file that changed a moment ago may change again within the same tick of its clock.
        """
        found: list[object] = [os.getpid()]
        now = time.time_ns()
        catalog = self._home.catalog
        for path in (catalog.with_name(f"{catalog.name}-wal"), catalog):
            try:
                facts = path.stat()
            except FileNotFoundError:
                found.append(None)
                continue
            if facts.st_mtime_ns > now - _SETTLED_NS:
                return None
            found.append((facts.st_ino, facts.st_size, facts.st_mtime_ns))
        return tuple(found)

    def _ask(self, wanted: Mapping[str, Sequence[str]], snapshot: int | None) -> Plan | None:
        for _ in range(2):
            schema, known = self._tables
            if all(name in known for name in wanted):
                tables = [(known[name], symbols) for name, symbols in wanted.items()]
                rows = self.ask(_files_sql(tables, snapshot))
                if rows and int(rows[0][1] or 0) == schema:
                    return self._planned({known[name].id: name for name in wanted}, rows)
            self._tables = _tables_of(self.ask(_TABLES_SQL))
        return None

    def _planned(self, names: dict[int, str], rows: list[Row]) -> Plan | None:
        files: dict[str, list[DataFile]] = {name: [] for name in names.values()}
        known = self._tables[1]
        for row in rows:
            _, _, beyond, _, table, path, relative, unreadable, count, number, *facts = row
            if int(beyond or 0) or int(unreadable or 0):
                return None
            if path is None:
                continue
            name = names[int(table or 0)]
            folder = f"{self._home.parquet}/{known[name].folder}"
            first, last, low_symbol, high_symbol, low_source, high_source, gone, gone_relative = (
                facts
            )
            files[name].append(
                DataFile(
                    path=_placed(folder, path, relative),
                    first=_moment(first),
                    last=_moment(last, timedelta(seconds=1)),
                    symbols=_pair(low_symbol, high_symbol),
                    sources=_pair(low_source, high_source),
                    deletes=_placed(folder, gone, gone_relative) if gone else None,
                    rows=int(count or 0),
                    number=int(number or 0),
                )
            )
        within = rows[0][3]
        return Plan(
            int(rows[0][0] or 0),
            {name: tuple(found) for name, found in files.items()},
            tuple(within.split()) if within else (),
            {name: number for number, name in names.items()},
        )


@dataclass
class _Ahead:
    """What is planned for a block, and its look at the catalog."""

    wanted: Mapping[str, Sequence[str]]
    snapshot: int | None
    connection: duckdb.DuckDBPyConnection
    plan: Plan | None = None
    begun: bool = False
    failed: bool = False

    def ask(self, query: str) -> list[Row] | None:
        """The answer within one transaction; None where that does not go on: ask by itself."""
        if self.failed:
            return None
        try:
            if not self.begun:
                self.connection.execute("BEGIN")
                self.begun = True
            return sqlite(self.connection, METADATA, query)
        except duckdb.Error:
            self.failed = True
            return None


def _part(
    held: _Ahead, tables: Sequence[str], symbols: Sequence[str], snapshot: int | None
) -> Plan | None:
    """What a plan made ahead says of some tables; None if it is not for them."""
    plan, wanted = held.plan, held.wanted
    if plan is None or snapshot not in {held.snapshot, plan.snapshot}:
        return None
    # All files are those of any symbols, those of some are not all.
    if any(
        name not in wanted or (wanted[name] and not {*symbols} <= {*wanted[name]})
        for name in tables
    ) or (not symbols and any(wanted[name] for name in tables)):
        return None
    own = tuple(f"ducklake_inlined_data_{plan.ids[name]}_" for name in tables)
    return Plan(
        plan.snapshot,
        {name: _holding(plan.files[name], symbols) for name in tables},
        tuple(name for name in plan.inlined if name.startswith(own)),
        {name: plan.ids[name] for name in tables},
    )


def _holding(files: tuple[DataFile, ...], symbols: Sequence[str]) -> tuple[DataFile, ...]:
    if not symbols:
        return files
    return tuple(
        file for file in files if any(file.may_hold(symbol, None, None) for symbol in symbols)
    )


_TABLES_SQL = """
    SELECT (SELECT max(schema_version) FROM ducklake_snapshot) AS version, t.table_id, t.table_name,
           s.path || t.path AS folder, s.path_is_relative AND t.path_is_relative AS relative,
           t.begin_snapshot, c.column_name, c.column_id
    FROM ducklake_table t JOIN ducklake_schema s USING (schema_id)
    JOIN ducklake_column c ON c.table_id = t.table_id AND c.end_snapshot IS NULL
    WHERE t.end_snapshot IS NULL AND s.end_snapshot IS NULL AND s.schema_name = 'main'
      AND c.column_name IN ('timestamp', 'symbol', 'source', 'session_date', 'name')"""


def _tables_of(rows: list[Row]) -> tuple[int, dict[str, _Table]]:
    tables: dict[str, _Table] = {}
    version = -1
    for schema, table_id, name, folder, relative, since, column, column_id in rows:
        version = int(schema or 0)
        if name is None or folder is None or not int(relative or 0):
            continue
        table = tables.setdefault(name, _Table(int(table_id or 0), folder, int(since or 0), {}))
        if column is not None:
            table.columns[column] = int(column_id or 0)
    return version, tables


def _files_sql(wanted: Sequence[tuple[_Table, Sequence[str]]], snapshot: int | None) -> str:
    """One statement, so that its answer is of one commit."""
    tables = [table for table, _ in wanted]
    newest = "SELECT snapshot_id, schema_version FROM ducklake_snapshot"
    chosen = (
        f"{newest} ORDER BY snapshot_id DESC LIMIT 1"
        if snapshot is None
        else f"SELECT snapshot_id, (SELECT max(schema_version) FROM ducklake_snapshot) AS schema_version"
        f" FROM ducklake_snapshot WHERE snapshot_id = {snapshot:d}"
    )
    ids = ", ".join(str(table.id) for table in tables)
    inlined = " OR ".join(f"name = 'ducklake_inlined_delete_{table.id}'" for table in tables)
    parts = " UNION ALL ".join(_table_sql(*one) for one in wanted)
    young = any(snapshot is not None and table.since > snapshot for table in tables)
    return f"""
        SELECT s.snapshot_id, s.schema_version,
               {int(young)} OR EXISTS (SELECT 1 FROM sqlite_master WHERE {inlined}) AS beyond,
               (SELECT group_concat(i.table_name, ' ') FROM ducklake_inlined_data_tables i
                WHERE i.table_id IN ({ids})) AS within,
               f.table_id, f.path, f.path_is_relative,
               f.file_format <> 'parquet' OR f.encryption_key IS NOT NULL OR f.mapping_id IS NOT NULL
                 OR coalesce(f.partial_max, 0) > s.snapshot_id OR coalesce(d.partial_max, 0) > s.snapshot_id
                 OR coalesce(d.format, 'parquet') <> 'parquet' OR d.encryption_key IS NOT NULL AS unreadable, f.record_count,
               f.data_file_id, t.min_value AS first_value, t.max_value AS last_value, y.min_value AS y0, y.max_value AS y1,
               o.min_value AS o0, o.max_value AS o1, d.path AS gone, d.path_is_relative AS gone_relative
        FROM ({chosen}) s
        LEFT JOIN ({parts}) f ON f.begin_snapshot <= s.snapshot_id
          AND (f.end_snapshot IS NULL OR f.end_snapshot > s.snapshot_id)
        LEFT JOIN ducklake_file_column_stats t ON t.data_file_id = f.data_file_id AND t.column_id = f.time_column
        LEFT JOIN ducklake_file_column_stats y ON y.data_file_id = f.data_file_id AND y.column_id = f.symbol_column
        LEFT JOIN ducklake_file_column_stats o ON o.data_file_id = f.data_file_id AND o.column_id = f.source_column
        LEFT JOIN ducklake_delete_file d ON d.data_file_id = f.data_file_id AND d.begin_snapshot <= s.snapshot_id
          AND (d.end_snapshot IS NULL OR d.end_snapshot > s.snapshot_id)"""


def _table_sql(table: _Table, symbols: Sequence[str]) -> str:
    """The files of a table: by its partition on the symbol, and those that have none."""
    named = {name: table.columns.get(name, -1) for name in ("timestamp", "symbol", "source")}
    columns = (
        "f.*, {timestamp} AS time_column, {symbol} AS symbol_column, {source} AS source_column"
    ).format(**named)
    if not symbols:
        return f"SELECT {columns} FROM ducklake_data_file f WHERE f.table_id = {table.id}"
    values = ", ".join(quoted(symbol) for symbol in symbols)
    by_symbol = f"""SELECT c.partition_id FROM ducklake_partition_column c
        WHERE c.table_id = {table.id} AND c.column_id = {named["symbol"]} AND c.transform = 'identity'"""
    return f"""
        SELECT {columns} FROM ducklake_data_file f WHERE f.data_file_id IN (
          SELECT p.data_file_id FROM ducklake_file_partition_value p
          JOIN ducklake_data_file g ON g.data_file_id = p.data_file_id
          JOIN ducklake_partition_column c ON c.partition_id = g.partition_id AND c.table_id = p.table_id
            AND c.partition_key_index = p.partition_key_index
          WHERE p.table_id = {table.id} AND p.partition_value IN ({values})
            AND c.column_id = {named["symbol"]} AND c.transform = 'identity')
        UNION ALL
        SELECT {columns} FROM ducklake_data_file f
        WHERE f.table_id = {table.id} AND f.partition_id IS NULL
        UNION ALL
        SELECT {columns} FROM ducklake_data_file f WHERE f.table_id = {table.id} AND f.partition_id IN (
          SELECT i.partition_id FROM ducklake_partition_info i
          WHERE i.table_id = {table.id} AND i.partition_id NOT IN ({by_symbol}))"""


def _placed(folder: str, path: str, relative: str | None) -> str:
    return f"{folder.rstrip('/')}/{path}" if int(relative or 0) else path


def _pair(low: str | None, high: str | None) -> tuple[str, str] | None:
    return (low, high) if low is not None and high is not None else None


def _moment(text: str | None, later: timedelta = timedelta()) -> datetime | None:
    """A bound as the catalog writes it, cut to whole seconds; None where it cannot be read."""
    try:
        return (
            datetime.fromisoformat(text).replace(microsecond=0).astimezone(UTC) + later
            if text
            else None
        )
    except ValueError:
        return None
