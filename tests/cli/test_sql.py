"""What SQL users may count on."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

import lake

DUCKDB = Path(sys.executable).with_name("duckdb")


def test_a_query_is_answered_in_a_table(barlake, spy_home):
    answer = barlake("sql", "FROM bars ORDER BY timestamp LIMIT 5", home=spy_home)

    assert answer.code == 0, answer
    assert "2024-11-04T14:34:00Z" in answer.out
    assert "5 rows" in answer.out


def test_json_and_csv_are_for_scripts(barlake, spy_home):
    query = "SELECT symbol, count(*) AS bars, min(timestamp) AS first, [1, 2] AS list FROM bars GROUP BY ALL"

    (found,) = json.loads(barlake("sql", query, "--json", home=spy_home).out)
    (row,) = csv.DictReader(io.StringIO(barlake("sql", query, "--csv", home=spy_home).out))

    assert found == {"symbol": "SPY", "bars": 1167, "first": "2024-11-04T14:30:00Z", "list": [1, 2]}
    assert row == {
        "symbol": "SPY",
        "bars": "1167",
        "first": "2024-11-04T14:30:00Z",
        "list": "[1,2]",
    }


def test_every_view_of_bars_is_there(barlake, spy_home):
    for view, count in (("bars", 1167), ("bars_5m", 3 * 78), ("bars_1h", 3 * 7), ("bars_1d", 3)):
        (found,) = json.loads(
            barlake("sql", f"SELECT count(*) AS n FROM {view}", "--json", home=spy_home).out
        )
        assert found == {"n": count}, view


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM bars_1m",
        "DROP TABLE coverage",
        "CREATE TABLE mine (a INT)",
        "SELECT 1; SELECT 2",
    ],
)
def test_nothing_can_be_changed(barlake, spy_home, query):
    answer = barlake("sql", query, home=spy_home)

    assert answer.code == 2
    assert "Traceback" not in answer.err
    with lake.open(spy_home) as opened:
        assert opened.bars("SPY").height == 1167


def test_a_mistake_is_explained_by_duckdb(barlake, spy_home):
    answer = barlake("sql", "SELECT nonsense FROM bars", home=spy_home)

    assert answer.code == 2
    assert "nonsense" in answer.err
    assert "Traceback" not in answer.err


def test_the_shell_opens_on_the_lake(barlake, spy_home):
    answer = barlake("sql", home=spy_home, stdin=".mode csv\nSELECT count(*) AS n FROM bars;\n")

    assert answer.code == 0, answer
    assert "1167" in answer.out


def test_a_plain_duckdb_is_attached_by_the_init_file_beside_a_writer(barlake, spy_home, tmp_path):
    file = tmp_path / "lake.sql"
    assert barlake("sql", "--init", "-o", str(file), home=spy_home).code == 0

    with lake.open(spy_home) as writer, writer.writing():
        done = subprocess.run(
            [DUCKDB, "-init", file, "-csv", "-c", "SELECT count(*) AS n FROM bars_1h"],
            capture_output=True, text=True, check=True, timeout=60, cwd=tmp_path,
        )  # fmt: skip

    assert done.stdout.split() == ["n", "21"]


def test_the_init_file_cannot_write(barlake, spy_home, tmp_path):
    file = tmp_path / "lake.sql"
    file.write_text(barlake("sql", "--init", home=spy_home).out)

    done = subprocess.run(
        [DUCKDB, "-init", file, "-c", "DELETE FROM lake.bars_1m"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert "read-only" in done.stderr.lower()
