"""What the lake promises when a disk is full or nearly so: a clear sentence, nothing lost, and on it goes."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import lake
from lake.backup import backup, restore
from lake.backup.restoring import check_backup
from lake.faults import DiskFullError
from lake.room import DiskLowError, check_room, parse_room
from lake.upkeep import Plan, run
from lake.verify import verify
from tests.lake.mounts import mounted
from tests.market import OPEN, bar, fetched


@pytest.fixture
def disk(tmp_path):
    """A disk of 24 MB."""
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=24m", "tmpfs") as place:
        yield place


@contextmanager
def filled(disk: Path, left: int) -> Iterator[None]:
    """A disk with so many bytes left."""
    stuff = disk / "stuff"
    stuff.write_bytes(bytes(max(0, shutil.disk_usage(disk).free - left)))
    try:
        yield
    finally:
        stuff.unlink()


@pytest.fixture
def tight(disk, empty_home):
    """A lake on the small disk, with bars."""
    shutil.copytree(empty_home, disk / "home")
    with lake.open(disk / "home", floor=0) as store:
        for minute in range(3):
            store.commit_bars(fetched(bar(minute), bar(minute, symbol="QQQ")))
        yield store


def day_of(number: int):
    opening = OPEN + timedelta(days=number)
    minutes = range(390)
    return fetched(
        *(
            bar(opening + timedelta(minutes=minute), symbol=symbol)
            for minute in minutes
            for symbol in ("SPY", "QQQ", "IWM")
        )
    )


def test_a_full_disk_refuses_commits_in_a_sentence_and_loses_nothing(tight, disk):
    acknowledged, refused = 6, 0
    for number, left in enumerate((0, 20_000, 60_000, 150_000, 500_000), 1):
        with filled(disk, left):
            try:
                tight.commit_bars(day_of(number))
                acknowledged += 3 * 390
            except DiskFullError as error:
                refused += 1
                assert "make room and ask again" in str(error)  # noqa: PT017
        held = tight.sql("SELECT count(*) AS n FROM bars_1m").item()
        assert held == acknowledged
    assert 0 < refused < 5
    assert verify(tight).findings == ()
    for number in range(1, 6):
        tight.commit_bars(day_of(number))
    assert tight.bars("IWM").height == 5 * 390
    assert verify(tight).findings == ()


def test_a_full_disk_stops_upkeep_in_a_sentence_and_loses_nothing(tight, disk):
    for number in range(1, 4):
        tight.commit_bars(day_of(number))
    before, refused = tight.bars(["SPY", "QQQ", "IWM"]), 0
    every = Plan(datetime.now(UTC), keep=timedelta(0))
    for left in (40_000, 120_000, 300_000):
        with filled(disk, left):
            try:
                run(tight, every)
            except DiskFullError:
                refused += 1
        assert tight.bars(["SPY", "QQQ", "IWM"]).equals(before)
    assert refused
    assert verify(tight).findings == ()
    run(tight, every)
    assert tight.bars(["SPY", "QQQ", "IWM"]).equals(before)
    assert verify(tight).findings == ()


def test_a_full_disk_leaves_the_last_backup_whole(tight, disk, tmp_path):
    saved = disk / "saved"
    first = backup(tight, saved)
    tight.commit_bars(day_of(1))
    for left in (0, 50_000, 200_000):
        with filled(disk, left), pytest.raises(DiskFullError, match=f"The disk of {disk}"):
            backup(tight, saved)
        assert check_backup(saved) == []
        assert restore(saved, tmp_path / f"again-{left}").snapshot == first.snapshot
    assert backup(tight, saved).snapshot == tight.snapshot()


def test_a_full_disk_stops_a_restore_and_nothing_is_left_of_it(tight, disk, tmp_path):
    backup(tight, tmp_path / "saved")
    with filled(disk, 100_000), pytest.raises(DiskFullError):
        restore(tmp_path / "saved", disk / "again")

    assert [file.name for file in disk.iterdir()] == ["home"]
    assert restore(tmp_path / "saved", disk / "again").snapshot == tight.snapshot()


def test_bars_are_refused_before_the_disk_is_full(store):
    with lake.open(store.home, floor=1e18) as careful:
        with pytest.raises(DiskLowError, match="BARLAKE_DISK_FLOOR"):
            careful.commit_bars(fetched(bar(0)))
        assert careful.symbols().is_empty()
        careful.pin("small writes go on")


def test_the_floor_may_be_a_share_or_nothing(tmp_path):
    with pytest.raises(DiskLowError):
        check_room(tmp_path, 0.9999999)
    check_room(tmp_path, 0)
    check_room(tmp_path, 1)


@pytest.mark.parametrize("text", ["", "much", "-1", "0.5", "100%", "5 apples"])
def test_a_floor_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="no room like 500MB"):
        parse_room(text)


@pytest.mark.parametrize(
    ("text", "room"), [("0", 0), ("2GB", 2e9), ("750 mb", 75e7), ("1024", 1024), ("5%", 0.05)]
)
def test_a_floor_is_read(text, room):
    assert parse_room(text) == pytest.approx(room)
