"""The examples run as a user runs them, on a real lake, and what they print is right."""

import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

import lake
from lake import sessions
from lake.actions import ACTION_SCHEMA, Answered
from lake.catalog import init_sql
from tests.market import bar, fetched, session_covered

EXAMPLES = Path(__file__).parents[1] / "examples"
DUCKDB = Path(sys.executable).with_name("duckdb")
SOURCE = "alpaca:sip"
#: The 6th was never fetched. A split of 2:1 and a dividend of 5 USD an old share have their ex date
#: on the 5th: the close of 500 before is 500 * (1 - 5 / 500) / 2 = 247.5 in today's money.
DAYS = {date(2024, 11, 4): 500.0, date(2024, 11, 5): 250.0, date(2024, 11, 7): 252.0}
OFFICIAL = {**DAYS, date(2024, 11, 7): 252.25}
QUIET = (30, 31)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("examples")
    with lake.open(place, create=True) as opened:
        for day, price in DAYS.items():
            opened.commit_bars(_session(day, price))
        opened.commit_bars(_session(date(2024, 11, 5), 250.0, corrected=251.0))
        daily = [bar(sessions.midnight(day), price) for day, price in OFFICIAL.items()]
        opened.commit_bars(fetched(*daily, source=SOURCE), dataset="bars_daily")
        ex_date = date(2024, 11, 5)
        rows = [
            ("1", "SPY", "forward_split", ex_date, ex_date, 2.0, None, "{}"),
            ("2", "SPY", "cash_dividend", ex_date, ex_date, None, 5.0, "{}"),
        ]
        told = pl.DataFrame(rows, schema=ACTION_SCHEMA, orient="row")
        opened.commit_actions(
            Answered(SOURCE, told, ("SPY",), date(2024, 1, 1), date(2024, 12, 31))
        )
    return place


def _session(day: date, price: float, *, corrected: float | None = None) -> lake.Fetched:
    """The regular hours of a day at one price; the first minute at another one, if it is given."""
    opening = sessions.schedule(day, day)["open"][0]
    quiet = QUIET if day == min(DAYS) else ()
    rows = [
        bar(opening + timedelta(minutes=minute), corrected if corrected and not minute else price)
        for minute in range(390)
        if minute not in quiet
    ]
    return fetched(*rows, covered=(session_covered(day),), source=SOURCE)


def test_the_notebook_runs_whole(home, tmp_path):
    done = subprocess.run(
        [sys.executable, EXAMPLES / "tour.py"],
        env={**os.environ, "BARLAKE_HOME": str(home)},
        capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "1168 minutes of SPY, the newest session is 2024-11-07" in done.stdout
    assert "390 rows in Arrow" in done.stdout
    assert "│ 2024-11-04   ┆ 500.0 ┆ 247.5" in done.stdout
    assert "1 bars were corrected or withdrawn" in done.stdout
    assert "1 closes were others" in done.stdout
    assert "not fetched: 390 minutes in [datetime.date(2024, 11, 6)]" in done.stdout
    assert "nobody traded: 2 minutes" in done.stdout
    assert "bars_at" in done.stdout
    assert "│ 2024-11-04   ┆ 247.5" in done.stdout  # the first quarter of an hour, in SQL


def test_the_tour_of_the_command_line_runs_whole(home, tmp_path):
    attach = tmp_path / "lake.sql"
    attach.write_text(init_sql(home))

    done = subprocess.run(
        [DUCKDB, "-init", attach, "-bail", "-csv", "-f", EXAMPLES / "tour.sql"],
        capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert f"bars_1m,SPY,{SOURCE}" in lines
    assert "2024-11-07 20:59:00+00,252.0,252.0,252.0,252.0,100.0" in lines  # the newest minute
    assert "2024-11-04 14:30:00+00,500.0,500.0,1500.0,500.0" in lines  # 15 minutes of 100
    assert "2024-11-04,500.0,252.0" in lines  # the week
    assert "2024-11-04,500.0,247.5" in lines  # as traded, adjusted
    assert "2024-11-05 14:30:00+00,corrected,250.0,251.0" in lines
    assert "2024-11-07,252.25,252.0" in lines  # official, last minute
