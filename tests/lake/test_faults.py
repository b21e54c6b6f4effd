"""What the lake promises when its catalog or its data fail it: a clear sentence, and nothing lost."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import lake
from lake.catalog import DUCKLAKE_VERSION
from lake.errors import LakeError
from lake.faults import (
    CatalogBusyError,
    CatalogDamagedError,
    CatalogVersionError,
    DataFileError,
    DiskFullError,
    ReadOnlyError,
)
from lake.verify import repair, verify
from tests.market import bar, fetched

# A catalog that somebody else holds, and one that is not ours

HOLD = """
import sqlite3, sys
catalog = sqlite3.connect(sys.argv[1])
catalog.execute(sys.argv[2])
catalog.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(catalog: Path, pragma: str) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, catalog, pragma],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        process.stdout.readline()
        yield
    finally:
        process.kill()
        process.communicate()


def test_a_catalog_that_somebody_holds_can_be_read_and_a_write_says_so_soon(store):
    store.commit_bars(fetched(bar(0)))
    with held(store.place.catalog, "PRAGMA journal_mode"), lake.open(store.home) as other:
        assert other.bars("SPY").height == 1
        begun = time.monotonic()
        with pytest.raises(CatalogBusyError, match="ask again"):
            other.commit_bars(fetched(bar(1)))
        assert time.monotonic() - begun < 60
    store.commit_bars(fetched(bar(1)))
    assert store.bars("SPY").height == 2


def test_a_catalog_that_somebody_keeps_to_himself_says_so_soon(store):
    store.commit_bars(fetched(bar(0)))
    store.close()
    with held(store.place.catalog, "PRAGMA locking_mode = EXCLUSIVE"):
        for ask in (lambda: store.bars("SPY"), lambda: store.commit_bars(fetched(bar(1)))):
            begun = time.monotonic()
            with pytest.raises(CatalogBusyError, match="ask again"):
                ask()
            assert time.monotonic() - begun < 60
    assert store.bars("SPY").height == 1


def change(catalog: Path, statement: str) -> None:
    """In a process of its own: two SQLite libraries in one would break each other's locks."""
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2]); c.commit()"
    )
    subprocess.run([sys.executable, "-c", code, catalog, statement], check=True)


def test_a_catalog_of_a_newer_ducklake_is_refused_and_left_alone(store):
    store.commit_bars(fetched(bar(0)))
    known = store.sql("FROM ducklake_settings('lake')")
    store.close()
    change(store.place.catalog, "UPDATE ducklake_metadata SET value = '9.0' WHERE key = 'version'")
    before = store.place.catalog.read_bytes()

    for ask in (
        lambda: store.bars("SPY"),
        lambda: store.commit_bars(fetched(bar(1))),
        store.create,
    ):
        with pytest.raises(CatalogVersionError, match=r"DuckLake 9\.0") as caught:
            ask()
        assert f"works with {DUCKLAKE_VERSION}" in str(caught.value)
    store.close()
    assert known.height
    assert store.place.catalog.read_bytes() == before
    with pytest.raises(CatalogVersionError):
        verify(store)


@pytest.mark.parametrize("content", [b"", b"no database at all" * 1000])
def test_a_catalog_that_is_none_is_refused_and_no_new_lake_begins_in_it(store, content):
    store.commit_bars(fetched(bar(0)))
    store.close()
    for file in store.place.catalog.parent.glob("lake.sqlite*"):
        file.unlink()
    store.place.catalog.write_bytes(content)

    for ask in (
        lambda: store.bars("SPY"),
        lambda: store.commit_bars(fetched(bar(1))),
        store.create,
    ):
        with pytest.raises(CatalogDamagedError, match="barlake restore"):
            ask()
    store.close()
    assert store.place.catalog.read_bytes() == content
    assert len(verify(store).findings) == 1


# A data file that is cut off or gone


def cut(file: Path) -> None:
    os.truncate(file, 1000)


def overwrite(file: Path) -> None:
    file.write_bytes(b"x" * file.stat().st_size)


ASKED = (
    lambda store: store.bars("SPY"),
    lambda store: store.bars("SPY", limit=1, adjust="all", timeframe="1h"),
    lambda store: store.bars("SPY", snapshot=store.snapshot()),
    lambda store: store.stream_bars("SPY").read_all(),
    lambda store: store.sql("SELECT sum(close) FROM bars"),
    lambda store: store.commit_bars(fetched(bar(0, 101.0))),
)


@pytest.mark.parametrize("damage", [cut, overwrite, Path.unlink])
def test_a_damaged_file_is_named_and_the_other_symbols_can_be_read(store, damage):
    store.commit_bars(fetched(*(bar(minute) for minute in range(60)), bar(0, symbol="QQQ")))
    [file] = store.place.parquet.rglob("symbol=SPY/**/*.parquet")
    damage(file)

    for ask in ASKED:
        with pytest.raises(DataFileError) as caught:
            ask(store)
        assert caught.value.path == str(file.relative_to(store.home))
        assert "barlake verify" in str(caught.value)
        assert "\n" not in str(caught.value)
    assert store.bars("QQQ").height == 1
    assert store.commit_bars(fetched(bar(1, symbol="QQQ"))).new == 1


def test_what_a_damaged_file_names_is_mended_as_it_says(store):
    store.commit_bars(fetched(*(bar(minute) for minute in range(60))))
    [file] = store.place.parquet.rglob("symbol=SPY/**/*.parquet")
    cut(file)
    report = verify(store)

    assert [finding.place for finding in report.findings] == [str(file.relative_to(store.home))]
    repair(store, report)
    store.commit_bars(fetched(*(bar(minute) for minute in range(60))))
    assert store.bars("SPY").height == 60
    assert verify(store).findings == ()


def test_every_fault_is_a_sentence_that_says_what_to_do():
    told = [
        CatalogBusyError("database is locked"),
        CatalogDamagedError("lake.sqlite", "it is empty"),
        CatalogVersionError("9.0", "1.0"),
        DataFileError("parquet/x.parquet", "is missing"),
        DiskFullError(),
        ReadOnlyError("/home", "Read-only file system"),
    ]
    for error in told:
        assert isinstance(error, LakeError)
        assert str(error).endswith(".")
        assert any(word in str(error) for word in ("ask again", "barlake", "Use ", "make the"))
