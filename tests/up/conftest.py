"""Homes, and processes that a test watches to their end."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lake.journal.processes import started


def wait_for(what, seconds=90.0):
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return found


def alive(pid):
    return started(pid) is not None


def of_home(home):
    """Every process that was started for a home, by its environment or the folder it works in.

    A broker writes its title over its environment.
    """
    mark = f"BARLAKE_HOME={home}".encode()
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            command = (folder / "cmdline").read_bytes().split(b"\0")
            works_in = (folder / "cwd").readlink()
        except OSError:
            continue
        ours = mark in environment or works_in == home / "run"
        if ours and command != [b""] and alive(int(folder.name)):
            found[int(folder.name)] = b" ".join(command).decode()
    return found


def kinds(home):
    """How many brokers, workers and keepers run for a home."""
    commands = list(of_home(home).values())
    return {
        "broker": sum("valkey-server" in command for command in commands),
        "worker": sum("agents.tasks worker" in command for command in commands),
        "keeper": sum("app.up.keeper" in command for command in commands),
    }


@pytest.fixture
def home(tmp_path):
    place = tmp_path / "home"
    place.mkdir()
    yield place
    for pid in of_home(place):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def ports():
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("", 0)) as two:
        return one.getsockname()[1], two.getsockname()[1]


@pytest.fixture
def environment(home, ports):
    keep = {name: value for name, value in os.environ.items() if not name.startswith("BARLAKE_")}
    keep.pop("REDIS_URL", None)
    keep.pop("PYTHONUNBUFFERED", None)  # what is said must reach a pipe without it
    api, ui = ports
    own = {"BARLAKE_HOME": str(home), "BARLAKE_WORKERS": "2"}
    return {**keep, **own, "BARLAKE_API_PORT": str(api), "BARLAKE_UI_PORT": str(ui)}


@pytest.fixture
def run(tmp_path, environment):
    """Start Python code in a process; its output goes to a file; killed at the end."""
    processes = []

    def start(code, *arguments, **more):
        out = tmp_path / f"out-{len(processes)}.txt"
        with out.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-c", code, *arguments],
                env={**environment, **more},
                cwd=tmp_path,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        processes.append(process)
        process.out = out
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.wait()
