"""What reading over HTTP promises: bars, symbols, coverage."""

import orjson
import pytest
from fastapi.testclient import TestClient

from lake import READ_COLUMNS, TIMEFRAMES
from tests.api.samples import MINUTES, SOURCE


def test_without_a_range_the_latest_bars_come_oldest_first(api):
    answer = api.get("/bars/SPY?limit=5").json()

    assert list(answer) == ["symbol", "bars"]
    assert answer["symbol"] == "SPY"
    assert [bar["close"] for bar in answer["bars"]] == [485.0, 486.0, 487.0, 488.0, 489.0]
    assert answer["bars"][-1]["timestamp"] == "2024-11-06T20:59:00Z"


def test_a_bar_says_everything_the_lake_knows_of_it(api):
    (bar,) = api.get("/bars/THIN").json()["bars"]

    assert bar == {
        "timestamp": "2024-11-04T14:35:00Z",
        "open": 6.5,
        "high": 8.0,
        "low": 6.0,
        "close": 7.0,
        "volume": 1000.0,
        "trade_count": 10,
        "vwap": None,
        "flags": 0,
        "source": SOURCE,
        "session_date": "2024-11-04",
        "is_regular": True,
    }
    assert {*bar, "symbol"} == set(READ_COLUMNS)


def test_a_symbol_may_be_written_small(api):
    assert api.get("/bars/spy?limit=1").json()["symbol"] == "SPY"


def test_dates_are_sessions_with_both_ends_included(api):
    one = api.get("/bars/SPY?start=2024-11-04&end=2024-11-04").json()["bars"]
    both = api.get("/bars/SPY?start=2024-11-04&end=2024-11-06").json()["bars"]

    assert len(one) == MINUTES
    assert len(both) == 2 * MINUTES


@pytest.mark.parametrize(
    "start", ["2024-11-06T15:58:00-05:00", "2024-11-06T20:58:00Z", "2024-11-06T20:58:00%2B00:00"]
)
def test_times_are_included_too(api, start):
    bars = api.get(f"/bars/SPY?start={start}&end=2024-11-06T20:59:00Z").json()["bars"]

    assert [bar["close"] for bar in bars] == [488.0, 489.0]


def test_a_plus_that_was_not_encoded_still_is_a_zone(api):
    bars = api.get("/bars/SPY?start=2024-11-06T20:58:00+00:00").json()["bars"]

    assert len(bars) == 2


def test_a_range_that_holds_no_bars_is_an_empty_list(api):
    answer = api.get("/bars/SPY?start=2024-11-05&end=2024-11-05")

    assert answer.status_code == 200
    assert answer.json() == {"symbol": "SPY", "bars": []}


def test_a_limit_keeps_the_newest_bars_of_the_range(api):
    bars = api.get("/bars/SPY?start=2024-11-04&end=2024-11-05&limit=2").json()["bars"]

    assert [bar["timestamp"] for bar in bars] == ["2024-11-04T20:58:00Z", "2024-11-04T20:59:00Z"]


@pytest.mark.parametrize(("timeframe", "bars"), [("5min", 78), ("1h", 7), ("1d", 1)])
def test_wider_bars_are_rolled_up_within_a_session(api, timeframe, bars):
    answer = api.get(f"/bars/SPY?timeframe={timeframe}&start=2024-11-06&end=2024-11-06").json()[
        "bars"
    ]

    assert len(answer) == bars
    assert sum(bar["volume"] for bar in answer) == 1000.0 * MINUTES


def test_columns_choose(api):
    (bar,) = api.get("/bars/SPY?columns=timestamp,close&limit=1").json()["bars"]

    assert bar == {"timestamp": "2024-11-06T20:59:00Z", "close": 489.0}


def test_symbols_lists_every_series(api):
    facts = api.get("/symbols").json()["symbols"]

    assert [row["symbol"] for row in facts] == ["SPY", "THIN"]
    assert facts[0] == {
        "symbol": "SPY",
        "source": SOURCE,
        "first": "2024-11-04T14:30:00Z",
        "last": "2024-11-06T20:59:00Z",
        "bars": 2 * MINUTES,
        "is_default": True,
    }


def test_coverage_tells_what_was_fetched_and_the_hole_in_it(api):
    answer = api.get("/coverage/SPY").json()

    assert answer["source"] == SOURCE
    assert answer["coverage"] == [
        {"start": "2024-11-04T05:00:00Z", "end": "2024-11-05T05:00:00Z"},
        {"start": "2024-11-06T05:00:00Z", "end": "2024-11-07T05:00:00Z"},
    ]
    assert answer["gaps"] == [
        {
            "session_date": "2024-11-05",
            "start": "2024-11-05T14:30:00Z",
            "end": "2024-11-05T21:00:00Z",
            "minutes": MINUTES,
        }
    ]


def test_symbols_of_another_dataset_are_its_own(api):
    assert api.get("/symbols", params={"dataset": "bars_daily"}).json() == {"symbols": []}
    refused = api.get("/symbols", params={"dataset": "ticks"})
    assert refused.status_code == 422
    assert "bars_1m, bars_daily" in refused.text


def test_before_the_first_ingest_there_are_no_symbols(empty_api):
    answer = empty_api.get("/symbols")

    assert answer.status_code == 200
    assert answer.json() == {"symbols": []}


@pytest.mark.parametrize("path", ["/bars/SPY", "/coverage/SPY", "/features/SPY"])
def test_before_the_first_ingest_the_answer_says_how_to_fetch(empty_api, path):
    answer = empty_api.get(path)

    assert answer.status_code == 404
    assert "barlake ingest SPY" in answer.json()["message"]


@pytest.mark.parametrize(("path", "name"), [("/models", "models"), ("/simulations", "simulations")])
def test_before_the_first_training_the_lists_are_empty(empty_api, path, name):
    assert empty_api.get(path).json() == {name: []}


def test_a_lake_that_appears_is_seen(empty_api, filled_home, tmp_path):
    import shutil

    assert empty_api.get("/bars/SPY").status_code == 404
    for part in ("duckdb", "parquet"):
        shutil.copytree(filled_home / part, tmp_path / part, dirs_exist_ok=True)

    assert empty_api.get("/bars/SPY?limit=1").status_code == 200


def test_the_openapi_names_every_timeframe(api: TestClient):
    parameters = api.get("/openapi.json").json()["paths"]["/bars/{symbol}"]["get"]["parameters"]
    timeframe = next(item for item in parameters if item["name"] == "timeframe")

    assert tuple(timeframe["schema"]["enum"]) == TIMEFRAMES


def test_numbers_come_with_all_their_digits(api):
    raw = api.get("/bars/SPY?limit=1&columns=close").content

    assert orjson.loads(raw)["bars"] == [{"close": 489.0}]
