"""What a panel promises: rows of many symbols, each as it would be alone."""

from datetime import date, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lake import Covered, Fetched
from tests.feature_service.walks import SOURCE, put, random_walk
from training_service import labels
from training_service.dataset import SymbolsError, assemble

LABEL = labels.find("direction_15")


def test_a_panel_stacks_what_each_symbol_is_alone(store):
    data = assemble(store, ["SPY", "QQQ"], "core", label=LABEL, panel=True)

    alone = [
        assemble(store, [name], "core", label=LABEL).frame.with_columns(symbol=pl.lit(name))
        for name in ("SPY", "QQQ")
    ]
    plain = pl.concat(alone).sort("timestamp", "symbol")
    assert_frame_equal(data.frame, plain, check_column_order=False)
    assert data.frame.columns[:3] == ["timestamp", "session_date", "symbol"]
    assert data.panel


def test_a_panel_lets_a_model_see_neither_the_symbol_nor_prices_that_compare_with_nothing(store):
    data = assemble(store, ["SPY", "QQQ"], "core", label=LABEL, panel=True)

    alone = assemble(store, ["SPY"], "core")
    assert list(data.columns) == [name for name in alone.columns if name != "close"]
    assert {"close", "symbol"} <= {*data.frame.columns}


def test_context_stands_beside_every_row_of_a_panel(store):
    put(store, random_walk("IWM", date(2024, 6, 24), date(2024, 7, 8), seed=5, absent=0.2))

    data = assemble(store, ["SPY", "QQQ"], "core", panel=True, context=["IWM"])

    for name in ("SPY", "QQQ"):
        alone = assemble(store, [name, "IWM"], "core").frame
        mine = data.frame.filter(pl.col("symbol") == name).drop("symbol")
        assert_frame_equal(mine, alone)
    assert "close_IWM" in data.columns
    report = data.coverage.select("primary", "symbol").rows()
    assert report == [("SPY", "SPY"), ("SPY", "IWM"), ("QQQ", "QQQ"), ("QQQ", "IWM")]


def test_the_coverage_of_a_panel_says_rows_and_losses_of_each_symbol(store):
    put(store, random_walk("IWM", date(2024, 6, 24), date(2024, 7, 8), seed=5, absent=0.2))
    put(store, random_walk("DIA", date(2024, 6, 24), date(2024, 7, 8), seed=6, absent=0.2))

    data = assemble(store, ["SPY", "QQQ"], "core", panel=True, context=["IWM", "DIA"])

    iwm, dia = (set(store.bars(name)["timestamp"]) for name in ("IWM", "DIA"))
    for name in ("SPY", "QQQ"):
        own = set(store.bars(name, regular_only=True)["timestamp"])
        report = data.coverage.filter(pl.col("primary") == name, pl.col("symbol") == name)
        told = report.row(0, named=True)
        assert told["rows"] == len(own)
        assert told["lost"] == len(own - (iwm & dia))
        assert data.frame.filter(pl.col("symbol") == name).height == told["rows"] - told["lost"]


def test_a_panel_with_other_symbols_has_another_hash(store):
    twin = random_walk("SPY", date(2024, 6, 24), date(2024, 6, 26), seed=1)
    for name in ("ONE", "TWO"):
        bars = twin.with_columns(symbol=pl.lit(name))
        end = bars["timestamp"][-1] + timedelta(minutes=1)
        store.commit_bars(Fetched(SOURCE, bars, (Covered(name, bars["timestamp"][0], end),)))
    day = {"start": "2024-06-24", "end": "2024-06-26", "panel": True}

    one, two = (assemble(store, [name, "QQQ"], "core", **day) for name in ("ONE", "TWO"))

    assert one.frame.drop("symbol").height == two.frame.drop("symbol").height
    again = assemble(store, ["ONE", "QQQ"], "core", **day)
    assert one.content_hash == again.content_hash != two.content_hash


@pytest.mark.parametrize(
    ("symbols", "asked", "match"),
    [
        (["SPY", "QQQ"], {"context": ["SPY"], "panel": True}, "names a symbol twice"),
        (["SPY"], {"context": ["QQQ"]}, "Only a panel has a context of its own"),
        (["SPY"], {"sources": {"vix": "file:cboe"}}, "A source is said for VIX, which is none of"),
        ([], {"panel": True}, "at least one symbol"),
        (["SPY", "QQQ"], {"panel": True, "start": "2025-01-02"}, "SPY has no bar in that range"),
    ],
)
def test_what_makes_no_data_set_is_a_sentence(store, symbols, asked, match):
    with pytest.raises(SymbolsError, match=match):
        assemble(store, symbols, "core", **asked)
