"""What the lake promises when the world fails it: a clear sentence, nothing lost, and on it goes."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

import lake
from app.api.main import create_app
from app.cli.doors import settings as cli_settings
from app.cli.main import outcome
from lake.backup import backup, restore
from lake.backup.errors import BackupPlaceError
from lake.backup.restoring import check_backup
from lake.catalog import DUCKLAKE_VERSION
from lake.errors import LakeError, SymbolError
from lake.faults import (
    CatalogBusyError,
    CatalogDamagedError,
    CatalogVersionError,
    DataFileError,
    DiskFullError,
    ReadOnlyError,
)
from lake.home import HomeError
from lake.settings import Settings
from lake.upkeep import Plan, run
from lake.verify import repair, verify
from tests.market import OPEN, bar, fetched, frame

NOW = datetime(2024, 12, 2, 12, tzinfo=UTC)
NOBODY = 65534


@contextmanager
def mounted(place: Path, *options: str) -> Iterator[Path]:
    """A small disk, gone after the block; the test is skipped where nobody may mount."""
    place.mkdir()
    done = subprocess.run(["mount", *options, place], check=False, capture_output=True)
    if done.returncode:
        pytest.skip(f"mounting is not permitted here: {done.stderr.decode().strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


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


# A full disk


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


# A folder that cannot be written


@pytest.fixture
def closed(empty_home, tmp_path):
    """The home of a lake with bars, mounted for reading alone."""
    home = tmp_path / "home"
    shutil.copytree(empty_home, home)
    with lake.open(home) as store:
        store.commit_bars(fetched(bar(0), bar(1), bar(0, symbol="QQQ")))
        store.commit_bars(fetched(bar(0, 101.0)))
    with mounted(tmp_path / "closed", "--bind", str(home)) as place:
        subprocess.run(["mount", "-o", "remount,bind,ro", place], check=True)
        yield place


def test_a_lake_in_a_read_only_folder_can_be_read(closed):
    with lake.open(closed) as store:
        assert store.bars("SPY")["close"].to_list() == [101.0, 100.0]
        assert store.bars("SPY", as_of=datetime.now(UTC), timeframe="5min").height == 1
        assert store.bars("SPY", adjust="all").height == 2
        assert store.symbols()["symbol"].to_list() == ["QQQ", "SPY"]
        assert store.sql("SELECT count(*) FROM bars").item() == 3
        assert store.revisions("SPY").height == 1
        assert verify(store).findings == ()


def test_a_reader_of_a_read_only_folder_sees_what_others_commit_elsewhere(closed, tmp_path):
    with lake.open(closed) as reader:
        assert reader.bars("SPY").height == 2
        with lake.open(tmp_path / "home") as writer:
            writer.commit_bars(fetched(bar(2)))
        assert reader.bars("SPY").height == 3
        assert reader.sql("SELECT count(*) FROM bars").item() == 4


@pytest.mark.parametrize(
    "write",
    [
        lambda store: store.commit_bars(fetched(bar(5))),
        lambda store: store.pin("here"),
        lambda store: run(store, Plan(NOW)),
        lambda store: store.prefer_source("alpaca:sip"),
        lambda store: store.create(),
    ],
)
def test_writing_to_a_read_only_folder_is_refused_in_a_sentence(closed, write):
    with lake.open(closed, floor=0) as store, pytest.raises(ReadOnlyError, match=str(closed)):
        write(store)


def test_a_read_only_lake_can_be_saved_but_not_to_a_read_only_place(closed, tmp_path):
    shut = tmp_path / "shut"
    with lake.open(closed) as store, mounted(shut, "-t", "tmpfs", "-o", "ro", "tmpfs"):
        saved = backup(store, tmp_path / "saved")
        with pytest.raises(BackupPlaceError, match=f"{shut}/deep cannot be written"):
            backup(store, shut / "deep")
    assert restore(tmp_path / "saved", tmp_path / "again").files == saved.files


def test_an_api_on_a_read_only_lake_serves_bars_and_refuses_work_in_a_sentence(closed):
    keys = {"ALPACA_API_KEY_ID": "key-id", "ALPACA_API_SECRET_KEY": "secret-key"}
    app = create_app(Settings(BARLAKE_HOME=closed, **keys), lambda _: None)
    with TestClient(app, base_url="http://localhost:8000", client=("127.0.0.1", 50000)) as client:
        assert len(client.get("/bars/SPY").json()["bars"]) == 2
        refused = client.post("/ingest/SPY")

    assert refused.status_code >= 500
    assert "cannot be written" in refused.json()["message"]


AS_NOBODY = """
import os, sys
os.setgid({nobody}); os.setuid({nobody})
import lake
from lake.faults import ReadOnlyError
with lake.open(sys.argv[1], floor=0) as store:
    assert store.bars("SPY").height == 1
    try:
        store.pin("here")
    except ReadOnlyError as error:
        print(error)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_may_read_and_is_told_that_he_may_not_write(store, tmp_path):
    store.commit_bars(fetched(bar(0)))
    place = Path("/var/tmp") / f"barlake-{os.getpid()}"  # pytest's own folders are closed to others
    shutil.copytree(store.home, place)
    try:
        for folder in (place, *place.rglob("*")):
            folder.chmod(0o755 if folder.is_dir() else 0o644)
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY.format(nobody=NOBODY), place],
            check=False, capture_output=True, text=True, cwd="/",
            env={**os.environ, "HOME": "/nowhere", "PYTHONPATH": str(Path(lake.__file__).parents[1])},
        )  # fmt: skip
    finally:
        shutil.rmtree(place)
    if "PermissionError" in done.stderr or "No module" in done.stderr:
        pytest.skip("the code itself is closed to other users here")
    assert done.returncode == 0, done.stderr
    assert "cannot be written" in done.stdout


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


# More than one lake


CREATE = """
import sys, lake
from tests.market import bar, fetched
with lake.open(sys.argv[1], create=True) as store:
    store.commit_bars(fetched(bar(int(sys.argv[2]))))
"""


def test_processes_that_make_a_lake_at_once_make_one(tmp_path):
    home = tmp_path / "home"
    root = Path(__file__).parents[2]
    makers = [
        subprocess.Popen([sys.executable, "-c", CREATE, home, str(minute)], cwd=root)
        for minute in range(3)
    ]

    assert [maker.wait() for maker in makers] == [0, 0, 0]
    with lake.open(home) as store:
        assert store.bars("SPY").height == 3
        assert verify(store).findings == ()


@pytest.mark.parametrize("inside", ["parquet", "parquet/main/mine", "duckdb", "models/x"])
def test_no_lake_is_made_in_the_folders_of_another(store, inside):
    store.commit_bars(fetched(bar(0)))

    with pytest.raises(HomeError, match="lies inside the lake of"):
        lake.open(store.home / inside, create=True)
    assert verify(store).findings == ()


def test_a_lake_beside_the_folders_of_another_is_a_lake_of_its_own(store):
    store.commit_bars(fetched(bar(0)))
    with lake.open(store.home / "other", create=True) as other:
        other.commit_bars(fetched(bar(0, 7.0), bar(1)))
        run(store, Plan(datetime.now(UTC), orphans_kept=timedelta(0), replaced_kept=timedelta(0)))
        assert (store.bars("SPY").height, other.bars("SPY").height) == (1, 2)
        assert verify(other).findings == ()


def test_no_lake_is_made_over_the_data_of_a_lost_catalog(store):
    store.commit_bars(fetched(bar(0)))
    store.close()
    kept = store.place.catalog.rename(store.home.parent / "kept")

    with pytest.raises(HomeError, match="no catalog that knows them"):
        lake.open(store.home, create=True)
    assert list(store.place.catalog.parent.glob("lake.sqlite*")) == []
    kept.rename(store.place.catalog)
    assert store.bars("SPY").height == 1


# Symbols that are something else

STRANGE = [
    "BRK/B",
    "a'; drop",
    "../x",
    "..",
    ".hidden",
    "",
    "Ä",
    "📈",
    "A" * 17,
    "A B",
    "A\nB",
    "%2e",
    "-A",
    "SPY;",
]
TICKERS = ["BRK.B", "BF-B", "A", "X" * 16, "0700.HK", "CON", "NULL"]


def test_a_ticker_is_stored_and_read_whatever_it_looks_like(store):
    store.commit_bars(fetched(*(bar(0, symbol=symbol) for symbol in TICKERS)))

    for symbol in TICKERS:
        assert store.bars(symbol.lower())["symbol"].to_list() == [symbol]
    assert store.symbols()["symbol"].to_list() == sorted(TICKERS)
    assert verify(store).findings == ()


def test_what_is_no_ticker_is_refused_by_the_lake_before_it_touches_a_file(store):
    before = sorted(store.home.parent.rglob("*"))
    for symbol in STRANGE:
        refuse(store, symbol)
    assert sorted(store.home.parent.rglob("*")) == before


def refuse(store, symbol):
    for ask in (
        lambda: store.bars(symbol),
        lambda: store.stream_bars(symbol),
        lambda: store.coverage(symbol),
        lambda: store.gaps(symbol),
        lambda: store.revisions(symbol),
        lambda: store.splits(symbol),
        lambda: store.commit_bars(fetched(bar(0, symbol=symbol))),
        lambda: store.commit_bars(lake.Fetched("alpaca:iex", frame(), (lake.Covered(symbol, OPEN, NOW),))),
    ):  # fmt: skip
        with pytest.raises(SymbolError, match="is not a ticker"):
            ask()


@pytest.fixture
def at_home(store, monkeypatch):
    """The doors open this lake."""
    store.commit_bars(fetched(bar(0)))
    monkeypatch.chdir(store.home)
    monkeypatch.setenv("BARLAKE_HOME", str(store.home))
    cli_settings.cache_clear()
    yield store
    cli_settings.cache_clear()


def test_what_is_no_ticker_is_refused_by_the_command_in_a_line(at_home, capfd):
    for symbol in STRANGE:
        for command, *options in (["bars"], ["coverage"], ["ingest", "--here"], ["delete", "--yes"], ["verify"]):  # fmt: skip
            assert outcome([command, *options, "--", symbol]) == 2
            told = capfd.readouterr()
            assert len(told.err.strip().splitlines()) == 1
            assert "is not a ticker" in told.err
            assert not told.out
    assert at_home.bars("SPY").height == 1


def test_what_is_no_ticker_is_refused_over_http_in_a_sentence(at_home):
    app = create_app(Settings(BARLAKE_HOME=at_home.home), lambda _: None)
    client = TestClient(
        app,
        base_url="http://localhost:8000",
        client=("127.0.0.1", 50000),
        raise_server_exceptions=False,
    )
    for symbol in [one for one in STRANGE if one != ".."]:  # which a client takes out of the path
        for method, path in (("GET", "/bars/"), ("GET", "/coverage/"), ("POST", "/ingest/")):
            answer = client.request(method, path + quote(symbol, safe=""))
            assert answer.status_code in {404, 405, 422}, answer.text
            assert answer.json()["message"].endswith((".", "?"))
    app.state.house.close()


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
