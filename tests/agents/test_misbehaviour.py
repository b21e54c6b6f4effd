"""Whatever a provider does, the lake ends as a perfect client's would: told by the sandbox's truth."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest

import lake
from agents import backfill
from agents.sources import ProviderRefusedError
from agents.sources.alpaca import Account, AlpacaSource
from lake.errors import TransientError
from lake.journal import Journal
from lake.journal.budget import SharedBudget
from sandbox.config import SandboxConfig
from sandbox.control import Control
from sandbox.faults import BAR_FAULTS, REQUEST_FAULTS
from sandbox.serve import running

NOW = datetime(2024, 11, 8, 22, 0, tzinfo=UTC)
WEEK = (date(2024, 11, 4), date(2024, 11, 8))
SYMBOLS = ("QQQ", "SPY", "THIN")
FIELDS = ["t", "o", "h", "l", "c", "v", "n", "vw"]
VALUES = ["timestamp", "open", "high", "low", "close", "volume", "trade_count", "vwap"]
#: Refused for good: nothing is asked again.
FATAL = {"reject_keys"}
#: What the bar faults that break a rule break, by the sentence in quarantine.
RULES = {
    "null_price": "prices are finite",
    "text_price": "prices are finite",
    "nan_price": "prices are finite",
    "low_above_high": "low is not above high",
    "negative_volume": "volume is not negative",
    "zero_price": "prices are positive",
    "misaligned": "the bar opens on a whole minute",
}


@pytest.fixture(scope="module")
def url():
    with running(SandboxConfig(now=NOW, late_trades=0)) as address:
        yield address


@pytest.fixture
def control(url):
    control = Control(url)
    yield control
    control.set_faults({})
    control.set_clock(now=NOW)


@pytest.fixture
def source(url, tmp_path, monkeypatch):
    monkeypatch.setattr("agents.sources.alpaca._PAGE_BARS", 1000)
    monkeypatch.setattr("agents.sources.http.READ_SECONDS", 0.5)
    monkeypatch.setattr("agents.sources.http.REQUEST_SECONDS", 1.0)
    monkeypatch.setattr("agents.sources.http.LONGEST_BACKOFF", 0.1)
    account = Account("sandbox:iex", "iex", url, url, "k", "s")
    with Journal.open(tmp_path / "journal") as journal:
        yield AlpacaSource(
            account, budgets=lambda name, believed: SharedBudget(journal, name, believed)
        )


def bring(store, source, **options):
    """As a worker does: what did not work for now is tried again."""
    for _ in range(20):
        try:
            return backfill.run(store, source, SYMBOLS, WEEK, **{"now": NOW, **options})
        except TransientError:
            continue
    pytest.fail("it never came to an end")


def truth(control, symbol, **options):
    told = control.truth(symbol, feed="iex", **options)["bars"]
    frame = pl.DataFrame(told, schema=dict.fromkeys(FIELDS, pl.String) | {}, strict=False)
    return frame.select(
        pl.col("t").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC"),
        *(pl.col(name).cast(pl.Int64 if name == "n" else pl.Float64) for name in FIELDS[1:]),
    ).rename(dict(zip(FIELDS, VALUES, strict=True)))


def check(store, control, **options):
    low, high = lake.sessions.midnight(WEEK[0]), NOW - timedelta(minutes=2)
    for symbol in SYMBOLS:
        held = store.bars(symbol, source="sandbox:iex", columns=VALUES, **options)
        told = truth(control, symbol, start=low).filter(pl.col("timestamp") < high)
        assert held.equals(told), symbol
        assert store.gaps(symbol, *WEEK, source="sandbox:iex").is_empty()
    assert not [one for one in control.requests() if one["early"]]


@pytest.mark.parametrize("fault", sorted({*REQUEST_FAULTS} - FATAL))
def test_each_fault_of_a_request_is_survived(store, source, control, fault):
    control.set_faults(
        {fault: {"count": 2, "rate": 0.7, "seconds": 2, "paths": ["/v2/stocks/bars"]}}
    )
    bring(store, source)

    assert control.faults()["happened"].get(fault), "it never happened"
    check(store, control)


@pytest.mark.parametrize("seed", range(4))
def test_random_mixtures_are_survived(store, source, control, seed):
    mixed = {"rate": 0.05, "count": 3, "seconds": 2, "paths": ["/v2/stocks/bars"]}
    control.set_faults(dict.fromkeys(sorted({*REQUEST_FAULTS} - FATAL), mixed), seed=seed)
    bring(store, source)

    assert control.faults()["happened"]
    check(store, control)


def test_wrong_keys_end_the_work_at_once(store, source, control):
    control.set_faults({"reject_keys": {"count": 1, "paths": ["/v2/stocks/bars"]}})
    before = len(control.requests())
    with pytest.raises(ProviderRefusedError, match="ALPACA_API_KEY_ID"):
        backfill.run(store, source, "SPY", WEEK, now=NOW)

    asked = [one for one in control.requests()[before:] if one["path"] == "/v2/stocks/bars"]
    assert len(asked) == 1


@pytest.mark.parametrize("fault", sorted(RULES))
def test_a_bar_that_breaks_a_rule_is_put_aside_and_its_page_is_stored(
    store, source, control, fault
):
    control.set_faults({fault: {"rate": 0.01}})
    count = bring(store, source)

    rules = store.sql("SELECT DISTINCT rule FROM quarantine")["rule"].to_list()
    assert rules == [RULES[fault]]
    held = store.sql("SELECT count(*) FROM quarantine").item()
    assert count["quarantined"] == held > 0
    check(store, control)


def test_what_is_absent_but_allowed_is_null(store, source, control):
    control.set_faults({"missing_count": {"rate": 0.01}, "missing_vwap": {"rate": 0.01}})
    bring(store, source)

    bars = store.bars("SPY", source="sandbox:iex")
    assert bars["trade_count"].null_count() > 0
    assert bars["vwap"].null_count() > 0
    assert store.sql("SELECT count(*) FROM quarantine").item() == 0


def test_bars_that_nobody_asked_for_are_put_aside(store, source, control):
    control.set_faults({"outside_bar": {"rate": 1}, "future_bar": {"rate": 0.5}})
    bring(store, source)

    rules = store.sql("SELECT DISTINCT rule FROM quarantine")["rule"].to_list()
    assert rules == ["the bar was asked for"]
    check(store, control)


def test_late_bars_and_corrections_arrive_with_a_second_look(store, source, control):
    late = {"rate": 0.05, "at": (NOW + timedelta(days=2)).timestamp()}
    control.set_faults({"late_bar": late, "late_correction": late})
    bring(store, source)
    first = {symbol: store.bars(symbol, source="sandbox:iex") for symbol in SYMBOLS}
    known = store.sql("SELECT max(recorded_at) FROM changes").item()
    check(store, control)

    control.set_clock(now=NOW + timedelta(days=3))
    count = bring(store, source, again=True)

    assert count["new"] > 0
    assert count["corrected"] > 0
    check(store, control)
    for symbol, bars in first.items():  # and what was known then is not forgotten
        assert store.bars(symbol, source="sandbox:iex", as_of=known).equals(bars)


def test_every_fault_of_a_bar_is_met_by_a_test():
    met = {*RULES, "missing_count", "missing_vwap", "late_bar", "late_correction"}
    holes = {"hole", "halt"}  # what is not there: tests/agents/test_gaps.py
    assert {*BAR_FAULTS} == met | holes


def test_requests_come_in_the_order_of_the_plan(store, source, control):
    before = len(control.requests())
    backfill.run(store, source, SYMBOLS, (date(2023, 12, 27), date(2024, 1, 3)), now=NOW)

    asked = [one for one in control.requests()[before:] if one["path"] == "/v2/stocks/bars"]
    starts = [one["query"]["start"] for one in asked]
    assert all(later <= earlier for earlier, later in pairwise(starts))
