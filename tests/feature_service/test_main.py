"""What ``python -m feature_service.main`` promises: a lake or plain files, and sentences for errors."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import lake
from feature_service import build, main, sets
from lake.features import read_features

from .conftest import FIRST, LAST
from .walks import random_walk

CORE = list(sets.feature_set("core").columns)


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path):
    """No .env and no settings of the developer's, and relative paths under the test's folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("SOURCE_DUCKDB_PATH", "DEST_DUCKDB_PATH", "DEST_PARQUET_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BARLAKE_HOME", str(tmp_path / "nothing"))


@pytest.fixture
def plain(tmp_path) -> Path:
    """A DuckDB file with bars of two symbols, timestamps without a zone."""
    return plain_file(tmp_path / "plain.duckdb", random_walk("SPY", FIRST, LAST), "bars")


def plain_file(path: Path, bars: pl.DataFrame, table: str) -> Path:
    more = bars.with_columns(pl.lit("IBM").alias("symbol"))
    both = pl.concat([bars, more]).with_columns(pl.col("timestamp").dt.replace_time_zone(None))
    with duckdb.connect(str(path)) as connection:
        connection.register("copied", both)
        connection.execute(f'CREATE TABLE "{table}" AS FROM copied ORDER BY random()')
    return path


def settle(monkeypatch, **paths: Path) -> None:
    for name, path in paths.items():
        monkeypatch.setenv(name, str(path))


def told(capsys) -> tuple[str, str]:
    answer = capsys.readouterr()
    assert "Traceback" not in answer.err
    return answer.out, answer.err


def test_without_a_symbol_every_symbol_of_the_lake_is_built(store, monkeypatch, capsys):
    settle(monkeypatch, BARLAKE_HOME=store.home)

    assert main.run([]) == 0
    out, _ = told(capsys)
    assert [line.split()[0] for line in out.splitlines()] == ["QQQ", "SPY"]
    assert read_features(store, "SPY").height > 0


def test_a_second_run_says_that_nothing_is_new(store, monkeypatch, capsys):
    settle(monkeypatch, BARLAKE_HOME=store.home)
    main.run(["SPY"])
    told(capsys)

    assert main.run(["spy"]) == 0
    assert "nothing new" in told(capsys)[0]


@pytest.mark.parametrize("named", [".", "duckdb/lake.sqlite"])
def test_a_lake_that_is_named_as_the_source_is_only_read(store, monkeypatch, tmp_path, named):
    before = store.snapshot()
    settle(
        monkeypatch,
        SOURCE_DUCKDB_PATH=store.home / named,
        BARLAKE_HOME=store.home,
        DEST_PARQUET_DIR=tmp_path / "wide",
    )

    assert main.run(["SPY"]) == 0
    assert store.snapshot() == before
    written = pl.read_parquet(tmp_path / "wide" / "SPY.parquet")
    build.build(store, "SPY")
    assert_frame_equal(written, read_features(store, "SPY"))


def test_without_a_destination_features_of_another_lake_go_into_our_own(
    store, monkeypatch, tmp_path, capsys
):
    before, ours = store.snapshot(), tmp_path / "ours"
    settle(monkeypatch, SOURCE_DUCKDB_PATH=store.home, BARLAKE_HOME=ours)

    assert main.run(["SPY"]) == 0
    assert f"in the lake {ours} as source file:home" in told(capsys)[0]
    assert store.snapshot() == before
    build.build(store, "SPY")
    with lake.open(ours) as opened:
        assert_frame_equal(
            read_features(opened, "SPY", source="file:home"), read_features(store, "SPY")
        )


@pytest.mark.parametrize("named", [".", "duckdb/lake.sqlite"])
def test_a_lake_that_is_its_own_source_is_built_in_place(store, monkeypatch, capsys, named):
    settle(monkeypatch, SOURCE_DUCKDB_PATH=store.home / named, BARLAKE_HOME=store.home)

    assert main.run(["SPY"]) == 0
    assert f"in the lake {store.home}\n" in told(capsys)[0]
    assert read_features(store, "SPY").height > 0


def test_a_plain_file_gives_a_wide_parquet_a_symbol(plain, monkeypatch, tmp_path):
    settle(monkeypatch, SOURCE_DUCKDB_PATH=plain, DEST_PARQUET_DIR=tmp_path / "a" / "wide")

    assert main.run([]) == 0
    names = sorted(path.name for path in (tmp_path / "a" / "wide").iterdir())
    assert names == ["IBM.parquet", "SPY.parquet"]
    wide = pl.read_parquet(tmp_path / "a" / "wide" / "SPY.parquet")
    assert wide.columns == ["symbol", "timestamp", "session_date", *CORE]
    bars = random_walk("SPY", FIRST, LAST)
    assert wide["timestamp"].to_list() == bars["timestamp"].to_list()
    assert wide["sma_20"].to_list()[-1] == pytest.approx(bars["close"].tail(20).mean())


def test_a_plain_file_and_the_lake_give_the_same_features(store, monkeypatch, tmp_path):
    bars = store.bars("SPY")
    source = plain_file(tmp_path / "copy.duckdb", bars, "bars")
    settle(monkeypatch, SOURCE_DUCKDB_PATH=source, DEST_PARQUET_DIR=tmp_path / "wide")
    main.run(["SPY"])
    monkeypatch.delenv("SOURCE_DUCKDB_PATH")
    settle(monkeypatch, BARLAKE_HOME=store.home)
    main.run(["SPY"])

    assert_frame_equal(
        pl.read_parquet(tmp_path / "wide" / "SPY.parquet"), read_features(store, "SPY")
    )


def test_a_plain_destination_receives_features_and_their_metadata(plain, monkeypatch, tmp_path):
    target = tmp_path / "out" / "features.duckdb"
    settle(monkeypatch, SOURCE_DUCKDB_PATH=plain, DEST_DUCKDB_PATH=target)

    assert main.run(["SPY"]) == 0
    assert main.run(["IBM"]) == 0
    assert main.run(["SPY"]) == 0
    with duckdb.connect(str(target), read_only=True) as connection:
        features = connection.execute("SELECT symbol, count(*) n FROM features GROUP BY 1").pl()
        defined = connection.execute("FROM feature_definitions").pl()
        builds = connection.execute("FROM feature_builds").pl()
    rows = random_walk("SPY", FIRST, LAST).height
    assert dict(features.iter_rows()) == {"SPY": rows, "IBM": rows}
    assert sorted(defined["feature_name"]) == sorted(CORE)
    assert builds["symbol"].to_list() == ["SPY", "IBM", "SPY"]


def test_source_and_destination_may_be_one_file(plain, monkeypatch):
    settle(monkeypatch, SOURCE_DUCKDB_PATH=plain, DEST_DUCKDB_PATH=plain)

    assert main.run(["SPY"]) == 0
    with duckdb.connect(str(plain), read_only=True) as connection:
        tables = {row[0] for row in connection.execute("SHOW TABLES").fetchall()}
    assert {"bars", "features", "feature_builds", "feature_definitions"} == tables


def test_features_of_another_version_are_kept_beside_the_new_ones(plain, monkeypatch, tmp_path):
    target = tmp_path / "features.duckdb"
    settle(monkeypatch, SOURCE_DUCKDB_PATH=plain, DEST_DUCKDB_PATH=target)
    main.run(["SPY", "--set", "core_all"])

    assert main.run(["SPY"]) == 0
    old = sets.feature_set("core_all").version[:8]
    with duckdb.connect(str(target), read_only=True) as connection:
        tables = {row[0] for row in connection.execute("SHOW TABLES").fetchall()}
    assert f"features_{old}" in tables


def test_without_a_destination_the_lake_receives_features_of_a_plain_file(
    store, plain, monkeypatch
):
    settle(monkeypatch, SOURCE_DUCKDB_PATH=plain, BARLAKE_HOME=store.home)

    assert main.run(["IBM"]) == 0
    features = read_features(store, "IBM", source="file:plain")
    assert features.height == random_walk("SPY", FIRST, LAST).height


@pytest.mark.parametrize("table", ["bars_1m", "my prices"])
def test_the_table_of_bars_is_found_by_its_columns(table, monkeypatch, tmp_path):
    source = plain_file(tmp_path / "other.duckdb", random_walk("SPY", FIRST, FIRST), table)
    settle(monkeypatch, SOURCE_DUCKDB_PATH=source, DEST_PARQUET_DIR=tmp_path / "wide")

    assert main.run(["SPY"]) == 0


def test_impossible_bars_are_left_out_and_counted(monkeypatch, tmp_path, capsys):
    bars = random_walk("SPY", FIRST, FIRST)
    broken = bars.with_columns(
        pl.when(pl.int_range(pl.len()) == 5).then(-1.0).otherwise("close").alias("close")
    )
    source = plain_file(tmp_path / "odd.duckdb", broken, "bars")
    settle(monkeypatch, SOURCE_DUCKDB_PATH=source, DEST_PARQUET_DIR=tmp_path / "wide")

    assert main.run(["SPY"]) == 0
    assert "1 impossible bars left out" in told(capsys)[0]
    assert pl.read_parquet(tmp_path / "wide" / "SPY.parquet").height == bars.height - 1


def refused(monkeypatch, capsys, *arguments: str, **paths: Path) -> str:
    settle(monkeypatch, **paths)
    assert main.run(arguments) == 2
    out, err = told(capsys)
    assert out == ""
    return err


def test_no_lake_is_a_sentence(monkeypatch, capsys):
    assert "There is no lake in" in refused(monkeypatch, capsys)


def test_a_missing_file_is_a_sentence(monkeypatch, capsys, tmp_path):
    missing = tmp_path / "none.duckdb"

    assert str(missing) in refused(monkeypatch, capsys, SOURCE_DUCKDB_PATH=missing)
    assert not missing.exists()


def test_a_file_that_is_no_database_is_a_sentence(monkeypatch, capsys, tmp_path):
    (tmp_path / "notes.duckdb").write_text("hello " * 1000)

    said = refused(monkeypatch, capsys, SOURCE_DUCKDB_PATH=tmp_path / "notes.duckdb")
    assert "not a DuckDB file" in said


def test_a_catalog_is_no_plain_destination(store, plain, monkeypatch, capsys):
    catalog_file, before = store.home / "duckdb" / "lake.sqlite", store.snapshot()
    settle(monkeypatch, DEST_DUCKDB_PATH=catalog_file)

    said = refused(monkeypatch, capsys, "SPY", SOURCE_DUCKDB_PATH=plain)
    assert "not a DuckDB file" in said
    assert store.snapshot() == before


def test_a_sqlite_file_is_a_sentence_and_no_download(monkeypatch, capsys, tmp_path):
    with closing(sqlite3.connect(tmp_path / "other.sqlite")) as connection:
        connection.execute("CREATE TABLE bars (symbol TEXT)")

    said = refused(monkeypatch, capsys, SOURCE_DUCKDB_PATH=tmp_path / "other.sqlite")
    assert "this is a SQLite file" in said


def test_a_file_without_bars_is_a_sentence(monkeypatch, capsys, tmp_path):
    with duckdb.connect(str(tmp_path / "empty.duckdb")) as connection:
        connection.execute("CREATE TABLE trades (symbol VARCHAR)")

    said = refused(monkeypatch, capsys, SOURCE_DUCKDB_PATH=tmp_path / "empty.duckdb")
    assert "no table has the columns of bars" in said


def test_two_tables_of_bars_with_unusual_names_are_a_sentence(monkeypatch, capsys, plain):
    with duckdb.connect(str(plain)) as connection:
        connection.execute("CREATE TABLE b AS FROM bars; ALTER TABLE bars RENAME TO a")

    said = refused(monkeypatch, capsys, SOURCE_DUCKDB_PATH=plain)
    assert "Call the right one bars" in said


def test_a_symbol_twice_a_minute_is_a_sentence(monkeypatch, capsys, plain, tmp_path):
    with duckdb.connect(str(plain)) as connection:
        connection.execute("INSERT INTO bars SELECT * FROM bars LIMIT 10")

    said = refused(
        monkeypatch, capsys, SOURCE_DUCKDB_PATH=plain, DEST_PARQUET_DIR=tmp_path / "wide"
    )
    assert "more than once" in said


def test_an_unknown_symbol_does_not_keep_the_others_waiting(plain, monkeypatch, capsys, tmp_path):
    settle(monkeypatch, SOURCE_DUCKDB_PATH=plain, DEST_PARQUET_DIR=tmp_path / "wide")

    assert main.run(["ZZZ", "../x", "SPY"]) == 2
    out, err = told(capsys)
    assert out.startswith("SPY core:")
    assert "no bars of ZZZ" in err
    assert "'../x' is not a ticker" in err


def test_bars_outside_regular_hours_only_name_the_set_for_them(monkeypatch, capsys, tmp_path):
    night = random_walk("SPY", FIRST, FIRST).with_columns(pl.col("timestamp") - timedelta(hours=10))
    source = plain_file(tmp_path / "night.duckdb", night, "bars")
    settle(monkeypatch, DEST_PARQUET_DIR=tmp_path / "wide")

    said = refused(monkeypatch, capsys, "SPY", SOURCE_DUCKDB_PATH=source)
    assert "core_all" in said
    assert main.run(["SPY", "--set", "core_all"]) == 0


def test_a_table_of_features_that_is_not_ours_is_left_alone(plain, monkeypatch, capsys):
    with duckdb.connect(str(plain)) as connection:
        connection.execute("CREATE TABLE features AS SELECT 42 AS answer")
    settle(monkeypatch, DEST_DUCKDB_PATH=plain)

    said = refused(monkeypatch, capsys, "SPY", SOURCE_DUCKDB_PATH=plain)
    assert "Choose another file" in said


def test_a_destination_that_cannot_be_written_is_a_sentence(plain, monkeypatch, capsys, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    settle(monkeypatch, DEST_PARQUET_DIR=tmp_path / "file" / "wide")

    assert "cannot be written" in refused(monkeypatch, capsys, "SPY", SOURCE_DUCKDB_PATH=plain)


def test_an_unknown_set_is_a_sentence(store, monkeypatch, capsys):
    said = refused(monkeypatch, capsys, "SPY", "--set", "cores", BARLAKE_HOME=store.home)

    assert "Did you mean core" in said


@pytest.fixture
def locked(plain):
    """The plain file, open for writing in another process."""
    code = f"import duckdb, sys; c = duckdb.connect({str(plain)!r}); print('open', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout.readline().strip() == b"open"
    yield plain
    holder.communicate(timeout=10)


def test_a_file_that_another_process_holds_is_a_sentence(locked, monkeypatch, capsys):
    said = refused(monkeypatch, capsys, "SPY", SOURCE_DUCKDB_PATH=locked)

    assert "another process has this file open" in said


def test_the_module_runs_as_a_command(plain, tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "feature_service.main", "SPY"],
        env={"SOURCE_DUCKDB_PATH": str(plain), "DEST_PARQUET_DIR": str(tmp_path / "wide")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    assert (tmp_path / "wide" / "SPY.parquet").exists()
    assert run.stderr == ""
