"""What ``barlake verify`` promises in a shell."""

import json
import os
import shutil
from pathlib import Path

import pytest

import lake
from lake.backup import backup
from tests.cli.conftest import is_one_sentence
from tests.market import bar, fetched


@pytest.fixture
def home(spy_home, tmp_path) -> Path:
    shutil.copytree(spy_home, tmp_path / "home")
    with lake.open(tmp_path / "home") as store:
        store.commit_bars(fetched(bar(0, symbol="QQQ"), source="alpaca:iex"))
    return tmp_path / "home"


def damaged(home: Path, symbol: str = "SPY") -> str:
    file = next((home / "parquet").rglob(f"symbol={symbol}/**/*.parquet"))
    os.truncate(file, 100)
    return str(file.relative_to(home))


def test_a_right_lake_is_told_in_a_line(quick, home):
    answer = quick("verify", home=home)

    assert (answer.code, answer.err) == (0, ""), answer
    assert answer.out.startswith("All is right: ")
    assert "1,168 bars of 2 series" in answer.out


def test_each_finding_is_a_line_and_the_exit_code_says_so(quick, home):
    path = damaged(home)
    answer = quick("verify", home=home)

    assert (answer.code, answer.err) == (1, "")
    *findings, verdict = answer.out.splitlines()
    assert any(path in line and "barlake verify --repair" in line for line in findings)
    assert verdict.startswith("1 finding: ")
    assert quick("verify", "QQQ", home=home).code == 0


def test_json_holds_all_findings(quick, home):
    path = damaged(home)
    answer = quick("verify", "--json", home=home)
    told = json.loads(answer.out)

    assert (answer.code, told["right"], told["repaired"]) == (1, False, None)
    assert [(one["kind"], one["place"]) for one in told["findings"]] == [("file size", path)]
    right = json.loads(quick("verify", "QQQ", "--json", home=home).out)
    assert (right["right"], right["findings"], right["bars"]) == (True, [], 1)


def test_a_repair_from_a_backup_brings_the_file_back_and_notes_it(quick, home, tmp_path):
    with lake.open(home) as store:
        backup(store, tmp_path / "saved")
    path = damaged(home)
    answer = quick("verify", "--repair", "--backup", str(tmp_path / "saved"), home=home)

    assert answer.code == 0, answer
    assert f"{path} is back from the backup.\n" in answer.out
    assert "All is right: " in answer.out
    told = [json.loads(line) for line in (home / "logs" / "cli.jsonl").read_text().splitlines()]
    assert [(line["stage"], line["message"]) for line in told] == [
        ("repair", "began"),
        ("repair", "done"),
    ]
    assert told[-1]["restored"] == [path]


def test_a_repair_without_a_backup_says_what_to_fetch_again(quick, home):
    damaged(home, "QQQ")
    answer = quick("verify", "--repair", home=home)

    assert answer.code == 1, answer  # the sessions are still lost
    assert "barlake ingest QQQ --start 2024-11-04 --end 2024-11-04" in answer.out
    with lake.open(home) as store:
        store.commit_bars(fetched(bar(0, symbol="QQQ"), source="alpaca:iex"))
    assert quick("verify", home=home).code == 0


def test_a_name_no_ticker_has_is_refused(quick, home):
    answer = quick("verify", "../x", home=home)

    assert is_one_sentence(answer)
    assert "is not a ticker" in answer.err


def test_a_right_lake_needs_no_repair(quick, home):
    assert json.loads(quick("verify", "--repair", "--json", home=home).out)["repaired"] is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--backup", "saved"), "Add --repair"),
        ((), "There is no lake in"),
    ],
)
def test_what_cannot_be_is_one_sentence(quick, tmp_path, arguments, said):
    answer = quick("verify", *arguments, home=tmp_path / "none")

    assert is_one_sentence(answer), answer
    assert said in answer.err
