"""What SQL users may count on."""

import csv
import io
import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

import lake
from lake.layout import LAYOUT
from lake.macros import MACROS
from tests.cli.conftest import is_one_sentence

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


def test_macros_work_in_a_plain_duckdb_beside_a_writer_and_after_a_move(
    barlake, spy_home, tmp_path
):
    moved = tmp_path / "moved"
    shutil.copytree(spy_home, moved)
    file = tmp_path / "lake.sql"
    assert barlake("sql", "--init", "-o", str(file), home=moved).code == 0
    query = """SELECT count(*) AS n, min(open) AS first, sum(volume) AS shares
            FROM bars_at('SPY', '15 minutes', since := '2024-11-05', until := '2024-11-05');
        SELECT count(*) AS n FROM bars_adjusted('SPY', 'all');
        SELECT count(*) AS n FROM bars_as_of('SPY', '2024-11-30');
        SELECT count(*) AS n FROM daily_at('SPY');"""

    with lake.open(moved) as writer, writer.writing():
        done = subprocess.run(
            [DUCKDB, "-init", file, "-csv", "-c", query],
            capture_output=True, text=True, check=True, timeout=60, cwd=tmp_path,
        )  # fmt: skip

    shares = sum(100 + minute for minute in range(390))
    assert done.stdout.split() == [
        "n,first,shares", f"26,500.0,{shares}.0", "n", "1167", "n", "0", "n", "0",
    ]  # fmt: skip


def test_a_wrong_period_is_one_sentence(barlake, spy_home):
    answer = barlake("sql", "FROM bars_at('SPY', 'often')", home=spy_home)

    assert is_one_sentence(answer)
    assert "'often' is not a period of bars. Use whole minutes below a day" in answer.err


def test_a_lake_of_a_newer_barlake_is_refused(barlake, spy_home, tmp_path):
    home = tmp_path / "newer"
    shutil.copytree(spy_home, home)
    catalog = sqlite3.connect(home / "duckdb" / "lake.sqlite")
    catalog.execute("UPDATE barlake_layout SET version = version + 1")
    catalog.commit()
    catalog.close()

    answer = barlake("sql", "FROM bars LIMIT 1", home=home)

    assert is_one_sentence(answer)
    assert f"This lake has layout {LAYOUT + 1} and this Barlake knows {LAYOUT}." in answer.err


def _shown() -> list[str]:
    """The queries of docs/sql.md on views and macros."""
    page = (Path(__file__).parents[2] / "docs" / "sql.md").read_text()
    blocks = page.partition("## Views")[2].split("```sql\n")[1:]
    lines = "\n".join(block.partition("```")[0] for block in blocks)
    text = "\n".join(line.partition("--")[0] for line in lines.splitlines())
    return [query.strip() for query in text.split(";") if query.strip()]


def test_every_query_that_the_documents_show_is_answered(spy_home):
    queries = _shown()

    assert len(queries) >= 10
    assert all(any(f"{name}(" in query for query in queries) for name in MACROS)
    with lake.open(spy_home) as opened:
        for query in queries:
            assert opened.sql(query).width >= 2, query
