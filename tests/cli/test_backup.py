"""What ``barlake backup`` and ``barlake restore`` promise in a shell."""

import json
import os
import shutil
from pathlib import Path

import pytest

import lake
from tests.cli.conftest import is_one_sentence
from tests.market import bar, fetched


@pytest.fixture
def home(spy_home, tmp_path) -> Path:
    shutil.copytree(spy_home, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def saved(quick, home, tmp_path) -> Path:
    answer = quick("backup", "saved", home=home)
    assert (answer.code, answer.err) == (0, ""), answer
    assert " to saved: copied " in answer.out
    return tmp_path / "saved"


def test_a_backup_is_a_lake_again_elsewhere(quick, home, saved, tmp_path):
    answer = quick("restore", str(saved), "--home", "again", home=home)

    assert (answer.code, answer.err) == (0, ""), answer
    assert answer.out.startswith("Restored ")
    assert "to again in " in answer.out
    with lake.open(home) as one, lake.open(tmp_path / "again") as two:
        assert two.bars("SPY").equals(one.bars("SPY"))
    assert quick("verify", home=tmp_path / "again").code == 0


def test_only_what_is_new_is_copied_and_it_is_noted(quick, home, saved):
    again = json.loads(quick("backup", str(saved), "--json", home=home).out)
    assert again["files"] > 0
    with lake.open(home) as store:
        store.commit_bars(fetched(bar(0, symbol="QQQ")))
    more = json.loads(quick("backup", str(saved), "--check", "--json", home=home).out)

    assert more["snapshot"] == again["snapshot"] + 1
    assert more["copied_files"] < more["files"]
    told = [json.loads(line) for line in (home / "logs" / "cli.jsonl").read_text().splitlines()]
    told = [line for line in told if line["stage"] == "backup"]  # others have used the lake before
    assert [line["message"] for line in told] == ["began", "done"] * 3
    assert told[-1]["snapshot"] == more["snapshot"]


def test_a_restore_goes_into_the_home_of_the_settings(quick, saved, tmp_path):
    told = json.loads(quick("restore", str(saved), "--json", home=tmp_path / "third").out)

    assert told["files"] > 0
    with lake.open(tmp_path / "third") as store:
        assert store.bars("SPY").height == 1167


def test_a_damaged_backup_is_named_and_mended_by_the_next_one(quick, home, saved, tmp_path):
    file = next((saved / "parquet").rglob("*.parquet"))
    os.truncate(file, 10)
    refused = quick("restore", str(saved), "--home", "again", home=home)

    assert is_one_sentence(refused), refused
    assert file.name in refused.err
    assert not (tmp_path / "again").exists()
    assert quick("backup", str(saved), home=home).code == 0
    assert quick("restore", str(saved), "--home", "again", home=home).code == 0


def test_what_cannot_be_is_one_sentence(quick, home, saved, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("x")
    none = tmp_path / "none"
    for arguments, place, said in (
        (("backup", "mine"), home, "holds other files and no backup"),
        (("backup", str(home / "saved")), home, "lie inside each other"),
        (("backup", "other"), none, "There is no lake in"),
        (("restore", "mine", "--home", "again"), home, "There is no backup in"),
        (("restore", str(saved)), home, "There is a lake in"),
        (("restore", str(saved), "--home", "mine"), home, "is not an empty folder"),
        (("restore",), home, "DIR"),
    ):
        answer = quick(*arguments, home=place)
        assert is_one_sentence(answer), (arguments, answer)
        assert said in answer.err, (arguments, answer.err)
    assert not none.exists()
