"""What ``python -m sandbox`` and ``running`` promise."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from sandbox.config import SandboxConfig
from sandbox.errors import NotStartedError
from sandbox.serve import running

ROOT = Path(__file__).parents[2]
KEYS = {"APCA-API-KEY-ID": "a", "APCA-API-SECRET-KEY": "b"}


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "sandbox", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(*arguments):
    process = start(*arguments)
    try:
        out, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, out, errors


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_one_line_says_what_to_set_and_a_signal_ends_it_quietly(stop):
    with start("--port", "0") as process:
        try:
            line = process.stdout.readline()
            url = next(word for word in line.split() if word.startswith("http"))
            assert f"ALPACA_API_BASE_URL={url}" in line
            assert requests.get(f"{url}/v2/clock", headers=KEYS, timeout=30).status_code == 200
            process.send_signal(stop)
            out, errors = process.communicate(timeout=30)
        finally:
            process.kill()

    assert process.returncode == 0
    assert (out, errors) == ("", "")


def test_a_taken_port_is_one_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, errors = run("--port", str(port))

    assert code == 2
    assert len(errors.splitlines()) == 1
    assert f"cannot listen on 127.0.0.1:{port}" in errors


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--data", f"{__file__}/folder"], "is not a folder"),
        (["--now", "noon"], "is not a time"),
        (["--now", "2024-11-29T16:00:00"], "needs a time zone"),
        (["--symbols", "A B"], "is not a ticker"),
        (["--rate-limit", "0"], "at least 1"),
        (["--port", "70000"], "must be 0 to 65535"),
        (["--key", "alone"], "together"),
    ],
)
def test_a_bad_option_is_one_sentence(arguments, says):
    code, out, errors = run("--port", "0", *arguments)

    assert code == 2
    assert out == ""
    assert says in errors
    assert len(errors.splitlines()) == 1


def test_a_corrupt_file_is_one_sentence(tmp_path):
    (tmp_path / "SPY.parquet").write_bytes(b"PAR1 and then nothing")
    code, _, errors = run("--port", "0", "--data", str(tmp_path))

    assert code == 2
    assert "SPY.parquet is not readable Parquet" in errors
    assert len(errors.splitlines()) == 1


def test_running_ends_its_process_with_the_block_even_after_an_error():
    with pytest.raises(ValueError, match="mine"), running(SandboxConfig()) as url:  # noqa: PT012
        assert requests.get(f"{url}/v2/clock", headers=KEYS, timeout=30).ok
        raise ValueError("mine")

    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/v2/clock", headers=KEYS, timeout=5)


def test_running_passes_every_option_on(tmp_path):
    config = SandboxConfig(symbols=("THIN",), rate_limit=200, key="k", secret="--s", seed=7)
    with running(config) as url:
        reply = requests.get(f"{url}/v2/assets", auth=("k", "--s"), timeout=30)

    assert reply.headers["X-RateLimit-Limit"] == "200"
    assert [asset["symbol"] for asset in reply.json()] == ["THIN"]


def test_running_says_why_it_did_not_start(tmp_path):
    config = SandboxConfig(data=tmp_path)

    with pytest.raises(NotStartedError, match=r"has no SYMBOL\.parquet"), running(config):
        pass


def test_a_sandbox_ends_with_the_program_that_started_it(tmp_path):
    program = (
        "import os, signal\n"
        "from sandbox.config import SandboxConfig\n"
        "from sandbox.serve import running\n"
        "with running(SandboxConfig()) as url:\n"
        "    print(url, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    url = killed.stdout.strip()

    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            requests.get(f"{url}/v2/clock", headers=KEYS, timeout=5)
        except requests.ConnectionError:
            return
        time.sleep(0.2)
    pytest.fail("the sandbox outlived its program")
