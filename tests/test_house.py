"""What a new machine needs: make, constraints, containers; each service's command runs as it is written."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lake.settings import Settings

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
PINS = [Requirement(line) for line in (ROOT / "constraints.txt").read_text().splitlines()]
SETTINGS = {
    name for field in Settings.model_fields.values() for name in field.validation_alias.choices
}
OURS = [name for name, service in COMPOSE["services"].items() if "build" in service]


# Constraints


def test_every_pin_is_one_exact_version_without_an_address():
    for pin in PINS:
        assert pin.url is None
        assert [one.operator for one in pin.specifier] == ["=="], pin
    assert (
        "://" not in (ROOT / "constraints.txt").read_text() + (ROOT / "pyproject.toml").read_text()
    )


@pytest.mark.parametrize("python", ["3.11", "3.12"])
def test_everything_we_need_is_pinned_to_a_version_we_allow(python):
    here = {"python_version": python, "python_full_version": f"{python}.9", "sys_platform": "linux"}
    pins = {
        canonicalize_name(pin.name): str(pin.specifier).removeprefix("==")
        for pin in PINS
        if pin.marker is None or pin.marker.evaluate(here)
    }
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]

    for requirement in map(Requirement, wanted):
        assert pins[canonicalize_name(requirement.name)] in requirement.specifier, requirement


def test_duckdb_its_shell_and_its_extensions_are_of_one_version():
    assert len({str(pin.specifier) for pin in PINS if pin.name.startswith("duckdb")}) == 1


# Make


def test_bare_make_lists_every_target():
    text = (ROOT / "Makefile").read_text()
    documented = re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE)

    out = _make("--no-print-directory").stdout

    assert {"install", "demo", "up", "test", "check"} <= set(documented)
    assert [line.split()[1] for line in out.splitlines()] == documented


def test_the_demo_and_up_are_the_barlake_command():
    for target in ("demo", "up"):
        assert f"-m app.cli {target}" in _make("--dry-run", target).stdout


def test_a_missing_python_is_named_before_anything_is_made(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copy(ROOT / "constraints.txt", tmp_path)

    done = _make("install", "PYTHON=/no/such/python", folder=tmp_path)

    assert done.returncode != 0
    assert "Python 3.11 or 3.12 is needed" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_ci_runs_checks_and_tests():
    script = ROOT / ".ci" / "run"

    assert os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    assert script.read_text().endswith("\nmake check\nmake test\n")


# Files


def test_the_only_tracked_file_of_data_is_its_readme():
    if not (ROOT / ".git").exists():
        pytest.skip("not a git clone")
    listed = subprocess.run(
        ["git", "ls-files", "data"], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert listed.stdout.split() == ["data/README.md"]


def test_the_environment_example_names_every_setting_and_no_other():
    named = re.findall(r"^#? ?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)

    assert set(named) == SETTINGS
    assert len(named) == len(SETTINGS)


def test_copying_the_example_changes_nothing(tmp_path, monkeypatch):
    shutil.copy(ROOT / ".env.example", tmp_path / ".env")
    monkeypatch.chdir(tmp_path)
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)

    assert Settings() == Settings(_env_file=None)


def test_the_licence_is_whole():
    text = (ROOT / "LICENSE").read_text()

    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


# Containers


def test_the_dev_container_parses_and_installs_by_make():
    found = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())

    assert found["postCreateCommand"] == "make install-dev"
    assert (ROOT / ".devcontainer" / found["build"]["dockerfile"]).exists()


def test_the_image_runs_as_a_user_of_its_own_with_pinned_versions():
    lines = (ROOT / "Dockerfile").read_text().splitlines()

    assert "USER barlake" in lines
    assert any("--constraint constraints.txt" in line for line in lines)


@pytest.mark.parametrize("file", ["Dockerfile", "Makefile"])
def test_loops_are_compiled_when_barlake_is_installed(file):
    assert "-m simulation_service.warming" in (ROOT / file).read_text()


def test_a_plain_up_starts_the_five_services():
    started = {name for name, service in COMPOSE["services"].items() if "profiles" not in service}

    assert started == {"api", "worker", "beat", "ui", "redis"}
    assert "feature_builder" in COMPOSE["services"]


def test_ports_are_published_on_the_loopback_only():
    for service in COMPOSE["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@pytest.mark.parametrize("name", OURS)
def test_a_service_passes_every_setting_that_may_differ(name):
    passed = set(COMPOSE["services"][name]["environment"])
    native = {
        "BARLAKE_HOME",
        "BARLAKE_HOST",
        "BARLAKE_API_PORT",
        "BARLAKE_UI_PORT",
        "BARLAKE_WORKERS",
    }
    files = {"SOURCE_DUCKDB_PATH", "DEST_DUCKDB_PATH", "DEST_PARQUET_DIR"}

    assert passed <= SETTINGS
    assert passed >= SETTINGS - native - files
    assert COMPOSE["services"][name]["environment"]["REDIS_URL"] == "redis://redis:6379/0"


@pytest.mark.parametrize("name", ["worker", "beat"])
def test_a_celery_service_has_options_that_celery_knows(name, tmp_path):
    done = _native(f"{COMPOSE['services'][name]['command']} --help", tmp_path)

    assert done.returncode == 0, done.stderr
    assert f"celery {name}" in done.stdout


def test_the_feature_builder_runs(tmp_path):
    for words in (
        COMPOSE["services"]["feature_builder"]["command"],
        "python -m feature_service.main SPY",
    ):
        done = _native(words, tmp_path)

        assert done.returncode == 2
        assert "There is no lake in" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("name", "path"), [("api", "/health"), ("ui", "/_stcore/health")])
def test_a_server_answers(name, path, tmp_path):
    port = _free_port()
    inside = COMPOSE["services"][name]["ports"][0].split(":")[-1]
    words = _words(
        COMPOSE["services"][name]["command"]
        .replace(inside, str(port))
        .replace("0.0.0.0", "127.0.0.1")
    )
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            words, cwd=ROOT, env=_environment(tmp_path), stdout=log, stderr=log
        )
        try:
            assert _answers(f"http://127.0.0.1:{port}{path}", server), (
                tmp_path / "log"
            ).read_text()
        finally:
            server.terminate()
            server.wait(30)


def _make(*words: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """``make`` as a user calls it: not as a part of the make that may be running these tests."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))
    }
    return subprocess.run(
        ["make", *words],
        cwd=folder,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def _environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    return {**kept, "BARLAKE_HOME": str(home / "home"), "REDIS_URL": "redis://127.0.0.1:1/0"}


def _words(command: str) -> list[str]:
    program, *rest = shlex.split(command)
    return [str(BIN / program), *rest]


def _native(command: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _words(command),
        cwd=ROOT,
        env=_environment(home),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _answers(url: str, server: subprocess.Popen[bytes]) -> bool:
    until = time.monotonic() + 60
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.3)
    return False
