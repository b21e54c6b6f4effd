"""What ``barlake upkeep`` and ``barlake delete`` promise in a shell."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import lake
from lake.export import refresh_mirror
from lake.upkeep import STEPS
from tests.cli.conftest import DAYS, is_one_sentence
from tests.market import OPEN, bar, fetched

IEX = "alpaca:iex"


@pytest.fixture
def home(spy_home, tmp_path) -> Path:
    """A lake of its own with SPY, a QQQ of two sources, and many small files."""
    shutil.copytree(spy_home, tmp_path / "home")
    with lake.open(tmp_path / "home") as store:
        for minute in range(3):
            store.commit_bars(fetched(bar(minute, symbol="QQQ"), source=IEX))
            store.commit_bars(fetched(bar(minute, symbol="QQQ"), source="sandbox:iex"))
    return tmp_path / "home"


def bars_of(home: Path) -> int:
    with lake.open(home) as store:
        return int(store.sql("SELECT count(*) FROM bars_1m").item())


def lines(home: Path, stage: str) -> list[dict[str, object]]:
    told = (home / "logs" / "cli.jsonl").read_text().splitlines()
    return [line for line in map(json.loads, told) if line["stage"] == stage]


# barlake upkeep


def test_a_round_says_what_each_step_did_and_how_long_it_held_the_gate(quick, home):
    before = bars_of(home)
    answer = quick("upkeep", "--keep-days", "0", home=home)

    assert (answer.code, answer.err) == (0, ""), answer
    assert all(step in answer.out for step in STEPS)
    assert "The gate was held for " in answer.out
    assert bars_of(home) == before
    again = json.loads(quick("upkeep", "--json", home=home).out)
    assert [step["name"] for step in again["steps"]] == list(STEPS)
    assert (again["dry_run"], again["mirror"]) == (False, None)
    merged = next(step["did"] for step in again["steps"] if step["name"] == "merge")
    assert merged["files_merged"] == 0


def test_a_dry_run_counts_and_changes_nothing(quick, home):
    with lake.open(home) as store:
        before = store.snapshot()
    answer = quick("upkeep", "--dry-run", "--json", home=home)

    told = json.loads(answer.out)
    assert (answer.code, told["dry_run"], told["transactions"]) == (0, True, 0)
    with lake.open(home) as store:
        assert store.snapshot() == before
    assert "would do" in quick("upkeep", "--dry-run", home=home).out


def test_only_some_steps_are_done(quick, home):
    told = json.loads(
        quick("upkeep", "--only", "merge", "--only", "retire", "--json", home=home).out
    )

    assert [step["name"] for step in told["steps"]] == ["retire", "merge"]


def test_it_brings_the_mirror_up_to_date_as_the_nightly_round_does(quick, home, tmp_path):
    mirror = tmp_path / "mirror"
    first = quick("upkeep", "--json", home=home, env={"BARLAKE_MIRROR": str(mirror)})
    assert first.code == 0, first
    written = json.loads(first.out)["mirror"]["written"]
    assert written == len(list(mirror.rglob("bars.parquet"))) > len(DAYS)
    with lake.open(home) as store:
        assert refresh_mirror(store, mirror).written == 0
        store.commit_bars(fetched(bar(OPEN + timedelta(days=9)), source=IEX))

    only = quick("upkeep", "--only", "merge", home=home, env={"BARLAKE_MIRROR": str(mirror)})
    assert "mirror" not in only.out
    again = quick("upkeep", home=home, env={"BARLAKE_MIRROR": str(mirror)})
    assert f"The mirror {mirror} is up to date: 1 file changed.\n" in again.out


def test_what_it_did_is_in_the_log(quick, home):
    quick("upkeep", "--only", "merge", home=home)

    began, done = lines(home, "upkeep")
    assert (began["message"], done["message"], done["agent"]) == ("began", "done", "cli")
    assert done["files_after"] < done["files_before"]


def test_retention_of_the_settings_is_kept(quick, home):
    with lake.open(home) as store:
        store.commit_bars(fetched(bar(datetime(2001, 5, 1, 15, tzinfo=UTC)), source=IEX))
    rule = {"BARLAKE_RETENTION": "bars_1m:20y"}
    would = quick("upkeep", "--only", "retire", "--dry-run", "--json", home=home, env=rule)
    done = quick("upkeep", "--only", "retire", "--json", home=home, env=rule)

    for answer in (would, done):
        [step] = json.loads(answer.out)["steps"]
        assert step["did"]["bars_retired"] == 1
    assert bars_of(home) == 1167 + 6


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("upkeep", "--only", "polish"), "'polish' is not a step of upkeep. Use some of retire"),
        (("upkeep", "--keep-days", "-1"), "--keep-days"),
        (("upkeep",), "There is no lake in"),
        (("delete", "SPY", "--yes"), "There is no lake in"),
        (("delete",), "SYMBOL"),
    ],
)
def test_what_cannot_be_is_one_sentence(quick, tmp_path, arguments, said):
    answer = quick(*arguments, home=tmp_path / "none")

    assert is_one_sentence(answer), answer
    assert said in answer.err
    assert not (tmp_path / "none").exists()


def test_a_mirror_that_cannot_be_written_is_said_after_all_else_is_done(quick, home, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("x")
    answer = quick("upkeep", home=home, env={"BARLAKE_MIRROR": str(tmp_path / "mine")})

    assert is_one_sentence(answer), answer
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["letter.txt"]
    assert json.loads(quick("upkeep", "--dry-run", "--json", home=home).out)["steps"][3]["did"]["files_before"] < 10  # fmt: skip
    assert lines(home, "upkeep")[-1]["message"] == "failed"


# barlake delete


def test_a_symbol_goes_with_all_it_has(quick, home):
    would = quick("delete", "qqq", "--dry-run", home=home)
    assert would.out == "Would delete 6 bars, 2 series of QQQ.\n"
    assert bars_of(home) == 1167 + 6

    gone = json.loads(quick("delete", "QQQ", "--yes", "--json", home=home).out)
    assert (gone["bars"], gone["series"], gone["dry_run"]) == (6, 2, False)
    assert bars_of(home) == 1167
    again = quick("delete", "QQQ", "--yes", home=home)
    assert is_one_sentence(again)
    assert "No bars of QQQ" in again.err
    assert [(line["message"], line["symbol"]) for line in lines(home, "delete")] == [
        ("began", "QQQ"),
        ("done", "QQQ"),
    ]


def test_only_one_source_of_a_symbol_goes(quick, home):
    answer = quick("delete", "QQQ", "--source", "sandbox:iex", "--yes", home=home)

    assert answer.out == "Deleted 3 bars, 1 series of QQQ.\n"
    with lake.open(home) as store:
        assert store.bars("QQQ")["source"].unique().to_list() == [IEX]


def test_nothing_is_deleted_without_a_yes(barlake, home):
    answer = barlake("delete", "QQQ", home=home)

    assert is_one_sentence(answer)
    assert "--yes" in answer.err
    assert bars_of(home) == 1167 + 6
