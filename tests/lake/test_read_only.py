"""What a lake promises in a folder that cannot be written: it can be read, and refuses the rest."""

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

import lake
from app.api.main import create_app
from lake.backup import backup, restore
from lake.backup.errors import BackupPlaceError
from lake.faults import ReadOnlyError
from lake.settings import Settings
from lake.upkeep import Plan, run
from lake.verify import verify
from tests.lake.mounts import mounted
from tests.market import bar, fetched

NOW = datetime(2024, 12, 2, 12, tzinfo=UTC)
NOBODY = 65534


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
