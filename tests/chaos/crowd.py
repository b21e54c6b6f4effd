"""What the processes of a crowd do: ``python -m tests.chaos.crowd ROLE HOME ...``.

Each commit writes ten bars over two symbols, all with the commit's mark as their close; a
correction changes the volume of all ten. So part of a commit shows itself as a mark with other than
ten bars, or with two volumes.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl

import lake
from lake import BAR_SCHEMA, Fetched
from lake.catalog import init_sql
from lake.upkeep import Plan, run

SOURCE = "alpaca:iex"
ALL = "ALL"  # the symbol that everybody writes to
BARS = 10
EACH = BARS // 2
_OPEN = datetime(2024, 11, 4, 14, 30, tzinfo=UTC)
#: What a reader finds wrong: the marks of which not exactly all bars are there with one volume, and
#: how many marks there are.
PARTIAL = f"""SELECT coalesce(string_agg(format('{{}}: {{}} bars, volumes {{}}', close, bars, volumes), '; ')
    FILTER (bars <> {BARS} OR len(volumes) <> 1), '') AS partial, count(*) AS commits FROM (
    SELECT close, count(*) AS bars, list(DISTINCT volume) AS volumes FROM (
      SELECT close, volume FROM bars_1m UNION ALL SELECT close, volume FROM bars_live) GROUP BY close)"""


def rows_of(number: int, commit: int, volume: float) -> pl.DataFrame:
    """The bars of one commit of one writer."""
    mark = 1000.0 * (number + 1) + commit
    begin = _OPEN + timedelta(days=number, minutes=EACH * commit)
    rows = [
        {
            "symbol": symbol,
            "timestamp": begin + timedelta(minutes=minute),
            **dict.fromkeys(("open", "high", "low", "close", "vwap"), mark),
            "volume": volume,
            "trade_count": 1,
        }
        for symbol in (ALL, f"W{number}")
        for minute in range(EACH)
    ]
    return pl.DataFrame(rows, schema=BAR_SCHEMA)


def write(home: Path, number: int, commits: int) -> None:
    """Commit from where the acknowledged commits end; each third one is corrected, each fourth is live."""
    acknowledged = home.parent / f"acknowledged-{number}"
    done = len(acknowledged.read_text().split()) if acknowledged.exists() else 0
    with lake.open(home) as store, acknowledged.open("a") as ledger:
        for commit in range(done, commits):
            first = rows_of(number, commit, 1.0)
            store.commit_bars(Fetched(SOURCE, first, live=commit % 4 == 1))
            if commit % 3 == 2:
                store.commit_bars(Fetched(SOURCE, rows_of(number, commit, 2.0)))
            ledger.write(f"{commit}\n")
            ledger.flush()


def tidy(home: Path) -> None:
    """Upkeep round after round with little patience, until told to stop: what a reader may read stays."""
    short = timedelta(seconds=20)
    with lake.open(home) as store:
        while not (home.parent / "stop").exists():
            now = datetime.now(UTC)
            run(store, Plan(now, keep=short, replaced_kept=short))
            time.sleep(0.5)  # or the writers would wait for upkeep alone


def read(home: Path, look: Callable[[], tuple[str, int]], name: str) -> None:
    """Look again and again until told to stop; write down how often and what was wrong."""
    looks, commits = 0, 0
    wrong: list[str] = []
    stop = home.parent / "stop"
    while True:
        last = stop.exists()  # asked before looking: the last look sees all
        try:
            partial, seen = look()
            if partial:
                wrong.append(f"partial commits: {partial}")
            if seen < commits:
                wrong.append(f"{seen} commits after {commits}")
            commits = seen
        except Exception as error:  # noqa: BLE001 - any error of a reader is what is looked for
            wrong.append(f"{type(error).__name__}: {error}"[:500])
        looks += 1
        if last:
            break
        time.sleep(0.1)
    told = {"looks": looks, "commits": commits, "wrong": wrong}
    (home.parent / f"read-{name}").write_text(json.dumps(told))


def read_api(home: Path) -> None:
    """One lake, held open: what the Python API answers."""
    with lake.open(home) as store:
        names = store.symbols()["symbol"].to_list()

        def look() -> tuple[str, int]:
            frame = store.bars(names, source=SOURCE, columns=["close", "volume"])
            marks = frame.group_by("close").agg(pl.len(), pl.col("volume").unique())
            whole = (pl.col("len") == BARS) & (pl.col("volume").list.len() == 1)
            partial = marks.filter(~whole).rows()
            return str(partial) if partial else "", marks.height

        read(home, look, "api")


def read_sql(home: Path) -> None:
    """One plain DuckDB connection, held open."""
    connection = duckdb.connect()
    connection.execute(init_sql(home))

    def look() -> tuple[str, int]:
        row = connection.execute(PARTIAL).fetchone()
        return row[0], row[1]

    read(home, look, "sql")


def read_cli(home: Path) -> None:
    """The DuckDB CLI, a new one for each look."""
    init = home.parent / "init.sql"
    init.write_text(init_sql(home))
    command = [str(Path(sys.executable).with_name("duckdb")), "-init", str(init), "-json", "-c"]

    def look() -> tuple[str, int]:
        done = subprocess.run([*command, PARTIAL], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)
        row = json.loads(done.stdout)[0]
        return row["partial"], row["commits"]

    read(home, look, "cli")


ROLES: dict[str, Callable[..., None]] = {
    "write": write,
    "tidy": tidy,
    "read-api": read_api,
    "read-sql": read_sql,
    "read-cli": read_cli,
}

if __name__ == "__main__":
    role, where, *numbers = sys.argv[1:]
    ROLES[role](Path(where), *(int(number) for number in numbers))
