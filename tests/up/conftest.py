"""Homes, and processes that a test watches to their end."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
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
    kill_all(place)


@pytest.fixture
def ports():
    return free_ports()


@pytest.fixture
def environment(home, ports):
    return environment_of(home, ports)


@pytest.fixture
def run(tmp_path, environment):
    """Start Python code in a process; its output goes to a file; killed at the end."""
    with running_in(tmp_path, environment) as start:
        yield start


def kill_all(home):
    for pid in of_home(home):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def free_ports():
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("", 0)) as two:
        return one.getsockname()[1], two.getsockname()[1]


def environment_of(home, ports):
    keep = {name: value for name, value in os.environ.items() if not name.startswith("BARLAKE_")}
    keep.pop("REDIS_URL", None)
    keep.pop("PYTHONUNBUFFERED", None)  # what is said must reach a pipe without it
    api, ui = ports
    own = {"BARLAKE_HOME": str(home), "BARLAKE_WORKERS": "2"}
    return {**keep, **own, "BARLAKE_API_PORT": str(api), "BARLAKE_UI_PORT": str(ui)}


@contextmanager
def running_in(folder, environment):
    """Starts Python code in processes that are killed at the end; their output goes to files."""
    processes = []

    def start(code, *arguments, **more):
        out = folder / f"out-{len(processes)}.txt"
        with out.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-c", code, *arguments],
                env={**environment, **more},
                cwd=folder,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        processes.append(process)
        process.out = out
        return process

    try:
        yield start
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
            process.wait()
