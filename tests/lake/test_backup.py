"""What a backup promises: one moment of a lake in use, only what is new, and whole after any kill."""

import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest

import lake
from lake.backup import (
    BackupBusyError,
    BackupDamagedError,
    BackupMissingError,
    BackupPlaceError,
    LakeDamagedError,
    backup,
    restore,
)
from lake.backup.manifest import NAME
from lake.backup.restoring import check_backup
from lake.backup.saving import LOCK
from lake.journal import Journal
from lake.verify import content_hashes, verify
from tests.market import bar, fetched, session_covered

DAY = date(2024, 11, 4)


@pytest.fixture(scope="module")
def full_home(empty_home, tmp_path_factory):
    home = tmp_path_factory.mktemp("full") / "home"
    shutil.copytree(empty_home, home)
    with lake.open(home) as store:
        for symbol in ("SPY", "BRK.B"):
            bars = [bar(minute, symbol=symbol) for minute in range(60)]
            store.commit_bars(fetched(*bars, covered=(session_covered(DAY, symbol),)))
        store.commit_bars(fetched(bar(0, 101.0)))
    models = home / "models" / "first"
    models.mkdir(parents=True)
    (models / "model.joblib").write_bytes(b"weights")
    return home


@pytest.fixture
def full(full_home, tmp_path):
    shutil.copytree(full_home, tmp_path / "full")
    with lake.open(tmp_path / "full") as opened:
        yield opened


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def hashes_at(store, snapshot: int):
    """The hashes of the bars of one snapshot, asked of DuckLake and not of the backup."""
    with store.reading() as connection:
        return connection.execute(
            f"""SELECT source, symbol, timestamp, open, high, low, close, volume, trade_count, vwap
                FROM bars_1m AT (VERSION => {snapshot}) ORDER BY ALL"""
        ).fetchall()


def test_a_restored_lake_reads_equal_at_another_path(full, tmp_path):
    saved, again = tmp_path / "saved", tmp_path / "elsewhere" / "again"
    Journal.open(full.home).close()

    done = backup(full, saved)
    restored = restore(saved, again)

    assert (restored.snapshot, restored.files, restored.bytes) == (
        done.snapshot,
        done.files,
        done.bytes,
    )
    with lake.open(again) as other:
        assert content_hashes(other).equals(content_hashes(full))
        assert other.sql("FROM bar_revisions").equals(full.sql("FROM bar_revisions"))
        assert other.covered("SPY", "sandbox:iex") == full.covered("SPY", "sandbox:iex")
        assert verify(other).findings == ()
        commit = other.commit_bars(fetched(bar(0, 102.0)))
        assert commit.corrected == 1
    assert (again / "models" / "first" / "model.joblib").read_bytes() == b"weights"
    assert (again / "duckdb" / "clock").exists()
    assert (again / "duckdb" / "journal.sqlite").exists()
    Journal.open(again).close()


def test_older_snapshots_are_in_the_backup_too(full, tmp_path):
    before = full.snapshot()
    full.commit_bars(fetched(bar(1, 105.0), bar(2, 106.0)))
    backup(full, tmp_path / "saved")
    restore(tmp_path / "saved", tmp_path / "again")

    with lake.open(tmp_path / "again") as other:
        assert hashes_at(other, before) == hashes_at(full, before)


def test_a_second_backup_copies_only_new_files(full, tmp_path):
    saved = tmp_path / "saved"
    backup(full, saved)
    inodes = {file: file.stat().st_ino for file in (saved / "parquet").rglob("*.parquet")}
    full.commit_bars(fetched(bar(100)))

    second = backup(full, saved)

    new = set((saved / "parquet").rglob("*.parquet")) - inodes.keys()
    assert len(new) == 1
    assert {file: file.stat().st_ino for file in inodes} == inodes
    assert second.copied_files == 3  # a file of bars, the catalog and the clock
    assert check_backup(saved) == []


def test_files_that_the_lake_has_let_go_of_are_removed_after_the_next_backup(full, tmp_path):
    saved = tmp_path / "saved"
    full.commit_bars(fetched(bar(100)))
    backup(full, saved)
    with full.writing() as transaction:
        transaction.connection.execute("CALL ducklake_merge_adjacent_files('lake')")

    merged = backup(full, saved)

    assert merged.removed > 0
    named = {entry["stored"] for entry in json.loads((saved / NAME).read_text())["entries"]}
    assert set(files_of(saved)) == named | {NAME, LOCK}
    restore(saved, tmp_path / "again")
    with lake.open(tmp_path / "again") as other:
        assert content_hashes(other).equals(content_hashes(full))


# In use


def write(home: Path, ready) -> None:
    with lake.open(home) as store:
        ready.set()
        for price in range(1, 1000):
            store.commit_bars(fetched(*(bar(minute, 100.0 + price) for minute in range(60))))
            with store.writing() as transaction:
                transaction.connection.execute("CALL ducklake_merge_adjacent_files('lake')")
            with store.writing() as transaction:
                run = transaction.connection
                run.execute("CALL ducklake_cleanup_old_files('lake', cleanup_all => true)")


def test_backups_beside_a_writer_and_cleanup_restore_a_committed_moment(full, tmp_path):
    saved = tmp_path / "saved"
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    writer = context.Process(target=write, args=(full.home, ready))
    writer.start()
    snapshots = set()
    try:
        assert ready.wait(30)
        for attempt in range(3):
            done = backup(full, saved)
            snapshots.add(done.snapshot)
            restore(saved, tmp_path / f"again{attempt}")
            with lake.open(tmp_path / f"again{attempt}") as other:
                assert other.snapshot() == done.snapshot
                assert hashes_at(other, done.snapshot) == hashes_at(full, done.snapshot)
                assert verify(other).findings == ()
    finally:
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
    assert len(snapshots) > 1, "the writer has written meanwhile"


KILLED = """
import sys
from pathlib import Path
import lake
from lake.backup import backup
with lake.open(sys.argv[1]) as store:
    print("ready", flush=True)
    backup(store, Path(sys.argv[2]))
"""


@pytest.mark.parametrize("seed", range(4))
def test_a_backup_killed_at_any_point_leaves_the_last_one_whole(full, tmp_path, seed):
    saved = tmp_path / "saved"
    backup(full, saved)
    hashes = {full.snapshot(): content_hashes(full)}
    for minute in range(100, 103):
        full.commit_bars(fetched(bar(minute)))
    hashes[full.snapshot()] = content_hashes(full)

    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(full.home), str(saved)], stdout=subprocess.PIPE
    )
    process.stdout.readline()
    time.sleep(random.Random(seed).uniform(0.0, 0.25))
    process.kill()
    process.communicate()
    restored = restore(saved, tmp_path / "again")

    with lake.open(tmp_path / "again") as other:
        assert content_hashes(other).equals(hashes[restored.snapshot])
    wait_until_free(saved)
    assert backup(full, saved).snapshot == full.snapshot()
    assert check_backup(saved) == []
    assert not list(saved.rglob("*.part"))


def wait_until_free(saved: Path) -> None:
    """The child that copies the catalog may live a moment longer than its killed parent."""
    time.sleep(0.2)
    assert saved.exists()


# What goes wrong is said


def test_a_lake_that_lost_a_file_before_it_was_saved_leaves_the_last_backup_alone(full, tmp_path):
    saved = tmp_path / "saved"
    backup(full, saved)
    before = files_of(saved)
    known = set(full.home.rglob("*.parquet"))
    full.commit_bars(fetched(bar(100)))
    (lost,) = set(full.home.rglob("*.parquet")) - known
    lost.unlink()

    with pytest.raises(LakeDamagedError, match=f"{lost.name} is missing") as caught:
        backup(full, saved)

    assert "barlake verify --repair" in str(caught.value)
    after = files_of(saved)
    assert {name: after[name] for name in before} == before


def test_a_damaged_backup_is_refused_with_the_names_and_nothing_is_made(full, tmp_path):
    saved = tmp_path / "saved"
    backup(full, saved)
    cut, flipped, lost = sorted((saved / "parquet").rglob("*.parquet"))[:3]
    os.truncate(cut, 10)
    content = bytearray(flipped.read_bytes())
    content[len(content) // 2] ^= 1
    flipped.write_bytes(content)
    lost.unlink()

    with pytest.raises(BackupDamagedError) as caught:
        restore(saved, tmp_path / "again")

    assert sorted(problem.split()[0] for problem in caught.value.problems) == sorted(
        str(file.relative_to(saved)) for file in (cut, flipped, lost)
    )
    assert not (tmp_path / "again").exists()
    assert not list(tmp_path.glob("*.restoring"))


def test_a_backup_with_check_mends_what_changed_on_its_disk(full, tmp_path):
    saved = tmp_path / "saved"
    backup(full, saved)
    flipped = next((saved / "parquet").rglob("*.parquet"))
    content = bytearray(flipped.read_bytes())
    content[len(content) // 2] ^= 1
    flipped.write_bytes(content)

    assert backup(full, saved).copied_files == 1  # the catalog
    assert len(check_backup(saved)) == 1
    assert backup(full, saved, check=True).copied_files == 2
    assert check_backup(saved) == []


@pytest.mark.parametrize("name", ["", "inside", ".."])
def test_a_folder_inside_the_home_or_around_it_is_refused(full, name):
    with pytest.raises(BackupPlaceError, match="Choose another folder"):
        backup(full, full.home / name)


def test_a_folder_with_other_files_is_refused_and_left_alone(full, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").write_bytes(b"cat")

    with pytest.raises(BackupPlaceError, match="holds other files"):
        backup(full, tmp_path / "photos")

    assert files_of(tmp_path / "photos") == {"cat.png": b"cat"}


def test_the_backup_of_another_lake_is_not_replaced(full, tmp_path):
    saved = tmp_path / "saved"
    backup(full, saved)
    before = files_of(saved)
    with (
        lake.open(tmp_path / "other", create=True) as other,
        pytest.raises(BackupPlaceError, match="another lake"),
    ):
        backup(other, saved)

    after = files_of(saved)
    assert {name: after[name] for name in before} == before


def test_a_lake_is_never_restored_over_another(full, tmp_path):
    backup(full, tmp_path / "saved")
    before = files_of(full.home)

    with pytest.raises(BackupPlaceError, match=r"There is a lake in .* already"):
        restore(tmp_path / "saved", full.home)

    assert files_of(full.home) == before


def test_a_folder_without_a_backup_says_how_to_make_one(tmp_path):
    with pytest.raises(BackupMissingError, match="barlake backup"):
        restore(tmp_path, tmp_path / "again")


def test_two_backups_into_one_folder_do_not_meet(full, tmp_path):
    import fcntl

    saved = tmp_path / "saved"
    backup(full, saved)
    with (saved / LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(BackupBusyError, match="Wait"):
            backup(full, saved)
