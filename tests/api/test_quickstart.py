"""What the quickstart promises, with real processes: uvicorn, the embedded broker, a worker, curl."""

import shutil
import socket
import subprocess
import sys

import httpx2
import orjson
import pytest

from sandbox.config import SandboxConfig
from sandbox.serve import running as sandbox
from tests.agents.houses import wait_for
from tests.api import servers

KEYS = {"ALPACA_API_KEY_ID": "any-key", "ALPACA_API_SECRET_KEY": "any-secret"}

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def home(tmp_path):
    home = tmp_path / "home"
    yield home
    assert servers.nothing_left(home)


@pytest.fixture(scope="module")
def market():
    with sandbox(SandboxConfig(symbols=("SPY",))) as url:
        yield url


def curl(*arguments):
    if shutil.which("curl") is None:
        pytest.skip("there is no curl here")
    done = subprocess.run(["curl", "-sS", *arguments], capture_output=True, check=True, timeout=60)
    return orjson.loads(done.stdout)


def test_the_quickstart_works_as_written(home, tmp_path, market):
    settings = {**KEYS, "ALPACA_API_BASE_URL": f"{market}/", "BARLAKE_HISTORY": "10d"}
    with servers.api(home, tmp_path, "--reload", "--host", "0.0.0.0", **settings) as base:
        job = curl("-X", "POST", f"{base}/ingest/SPY")
        assert servers.until_done(base, job["id"])["state"] == "done"
        answer = curl(f"{base}/bars/SPY?limit=5")
        agents = curl(f"{base}/agents")["agents"]

        assert answer["symbol"] == "SPY"
        assert len(answer["bars"]) == 5
        times = [bar["timestamp"] for bar in answer["bars"]]
        assert times == sorted(times)
        assert {bar["source"] for bar in answer["bars"]} == {"sandbox:iex"}
        assert "worker" in {agent["kind"] for agent in agents}

        again = curl("-X", "POST", f"{base}/ingest/SPY")
        assert servers.until_done(base, again["id"])["state"] == "done"
        assert curl(f"{base}/bars/SPY?limit=5") == answer


def test_reading_does_not_wait_for_the_broker(home, tmp_path):
    with servers.api(home, tmp_path) as base:
        assert httpx2.get(f"{base}/symbols", timeout=5).json() == {"symbols": []}


@pytest.fixture(scope="module")
def brokerless(tmp_path_factory):
    """An API for everybody on the network, whose broker does not answer; its URL and home."""
    folder = tmp_path_factory.mktemp("brokerless")
    home, settings = folder / "home", {**KEYS, "REDIS_URL": "redis://:hunter2@127.0.0.1:1/0"}
    with servers.api(home, folder, "--host", "0.0.0.0", **settings) as base:
        yield base, home
    assert servers.nothing_left(home)


def test_without_a_broker_it_reads_and_says_what_to_do(brokerless):
    base, _ = brokerless
    answer = httpx2.post(f"{base}/ingest/SPY")

    assert answer.status_code == 503
    assert "REDIS_URL" in answer.json()["message"]
    assert httpx2.get(f"{base}/jobs").json() == {"jobs": []}


def test_who_comes_from_elsewhere_is_not_let_in(brokerless):
    address, (base, _) = own_address(), brokerless
    port = base.rpartition(":")[2]
    answer = httpx2.get(f"http://{address}:{port}/symbols", headers={"Host": f"localhost:{port}"})

    assert answer.status_code == 401
    assert httpx2.get(f"http://{address}:{port}/health").status_code == 200


def test_every_line_of_the_log_is_json_and_holds_no_secret(brokerless):
    base, home = brokerless
    httpx2.post(f"{base}/ingest/SPY?start=any-secret")

    def told():
        text = (home / "logs" / "api.jsonl").read_text()
        return text if "POST /ingest/SPY 422" in text else None

    text = wait_for(told)
    lines = [orjson.loads(line) for line in text.splitlines()]
    assert any(line["message"] == "POST /ingest/SPY 422" for line in lines)
    assert "any-secret" not in text
    assert "hunter2" not in text


def test_a_corrupt_env_file_is_one_sentence(home, tmp_path):
    (tmp_path / ".env").write_text("BARLAKE_API_PORT=many\n")
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "app.api.main:app",
        "--port",
        str(servers.free_port()),
    ]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=servers.environment(home),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert "BARLAKE_API_PORT" in done.stderr
    assert "Traceback" not in done.stderr


def own_address():
    """An address of this machine that is not the loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no network")
        address = probe.getsockname()[0]
    if address.startswith("127."):
        pytest.skip("this machine has no address but the loopback")
    return address
