"""The ledgers beside the bars: series, coverage, changes, models, and the catalog itself."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import duckdb
import polars as pl

from lake.absences import CLASSES
from lake.datasets import DATASETS
from lake.home import Home
from lake.verify.listing import METADATA
from lake.verify.report import Finding

Series = tuple[str, str, str]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN = 5


def read_clock(home: Home) -> datetime | None:
    """The newest ``recorded_at`` the lake gave (UTC); None if its file is lost or no number."""
    try:
        return _EPOCH + timedelta(microseconds=int(home.clock.read_text()))
    except (OSError, ValueError, OverflowError):
        return None


def check_catalog(connection: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    """SQLite's own check of every page and index of the catalog."""
    rows = connection.execute(
        f"SELECT * FROM sqlite_query('{METADATA}', 'PRAGMA integrity_check')"
    ).fetchall()
    for (problem,) in rows[:_SHOWN]:
        if problem != "ok":
            sentence = f"The catalog duckdb/lake.sqlite is damaged ({problem}). Restore a backup."
            yield Finding("catalog", "duckdb/lake.sqlite", sentence)


def series_of_bars(
    connection: duckdb.DuckDBPyConnection, tables: Sequence[str], dataset: str
) -> set[Series]:
    """The series that have bars in some of a dataset's tables."""
    found: set[Series] = set()
    for table in tables:
        rows = connection.execute(f"SELECT DISTINCT source, symbol FROM {table}").fetchall()
        found |= {(dataset, source, symbol) for source, symbol in rows}
    return found


def check_series(connection: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    """``series`` names exactly the series that have bars, or had them; inside one transaction."""
    rows: list[Series] = connection.execute("SELECT dataset, source, symbol FROM series").fetchall()
    held: set[Series] = set()
    for dataset in DATASETS.values():
        held |= series_of_bars(connection, dataset.tables, dataset.name)
    former = set(
        connection.execute("SELECT DISTINCT dataset, source, symbol FROM bar_revisions").fetchall()
    )
    for one in sorted(one for one, times in Counter(rows).items() if times > 1):
        yield _wrong_series(one, "is named more than once in the table series")
    for one in sorted(held - set(rows)):
        yield _wrong_series(one, "has bars and is not named in the table series, so nobody sees it")
    for one in sorted(set(rows) - held - former):
        yield _wrong_series(one, "is named in the table series and has no bars")


def check_coverage(connection: duckdb.DuckDBPyConnection, home: Home) -> Iterator[Finding]:
    """Every interval of the ledger runs forward, is of a dataset, and was recorded in the past."""
    rows = connection.execute("SELECT * FROM coverage ORDER BY ALL").fetchall()
    clock = read_clock(home) or datetime.max.replace(tzinfo=UTC)  # read after the rows
    for dataset, source, symbol, start, end, recorded in rows:
        if dataset not in DATASETS:
            problem = "is of a dataset that does not exist"
        elif start >= end:
            problem = "does not end after it starts"
        elif recorded <= clock:
            continue
        else:
            problem = f"was recorded at {recorded.isoformat()}, after the lake's clock"
        sentence = (
            f"{dataset}: the coverage of {symbol} from {source} from {start.isoformat()} to {end.isoformat()} "
            f"{problem}. Restore a backup, or delete the interval and ingest it again."
        )
        yield Finding("coverage", f"{dataset} {source} {symbol}", sentence)


def check_scans(connection: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    """Every scan for gaps accounts for each minute: its classes sum up, and so do its holes."""
    classes = " + ".join(CLASSES)
    rows = connection.execute(
        f"""SELECT dataset, source, symbol, session_date, recorded_at FROM gap_scans
            WHERE expected <> present + {classes} OR {classes} <> coalesce(list_sum(list_transform(holes, lambda hole:
                CASE WHEN dataset = 'bars_1m' THEN date_diff('minute', hole."start", hole."end") ELSE 1 END
            )), 0) ORDER BY ALL"""
    ).fetchall()
    for dataset, source, symbol, day, recorded in rows:
        sentence = (
            f"{dataset}: the scan of {symbol} from {source} of {day} recorded at {recorded.isoformat()} does not account "
            "for every minute. Delete its row of gap_scans, or restore a backup; the next scan makes it anew."
        )
        yield Finding("gap scans", f"{dataset} {source} {symbol}", sentence)


def check_changes(connection: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    """No change is of a commit that the catalog does not know yet."""
    rows = connection.execute(
        """SELECT source, symbol, max("commit"), count(*) FROM changes
           WHERE "commit" > (SELECT id FROM ducklake_current_snapshot('lake')) GROUP BY ALL ORDER BY ALL"""
    ).fetchall()
    for source, symbol, commit, count in rows:
        sentence = (
            f"{count:,} changes of {symbol} from {source} are of commits up to {commit}, which the catalog "
            "does not have. Restore a backup."
        )
        yield Finding("changes", f"changes {source} {symbol}", sentence)


def changed_sessions(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """``source symbol session`` of each session that commits gave bars and upkeep has not retired since."""
    return connection.execute(
        """SELECT source, symbol, session FROM changes GROUP BY ALL
           HAVING max("commit") FILTER (kind IN ('new', 'corrected'))
                  > coalesce(max("commit") FILTER (kind = 'retired'), -1)"""
    ).pl()


def check_sessions(lost: pl.DataFrame) -> Iterator[Finding]:
    """Sessions that commits gave bars and that have neither a bar nor a revision of one."""
    for (source, symbol), rows in lost.sort("session").group_by(
        "source", "symbol", maintain_order=True
    ):
        days = rows["session"]
        sentence = (
            f"{rows.height:,} sessions of {symbol} from {source} were given bars and have none, from {days[0]} to "
            f"{days[-1]}. Restore a backup, or `barlake ingest {symbol} --start {days[0]} --end {days[-1]}`."
        )
        yield Finding("session lost", f"{source} {symbol}", sentence)


def check_models(connection: duckdb.DuckDBPyConnection, home: Home) -> Iterator[Finding]:
    """Every registered model has its file, with the bytes it was registered with."""
    rows = connection.execute("SELECT model_id, path, file_hash FROM models ORDER BY 1").fetchall()
    for model, path, expected in rows:
        try:
            with (home.root / path).open("rb") as file:
                held = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            problem = f"is not there ({error.strerror})"
        else:
            if held == expected:
                continue
            problem = "is not the file that was registered"
        sentence = (
            f"The file {path} of model {model} {problem}. "
            "`barlake verify --repair --backup DIR` takes it from a backup; or train it again."
        )
        yield Finding("model file", path, sentence)


def _wrong_series(one: Series, problem: str) -> Finding:
    dataset, source, symbol = one
    sentence = (
        f"{dataset}: {symbol} from {source} {problem}. Ingest {symbol} again, or restore a backup."
    )
    return Finding("series", f"{dataset} {source} {symbol}", sentence)
