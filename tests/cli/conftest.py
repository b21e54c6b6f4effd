"""The real command in a process of its own, on a real lake."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

import lake
from app.cli.doors import settings
from app.cli.main import outcome
from lake import Covered, Fetched, sessions
from lake.settings import Settings

SOURCE = "alpaca:iex"
DAYS = (date(2024, 11, 4), date(2024, 11, 5), date(2024, 11, 7))  # the 6th was never fetched
SETTINGS = {
    name for field in Settings.model_fields.values() for name in field.validation_alias.choices
}
QUIET = (10, 11, 300)  # minutes after the open of the first day in which nobody traded


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str
    raw: bytes


Run = Callable[..., Answer]


def clean_environment(**more: str) -> dict[str, str]:
    """This process's environment without any setting of ours."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in {*SETTINGS, "BARLAKE_DEBUG"}
    }
    return {**kept, "NO_COLOR": "1", **more}


@pytest.fixture
def barlake(tmp_path: Path) -> Run:
    """Runs ``barlake ARGUMENTS``; ``home=`` and ``env=`` set its lake and its environment."""

    def run(
        *arguments: str,
        home: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        cwd: Path | None = None,
    ) -> Answer:
        place = {"BARLAKE_HOME": str(home or tmp_path / "home")}
        done = subprocess.run(
            [sys.executable, "-m", "app.cli", *arguments],
            env=clean_environment(**place, **(env or {})),
            cwd=cwd or tmp_path,
            input=(stdin or "").encode(),
            capture_output=True,
            timeout=120,
            check=False,
        )
        out = done.stdout.decode("utf-8", "replace")
        return Answer(done.returncode, out, done.stderr.decode(), done.stdout)

    return run


@pytest.fixture
def quick(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """The same in this process: for what is refused before anything is started."""

    def run(
        *arguments: str, home: Path | None = None, env: Mapping[str, str] | None = None
    ) -> Answer:
        for name in (*SETTINGS, "BARLAKE_DEBUG"):
            monkeypatch.delenv(name, raising=False)
        for name, value in {"BARLAKE_HOME": str(home or tmp_path / "home"), **(env or {})}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        settings.cache_clear()
        code = outcome(arguments)
        told = capfd.readouterr()
        return Answer(code, told.out, told.err, told.out.encode())

    yield run
    settings.cache_clear()


@pytest.fixture(scope="session")
def spy_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake that holds SPY: three sessions, one of them after a gap, three quiet minutes."""
    home = tmp_path_factory.mktemp("spy")
    with lake.open(home, create=True) as opened:
        for day in DAYS:
            opened.commit_bars(_session(day))
    return home


def _session(day: date) -> Fetched:
    hours = sessions.schedule(day, day).row(0, named=True)
    quiet = QUIET if day == DAYS[0] else ()
    bars = pl.DataFrame(
        [_bar(hours["open"], minute) for minute in range(390) if minute not in quiet],
        schema=lake.BAR_SCHEMA,
    )
    whole = Covered("SPY", sessions.midnight(day), sessions.midnight(day + timedelta(days=1)))
    return Fetched(SOURCE, bars, (whole,))


def _bar(opening: datetime, minute: int) -> dict[str, object]:
    price = 500.0 + minute / 100
    return {
        "symbol": "SPY",
        "timestamp": opening + timedelta(minutes=minute),
        "open": price,
        "high": price + 0.5,
        "low": price - 0.5,
        "close": price + 0.25,
        "volume": 100.0 + minute,
        "trade_count": minute,
        "vwap": price,
    }


def is_one_sentence(answer: Answer) -> bool:
    """Something was refused: exit code 2, nothing on stdout, one line on stderr, no traceback."""
    lines = answer.err.strip().splitlines()
    return answer.code == 2 and not answer.out and len(lines) == 1 and "Traceback" not in lines[0]
