"""What ``python -m training_service.main`` promises: defaults that work, and sentences for errors."""

import json
import re

import pytest

import lake
from lake.models import models
from training_service import main


@pytest.fixture(autouse=True)
def home(store, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BARLAKE_HOME", str(store.home))


def test_without_arguments_the_first_symbol_is_trained_with_the_second_beside_it(store, capsys):
    assert main.run([]) == 0
    told = capsys.readouterr().out
    assert "logistic direction_15 QQQ+SPY: trained" in told
    assert "joining SPY on the minute costs" in told
    assert "out of sample:" in told
    assert models(store)["primary_symbol"].to_list() == ["QQQ"]


def test_an_older_bar_is_told_and_a_panel_joins_nothing(capsys):
    assert main.run(["SPY", "QQQ", "--model", "dummy", "--join", "asof:5"]) == 0
    told = capsys.readouterr().out
    assert re.search(r"joining QQQ asof:5 costs \d+ rows .*; beside \d+ stands an older bar", told)
    assert main.run(["SPY", "QQQ", "--model", "dummy", "--panel"]) == 0
    assert "joining" not in capsys.readouterr().out


def test_symbols_label_model_and_share_are_taken(store, capsys):
    asked = [
        "SPY",
        "--label",
        "direction_5",
        "--model",
        "dummy",
        "--test-share",
        "0.2",
        "--seed",
        "3",
    ]

    assert main.run(asked) == 0
    assert "dummy direction_5 SPY: trained" in capsys.readouterr().out
    assert main.run(asked) == 0
    assert "found, trained before" in capsys.readouterr().out


def test_every_choice_is_taken_and_the_total_is_told_beside_no_model(store, capsys):
    asked = "SPY --cv purged-k-fold:folds=3 --selector k_best:5 --weights balanced --calibration sigmoid"

    assert main.run([*asked.split(), "--search", "2", "--param", "max_iter=300"]) == 0
    told = capsys.readouterr().out
    assert re.search(r"all 3 tests together, [\d,]+ rows out of sample:\n  models: ", told)
    assert len(re.findall("^ *(majority|always up):", told, re.MULTILINE)) == 4
    assert re.search("searched 2 settings inside the training rows; the best by log loss", told)
    recipe = json.loads(models(store)["params"][0])["recipe"]
    assert recipe["selector"] == "k_best:5"
    assert recipe["weights"] == "balanced"
    assert recipe["calibration"] == "sigmoid"
    assert recipe["parameters"] == {"max_iter": 300}


def test_a_label_that_is_a_number_is_told_by_its_errors(capsys):
    assert main.run(["SPY", "--label", "return_15", "--model", "ridge"]) == 0
    assert "out of sample: mae " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (["ZZZ"], "barlake ingest ZZZ"),
        (["SPY", "--label", "up"], "There is no label 'up'"),
        (["SPY", "--model", "oracle"], "There is no model 'oracle' to train"),
        (["SPY", "--set", "cor"], "Did you mean core"),
        (["SPY", "--test-share", "2"], "between 0 and 1"),
        (["SPY", "--start", "2024-07-05", "--end", "2024-07-01"], "ends .* before it starts"),
        (["../x"], "is not a ticker"),
        (["SPY", "--split", "k-fold"], "There is no split 'k-fold'"),
        (["SPY", "--selector", "best"], "There is no selector 'best'"),
        (["SPY", "--model", "lightgbm", "--param", "num_leaves"], "Write it as NAME=VALUE"),
        (["SPY", "--param", "alpha=1"], "logistic has no parameter 'alpha'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_sentence_and_exit_code_two(asked, sentence, capsys):
    assert main.run(asked) == 2
    answer = capsys.readouterr()
    assert answer.out == ""
    assert len(answer.err.splitlines()) == 1
    assert re.search(sentence, answer.err)


def test_a_lake_without_bars_says_how_to_fetch_some(monkeypatch, tmp_path, capsys):
    lake.open(tmp_path / "new", create=True).close()
    monkeypatch.setenv("BARLAKE_HOME", str(tmp_path / "new"))

    assert main.run([]) == 2
    assert "barlake ingest SPY" in capsys.readouterr().err
