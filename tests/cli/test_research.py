"""From bars to features, a model and a simulation, in the shell."""

import json
from collections.abc import Iterator

import polars as pl
import pytest

from sandbox.config import SandboxConfig
from sandbox.serve import running
from tests.cli.conftest import is_one_sentence

KEYS = {"ALPACA_API_KEY_ID": "any", "ALPACA_API_SECRET_KEY": "any"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    return tmp_path_factory.mktemp("research")


@pytest.fixture
def shell(barlake, home):
    """Commands on a lake that has a month of two symbols; the first test to ask brings it."""

    def run(*arguments: str):
        return barlake(*arguments, home=home)

    if not (home / "duckdb" / "lake.sqlite").exists():
        with running(SandboxConfig()) as url:
            env = KEYS | {"ALPACA_API_BASE_URL": url}
            month = ("--start", "2024-11-01", "--end", "2024-11-29", "--here")
            assert barlake("ingest", "SPY", "QQQ", *month, home=home, env=env).code == 0
    return run


@pytest.fixture
def here(quick, shell, home):
    """Commands that only read, in this process."""

    def run(*arguments: str):
        return quick(*arguments, home=home)

    return run


def test_features_are_built_once_listed_and_exported(shell, here, tmp_path):
    first, again = shell("features", "build"), shell("features", "build", "spy")
    listed = json.loads(here("features", "list", "--set", "core", "--json").out)
    exported = shell("features", "export", "SPY", "--to", str(tmp_path / "wide"))

    assert (first.code, again.code, exported.code) == (0, 0, 0), first.err + exported.err
    assert [line.split(":")[0] for line in first.out.splitlines()] == ["QQQ", "SPY"]
    assert "nothing new" in again.out
    assert {build["symbol"] for build in listed["builds"]} == {"QQQ", "SPY"}
    assert "sma_20" in {feature["name"] for feature in listed["features"]}
    wide = pl.read_parquet(tmp_path / "wide" / "SPY.parquet")
    assert {"symbol", "timestamp", "session_date", "sma_20", "rsi_14"} <= set(wide.columns)
    assert wide.height == next(
        one["row_count"] for one in listed["builds"] if one["symbol"] == "SPY"
    )


def test_builds_and_exports_are_told_as_json(shell, tmp_path):
    (built,) = json.loads(shell("features", "build", "spy", "--json").out)
    (written,) = json.loads(
        shell("features", "export", "spy", "--format", "csv", "--to", str(tmp_path), "--json").out
    )

    assert (built["symbol"], built["feature_set"]) == ("SPY", "core")
    file = str(tmp_path / "SPY.csv")
    assert written == {"symbol": "SPY", "set": "core", "rows": built["rows"], "file": file}
    assert pl.read_csv(file).height == built["rows"]


def test_a_list_of_features_needs_no_lake(barlake):
    answer = barlake("features", "list", "--set", "core")

    assert answer.code == 0
    assert "sma_200" in answer.out
    assert "Nothing was built yet" in answer.out


def test_a_model_is_trained_once_and_simulated_both_ways(shell, here, home):
    first, again = shell("train", "SPY", "QQQ"), here("train", "SPY", "QQQ")
    (model,) = json.loads(here("models", "--json").out)
    told = json.loads(here("train", "SPY", "QQQ", "--json").out)
    table = shell("simulate")
    runs = json.loads(here("simulate", model["model_id"], "--json").out)
    ledger = json.loads(here("simulations", "--json").out)

    assert (first.code, again.code, table.code) == (0, 0, 0), first.err + table.err
    assert "out of sample" in first.out
    assert "found, trained before" in again.out
    assert told == model | {"fresh": False}
    assert (home / model["path"]).exists()
    assert (model["primary_symbol"], model["context_symbols"]) == ("SPY", ["QQQ"])
    assert [run["mode"] for run in runs] == ["as_specified", "realistic"]
    assert {run["simulation_id"] for run in ledger} == {run["simulation_id"] for run in runs}
    assert table.out.count("buy and hold") == 2
    assert table.out.count("confidence; chance that it is above 0:") == 2
    assert model["model_id"] in here("models").out
    assert runs[0]["simulation_id"] in here("simulations").out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("train", "NOPE"), "barlake ingest NOPE"),
        (("train", "SPY", "--model", "oracle"), "logistic"),
        (("train", "SPY", "--label", "directoin_15"), "direction_15"),
        (("train", "SPY", "--label", "return_15"), "direction_15"),
        (("train", "SPY", "--set", "kore"), "core"),
        (("train", "SPY", "--test-share", "2"), "between 0 and 1"),
        (("simulate", "no-such-model"), "barlake models"),
        (("features", "list", "--set", "kore"), "core"),
        (("features", "build", "NOPE"), "barlake ingest NOPE"),
        (("features", "export", "SPY", "--start", "2199-01-04"), "in the future"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_is_refused_in_one_sentence(shell, quick, home, arguments, words):
    answer = quick(*arguments, home=home)

    assert is_one_sentence(answer), answer
    assert words in answer.err


def test_simulating_without_a_model_says_how_to_get_one(quick, spy_home):
    answer = quick("simulate", home=spy_home)

    assert is_one_sentence(answer), answer
    assert "barlake train" in answer.err
