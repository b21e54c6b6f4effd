"""What defining, looking at and rebuilding sets of features over HTTP promises."""

import shutil

import pytest

import lake
from app.api.main import create_app
from feature_service import build, sets
from lake.features import definitions
from tests.api.conftest import asked
from tests.api.samples import MINUTES

MINE = {
    "name": "mine",
    "features": ["sma_20"],
    "groups": ["lags"],
    "expressions": {"trend": "close / sma_20 - 1"},
    "about": "what I look at",
}
DAY = "start=2024-11-04&end=2024-11-04"


@pytest.fixture(scope="module")
def features_home(filled_home, tmp_path_factory):
    home = tmp_path_factory.mktemp("features") / "home"
    shutil.copytree(filled_home, home)
    with lake.open(home) as opened:
        build.build(opened, "SPY")
    return home


@pytest.fixture
def home(features_home, tmp_path):
    shutil.copytree(features_home, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def api(home, make_settings, queue):
    yield from asked(create_app(make_settings(home), queue.send))


@pytest.fixture
def reading(features_home, make_settings, queue):
    """The same, of a lake that no test changes."""
    yield from asked(create_app(make_settings(features_home), queue.send))


def test_a_set_is_defined_read_and_forgotten(api, home):
    defined, again = api.post("/features/sets", json=MINE), api.post("/features/sets", json=MINE)
    with lake.open(home) as opened:
        built = build.build(opened, "SPY", "mine")
    row = api.get("/features/SPY?set=mine&limit=1").json()["features"][0]
    (listed,) = [one for one in api.get("/features/sets").json()["sets"] if not one["built_in"]]
    own = api.get("/features/definitions/trend").json()

    assert (defined.status_code, defined.json()["news"], again.json()["news"]) == (201, True, False)
    assert built.set_version == defined.json()["version"] == listed["version"]
    assert row["trend"] == pytest.approx(489.0 / row["sma_20"] - 1)
    assert (listed["name"], listed["problem"], listed["about"]) == ("mine", "", "what I look at")
    assert listed["definition"]["expressions"] == MINE["expressions"]
    assert own["code_reference"] == "expression:close / sma_20 - 1"
    assert own["versions"][0]["hash"] == own["hash"]

    assert api.delete("/features/sets/mine").status_code == 204
    assert api.delete("/features/sets/mine").status_code == 404
    assert api.get("/features/SPY?set=mine&limit=1").json()["features"] == [row]
    assert api.post("/features/SPY/rebuild?set=mine").status_code == 422


def test_a_set_may_be_the_first_thing_a_lake_holds(empty_api):
    assert empty_api.delete("/features/sets/mine").status_code == 404
    assert {one["name"] for one in empty_api.get("/features/sets").json()["sets"]} == {*sets.sets()}
    assert empty_api.get("/features/definitions/rsi_14").json()["group"] == "momentum"

    assert empty_api.post("/features/sets", json=MINE).status_code == 201
    assert "mine" in {one["name"] for one in empty_api.get("/features/sets").json()["sets"]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "core"}, "built-in set"),
        ({"name": "../x"}, "cannot name a feature set"),
        ({"features": ["sma_21"]}, "The nearest are sma_"),
        ({"groups": ["trand"]}, "trend"),
        ({"expressions": {"x": "lag(close, -5)"}}, "1 to 5,000"),
        ({"expressions": {"x": "().__class__"}}, "is not allowed"),
        ({"expressions": {"x": "open('/etc/passwd')"}}, "is no function that is allowed"),
        ({"timeframe": "7min"}, "choose one of 1min"),
        ({"context": "not a ticker!"}, "is not a ticker"),
        ({"columns": []}, "does not exist here"),
    ],
    ids=str,
)
def test_a_definition_that_cannot_be_is_a_sentence(reading, change, words):
    answer = reading.post("/features/sets", json=MINE | change)

    assert answer.status_code == 422
    assert words in answer.json()["message"]
    assert all(one["built_in"] for one in reading.get("/features/sets").json()["sets"])


def test_features_are_told_as_they_are_declared(reading, features_home):
    core = reading.get("/features/definitions?set=core").json()
    lags = reading.get("/features/definitions?groups=lags").json()["features"]

    with lake.open(features_home) as opened:
        kept = dict(definitions(opened).select("feature_name", "hash").rows())
    assert {one["name"]: one["hash"] for one in core["features"]} == kept
    assert core["version"] == sets.feature_set("core").version
    assert {one["group"] for one in lags} == {"lags"}


def test_columns_groups_and_forms_are_chosen(api, home):
    rows = api.get(f"/features/SPY?columns=rsi_14&groups=lags&{DAY}&limit=1000").json()["features"]
    with lake.open(home) as opened:
        build.build(opened, "SPY", "lags_1h")
    hours = api.get("/features/SPY?set=lags&timeframe=1h").json()

    lags = sets.feature_set("core").of_groups(["lags"])
    assert set(rows[0]) == {"timestamp", "session_date", "rsi_14", *lags}
    assert len(rows) == MINUTES
    assert hours["set"] == "lags_1h"
    assert len(hours["features"]) == 14


def test_a_preview_describes_and_compares(reading):
    first = "start=2024-11-04&end=2024-11-04"
    plain = reading.get(f"/features/SPY/preview?columns=sma_20&{first}").json()
    both = reading.get(f"/features/SPY/preview?{first}&against_start=2024-11-06").json()

    (sma,) = plain["columns"]
    # Closes 100, 101 ... 489: the mean of twenty lies 9.5 below the newest.
    assert (sma["count"], sma["min"], sma["max"]) == (MINUTES - 19, 109.5, 479.5)
    assert sma["null_share"] == 19 / MINUTES
    assert plain["span"] == {
        "rows": MINUTES,
        "first": "2024-11-04T14:30:00Z",
        "last": "2024-11-04T20:59:00Z",
    }
    assert plain["against"] is None
    assert both["against"]["rows"] == MINUTES
    assert {one["drift"] for one in both["columns"]} <= {"none", "some", "great"}


def test_a_rebuild_is_of_what_changed_or_of_all(api, queue):
    usual = api.post("/features/SPY/rebuild?set=core_1h")
    again = api.post("/features/SPY/rebuild?set=core_1h")
    whole = api.post("/features/SPY/rebuild?full=true")

    assert usual.status_code == whole.status_code == 202
    assert again.json()["id"] == usual.json()["id"]
    assert [job.params for job in queue.jobs] == [
        {"set_name": "core_1h"},
        {"set_name": "core", "full": True},
    ]


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("/features/SPY?set=kore", 422, "Did you mean core?"),
        ("/features/SPY?set=core&timeframe=7min", 422, "choose one of 1min"),
        ("/features/SPY?groups=trand", 422, "trend"),
        ("/features/SPY?columns=sma_21", 422, "sma_2"),
        ("/features/SPY?as_of=2020-01-02", 404, "as they were stored at 2020-01-02"),
        ("/features/NOPE", 404, "barlake ingest NOPE"),
        ("/features/no.such./preview", 422, "is not a ticker"),
        ("/features/SPY/preview?set=wide", 404, "features build SPY --set wide"),
        ("/features/SPY/preview?start=2024-11-05&end=2024-11-05", 404, "no rows from 2024-11-05"),
        ("/features/SPY/preview?against_start=2025-01-02", 404, "no rows from 2025-01-02"),
        ("/features/definitions?set=kore", 422, "Did you mean core?"),
        ("/features/definitions/rsi_15", 422, "rsi_14"),
    ],
)
def test_what_cannot_be_is_a_sentence(reading, path, code, words):
    answer = reading.get(path)

    assert answer.status_code == code, answer.json()
    assert words in answer.json()["message"]
