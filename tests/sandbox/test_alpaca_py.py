"""What the real client sees: alpaca-py works against the sandbox as against Alpaca."""

import warnings
from contextlib import contextmanager
from datetime import UTC, date, datetime

import pytest

with warnings.catch_warnings():  # alpaca-py imports the deprecated half of websockets
    warnings.simplefilter("ignore", DeprecationWarning)
    from alpaca.common.exceptions import APIError
    from alpaca.data.enums import Adjustment, CorporateActionsType, DataFeed
    from alpaca.data.historical import StockHistoricalDataClient
    from alpaca.data.historical.corporate_actions import CorporateActionsClient
    from alpaca.data.requests import (
        CorporateActionsRequest,
        StockBarsRequest,
        StockLatestBarRequest,
    )
    from alpaca.data.timeframe import TimeFrame, TimeFrameUnit
    from alpaca.trading.client import TradingClient
    from alpaca.trading.requests import GetAssetsRequest, GetCalendarRequest

from sandbox.config import SandboxConfig
from sandbox.control import Control
from sandbox.serve import running

NOW = datetime(2024, 12, 3, 15, 0, tzinfo=UTC)
START, END = datetime(2024, 11, 18, tzinfo=UTC), datetime(2024, 11, 30, tzinfo=UTC)


@contextmanager
def connect(kind, url, **options):
    client = kind("key", "secret", url_override=url, **options)
    try:
        yield client
    finally:
        client._session.close()


@pytest.fixture
def data(sandbox_url):
    with connect(StockHistoricalDataClient, sandbox_url) as client:
        yield client


@pytest.fixture(scope="module")
def misbehaving():
    with running(SandboxConfig(now=NOW)) as url:
        yield url


def request(symbols, timeframe=TimeFrame.Minute, **options):
    return StockBarsRequest(
        symbol_or_symbols=symbols, timeframe=timeframe, start=START, end=END, **options
    )


def test_bars_of_many_pages_become_models(data, client):
    bars = data.get_stock_bars(request(["SPY", "QQQ"], feed=DataFeed.SIP)).data

    assert set(bars) == {"SPY", "QQQ"}
    served = client.bars("SPY", START.isoformat(), END.isoformat())
    assert len(bars["SPY"]) == len(served) > 8000
    assert bars["SPY"][0].timestamp == datetime(2024, 11, 18, 9, 0, tzinfo=UTC)
    assert [bar.close for bar in bars["SPY"]] == [bar["c"] for bar in served]


def test_raw_data_is_the_json(sandbox_url, client):
    with connect(StockHistoricalDataClient, sandbox_url, raw_data=True) as raw:
        bars = raw.get_stock_bars(request("THIN", feed=DataFeed.IEX))

    assert bars["THIN"] == client.bars("THIN", START.isoformat(), END.isoformat(), feed="iex")


def test_a_limit_is_the_total_over_pages(data):
    assert len(data.get_stock_bars(request("SPY", limit=123)).data["SPY"]) == 123


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # alpaca-py beside pandas 3
def test_a_data_frame_has_the_columns_users_know(data):
    frame = data.get_stock_bars(request("IBM", TimeFrame.Day)).df

    assert list(frame.columns) == ["open", "high", "low", "close", "volume", "trade_count", "vwap"]
    assert len(frame) == 9  # sessions, with Thanksgiving between


def test_timeframes_and_adjustments_are_understood(data):
    quarters = request("SPLT", TimeFrame(15, TimeFrameUnit.Minute), adjustment=Adjustment.SPLIT)

    assert len(data.get_stock_bars(quarters).data["SPLT"]) > 400
    months = request("SPY", TimeFrame(1, TimeFrameUnit.Month))
    assert data.get_stock_bars(months).data == {}  # November began before


def test_an_unknown_symbol_is_no_error(data):
    assert data.get_stock_bars(request("NOPE")).data == {}


def test_the_latest_bar_is_a_model(data):
    latest = data.get_stock_latest_bar(StockLatestBarRequest(symbol_or_symbols="SPY"))

    assert latest["SPY"].timestamp == datetime(2024, 12, 3, 14, 59, tzinfo=UTC)


def test_basic_auth_and_a_token_work_too(sandbox_url):
    with connect(StockHistoricalDataClient, sandbox_url, use_basic_auth=True) as basic:
        assert basic.get_stock_bars(request("SPY", limit=1)).data["SPY"]
    token = StockHistoricalDataClient(oauth_token="token", url_override=sandbox_url)
    assert token.get_stock_bars(request("SPY", limit=1)).data["SPY"]
    token._session.close()


def test_a_refusal_is_an_api_error_with_code_and_message(open_sandbox):
    url = open_sandbox(key="right", secret="pair").url
    with connect(StockHistoricalDataClient, url) as wrong, pytest.raises(APIError) as refused:
        wrong.get_stock_bars(request("SPY"))

    assert refused.value.status_code == 403
    assert refused.value.code == 40110000
    assert "access key" in refused.value.message


#: What alpaca-py 0.44 is known to do: it repeats 429 and 504 alone, and nothing else survives.
REACTIONS = {
    "http_504": None,
    "http_500": APIError,
    "http_502": APIError,
    "http_503": APIError,
    "cut_json": ValueError,
    "empty_body": TypeError,
    "null_bars": AttributeError,
    "reset": OSError,
    "reset_inside": OSError,
    "cut_body": OSError,
}


@pytest.mark.parametrize("fault", REACTIONS)
def test_alpaca_py_meets_each_fault_as_it_meets_alpacas(misbehaving, fault):
    Control(misbehaving).set_faults({fault: {"rate": 1, "count": 1}})
    with connect(StockHistoricalDataClient, misbehaving) as client:
        client._retry_wait = 0
        if REACTIONS[fault]:
            with pytest.raises(REACTIONS[fault]):
                client.get_stock_bars(request("SPY", limit=10))
        assert len(client.get_stock_bars(request("SPY", limit=10)).data["SPY"]) == 10

    assert Control(misbehaving).faults()["happened"] == {fault: 1}


@pytest.mark.parametrize("rule", ["null_price", "missing_count", "missing_vwap", "text_price"])
def test_alpaca_pys_models_refuse_a_malformed_bar_and_its_raw_data_has_it(misbehaving, rule):
    Control(misbehaving).set_faults({rule: {"rate": 0.1}})
    with (
        connect(StockHistoricalDataClient, misbehaving) as client,
        pytest.raises(ValueError, match="validation error"),
    ):
        client.get_stock_bars(request("SPY", limit=100))
    with connect(StockHistoricalDataClient, misbehaving, raw_data=True) as raw:
        assert len(raw.get_stock_bars(request("SPY", limit=100))["SPY"]) == 100


def test_corporate_actions_become_models(sandbox_url):
    asked = CorporateActionsRequest(
        symbols=["SPLT", "IBM"],
        types=[CorporateActionsType.FORWARD_SPLIT, CorporateActionsType.CASH_DIVIDEND],
        start=date(2024, 1, 1),
        end=date(2024, 12, 31),
        limit=None,
    )
    with connect(CorporateActionsClient, sandbox_url) as client:
        found = client.get_corporate_actions(asked).data

    assert found["forward_splits"][0].ex_date == date(2024, 10, 15)
    assert found["forward_splits"][0].new_rate == 4
    assert {dividend.symbol for dividend in found["cash_dividends"]} == {"IBM"}


def test_every_type_of_action_that_alpaca_py_knows_becomes_a_model(sandbox_url):
    asked = CorporateActionsRequest(start=date(2023, 1, 1), end=date(2024, 12, 3), limit=None)
    with connect(CorporateActionsClient, sandbox_url) as client:
        found = client.get_corporate_actions(asked).data

    assert len(found) == 13  # of Alpaca's 15
    assert len(found["cash_dividends"]) > 250


def test_calendar_clock_and_assets_become_models(sandbox_url):
    with connect(TradingClient, sandbox_url) as trading:
        days = trading.get_calendar(
            GetCalendarRequest(start=date(2024, 11, 28), end=date(2024, 12, 2))
        )
        clock = trading.get_clock()
        assets = trading.get_all_assets(GetAssetsRequest())
        spy = trading.get_asset("SPY")
        with pytest.raises(APIError) as missing:
            trading.get_asset("NOPE")

    assert [day.date for day in days] == [date(2024, 11, 29), date(2024, 12, 2)]
    assert days[0].close == datetime(2024, 11, 29, 13, 0)  # noqa: DTZ001 - alpaca-py's are naive
    assert clock.is_open
    assert spy in assets
    assert (missing.value.status_code, missing.value.code) == (404, 40410000)
