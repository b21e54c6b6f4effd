"""How much was traded, beside what is usual."""

import numpy as np
import polars as pl

from feature_service.by_session import starts_of
from feature_service.inputs import SESSION
from feature_service.recursion import RunningSum
from feature_service.registry import feature
from feature_service.windows import Values, mapped, rolling_mean, rolling_std, window_means

_WINDOWS = [{"bars": bars} for bars in (20, 60)]


@feature(
    "volume_sma_{bars}",
    group="volume",
    unit="shares",
    source="TA-Lib SMA of the volume",
    each=_WINDOWS,
    warm_up=lambda bars: bars - 1,
)
def volume_sma(bars: int) -> pl.Expr:
    """Mean volume of the newest bars, the current one among them."""
    return rolling_mean("volume", bars)


@feature(
    "relative_volume_{bars}",
    group="volume",
    unit="1 is as usual",
    source="volume over the mean volume of the bars before it",
    each=_WINDOWS,
    warm_up=lambda bars: bars,
    null_rule="where nothing was traded in the {bars} bars before",
    null_when=lambda bars: pl.col("volume").rolling_max(bars).shift(1) == 0,
    parents=["volume_sma_{bars}"],
)
def relative_volume(bars: int) -> pl.Expr:
    """Volume over the mean of the bars before; the current bar is left out of its own mean."""
    usual = pl.col(f"volume_sma_{bars}").shift(1)
    return pl.when(usual > 0).then(pl.col("volume") / usual)


@feature(
    "volume_zscore_{bars}",
    group="volume",
    unit="standard deviations",
    source="(volume - mean) / deviation of the population",
    each=_WINDOWS,
    warm_up=lambda bars: bars - 1,
    null_rule="where {bars} bars have the same volume",
    null_when=lambda bars: pl.col("volume").rolling_max(bars) == pl.col("volume").rolling_min(bars),
    parents=["volume_sma_{bars}"],
)
def volume_zscore(bars: int) -> pl.Expr:
    """How unusual the volume is among the newest bars."""
    deviation = rolling_std("volume", bars, ddof=0)
    distance = pl.col("volume") - pl.col(f"volume_sma_{bars}")
    return pl.when(deviation > 0).then(distance / deviation)


@feature(
    "_minute_volume_{sessions}",
    group="volume",
    unit="shares",
    source="mean volume of the bars of the same minute",
    each=[{"sessions": 20}],
    sessions=lambda sessions: sessions,
    null_rule="in the first {sessions} sessions",
    null_when=lambda sessions: pl.col(SESSION) < sessions,
    intraday=True,
)
def minute_volume(sessions: int) -> pl.Expr:
    """Mean volume of the same New York minute in the sessions before; 0 where none of them has such a bar."""

    def usual(numbers: Values, minutes: Values, volume: Values) -> Values:
        if len(numbers) == 0:
            return volume
        starts = starts_of(numbers)
        row = np.repeat(np.arange(len(starts)), np.diff([*starts, len(numbers)]))
        if len(starts) <= sessions:
            return np.full(len(volume), np.nan)
        column = (minutes - minutes.min()).astype(np.intp)
        traded, present = np.zeros((2, len(starts), column.max() + 1))
        traded[row, column], present[row, column] = volume, 1.0
        # Row i is about the sessions from i on; the last one has none after it that asks.
        total, count = window_means(traded[:-1], sessions), window_means(present[:-1], sessions)
        means = np.divide(total, count, out=np.zeros_like(total), where=count > 0)
        found = np.full(len(volume), np.nan)
        old = starts[sessions]
        found[old:] = means[row[old:] - sessions, column[old:]]
        return found

    local = pl.col("timestamp").dt.convert_time_zone("America/New_York")
    minute = local.dt.hour().cast(pl.Int32) * 60 + local.dt.minute()
    return mapped(usual, SESSION, minute, "volume")


@feature(
    "relative_volume_minute_{sessions}",
    group="volume",
    unit="1 is as usual",
    source="volume over the mean volume of the same minute of the day",
    each=[{"sessions": 20}],
    sessions=lambda sessions: sessions,
    null_rule="in the first {sessions} sessions, and where nothing was traded in this minute of the {sessions} before",
    null_when=lambda sessions: (
        (pl.col(SESSION) < sessions) | (pl.col(f"_minute_volume_{sessions}") == 0)
    ),
    parents=["_minute_volume_{sessions}"],
    intraday=True,
)
def relative_volume_minute(sessions: int) -> pl.Expr:
    """Volume over the mean of the same New York minute's bars in the sessions before, which is free of the day's shape."""
    usual = pl.col(f"_minute_volume_{sessions}")
    return pl.when(usual > 0).then(pl.col("volume") / usual)


@feature(
    "dollar_volume",
    group="volume",
    unit="USD",
    source="price times volume; the price is the bar's VWAP, or its typical price where it has none",
    parents=["_mean_price"],
)
def dollar_volume() -> pl.Expr:
    """How much money was traded."""
    return pl.col("_mean_price") * pl.col("volume")


@feature(
    "dollar_volume_sma_{bars}",
    group="volume",
    unit="USD",
    source="TA-Lib SMA of the dollar volume",
    each=[{"bars": 20}],
    warm_up=lambda bars: bars - 1,
    parents=["dollar_volume"],
)
def dollar_volume_sma(bars: int) -> pl.Expr:
    """Mean money traded in the newest bars, the current one among them."""
    return rolling_mean("dollar_volume", bars)


@feature(
    "obv",
    group="volume",
    unit="shares",
    source="Granville, New Key to Stock Market Profits (1963); TA-Lib OBV",
    memory=lambda: 1,
)
def obv() -> RunningSum:
    """On-balance volume: all volume of rising bars less that of falling ones, since the history's first bar."""
    close, before, volume = pl.col("close"), pl.col("close").shift(1), pl.col("volume")
    return RunningSum(
        pl.when(close < before).then(-volume).when(close == before).then(0.0).otherwise(volume)
    )
