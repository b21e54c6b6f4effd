"""How much was traded, beside what is usual."""

import numpy as np
import polars as pl

from feature_service import halves
from feature_service.by_session import starts_of
from feature_service.compiled import Values
from feature_service.inputs import SESSION
from feature_service.recursion import RunningSum
from feature_service.registry import feature
from feature_service.windows import mapped, rolling_mean, rolling_zscore

_NEW_YORK = "America/New_York"
# In microseconds.
_MINUTE = 60_000_000
_WINDOWS = [{"bars": bars} for bars in (20, 60)]


@feature(
    "volume_sma_{bars}",
    group="volume",
    unit="shares",
    source="TA-Lib SMA of the volume",
    each=_WINDOWS,
    warm_up=lambda bars: bars - 1,
    value_range=(0.0, None),
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
    value_range=(0.0, None),
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
)
def volume_zscore(bars: int) -> pl.Expr:
    """How unusual the volume is among the newest bars."""
    return rolling_zscore("volume", bars)


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

    def usual(numbers: Values, moments: Values, volume: Values) -> Values:
        found = np.full(len(volume), np.nan)
        starts = starts_of(numbers)
        days = len(starts)
        if days <= sessions:
            return found
        # All sessions of the first minute of the day, then all of the second, and so on.
        place = np.floor(moments / _MINUTE)
        first = np.arange(days) - _midnights(place[starts]) * days
        place *= days
        place += np.repeat(first, np.diff([*starts, len(volume)]))
        place -= place.min() // days * days
        rows = place.astype(np.intp)
        traded, present = np.zeros((2, rows.max() + 1))
        traded[rows], present[rows] = volume, 1.0
        old = starts[sessions]
        total, count = halves.means(traded, sessions), halves.means(present, sessions)
        total /= np.where(count > 0, count, 1.0)
        found[old:] = total[rows[old:] - 1]
        return found

    return mapped(usual, SESSION, pl.col("timestamp").dt.epoch("us"), "volume")


def _midnights(minutes: Values) -> Values:
    """The minutes (since 1970) at which the New York days of some minutes began."""
    moments = pl.Series(minutes * 60).cast(pl.Int64)
    local = pl.from_epoch(moments, "s").dt.replace_time_zone("UTC").dt.convert_time_zone(_NEW_YORK)
    of_day = local.dt.hour().cast(pl.Float64) * 60 + local.dt.minute()
    began: Values = minutes - of_day.to_numpy()
    return began


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
    value_range=(0.0, None),
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
    value_range=(0.0, None),
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
    value_range=(0.0, None),
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
    volume = pl.col("volume")
    return RunningSum((pl.col("close").diff().sign() * volume).fill_null(volume))
