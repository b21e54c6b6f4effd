"""What calendar, clock and assets promise."""

from datetime import UTC, datetime

import pytest

from sandbox.control import Control


def test_the_calendar_lists_sessions_with_early_closes(client):
    rows = client.get("/v2/calendar", start="2024-11-27", end="2024-12-02").json()

    assert [row["date"] for row in rows] == ["2024-11-27", "2024-11-29", "2024-12-02"]
    assert rows[0] == {
        "date": "2024-11-27",
        "open": "09:30",
        "close": "16:00",
        "session_open": "0400",
        "session_close": "2000",
        "settlement_date": "2024-11-29",
    }
    assert rows[1]["close"] == "13:00"
    assert rows[1]["session_close"] == "1700"


def test_the_calendar_reaches_from_1970_to_2029(client):
    rows = client.get("/v2/calendar").json()

    assert rows[0]["date"] == "1970-01-02"
    assert rows[-1]["date"] == "2029-12-31"


@pytest.mark.parametrize(("year", "sessions"), [(2013, 252), (2016, 252), (2023, 250), (2024, 252)])
def test_a_year_has_as_many_sessions_as_the_exchange_held(client, year, sessions):
    rows = client.get("/v2/calendar", start=f"{year}-01-01", end=f"{year}-12-31").json()

    assert len(rows) == sessions


@pytest.mark.parametrize(
    ("now", "is_open", "next_open", "next_close"),
    [
        ("2024-11-29T14:29:59", False, "2024-11-29T09:30:00-05:00", "2024-11-29T13:00:00-05:00"),
        ("2024-11-29T14:30:00", True, "2024-12-02T09:30:00-05:00", "2024-11-29T13:00:00-05:00"),
        ("2024-11-29T18:00:00", False, "2024-12-02T09:30:00-05:00", "2024-12-02T16:00:00-05:00"),
        ("2024-11-01T21:00:00", False, "2024-11-04T09:30:00-05:00", "2024-11-04T16:00:00-05:00"),
    ],
)
def test_the_clock_knows_half_days_and_weekends(now, is_open, next_open, next_close):
    from sandbox.calendar import nyse
    from sandbox.trading_routes import clock_facts

    facts = clock_facts(nyse(), datetime.fromisoformat(now).replace(tzinfo=UTC).timestamp())

    assert facts["is_open"] is is_open
    assert (facts["next_open"], facts["next_close"]) == (next_open, next_close)


def test_the_clock_stands_where_it_was_set(client):
    facts = client.get("/v2/clock").json()

    assert facts["timestamp"] == "2024-12-03T10:00:00-05:00"
    assert facts["is_open"] is True


def test_assets_are_the_symbols_that_are_served(client):
    assets = client.get("/v2/assets", status="active").json()

    symbols = ["AAPL", "GOOGL", "IBM", "LATE", "MSFT", "NEWN", "QQQ", "SPLT", "SPY", "THIN"]
    assert [asset["symbol"] for asset in assets] == symbols
    assert client.get(f"/v2/assets/{assets[0]['id']}").json() == assets[0]
    assert [a["symbol"] for a in client.get("/v2/assets", exchange="ARCA").json()] == ["SPY"]


def test_an_asset_that_was_delisted_is_inactive_and_listed_without_a_status(client):
    (gone,) = client.get("/v2/assets", status="inactive").json()

    assert (gone["symbol"], gone["tradable"]) == ("GONE", False)
    assert gone in client.get("/v2/assets").json()
    assert client.bars("GONE", "2024-06-28", "2024-12-01", timeframe="1Day", feed="iex") != []
    assert client.bars("GONE", "2024-07-01", "2024-12-01", timeframe="1Day") == []


def test_assets_follow_the_clock_through_listing_renaming_and_delisting(open_sandbox):
    client = open_sandbox(now=datetime(2023, 5, 31, 15, tzinfo=UTC))
    before = {asset["symbol"]: asset for asset in client.get("/v2/assets").json()}
    Control(client.url).set_clock(now=datetime(2024, 9, 3, 15, tzinfo=UTC))
    after = {asset["symbol"]: asset for asset in client.get("/v2/assets").json()}

    assert "LATE" not in before
    assert before["GONE"]["status"] == "active"
    assert "NEWN" not in before
    assert before["OLDN"]["id"] == after["NEWN"]["id"]
    assert "OLDN" not in after


def test_an_unknown_asset_is_a_404_with_alpacas_code(client):
    reply = client.get("/v2/assets/NOPE")

    assert reply.status_code == 404
    assert reply.json()["code"] == 40410000
