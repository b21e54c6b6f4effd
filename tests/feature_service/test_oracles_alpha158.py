"""The factors of Alpha158 agree with Qlib's operators, spelled out in pandas, and depart from them where we say so."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from feature_service import catalog, engine, sets

from .oracles import covers

FEATURES = sets.feature_set("alpha158").features
NAMES = [feature.name for feature in FEATURES]
WIDTHS = (5, 10, 20, 30, 60)
# Qlib adds 1e-12 to divisors that can be zero; pandas carries rounding from window to window.
TOLERANCE = {"rtol": 1e-7, "atol": 1e-9}

covers(NAMES)


def daily(seed: int, rows: int = 260) -> pl.DataFrame:
    """Days with gaps, a price near 20 dollars in cents that often stands still, volumes that repeat."""
    rng = np.random.default_rng(seed)
    calm = rng.random(rows) < np.where(np.arange(rows) % 100 < 30, 0.97, 0.2)
    steps = rng.integers(-60, 61, rows) * ~calm
    close = np.maximum(2000 + steps.cumsum(), 100) / 100
    opening = close + rng.integers(-20, 21, rows) * (rng.random(rows) < 0.7) / 100
    high = np.maximum(opening, close) + rng.integers(0, 15, rows) * (rng.random(rows) < 0.7) / 100
    low = np.minimum(opening, close) - rng.integers(0, 15, rows) * (rng.random(rows) < 0.7) / 100
    kept = np.flatnonzero(rng.random(2 * rows) < 0.9)[:rows]
    days = [date(2015, 1, 1) + timedelta(days=int(day)) for day in kept]
    return pl.DataFrame(
        {
            "timestamp": pl.Series(days).cast(pl.Datetime("us", "UTC")),
            "session_date": days,
            "open": opening,
            "high": high,
            "low": low,
            "close": close,
            "volume": 100.0 * rng.integers(1, 1000, rows) ** (rng.random(rows) < 0.6),
            "vwap": (opening + high + low + close) / 4,
        }
    )


def of_qlib(bars: pl.DataFrame) -> dict[str, pd.Series]:
    """All 158 by Qlib's expressions; windows count the bars that are there."""
    opening, high, low, close, volume, vwap = (
        pd.Series(bars[name].to_numpy())
        for name in ("open", "high", "low", "close", "volume", "vwap")
    )
    span = high - low + 1e-12
    top, bottom = np.maximum(opening, close), np.minimum(opening, close)
    found = {
        "kmid": (close - opening) / opening,
        "klen": (high - low) / opening,
        "kmid2": (close - opening) / span,
        "kup": (high - top) / opening,
        "kup2": (high - top) / span,
        "klow": (bottom - low) / opening,
        "klow2": (bottom - low) / span,
        "ksft": (2 * close - high - low) / opening,
        "ksft2": (2 * close - high - low) / span,
        "open0": opening / close,
        "high0": high / close,
        "low0": low / close,
        "vwap0": vwap / close,
    }
    for width in WIDTHS:
        by_width = {
            **trends(close, width),
            **extremes(high, low, close, width),
            **moves(close, volume, width),
            **volumes(close, volume, width),
        }
        found |= {f"{name}_{width}": values for name, values in by_width.items()}
    return {f"a158_{name}": values for name, values in found.items()}


def rolled(values: pd.Series, width: int):
    return values.rolling(width, min_periods=1)


def deviation(values: pd.Series, width: int) -> pd.Series:
    """Of a sample; window by window, for pandas' own keeps a residue of earlier ones."""
    return rolled(values, width).apply(
        lambda window: window.std(ddof=1) if len(window) > 1 else np.nan, raw=True
    )


def line(values: np.ndarray) -> tuple[float, float, float]:
    """Slope, share of the variance explained, and distance of the last value, by least squares."""
    if len(values) < 2:
        return np.nan, np.nan, np.nan
    at = np.arange(len(values))
    around, away = at - at.mean(), values - values.mean()
    slope = (around @ away) / (around @ around)
    start = values.mean() - slope * at.mean()
    explained = slope * (around @ away) / (away @ away) if np.ptp(values) else np.nan
    return slope, explained, values[-1] - (start + slope * at[-1])


def trends(close, width):
    own = rolled(close, width)
    lines = [line(close.to_numpy()[max(end - width, 0) : end]) for end in range(1, len(close) + 1)]
    slope, explained, residual = (pd.Series(part) for part in zip(*lines, strict=True))
    return {
        "roc": close.shift(width) / close,
        "ma": own.mean() / close,
        "std": deviation(close, width) / close,
        "beta": slope / close,
        "rsqr": explained.where(deviation(close, width) > 2e-5),
        "resi": residual / close,
        "qtlu": own.quantile(0.8) / close,
        "qtld": own.quantile(0.2) / close,
        "rank": own.rank(pct=True),  # the average of equals
    }


def extremes(high, low, close, width):
    top, bottom = rolled(high, width).max(), rolled(low, width).min()
    at_top = rolled(high, width).apply(lambda window: window.argmax() + 1, raw=True)
    at_bottom = rolled(low, width).apply(lambda window: window.argmin() + 1, raw=True)
    return {
        "max": top / close,
        "min": bottom / close,
        "rsv": (close - bottom) / (top - bottom + 1e-12),
        "imax": at_top / width,
        "imin": at_bottom / width,
        "imxd": (at_top - at_bottom) / width,
    }


def moves(close, volume, width):
    before = close.shift(1)
    risen, fallen = (
        rolled(one.astype(float), width).mean() for one in (close > before, close < before)
    )
    found = {"cntp": risen, "cntn": fallen, "cntd": risen - fallen}
    for prefix, values in (("", close), ("v", volume)):
        move = values - values.shift(1)
        gained = rolled(np.maximum(move, 0), width).sum()
        lost = rolled(np.maximum(-move, 0), width).sum()
        total = rolled(move.abs(), width).sum() + 1e-12
        found[f"{prefix}sump"] = gained / total
        found[f"{prefix}sumn"] = lost / total
        found[f"{prefix}sumd"] = (gained - lost) / total
    return found


def volumes(close, volume, width):
    ratio, change = close / close.shift(1), np.log(volume / volume.shift(1) + 1)
    weighted = (ratio - 1).abs() * volume
    own = rolled(volume, width)
    return {
        "corr": correlation(close, np.log(volume + 1), width),
        "cord": correlation(ratio, change, width),
        "vma": own.mean() / (volume + 1e-12),
        "vstd": deviation(volume, width) / (volume + 1e-12),
        "wvma": deviation(weighted[1:], width) / (rolled(weighted, width).mean() + 1e-12),
    }


def correlation(left, right, width):
    """Window by window: pandas' own loses all its digits after a jump."""
    found = []
    for end in range(1, len(left) + 1):
        part = np.array([left[max(end - width, 0) : end], right[max(end - width, 0) : end]])
        part = part[:, np.isfinite(part).all(axis=0)]
        moved = part.shape[1] > 1 and (part.std(axis=1, ddof=1) > 2e-5).all()
        found.append(np.corrcoef(part)[0, 1] if moved else np.nan)
    return pd.Series(found)


@pytest.fixture(scope="module", params=[1, 2])
def both(request):
    bars = daily(request.param)
    wide = engine.compute(bars.lazy(), FEATURES).collect()
    return wide, of_qlib(bars)


def test_there_are_158():
    assert len(NAMES) == len(set(NAMES)) == 158


@pytest.mark.parametrize("name", NAMES)
def test_qlibs_definitions_agree(both, name):
    wide, expected = both

    np.testing.assert_allclose(
        wide[name].fill_null(np.nan).to_numpy(), expected[name].to_numpy(), **TOLERANCE
    )


@pytest.mark.parametrize("piece_rows", [100, 65_536])
def test_many_symbols_below_one_another_have_the_bits_of_each_alone(piece_rows):
    lengths = (260, 1, 7, 59, 60, 61, 130)
    parts = [
        daily(seed, rows).insert_column(0, pl.lit(f"S{seed}").alias("symbol"))
        for seed, rows in enumerate(lengths)
    ]
    wanted = [*catalog.chosen(["rsi_14", "sma_5"]), *FEATURES]
    wide = engine.compute_panel(pl.concat(parts), wanted, piece_rows=piece_rows)
    alone = [engine.compute(part.lazy(), wanted).collect() for part in parts]

    assert_frame_equal(wide, pl.concat(alone), check_exact=True)


@pytest.mark.parametrize("start", [60, 1_000, 1_500])
def test_a_long_history_has_the_bits_of_its_parts(start):
    bars = daily(5, 2_300)
    whole = engine.compute(bars.lazy(), FEATURES).collect()
    part = engine.compute(bars.slice(start).lazy(), FEATURES).collect()

    assert_frame_equal(part.slice(60), whole.slice(start + 60), check_exact=True)


def test_a_panel_of_no_bars_has_the_columns():
    none = daily(1).insert_column(0, pl.lit("S").alias("symbol")).head(0)
    wanted = [*catalog.chosen(["sma_5"]), *FEATURES]

    assert engine.compute_panel(none, wanted).columns == [*none.columns, "sma_5", *NAMES]


def test_a_bar_without_volume_has_no_share_of_it_and_none_after_it_has_a_ratio():
    bars = daily(3).with_columns(
        pl.when(pl.int_range(pl.len()) == 60).then(0.0).otherwise("volume").alias("volume")
    )
    wide = engine.compute(bars.lazy(), FEATURES).collect()

    assert wide["a158_vma_5"][59:62].is_null().to_list() == [False, True, False]
    assert wide["a158_cord_5"][60:67].is_null().to_list() == [False, *[True] * 5, False]


def test_moves_below_qlibs_threshold_are_moves():
    bars = daily(4).with_columns(pl.col("open", "high", "low", "close", "vwap") * 2.0**-20)
    wide = engine.compute(bars.lazy(), FEATURES).collect()

    assert bars["close"].std() < 2e-5
    assert wide["a158_rsqr_5"].null_count() < bars.height / 2
