"""How columns are computed changes no bit of them."""

from datetime import date

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from feature_service import engine
from feature_service.sets import feature_set

from .walks import random_walk


@pytest.fixture(scope="module")
def bars() -> pl.DataFrame:
    walk = random_walk("SPY", date(2024, 6, 3), date(2024, 7, 8), seed=11)
    local = pl.col("timestamp").dt.convert_time_zone("America/New_York")
    return walk.with_columns(session_date=local.dt.date(), volume=pl.col("volume").cast(pl.Float64))


@pytest.mark.parametrize("name", ["wide", "alpha158"])
def test_one_thread_gives_the_bits_of_many(bars, monkeypatch, name):
    wanted = feature_set(name).features
    monkeypatch.setattr(engine, "_FEW", bars.height)
    alone = engine.compute(bars.lazy(), wanted).collect()
    monkeypatch.setattr(engine, "_FEW", 0)

    assert_frame_equal(engine.compute(bars.lazy(), wanted).collect(), alone, check_exact=True)
