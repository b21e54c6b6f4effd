"""Defining, building, looking at and dropping sets of features, in the shell."""

import json
import shutil

import polars as pl
import pytest

import lake
from feature_service import build, sets
from lake.features import read_features
from tests.cli.conftest import is_one_sentence

MINE = """
[sets.mine]
about = "what I look at"
features = ["sma_20", "rsi_14"]
groups = ["lags"]

[sets.mine.expressions]
trend = "sma_5 / sma_20 - 1"
steep = "where(trend > 0, ema(trend, 10), 0)"

[sets.daily]
features = ["return_1"]
timeframe = "1d"
"""


@pytest.fixture(scope="module")
def built_home(spy_home, tmp_path_factory):
    """SPY with the features of ``core``."""
    home = tmp_path_factory.mktemp("features") / "home"
    shutil.copytree(spy_home, home)
    with lake.open(home) as opened:
        build.build(opened, "SPY")
    return home


@pytest.fixture
def home(built_home, tmp_path):
    shutil.copytree(built_home, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def shell(quick, home):
    def run(*arguments: str):
        return quick("features", *arguments, home=home)

    return run


def told(answer):
    """What a command said as JSON."""
    assert answer.code == 0, answer.err
    return json.loads(answer.out)


@pytest.fixture
def mine(shell, tmp_path):
    (tmp_path / "sets.toml").write_text(MINE)
    assert shell("define", "sets.toml").code == 0
    return shell


def test_a_set_of_ones_own_is_defined_built_read_and_forgotten(shell, tmp_path, home):
    (tmp_path / "sets.toml").write_text(MINE)
    defined = told(shell("define", "sets.toml", "--json"))
    again = shell("define", "sets.toml")
    (built,) = told(shell("build", "SPY", "--set", "mine", "--json"))
    hourly = told(shell("build", "SPY", "--set", "mine", "--timeframe", "1h", "--json"))
    (daily,) = told(shell("build", "SPY", "--set", "daily", "--json"))

    assert [one["name"] for one in defined] == ["mine", "daily"]
    assert defined[0]["columns"][:2] == ["sma_20", "rsi_14"]
    assert defined[0]["columns"][-2:] == ["trend", "steep"]
    assert "it was so already" in again.out
    assert built["set_version"] == defined[0]["version"]
    assert hourly[0]["feature_set"] == "mine_1h"
    assert (daily["feature_set"], daily["rows"]) == ("daily", 3)
    with lake.open(home) as opened:
        rows = opened.features("SPY", set="mine")
        close = opened.bars("SPY", regular_only=True)["close"]
        assert opened.sql("SELECT count(trend) FROM features_mine").item() == rows.height - 19
    expected = close.rolling_mean(5) / close.rolling_mean(20) - 1
    assert rows["trend"].to_list()[19:] == pytest.approx(expected.to_list()[19:], abs=1e-9)
    assert rows["steep"].drop_nulls().len() > rows.height - 60

    assert "forgotten" in shell("drop", "--set", "mine").out
    assert is_one_sentence(shell("build", "SPY", "--set", "mine"))
    exported = told(shell("export", "SPY", "--set", "mine", "--json"))
    assert exported[0]["rows"] == rows.height


def test_a_set_that_is_defined_anew_is_another_version(mine, tmp_path):
    (first,) = told(mine("build", "SPY", "--set", "mine", "--json"))
    (tmp_path / "sets.toml").write_text(MINE.replace("rsi_14", "std_20"))
    told(mine("define", "sets.toml", "--json"))
    (second,) = told(mine("build", "SPY", "--set", "mine", "--json"))

    assert first["set_version"] != second["set_version"]
    versions = told(mine("show", "mine", "--json"))["versions"]
    assert [one["version"] for one in versions] == [second["set_version"], first["set_version"]]
    assert [one["shown"] for one in versions] == [1, 0]


def test_a_version_is_dropped_unless_readers_see_it(mine, tmp_path, home):
    (first,) = told(mine("build", "SPY", "--set", "mine", "--json"))
    (tmp_path / "sets.toml").write_text(MINE.replace("rsi_14", "std_20"))
    told(mine("define", "sets.toml", "--json"))
    (second,) = told(mine("build", "SPY", "--set", "mine", "--json"))
    old, new = first["set_version"], second["set_version"]

    dropped = told(mine("drop", "--set", "mine", "--version", old[:6], "--json"))
    refused = mine("drop", "--set", "mine", "--version", new)
    unknown = mine("drop", "--set", "mine", "--version", old)

    assert (dropped["version"], dropped["rows"]) == (old, first["rows"])
    assert is_one_sentence(refused)
    assert "--force" in refused.err
    assert is_one_sentence(unknown)
    assert new[:8] in unknown.err
    with lake.open(home) as opened:
        with pytest.raises(lake.errors.MissingError, match=f"has {new[:8]}"):
            read_features(opened, "SPY", "mine", set_version=old)
        assert opened.features("SPY", set="mine").height == second["rows"]
        assert "std_20" in opened.sql("FROM features_mine LIMIT 1").columns
    forced = mine("drop", "--set", "mine", "--version", new, "--force")
    assert forced.code == 0, forced.err
    assert is_one_sentence(mine("export", "SPY", "--set", "mine"))
    (again,) = told(mine("build", "SPY", "--set", "mine", "--json"))
    assert (again["fresh"], again["content_hash"]) == (True, second["content_hash"])


def test_sets_are_listed_with_those_of_users(mine):
    found = {one["name"]: one for one in told(mine("list", "--json"))["sets"]}
    table = mine("list").out

    assert set(sets.sets()) < set(found)
    assert found["core"]["built_in"]
    assert not found["mine"]["built_in"]
    assert found["mine"]["definition"]["expressions"]["trend"] == "sma_5 / sma_20 - 1"
    assert "what I look at" in table
    assert "built-in" in table


def test_features_of_a_set_are_listed_with_hash_versions_and_builds(shell):
    listed = told(shell("list", "--set", "core", "--json"))
    some = told(shell("list", "--group", "lags,trend", "--json"))["features"]
    table = shell("list", "--set", "core").out

    core = sets.feature_set("core")
    assert {one["name"]: one["hash"] for one in listed["features"]} == core.hashes
    assert {one["versions"][0]["version"] for one in listed["features"]} == {1}
    assert [one["symbol"] for one in listed["builds"]] == ["SPY"]
    assert {one["group"] for one in some} == {"lags", "trend"}
    assert core.hashes["sma_20"][:8] in table


def test_a_feature_is_shown_as_it_is_declared(mine):
    facts = told(mine("show", "rsi_14", "--json"))
    table = mine("show", "rsi_14").out
    own = told(mine("show", "steep", "--json"))

    assert (facts["group"], facts["lowest"], facts["highest"]) == ("momentum", 0.0, 100.0)
    assert facts["versions"][0]["hash"] == facts["hash"]
    assert facts["code_reference"] == "feature_service.definitions.momentum:rsi"
    assert "Wilder" in table
    assert facts["hash"] in table
    assert own["code_reference"] == "expression:where(trend > 0, ema(trend, 10), 0)"
    assert own["parents"][0] == "trend"


def test_a_set_is_shown_with_its_versions_and_the_builds_of_a_symbol(shell):
    facts = told(shell("show", "core", "--symbol", "spy", "--json"))
    table = shell("show", "core_1h").out

    assert facts["version"] == sets.feature_set("core").version
    assert sum(map(len, facts["groups"].values())) == 37
    assert facts["versions"][0]["symbols"] == 1
    assert [one["symbol"] for one in facts["builds"]] == ["SPY"]
    assert "bars of 1h" in table
    assert "Nothing was built yet" in table


def test_an_export_has_the_columns_and_groups_that_were_asked_for(shell, tmp_path):
    (file,) = told(
        shell("export", "SPY", "--columns", "sma_20", "--groups", "lags", "--to", "wide", "--json")
    )

    columns = pl.read_parquet(tmp_path / file["file"]).columns
    lags = sets.feature_set("core").of_groups(["lags"])
    assert columns == ["symbol", "timestamp", "session_date", "sma_20", *lags]


def test_a_build_says_since_when_and_full_builds_all(shell):
    again, whole = shell("build", "SPY"), told(shell("build", "SPY", "--full", "--json"))

    assert "nothing new" in again.out
    assert (whole[0]["fresh"], whole[0]["since"]) == (True, None)


def test_a_history_shorter_than_the_longest_window_is_built_and_said(shell):
    answer = shell("build", "SPY", "--set", "core_1d")

    assert answer.code == 0
    assert "SPY has 3 bars and the longest window of core_1d needs 200" in answer.err
    assert "columns are null for now" in answer.err


def test_a_preview_describes_and_compares(shell):
    seen = told(shell("preview", "SPY", "--columns", "sma_20,rsi_14", "--json"))
    days = ("--end", "2024-11-04", "--against", "2024-11-05", "2024-11-07")
    table = shell("preview", "SPY", "--groups", "lags", *days).out

    assert [one["feature"] for one in seen["columns"]] == ["sma_20", "rsi_14"]
    assert seen["columns"][0]["count"] == seen["span"]["rows"] - 19
    assert "close_lag_1" in table
    assert "psi" in table


def test_an_audit_finds_what_is_stored_as_defined(shell):
    verdict = told(shell("audit", "SPY", "--json"))

    assert verdict["clean"]
    assert "blind to the future" in shell("audit", "SPY").out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("list", "--set", "kore"), "Did you mean core?"),
        (("list", "--group", "trand"), "trend"),
        (("show", "rsi_15"), "rsi_14"),
        (("show", "widd"), "Did you mean wide?"),
        (("build", "SPY", "--set", "core", "--timeframe", "7min"), "choose one of 1min"),
        (("build", "SPY", "--set", "core_1w"), "There is no feature set"),
        (("build", "NOPE"), "barlake ingest NOPE"),
        (("export", "SPY", "--set", "core", "--columns", "sma_21"), "sma_2"),
        (("export", "SPY", "--set", "wide"), "barlake features build SPY --set wide"),
        (("preview", "SPY", "--start", "2023-01-03", "--end", "2023-01-04"), "no rows from"),
        (("preview", "SPY", "--columns", "nonsense"), "nonsense"),
        (("drop", "--set", "core", "--version", "0000"), "No version 0000 of the set core"),
        (("drop", "--set", "core"), "No feature set 'core' was defined"),
        (("audit", "SPY", "--set", "core_all"), "features build SPY --set core_all"),
        (("define", "nowhere.toml"), "cannot be read"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_is_refused_in_one_sentence(quick, built_home, arguments, words):
    answer = quick("features", *arguments, home=built_home)

    assert is_one_sentence(answer), answer
    assert words in answer.err


SETS = {
    "features = [": "is no TOML",
    "[other]\na = 1": "has other",
    "[sets.core]\nfeatures = ['sma_5']": "built-in set",
    "[sets.lags]\nfeatures = ['sma_5']": "built-in set",
    "[sets.my_1h]\nfeatures = ['sma_5']": "says a form",
    "[sets.my_vs_qqq]\nfeatures = ['sma_5']": "says a form",
    "[sets.My]\nfeatures = ['sma_5']": "cannot name a feature set",
    "[sets.a_name_that_is_too_long]\nfeatures = ['sma_5']": "at most 18",
    "[sets.my]": "0 columns",
    "[sets.my]\nfeatures = 'sma_5'": "features must be a list of names",
    "[sets.my]\nfeatures = ['sma_6']": "The nearest are sma_",
    "[sets.my]\nfeatures = ['_rsi_up_14']": "There is no feature",
    "[sets.my]\ngroups = ['trand']": "trend",
    "[sets.my]\ncolumns = ['sma_5']": "a set has features, groups",
    "[sets.my]\nfeatures = ['sma_5']\ntimeframe = '7min'": "choose one of 1min",
    "[sets.my]\nfeatures = ['sma_5']\nhours = 'night'": "choose one of regular, all",
    "[sets.my]\nfeatures = ['sma_5']\ncontext = 'QQQ'": "no feature reads another symbol",
    "[sets.my]\nfeatures = ['minutes_to_close']\ntimeframe = '1d'": "No feature of the set my",
    "[sets.my.expressions]\nx = 'lag(close, -1)'": "1 to 5,000",
    "[sets.my.expressions]\nx = \"__import__('os')\"": "is no function that is allowed",
    "[sets.my.expressions]\nx = 'y + 1'\ny = 'close'": "no column and no feature",
    "[sets.my.expressions]\nsma_5 = 'close'": "already",
    "[sets.my.expressions]\nx = 3": "a table of texts",
}


@pytest.mark.parametrize("text", SETS)
def test_a_definition_that_cannot_be_is_refused_and_nothing_of_the_file_is_stored(
    quick, tmp_path, text
):
    good = "[sets.good]\nfeatures = ['sma_5']\n" if "[sets." in text else ""
    (tmp_path / "sets.toml").write_text(good + text)

    answer = quick("features", "define", "sets.toml")

    assert is_one_sentence(answer), answer
    assert SETS[text] in answer.err
    assert not (tmp_path / "home").exists()
