"""What fetching daily bars promises: the provider's own, once over, and apart from the minutes."""

import warnings
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

import lake
from agents import backfill
from agents.sources.alpaca import Account, AlpacaSource
from lake.verify import verify
from sandbox.config import SandboxConfig
from sandbox.serve import running

with warnings.catch_warnings():  # alpaca-py imports the deprecated half of websockets
    warnings.simplefilter("ignore", DeprecationWarning)
    from alpaca.data.historical import StockHistoricalDataClient
    from alpaca.data.requests import StockBarsRequest
    from alpaca.data.timeframe import TimeFrame

NEW_YORK = ZoneInfo("America/New_York")
#: A Friday at 21:30 in New York: the day is over.
NOW = datetime(2024, 11, 9, 2, 30, tzinfo=UTC)
#: The clocks went back on Sunday the 3rd.
DAYS = (date(2024, 10, 31), date(2024, 11, 8))
OPENINGS = [
    *(datetime(2024, month, day, 4, tzinfo=UTC) for month, day in ((10, 31), (11, 1))),
    *(datetime(2024, 11, day, 5, tzinfo=UTC) for day in (4, 5, 6, 7, 8)),
]
REAL = Path(__file__).parents[3] / "shared" / "data" / "bars_1day"


@pytest.fixture(scope="module")
def url():
    with running(SandboxConfig(now=NOW, free_plan=True)) as address:
        yield address


def source(url, feed="sip"):
    lines: list[dict[str, object]] = []
    account = Account(f"sandbox:{feed}", feed, url, url, "k", "s")
    made = AlpacaSource(account, lambda **line: lines.append(line))
    made.lines = lines
    return made


def asked(made):
    return [line["asked"] for line in made.lines if line.get("path") == "v2/stocks/bars"]


def fetch(store, made, span=DAYS, symbol="SPY", now=NOW, **options):
    return backfill.run(store, made, symbol, span, now=now, dataset="bars_daily", **options)


def daily(store, symbol="SPY", **options):
    return store.bars(symbol, dataset="bars_daily", **options)


def test_days_on_both_sides_of_a_change_of_the_clocks_arrive_once(store, url):
    first, again = source(url), source(url)

    assert fetch(store, first)["new"] == 7
    assert fetch(store, again)["pages"] == 0
    assert again.lines == []
    assert daily(store)["timestamp"].to_list() == OPENINGS
    assert store.gaps("SPY", dataset="bars_daily").is_empty()
    assert store.coverage("SPY", dataset="bars_daily").rows() == [
        (datetime(2024, 10, 31, 4, tzinfo=UTC), datetime(2024, 11, 9, 5, tzinfo=UTC))
    ]


def test_in_spring_the_next_day_is_an_hour_nearer(store, url):
    fetch(store, source(url), (date(2024, 3, 8), date(2024, 3, 8)))
    fetch(store, source(url), (date(2024, 3, 11), date(2024, 3, 11)))

    assert daily(store)["timestamp"].to_list() == [
        datetime(2024, 3, 8, 5, tzinfo=UTC),
        datetime(2024, 3, 11, 4, tzinfo=UTC),
    ]
    assert store.gaps("SPY", dataset="bars_daily").is_empty()


def test_they_are_what_the_providers_own_client_says_and_no_roll_up_of_the_minutes(store, url):
    fetch(store, source(url))
    backfill.run(store, source(url), "SPY", DAYS, now=NOW)
    request = StockBarsRequest(
        symbol_or_symbols="SPY", timeframe=TimeFrame.Day, start=OPENINGS[0], end=OPENINGS[-1],
        feed="sip",
    )  # fmt: skip
    with closing(StockHistoricalDataClient("k", "s", url_override=url)._session) as session:
        client = StockHistoricalDataClient("k", "s", url_override=url)
        client._session = session
        said = client.get_stock_bars(request).data["SPY"]

    names = ("timestamp", "open", "high", "low", "close", "volume", "trade_count", "vwap")
    held = daily(store)
    assert held.select(names).rows() == [tuple(getattr(bar, n) for n in names) for bar in said]
    rolled = store.bars("SPY", timeframe="1d", regular_only=True)
    assert rolled.height == held.height
    assert not rolled["close"].equals(held["close"])
    assert (held["volume"] > rolled["volume"]).all()


def test_days_and_minutes_do_not_fill_each_others_coverage(store, url):
    fetch(store, source(url))
    minutes = backfill.missing(store, source(url), "SPY", DAYS, NOW)

    assert store.coverage("SPY", "sandbox:sip").is_empty()
    assert minutes == [(OPENINGS[0], NOW - timedelta(minutes=16))]
    with pytest.raises(lake.BarsMissingError):
        store.bars("SPY")

    backfill.run(store, source(url), "QQQ", (DAYS[1], DAYS[1]), now=NOW)
    days = backfill.missing(store, source(url), "QQQ", DAYS, NOW, dataset="bars_daily")
    assert days == [(OPENINGS[0], datetime(2024, 11, 9, 5, tzinfo=UTC))]
    assert store.gaps("QQQ", *DAYS, "sandbox:sip", dataset="bars_daily").height == 7
    assert store.gaps("QQQ", DAYS[1], DAYS[1]).is_empty()


def test_only_the_days_that_are_missing_are_asked_for(store, url):
    fetch(store, source(url), (date(2024, 11, 1), date(2024, 11, 4)))
    made = source(url)
    count = fetch(store, made)

    assert (count["new"], count["unchanged"]) == (5, 0)
    assert [(one["timeframe"], one["start"], one["end"]) for one in asked(made)] == [
        ("1Day", "2024-11-05T05:00:00Z", "2024-11-08T05:00:00Z"),
        ("1Day", "2024-10-31T04:00:00Z", "2024-10-31T04:00:00Z"),
    ]


@pytest.mark.parametrize(
    ("feed", "clock", "last"),
    [
        ("sip", "2024-11-08T19:59", "2024-11-07"),  # extended hours
        ("sip", "2024-11-08T20:15", "2024-11-07"),  # what the free plan does not answer yet
        ("sip", "2024-11-08T20:16", "2024-11-08"),
        ("iex", "2024-11-08T20:01", "2024-11-07"),
        ("iex", "2024-11-08T20:02", "2024-11-08"),
        ("iex", "2024-11-08T16:05", "2024-11-07"),
        ("iex", "2024-11-29T17:02", "2024-11-29"),  # a half day
        ("iex", "2024-11-29T17:01", "2024-11-28"),
        ("iex", "2024-11-10T12:00", "2024-11-09"),  # a Sunday
        ("iex", "2024-11-04T00:01", "2024-11-02"),  # not yet Monday two minutes ago
        ("iex", "2024-11-04T00:02", "2024-11-03"),
    ],
)
def test_a_day_is_final_after_its_extended_hours_and_the_plans_delay(feed, clock, last):
    now = datetime.fromisoformat(clock).replace(tzinfo=NEW_YORK)

    edge = source("http://127.0.0.1:9", feed).edge(now, "bars_daily").astimezone(NEW_YORK)

    assert edge.time() == datetime.min.time()
    assert edge.date() - timedelta(days=1) == date.fromisoformat(last)


def test_the_day_that_runs_is_left_for_later_and_comes_then(store, url):
    noon = datetime(2024, 11, 8, 17, tzinfo=UTC)
    told: list[str] = []
    span = (date(2024, 11, 7), date(2024, 11, 8))
    with (
        running(SandboxConfig(now=noon, free_plan=True)) as at_noon,
        lake.open(store.home, now=lambda: noon) as early,
    ):
        assert fetch(early, source(at_noon), span, now=noon)["new"] == 1
        today = (span[1], span[1])
        fetch(early, source(at_noon), today, now=noon, tell=lambda *said: told.append(said[2]))
        assert early.gaps("SPY", *span, dataset="bars_daily").is_empty()
    assert fetch(store, source(url), span)["new"] == 1
    assert told == ["nothing of it is final yet"]
    assert daily(store)["timestamp"].to_list() == OPENINGS[-2:]


def test_a_run_that_breaks_off_goes_on_at_its_last_page(store, url, monkeypatch):
    monkeypatch.setattr("agents.sources.alpaca._PAGE_BARS", 3)
    monkeypatch.setattr("agents.fetching._TOGETHER_SECONDS", 0)  # a commit a page
    monkeypatch.setattr("agents.pages.LAG", 1)
    tells: list[str] = []

    def stop_after_one(*facts: object) -> None:
        tells.append(facts[2])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(store, source(url), tell=stop_after_one)
    kept = daily(store)["timestamp"].to_list()
    gaps = store.gaps("SPY", *DAYS, dataset="bars_daily")
    count = fetch(store, source(url))

    assert kept == OPENINGS[:3]
    assert gaps["session_date"].to_list() == [date(2024, 11, day) for day in (5, 6, 7, 8)]
    assert gaps.columns == ["session_date", "start", "end", "minutes"]
    assert (count["new"], count["unchanged"]) == (4, 0)
    assert daily(store)["timestamp"].to_list() == OPENINGS


def frame(closes):
    """Daily bars of some days of November 2024."""
    return pl.DataFrame(
        {
            "timestamp": [datetime(2024, 11, day, 5, tzinfo=UTC) for day in closes],
            "open": 100.0,
            "high": 120.0,
            "low": 90.0,
            "close": list(closes.values()),
            "volume": 1000,
        }
    )


def test_what_the_provider_corrects_and_takes_back_becomes_revisions(store, tmp_path):
    bars = tmp_path / "bars"
    (bars / "bars_1day").mkdir(parents=True)
    minutes = frame({4: 100.0})  # a folder has minutes too
    minutes.write_parquet(bars / "SPY.parquet")
    span = (date(2024, 11, 4), date(2024, 11, 8))
    clock = [NOW]
    with lake.open(store.home, now=lambda: clock[0]) as lk:
        days = bars / "bars_1day" / "SPY.parquet"
        frame({4: 101.0, 5: 102.0, 6: 103.0, 7: 104.0, 8: 105.0}).write_parquet(days)
        with running(SandboxConfig(data=bars, now=NOW)) as url:
            first = fetch(lk, source(url), span)
        frame({4: 101.0, 5: 102.5, 7: 104.0, 8: 105.0}).write_parquet(days)
        clock[0] = NOW + timedelta(hours=1)
        with running(SandboxConfig(data=bars, now=NOW)) as url:
            plain = fetch(lk, source(url), span)
            again = fetch(lk, source(url), span, again=True)
            once_more = fetch(lk, source(url), span, again=True)

        names = ("new", "corrected", "withdrawn", "unchanged")
        assert [first[name] for name in names] == [5, 0, 0, 0]
        assert plain["pages"] == 0
        assert [again[name] for name in names] == [0, 1, 1, 3]
        assert [once_more[name] for name in names] == [0, 0, 0, 4]
        assert daily(lk)["close"].to_list() == [101.0, 102.5, 104.0, 105.0]
        assert daily(lk, as_of=NOW + timedelta(minutes=1))["close"].to_list() == [
            101.0,
            102.0,
            103.0,
            104.0,
            105.0,
        ]
        revisions = lk.revisions("SPY", dataset="bars_daily")
        assert revisions.select("kind", "close").rows() == [
            ("corrected", 102.0),
            ("withdrawn", 103.0),
        ]
        assert lk.revisions("SPY", source="sandbox:sip").is_empty()
        absent = lk.absent("SPY", dataset="bars_daily")
        assert absent.filter(pl.col("absent") > 0)["session_date"].to_list() == [date(2024, 11, 6)]
        assert verify(lk).findings == ()


def test_minutes_may_be_asked_for_again_too(store, url):
    span = (DAYS[1], DAYS[1])
    held = backfill.run(store, source(url), "SPY", span, now=NOW)["new"]
    count = backfill.run(store, source(url), "SPY", span, now=NOW, again=True)

    assert (count["new"], count["unchanged"]) == (0, held)


def test_days_nobody_traded_are_absent_and_no_gaps(store, url):
    span = (date(2023, 5, 30), date(2023, 6, 2))  # LATE is listed on June 1st
    fetch(store, source(url), span, "LATE")

    absent = store.absent("LATE", dataset="bars_daily")
    assert absent.rows() == [
        (date(2023, 5, 30), 1, 0, 1),
        (date(2023, 5, 31), 1, 0, 1),
        (date(2023, 6, 1), 1, 1, 0),
        (date(2023, 6, 2), 1, 1, 0),
    ]
    assert store.gaps("LATE", *span, dataset="bars_daily").is_empty()


@pytest.mark.skipif(not REAL.is_dir(), reason="the real daily bars of ../shared are not at hand")
def test_real_days_of_twenty_years_arrive_as_they_are(store):
    symbols, span = ["GOOG", "SPY", "TSLA"], (date(1998, 1, 2), date(2021, 3, 31))
    with running(SandboxConfig(data=REAL.parent / "bars_1min")) as url:
        for symbol in symbols:
            fetch(store, source(url), span, symbol)
            assert fetch(store, source(url), span, symbol)["pages"] == 0

    names = ["symbol", "timestamp", "session_date", "open", "high", "low", "close", "volume"]
    real = pl.concat(pl.read_parquet(REAL / f"{symbol}.parquet") for symbol in symbols)
    held = daily(store, symbols)
    expected = real.select(names).cast({"volume": pl.Float64}).sort("symbol", "timestamp")
    assert held.select(names).equals(expected)
    absent = store.absent("SPY", dataset="bars_daily").filter(pl.col("absent") > 0)
    assert absent.is_empty()
