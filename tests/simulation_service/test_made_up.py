"""What the year that is made up promises: bars as a market's, the same on every machine."""

import numpy as np
import polars as pl

from lake import sessions
from simulation_service import made_up
from simulation_service.market import COLUMNS, Market


def test_the_numbers_are_those_of_splitmix64():
    # The first five of the seed 1234567, as the algorithm's description on Rosetta Code lists them.
    whole = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]

    assert made_up.drawn(5, 1234567).tolist() == [(one >> 11) / 2**53 for one in whole]


def test_every_minute_of_every_session_has_a_bar():
    bars = made_up.year()
    days = sessions.schedule(bars["session_date"][0], bars["session_date"][-1])
    found = bars.group_by("session_date", maintain_order=True).agg(
        pl.col("timestamp").first().alias("first"),
        pl.col("timestamp").last().alias("last"),
        pl.len().cast(pl.Int64).alias("minutes"),
    )

    assert found["session_date"].to_list() == days["session_date"].to_list()
    assert found["first"].to_list() == days["open"].to_list()
    assert (days["close"] - found["last"]).dt.total_minutes().to_list() == [1] * days.height
    assert found["minutes"].to_list() == (days["close"] - days["open"]).dt.total_minutes().to_list()


def test_prices_are_cents_within_their_bar_and_shares_are_whole():
    bars = made_up.year()
    prices = bars.select("open", "high", "low", "close")

    assert (bars["high"] >= bars.select(pl.max_horizontal("open", "close")).to_series()).all()
    assert (bars["low"] <= bars.select(pl.min_horizontal("open", "close")).to_series()).all()
    assert prices.to_numpy().min() > 0
    assert (prices.to_numpy() == np.round(prices.to_numpy(), 2)).all()
    assert (bars["volume"] == bars["volume"].floor()).all()
    assert bars["volume"].min() > 0


def test_stretches_trend_keep_their_level_and_gap_as_they_say():
    bars = made_up.year()
    days = bars.group_by("session_date", maintain_order=True).agg(
        pl.col("open").first(), pl.col("close").last()
    )
    parts = np.array_split(np.arange(days.height), len(made_up.STRETCHES))
    went, gapped = {}, {}
    for stretch, rows in zip(made_up.STRETCHES, parts, strict=True):
        closes, opens = days["close"].to_numpy()[rows], days["open"].to_numpy()[rows]
        went[stretch.name] = abs(np.log(closes[-1] / closes[0]))
        gapped[stretch.name] = np.abs(opens[1:] / closes[:-1] - 1).max()

    assert went["a range"] < 0.01
    assert went["a range, and calm"] < 0.01
    assert went["rising"] > 0.05
    assert 0.008 < gapped["gaps that go on"] <= 0.0121
    assert gapped["a range"] < 0.0005


def test_a_market_takes_them():
    market = Market.of(made_up.SYMBOL, made_up.year())

    assert market.bars.columns == list(COLUMNS)
    assert market.content_hash == Market.of(made_up.SYMBOL, made_up.year()).content_hash
