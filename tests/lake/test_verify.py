"""What verifying promises: each broken promise is named exactly, and a lake in use is not slandered."""

import multiprocessing
import os
import shutil
import signal
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings

import lake
from lake import Covered
from lake.backup import backup
from lake.verify import content_hashes, hash_sessions, repair, verify
from tests.market import OPEN, SOURCE, bar, bars, fetched, session_covered

DAY = date(2024, 11, 4)
quick = settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def full_home(empty_home, tmp_path_factory):
    """Two symbols, a correction, a withdrawal, an odd bar and an impossible one."""
    home = tmp_path_factory.mktemp("full") / "home"
    shutil.copytree(empty_home, home)
    minutes = [bar(minute) for minute in range(60)]
    with lake.open(home) as store:
        store.commit_bars(fetched(*minutes, covered=(session_covered(DAY),)))
        store.commit_bars(
            fetched(
                *(bar(minute, symbol="BRK.B") for minute in range(30)),
                bar(30, symbol="BRK.B", volume=0.0),
                bar(31, symbol="BRK.B", low=200.0),
                covered=(session_covered(DAY, "BRK.B"),),
            )
        )
        store.commit_bars(fetched(bar(0, 101.0), *minutes[1:50], covered=(session_covered(DAY),)))
    return home


@pytest.fixture
def full(full_home, tmp_path):
    shutil.copytree(full_home, tmp_path / "full")
    with lake.open(tmp_path / "full") as opened:
        yield opened


def data_file(store, table="bars_1m", symbol="BRK.B") -> Path:
    folder = store.home / "parquet" / "main" / table
    return next(
        file
        for file in folder.rglob("*.parquet")
        if f"symbol={symbol}" in str(file) or table != "bars_1m"
    )


def told(report) -> list[tuple[str, str]]:
    return [(finding.kind, finding.place) for finding in report.findings]


def write(store, sql: str, *values: object) -> None:
    with store.writing() as transaction:
        transaction.connection.execute(sql, list(values))


# A right lake


def test_a_new_lake_is_right(store):
    assert verify(store).right


def test_a_lake_with_corrections_is_right_and_told_in_numbers(full):
    report = verify(full)

    assert report.findings == ()
    assert (report.series, report.bars) == (2, 50 + 31)
    assert report.files == len(list((full.home / "parquet").rglob("*.parquet")))


@given(first=bars(), second=bars())
@quick
def test_whatever_is_committed_and_merged_is_right(store, first, second):
    source = f"sandbox:{time.monotonic_ns()}"
    everything = Covered(
        "SPY", datetime(2024, 10, 1, tzinfo=UTC), datetime(2024, 12, 1, tzinfo=UTC)
    )
    store.commit_bars(lake.Fetched(source, first, (everything,)))
    store.commit_bars(lake.Fetched(source, second, (everything,)))
    write(store, "CALL ducklake_rewrite_data_files('lake', delete_threshold => 0)")
    write(store, "CALL ducklake_merge_adjacent_files('lake')")

    assert verify(store, ["SPY"]).findings == ()


# Damage to files


def test_a_file_cut_short_is_named_with_both_sizes(full):
    file = data_file(full)
    size = file.stat().st_size
    os.truncate(file, 1000)

    report = verify(full)

    assert told(report) == [("file size", str(file.relative_to(full.home)))]
    assert f"has 1,000 bytes and the catalog says {size:,}" in report.findings[0].sentence
    assert "barlake verify --repair" in report.findings[0].sentence


def test_a_lost_file_is_named_and_the_other_symbol_is_still_checked(full):
    file = data_file(full)
    file.unlink()

    report = verify(full)

    assert told(report) == [("file missing", str(file.relative_to(full.home)))]
    assert report.bars == 50


def test_a_lost_delete_file_is_named(full):
    file = next((full.home / "parquet").rglob("*-delete.parquet"))
    file.unlink()

    assert told(verify(full)) == [("file missing", str(file.relative_to(full.home)))]


def test_a_footer_that_is_no_footer_is_named(full):
    file = data_file(full)
    content = bytearray(file.read_bytes())
    length = int.from_bytes(content[-8:-4], "little")
    content[-8 - length : -8] = bytes(length)
    file.write_bytes(content)

    assert told(verify(full)) == [("file unreadable", str(file.relative_to(full.home)))]


def test_another_file_of_the_same_size_is_named(full):
    file = data_file(full)
    size = file.stat().st_size
    frame = pl.read_parquet(file)
    frame.head(5).write_parquet(file, compression="uncompressed")
    grow(file, size)

    assert told(verify(full))[0] in {
        ("row count", str(file.relative_to(full.home))),
        ("file size", str(file.relative_to(full.home))),
        ("file unreadable", str(file.relative_to(full.home))),
    }


def grow(file: Path, size: int) -> None:
    """Put bytes that nobody reads before the first page, so that the size is as before."""
    if file.stat().st_size < size:
        with file.open("r+b") as opened:
            content = opened.read()
            opened.seek(0)
            opened.write(content + bytes(size - len(content)))


@pytest.mark.parametrize("seed", range(6))
def test_flipped_bytes_are_found_or_change_no_value(full, seed):
    file = data_file(full)
    before = content_hashes(full)
    content = bytearray(file.read_bytes())
    place = 4 + seed * 97
    content[place] ^= 0xFF
    file.write_bytes(content)

    report = verify(full)

    named = {finding.place for finding in report.findings}
    if not named:
        assert content_hashes(full).equals(before)
    assert named <= {str(file.relative_to(full.home)), f"bars_1m {SOURCE} BRK.B"}


def test_the_bounds_readers_trust_are_compared_with_the_file(full):
    write(
        full,
        """UPDATE __ducklake_metadata_lake.ducklake_file_column_stats SET max_value = '2024-11-04 14:35:00+00'
           WHERE data_file_id = (SELECT min(data_file_id) FROM __ducklake_metadata_lake.ducklake_file_column_stats
                                 WHERE max_value = '2024-11-04 15:29:00+00')
             AND max_value = '2024-11-04 15:29:00+00'""",
    )

    report = verify(full)

    whole = next(
        file
        for file in (full.home / "parquet").rglob("symbol=SPY/*/*.parquet")
        if pl.read_parquet(file).height == 60
    )
    assert told(report) == [("bounds", str(whole.relative_to(full.home)))]
    assert "2024-11-04 14:35:00+00:00" in report.findings[0].sentence


def test_rows_out_of_order_are_named(store):
    store.commit_bars(fetched(*(bar(minute) for minute in range(3))))
    file = data_file(store, symbol="SPY")
    reversed_rows = f"(FROM read_parquet('{file}') ORDER BY timestamp DESC)"
    duckdb.sql(f"COPY {reversed_rows} TO '{file}.new' (FORMAT parquet)")
    Path(f"{file}.new").rename(file)
    write(
        store,
        "UPDATE __ducklake_metadata_lake.ducklake_data_file SET file_size_bytes = ? WHERE path LIKE '%symbol=SPY%'",
        file.stat().st_size,
    )

    assert told(verify(store)) == [("sort order", str(file.relative_to(store.home)))]


# Damage to rows


def bars_of(store, **changes: object) -> str:
    replaced = ", ".join(f"{value} AS {name}" for name, value in changes.items())
    return f"SELECT * REPLACE ({replaced}) FROM bars_1m WHERE symbol = 'SPY' AND timestamp = '2024-11-04 14:40:00+00'"


@pytest.mark.parametrize(
    ("table", "where"), [("bars_1m", "in bars_1m,"), ("bars_live", "in bars_1m and bars_live,")]
)
def test_a_key_stored_twice_is_named_with_its_session(full, table, where):
    write(full, f"INSERT INTO {table} {bars_of(full, close='close')}")

    report = verify(full)

    assert told(report) == [("key twice", f"bars_1m {SOURCE} SPY")]
    sentence = report.findings[0].sentence
    assert where in sentence
    assert "first at 2024-11-04T14:40:00Z, in session 2024-11-04" in sentence


@pytest.mark.parametrize(
    ("changes", "kind", "text"),
    [
        ({"low": "-1.0"}, "rule broken", "prices are positive"),
        ({"high": "'nan'::DOUBLE"}, "rule broken", "prices are finite"),
        ({"timestamp": "timestamp + INTERVAL 3 HOUR + INTERVAL 7 SECOND"}, "rule broken", "whole minute"),
        ({"volume": "0.0"}, "flags", "flags"),
        ({"recorded_at": "'2099-01-01'::TIMESTAMPTZ"}, "clock", "lake's clock"),
    ],
)  # fmt: skip
def test_a_stored_bar_that_cannot_be_is_named(full, changes, kind, text):
    changes = {"timestamp": "timestamp + INTERVAL 3 HOUR", **changes}
    write(full, f"INSERT INTO bars_1m {bars_of(full, **changes)}")

    found = [finding for finding in verify(full).findings if finding.kind == kind]

    assert [finding.place for finding in found] == [f"bars_1m {SOURCE} SPY"]
    assert text in found[0].sentence


@pytest.mark.parametrize(
    ("problem", "statement"),
    [
        (
            "an end that is not after its beginning",
            """UPDATE bar_revisions SET superseded_at = recorded_at - INTERVAL 1 SECOND
               WHERE kind = 'corrected'""",
        ),
        (
            "a kind other than corrected and withdrawn",
            "UPDATE bar_revisions SET kind = 'lost' WHERE kind = 'withdrawn'",
        ),
        (
            "a beginning before the end of the one before it",
            """INSERT INTO bar_revisions SELECT * REPLACE (superseded_at + INTERVAL 1 HOUR AS superseded_at)
               FROM bar_revisions WHERE kind = 'corrected'""",
        ),
        (
            "an end after the beginning of the current value",
            "UPDATE bars_1m SET recorded_at = recorded_at - INTERVAL 1 DAY WHERE symbol = 'SPY'",
        ),
        (
            "a correction whose newer value is nowhere",
            "DELETE FROM bars_1m WHERE symbol = 'SPY' AND timestamp = '2024-11-04 14:30:00+00'",
        ),
    ],
)
def test_a_broken_chain_of_revisions_is_named(full, statement, problem):
    write(full, statement)

    found = [one for one in verify(full).findings if one.kind == "revisions chain"]

    assert any(problem in one.sentence and "SPY" in one.sentence for one in found)


@pytest.mark.parametrize(
    ("kind", "text", "statement"),
    [
        (
            "series",
            "SPY from sandbox:iex has bars and is not named",
            "DELETE FROM series WHERE symbol = 'SPY'",
        ),
        (
            "series",
            "QQQ from sandbox:iex is named in the table series and has no bars",
            "INSERT INTO series VALUES ('bars_1m', 'sandbox:iex', 'QQQ')",
        ),
        (
            "series",
            "SPY from sandbox:iex is named more than once",
            "INSERT INTO series VALUES ('bars_1m', 'sandbox:iex', 'SPY')",
        ),
        (
            "coverage",
            "does not end after it starts",
            """INSERT INTO coverage SELECT * REPLACE ("end" AS start, start AS "end") FROM coverage
               WHERE symbol = 'SPY'""",
        ),
        (
            "coverage",
            "a dataset that does not exist",
            "INSERT INTO coverage SELECT * REPLACE ('news' AS dataset) FROM coverage WHERE symbol = 'SPY'",
        ),
        (
            "gap scans",
            "does not account for every minute",
            """INSERT INTO gap_scans SELECT 'bars_1m', 'sandbox:iex', 'SPY', DATE '2024-11-04', 390, 380, 0, 0, 0, 9, 0,
               [], TIMESTAMPTZ '2024-11-05 00:00:00+00'""",
        ),
        (
            "gap scans",
            "does not account for every minute",
            """INSERT INTO gap_scans SELECT 'bars_1m', 'sandbox:iex', 'SPY', DATE '2024-11-04', 390, 389, 0, 0, 0, 1, 0,
               [], TIMESTAMPTZ '2024-11-05 00:00:00+00'""",
        ),
        (
            "changes",
            "1 changes of SPY",
            """INSERT INTO changes SELECT * REPLACE (999999 AS "commit") FROM changes
               WHERE symbol = 'SPY' AND kind = 'corrected'""",
        ),
    ],
)
def test_a_ledger_that_disagrees_is_named(full, statement, kind, text):
    write(full, statement)

    report = verify(full)

    assert [finding.kind for finding in report.findings] == [kind]
    assert text in report.findings[0].sentence


def test_sessions_that_lost_all_their_bars_are_named(full):
    write(full, "DELETE FROM bars_1m WHERE symbol = 'BRK.B'")
    write(full, "DELETE FROM series WHERE symbol = 'BRK.B'")

    report = verify(full)

    assert told(report) == [("session lost", f"{SOURCE} BRK.B")]
    assert "from 2024-11-04 to 2024-11-04" in report.findings[0].sentence


def test_only_the_symbols_asked_for_are_looked_at(full):
    data_file(full).unlink()

    assert verify(full, ["spy"]).right
    assert not verify(full, ["BRK.B"]).right


# In use


def write_and_merge(home: Path, ready) -> None:
    with lake.open(home) as store:
        ready.set()
        for price in range(1, 1000):
            minutes = [bar(minute, 100.0 + price) for minute in range(price % 7, 60)]
            store.commit_bars(fetched(*minutes, covered=(session_covered(DAY),)))
            with store.writing() as transaction:
                run = transaction.connection
                run.execute(
                    "CALL ducklake_rewrite_data_files('lake', 'bars_1m', delete_threshold => 0)"
                )
            with store.writing() as transaction:
                transaction.connection.execute("CALL ducklake_merge_adjacent_files('lake')")
            with store.writing() as transaction:
                transaction.connection.execute(
                    "CALL ducklake_cleanup_old_files('lake', cleanup_all => true)"
                )


def test_a_writer_and_cleanup_beside_make_no_false_finding(full):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    writer = context.Process(target=write_and_merge, args=(full.home, ready))
    writer.start()
    try:
        assert ready.wait(30)
        until, overtaken = time.monotonic() + 120, 0
        while overtaken < 4:  # it has written under this many looks, however slow the machine
            assert time.monotonic() < until, "the writer has written meanwhile"
            before = full.snapshot()
            assert verify(full).findings == ()
            overtaken += full.snapshot() > before
        assert writer.is_alive()
    finally:
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
    assert verify(full).findings == ()


# Hashes


@given(written=bars())
@quick
def test_equal_bars_have_equal_hashes_in_any_order_and_other_bars_do_not(written):
    hashes = hash_sessions(written)

    assert hash_sessions(written.sample(fraction=1, shuffle=True, seed=1)).equals(hashes)
    assert hashes["bars"].sum() == written.height
    touched = written.with_columns(
        close=pl.when(pl.int_range(pl.len()) == 0)
        .then(pl.col("close") * (1 + 2**-50))
        .otherwise("close")
    )
    assert hash_sessions(touched).join(hashes, on=["session", "hash"]).height == hashes.height - 1


def test_two_runs_that_store_the_same_at_other_times_have_equal_hashes(full, tmp_path):
    with lake.open(tmp_path / "other", create=True) as other:
        for symbol in ("SPY", "BRK.B"):
            held = full.bars(symbol, columns=lake.BAR_SCHEMA.names())
            for part in held.iter_slices(40):
                other.commit_bars(lake.Fetched(SOURCE, part))

        assert content_hashes(other).equals(content_hashes(full))


# Repair


def test_a_lost_file_without_a_backup_becomes_a_range_that_is_not_fetched(full):
    answer = fetched(
        *(bar(minute, symbol="BRK.B") for minute in range(30)),
        bar(30, symbol="BRK.B", volume=0.0),
        covered=(session_covered(DAY, "BRK.B"),),
    )
    before = content_hashes(full)
    data_file(full).unlink()

    repaired = repair(full, verify(full))

    assert len(repaired.unfetched) == 1
    assert "barlake ingest BRK.B --start 2024-11-04 --end 2024-11-04" in repaired.unfetched[0]
    gaps = full.gaps("BRK.B", DAY, DAY, SOURCE)
    assert gaps.select("start", "end").rows() == [(OPEN, OPEN + timedelta(minutes=31))]
    assert full.bars("SPY").height == 50
    full.commit_bars(answer)
    assert verify(full).findings == ()
    assert content_hashes(full).equals(before)


def test_a_damaged_file_is_kept_aside_when_the_catalog_lets_go_of_it(full):
    file = data_file(full)
    os.truncate(file, 1000)

    repair(full, verify(full))

    assert (full.home / "damaged" / file.name).stat().st_size == 1000


def test_what_a_backup_has_comes_back_to_the_byte(full, tmp_path):
    before, saved = content_hashes(full), tmp_path / "saved"
    backup(full, saved)
    lost = [
        data_file(full),
        data_file(full, "bar_revisions"),
        *(full.home / "parquet").rglob("*-delete.parquet"),
    ]
    contents = [file.read_bytes() for file in lost]
    for file in lost:
        os.truncate(file, 7)

    repaired = repair(full, verify(full), saved)

    assert sorted(repaired.restored) == sorted(str(file.relative_to(full.home)) for file in lost)
    assert [file.read_bytes() for file in lost] == contents
    assert verify(full).right
    assert content_hashes(full).equals(before)


def test_a_lost_file_of_revisions_is_left_and_said(full):
    data_file(full, "bar_revisions").unlink()
    report = verify(full)

    repaired = repair(full, report)

    assert (repaired.restored, repaired.unfetched) == ((), ())
    assert repaired.left == tuple(finding.sentence for finding in report.findings)
    assert "--backup DIR" in repaired.left[0]
