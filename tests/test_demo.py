"""The main job as `make demo` runs it: real sandbox, broker, workers, lake; then again."""

import os
import re
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

import lake
from lake import sessions

ROOT = Path(__file__).parent.parent


def demo(home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.cli", "demo"],
        cwd=ROOT,
        env={**os.environ, "BARLAKE_HOME": str(home), "REDIS_URL": "", **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def folder_of_bars(place: Path, days: list[date], symbols: tuple[str, ...] = ("SPY",)) -> Path:
    """A few sessions of prices that wander, one file a symbol."""
    place.mkdir()
    opens = (
        sessions.schedule(days[0], days[-1])
        .filter(pl.col("session_date").is_in(days))["open"]
        .to_list()
    )
    for step, symbol in enumerate(symbols, start=3):
        minutes = [start + timedelta(minutes=minute) for start in opens for minute in range(390)]
        close = [
            100 + ((number * step * 7919) % 101) / 50 + number / 500
            for number in range(len(minutes))
        ]
        frame = pl.DataFrame({"symbol": symbol, "timestamp": minutes, "close": close}).with_columns(
            open=pl.col("close") + 0.01,
            high=pl.col("close") + 0.02,
            low=pl.col("close") - 0.02,
            volume=100,
        )
        frame.write_parquet(place / f"{symbol}.parquet")
    return place


def test_from_nothing_to_a_simulated_model_and_again_without_fetching_anything(tmp_path):
    first = demo(tmp_path / "data", BARLAKE_DEMO_SYMBOLS="SPY,QQQ")
    assert first.returncode == 0, first.stdout + first.stderr
    with lake.open(tmp_path / "data") as made:
        snapshot = made.snapshot()
        assert made.absent("SPY").height >= 60
        assert made.gaps("SPY").is_empty()
        assert made.features("SPY", limit=5).height == 5
    assert list((tmp_path / "data" / "models").glob("*.joblib"))
    for words in (
        "gap minutes",
        "absent minutes",
        "out of sample",
        "as specified",
        "realistic",
        "buy and hold",
        "Sharpe",
        "make up",
    ):
        assert words in first.stdout

    second = demo(tmp_path / "data", BARLAKE_DEMO_SYMBOLS="SPY,QQQ")

    assert second.returncode == 0, second.stdout + second.stderr
    with lake.open(tmp_path / "data") as found:
        assert found.snapshot() == snapshot, "the second run wrote something"
    assert re.search(r"SPY\s+[\d,]+\s+0\s", second.stdout), "the second run fetched bars"


@pytest.mark.parametrize("count", [2, 3])
def test_a_folder_with_few_sessions_is_enough(tmp_path, count):
    days = [date(2024, 11, 27), date(2024, 12, 2), date(2024, 12, 3)][:count]
    data = folder_of_bars(tmp_path / "bars", days, ("SPY", "IBM"))

    asked = {"BARLAKE_DEMO_DATA": str(data), "BARLAKE_DEMO_SYMBOLS": "SPY,IBM"}
    done = demo(tmp_path / "data", **asked, BARLAKE_WORKERS="1")

    assert done.returncode == 0, done.stdout + done.stderr
    with lake.open(tmp_path / "data" / "demo-bars") as made:
        assert made.bars("SPY").height == 390 * count
        assert (
            made.sql("SELECT count(*) AS n FROM simulations WHERE state = 'done'")["n"].item() == 2
        )


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"BARLAKE_DEMO_DATA": "/no/such/place"}, "is no folder"),
        ({"BARLAKE_DEMO_SYMBOLS": "../x"}, "is not a ticker"),
        ({"BARLAKE_DEMO_SYMBOLS": "NOSUCH"}, "has no symbol NOSUCH"),
    ],
)
def test_what_it_cannot_use_is_a_sentence(tmp_path, environment, says):
    done = demo(tmp_path / "data", **environment, BARLAKE_WORKERS="1")

    assert done.returncode == 2, done.stdout + done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
