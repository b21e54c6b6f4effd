"""Real processes: an API, pages, and what they leave behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

_OURS = ("ALPACA_", "APCA_", "BARLAKE_", "REDIS_URL", "IEX_TOKEN", "SOURCE_DUCKDB", "DEST_")
_START, _STOP = 60.0, 30.0


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def environment(home: Path, **others: str) -> dict[str, str]:
    """The tests' own environment without any setting of ours but these."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return plain | {"BARLAKE_HOME": str(home), "PYTHONUNBUFFERED": "1", **others}


@contextmanager
def running(arguments: list[str], cwd: Path, env: dict[str, str], url: str) -> Iterator[str]:
    """A process that answers at a URL; it is stopped as Ctrl-C would.

    What it prints goes to ``printed`` in its folder.
    """
    with (cwd / "printed").open("wb") as printed:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments], cwd=cwd, env=env, stdout=printed, stderr=printed,
            start_new_session=True,
        )  # fmt: skip
        try:
            _wait_for(url, process, cwd / "printed")
            yield url
        finally:
            _stop(process)


@contextmanager
def api(home: Path, cwd: Path, *options: str, **settings: str) -> Iterator[str]:
    """``uvicorn app.api.main:app`` on a free port; yields its base URL."""
    port = free_port()
    arguments = ["uvicorn", "app.api.main:app", "--port", str(port), *options]
    with running(
        arguments, cwd, environment(home, **settings), f"http://localhost:{port}/health"
    ) as url:
        yield url.removesuffix("/health")


def left_behind(home: Path) -> list[str]:
    """The command lines of all processes that still belong to a home."""
    wanted = str(home).encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command, env = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
        except OSError:
            continue
        if command and (wanted in command or b"BARLAKE_HOME=" + wanted + b"\0" in env):
            found.append(command.replace(b"\0", b" ").decode())
    return found


def nothing_left(home: Path, within: float = 30.0) -> bool:
    end = time.monotonic() + within
    while left_behind(home):
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def until_done(base: str, job_id: str, within: float = 90.0) -> dict[str, object]:
    """The job once it is done or failed."""
    end = time.monotonic() + within
    while True:
        job = httpx2.get(f"{base}/jobs/{job_id}").json()
        if job["state"] in {"done", "failed"} or time.monotonic() > end:
            return job
        time.sleep(0.3)


def _wait_for(url: str, process: subprocess.Popen[bytes], printed: Path) -> None:
    end = time.monotonic() + _START
    while process.poll() is None and time.monotonic() < end:
        try:
            if httpx2.get(url, timeout=5).is_success:
                return
        except httpx2.TransportError:
            time.sleep(0.1)
    raise AssertionError(printed.read_text())


def _stop(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(_STOP)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
