"""What a strategy's rows promise to the bars that are traded: none is heard before it is known."""

from datetime import date, timedelta

import polars as pl
import pytest

import lake
from lake import sessions
from lake.models import models
from simulation_service.hearing import known_at
from simulation_service.market import Market
from simulation_service.simulation import simulate
from tests.feature_service.walks import put, random_walk
from tests.strategy_service.markets import bars_of
from training_service.training import train

MINUTES = {"1min": 1, "5min": 5, "30min": 30, "1h": 60, "4h": 240}
FRAMES = (*MINUTES, "1d", "1week")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with lake.open(tmp_path_factory.mktemp("frames"), create=True) as opened:
        put(opened, random_walk("SPY", date(2024, 6, 24), date(2024, 7, 12), absent=0.1))
        yield opened


@pytest.mark.parametrize("frame", FRAMES)
def test_each_row_is_heard_once_at_the_last_bar_it_is_made_of(store, frame):
    """Against the lake: a row's close is the close of the minute at which it is heard."""
    minutes = store.bars("SPY", regular_only=True)
    rows = store.bars("SPY", timeframe=frame, regular_only=True)
    at = known_at(Market.of("SPY", minutes), rows, frame)

    heard = minutes.with_columns(row=pl.Series(at)).filter(pl.col("row") >= 0)
    assert heard["row"].to_list() == list(range(rows.height))
    assert heard["close"].to_list() == rows["close"].to_list()
    if frame in MINUTES:
        width = timedelta(minutes=MINUTES[frame])
        opened = rows["timestamp"].gather(heard["row"])
        assert ((heard["timestamp"] >= opened) & (heard["timestamp"] < opened + width)).all()


def test_rows_before_the_market_begins_are_not_heard():
    bars = bars_of([10.0] * 90)
    late = Market.of("SPY", bars.tail(45))
    hours = pl.DataFrame(
        {"timestamp": [bars["timestamp"][0] - timedelta(days=3), bars["timestamp"][0]],
         "session_date": [bars["session_date"][0] - timedelta(days=3), bars["session_date"][0]]},
        schema_overrides={"timestamp": pl.Datetime("us", "UTC")},
    )  # fmt: skip

    assert known_at(late, hours, "1h").tolist()[:15] == [-1] * 14 + [1]
    assert known_at(late, hours, "1d").tolist() == [-1] * 44 + [1]


def test_a_model_of_hours_trades_when_the_hour_is_over(store):
    """Its orders are decided at the last traded minute of an hour, never at its first."""
    made = train(store, ["SPY"], "core_1h", label="direction_1", model="hist_gradient_boosting")
    (real,) = simulate(store, made.model_id, "realistic")
    decided = store.sql(
        "SELECT decided_at FROM simulation_orders WHERE simulation_id = ?", [real.simulation_id]
    )["decided_at"]

    opens = dict(
        sessions.schedule(date(2024, 6, 24), date(2024, 7, 12))
        .select("session_date", "open")
        .iter_rows()
    )
    assert models(store).height == 1
    assert len(decided) > 0
    for moment in decided:
        minute = (moment - opens[moment.date()]).total_seconds() / 60
        assert minute % 60 > 45, moment
