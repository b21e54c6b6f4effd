"""The quickstart without make, as the README writes it: uvicorn and two curls, against a sandbox."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agents.broker import socket_path
from sandbox.config import SandboxConfig
from sandbox.serve import running

ROOT = Path(__file__).parent.parent
UVICORN = Path(sysconfig.get_path("scripts")) / "uvicorn"
CURL = shutil.which("curl")
pytestmark = pytest.mark.skipif(CURL is None, reason="the quickstart needs curl")


@contextmanager
def api(home: Path, url: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        **os.environ,
        "BARLAKE_HOME": str(home),
        "BARLAKE_HISTORY": "2w",
        "ALPACA_API_BASE_URL": url + "/",
        "ALPACA_API_KEY_ID": "any",
        "ALPACA_API_SECRET_KEY": "any",
        "REDIS_URL": "",
    }
    command = [UVICORN, "app.api.main:app", "--reload", "--host", "0.0.0.0", "--port", str(port)]
    with (home.parent / f"uvicorn-{port}.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def curl(*words: str) -> dict[str, object]:
    done = subprocess.run(
        [CURL, "-sS", *words], capture_output=True, text=True, timeout=30, check=True
    )
    return json.loads(done.stdout)


def until(seconds, look, *, every=0.2):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if found := look():
                return found
        except (subprocess.CalledProcessError, json.JSONDecodeError):
            pass
        time.sleep(every)
    message = f"nothing came in {seconds} s"
    raise AssertionError(message)


def queued(port: int) -> dict[str, object] | None:
    """The job; None while the broker still starts."""
    answer = curl("-X", "POST", f"http://localhost:{port}/ingest/SPY")
    return answer if "id" in answer else None


def finished(port: int, job_id: object) -> dict[str, object] | None:
    found = curl(f"http://localhost:{port}/jobs/{job_id}")
    return found if found["state"] in {"done", "failed"} else None


def agents(port: int) -> list[dict[str, object]]:
    return curl(f"http://localhost:{port}/agents")["agents"]


@pytest.fixture(scope="module")
def url():
    with running(SandboxConfig()) as address:
        yield address


def test_one_post_and_the_bars_are_there_and_when_the_api_leaves_nothing_is_left(tmp_path, url):
    home, port = tmp_path / "data", free_port()
    with api(home, url, port):
        job = until(40, lambda: queued(port))
        again = curl("-X", "POST", f"http://localhost:{port}/ingest/SPY")
        done = until(60, lambda: finished(port, job["id"]))
        answer = curl(f"http://localhost:{port}/bars/SPY?limit=5")
        pids = [agent["pid"] for agent in agents(port)]

        assert done["state"] == "done"
        assert done["result"]["new"] > 0
        assert again["id"] == job["id"]
        assert answer["symbol"] == "SPY"
        assert len(answer["bars"]) == 5
        times = [bar["timestamp"] for bar in answer["bars"]]
        assert times == sorted(times)
        assert times[-1].endswith("Z")
        assert len(pids) == 1
    until(20, lambda: all(_is_gone(pid) for pid in pids))
    until(10, lambda: not socket_path(home.resolve()).exists())


def test_two_apis_of_one_home_share_one_worker_and_the_last_to_leave_ends_it(tmp_path, url):
    home, first_port, second_port = tmp_path / "data", free_port(), free_port()
    with api(home, url, first_port):
        until(40, lambda: agents(first_port))
        with api(home, url, second_port):
            until(40, lambda: agents(second_port))
            until(20, lambda: len(agents(second_port)) == 1)
        pids = [agent["pid"] for agent in agents(first_port)]
        time.sleep(5)  # longer than the grace after a member leaves
        assert [agent["pid"] for agent in agents(first_port)] == pids
        assert not any(_is_gone(pid) for pid in pids)
    until(20, lambda: all(_is_gone(pid) for pid in pids))


def _is_gone(pid: object) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().split(") ")[1].startswith("Z")
