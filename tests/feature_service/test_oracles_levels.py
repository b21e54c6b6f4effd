"""Levels, the calendar and the context agree with SQL and with examples done by hand."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .oracles import agree_with_sql, covers, values
from .thin_bars import thin_bars, thin_weeks

few = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
either = st.one_of(thin_bars(), thin_weeks())

BARS = """
    WITH days AS (
        SELECT session_date, max(high) AS high, min(low) AS low, max_by(close, timestamp) AS close,
            min_by(open, timestamp) AS first
        FROM just_bars GROUP BY 1),
    weeks AS (
        SELECT date_trunc('week', session_date) AS week, max(high) AS high, min(low) AS low,
            max_by(close, timestamp) AS close, min_by(open, timestamp) AS first
        FROM just_bars GROUP BY 1),
    before AS (
        SELECT session_date, first AS day_open, lag(high) OVER w AS day_h, lag(low) OVER w AS day_l,
            lag(close) OVER w AS day_c
        FROM days WINDOW w AS (ORDER BY session_date)),
    week_before AS (
        SELECT week, first AS week_open, lag(high) OVER w AS week_h, lag(low) OVER w AS week_l,
            lag(close) OVER w AS week_c
        FROM weeks WINDOW w AS (ORDER BY week)),
    timed AS (
        SELECT *, date_diff('minute', session_date + TIME '13:30', timestamp::TIMESTAMP) AS minute,
            if(session_date = '2024-07-03', 210, 390) AS length
        FROM just_bars JOIN before USING (session_date)
        JOIN week_before ON week = date_trunc('week', session_date))
    SELECT *, day_h - day_l AS day_r, week_h - week_l AS week_r,
        (day_h + day_l + day_c) / 3 AS day_p, (week_h + week_l + week_c) / 3 AS week_p,
        (day_h + day_l + 2 * day_open) / 4 AS day_w, (week_h + week_l + 2 * week_open) / 4 AS week_w,
        lag(high, 5) OVER o AS high_5, lag(low, 5) OVER o AS low_5,
        lag(high, 10) OVER o AS high_10, lag(low, 10) OVER o AS low_10,
        row_number() OVER o AS number
    FROM timed WINDOW o AS (ORDER BY timestamp)
"""
SWINGS = ", ".join(
    f"""coalesce(number > {2 * n}
        AND {side}_{n} {sign} {how}({side}) OVER (ORDER BY timestamp ROWS BETWEEN {2 * n} PRECEDING AND {n + 1} PRECEDING)
        AND {side}_{n} {sign}= {how}({side}) OVER (ORDER BY timestamp ROWS BETWEEN {n - 1} PRECEDING AND CURRENT ROW),
        false) AS is_{side}_{n}"""
    for n in (5, 10)
    for side, sign, how in (("high", ">", "max"), ("low", "<", "min"))
)
VIEW = f"SELECT *, {SWINGS} FROM ({BARS})"


def since_known(what: str, swing: str) -> str:
    return f"last_value(CASE WHEN is_{swing} THEN {what} END IGNORE NULLS) OVER (ORDER BY timestamp ROWS UNBOUNDED PRECEDING)"


SO_FAR = "OVER (PARTITION BY session_date ORDER BY timestamp ROWS UNBOUNDED PRECEDING)"
DAY_HIGH, DAY_LOW = f"max(high) {SO_FAR}", f"min(low) {SO_FAR}"


def opening(how: str, minutes: int) -> str:
    return f"""if(minute >= {minutes}, (SELECT {how} FROM bars b
        WHERE b.session_date = a.session_date AND b.minute BETWEEN 0 AND {minutes - 1}), NULL)"""


def opening_position(minutes: int) -> str:
    high, low = opening("max(high)", minutes), opening("min(low)", minutes)
    return f"(close - {low}) / nullif({high} - {low}, 0)"


def pivots(period: str) -> dict[str, str]:
    """The four kinds by the period's high, low, range and pivots."""
    h, low, c, r, p, w = (f"{period}_{name}" for name in ("h", "l", "c", "r", "p", "w"))
    found = {
        **{f"{kind}_pivot": p for kind in ("classic", "camarilla", "fibonacci")},
        "woodie_pivot": w,
    }
    for kind, mean in (("classic", p), ("woodie", w)):
        found |= {
            f"{kind}_r1": f"2 * {mean} - {low}",
            f"{kind}_r2": f"{mean} + {r}",
            f"{kind}_r3": f"2 * {mean} - {low} + {r}",
            f"{kind}_s1": f"2 * {mean} - {h}",
            f"{kind}_s2": f"{mean} - {r}",
            f"{kind}_s3": f"2 * {mean} - {h} - {r}",
        }
    for level, part in enumerate((12, 6, 4, 2), 1):
        found[f"camarilla_r{level}"] = f"{c} + {r} * 1.1 / {part}"
        found[f"camarilla_s{level}"] = f"{c} - {r} * 1.1 / {part}"
    for level, part in enumerate((0.382, 0.618, 1), 1):
        found[f"fibonacci_r{level}"] = f"{p} + {r} * {part}"
        found[f"fibonacci_s{level}"] = f"{p} - {r} * {part}"
    return {f"{name}_{period}": sql for name, sql in found.items()}


def priors(period: str) -> dict[str, str]:
    sides = {"high": "h", "low": "l", "close": "c"}
    return {
        **{f"prior_{period}_{name}": f"{period}_{side}" for name, side in sides.items()},
        **{
            f"prior_{period}_{name}_distance": f"(close - {period}_{side}) / {period}_{side}"
            for name, side in sides.items()
        },
    }


LEVELS = {
    **pivots("day"),
    **pivots("week"),
    **priors("day"),
    **priors("week"),
    "overnight_gap": "if(day_c IS NULL, NULL, day_open / day_c - 1)",
    "day_high": DAY_HIGH,
    "day_low": DAY_LOW,
    "day_range_position": f"(close - {DAY_LOW}) / nullif({DAY_HIGH} - {DAY_LOW}, 0)",
    **{f"opening_range_high_{n}m": opening("max(high)", n) for n in (15, 30)},
    **{f"opening_range_low_{n}m": opening("min(low)", n) for n in (15, 30)},
    **{f"opening_range_position_{n}m": opening_position(n) for n in (15, 30)},
}
for n in (5, 10):
    for side in ("high", "low"):
        price = since_known(f"{side}_{n}", f"{side}_{n}")
        LEVELS |= {
            f"swing_{side}_{n}": price,
            f"swing_{side}_distance_{n}": f"close / {price} - 1",
            f"swing_{side}_bars_{n}": f"number - {since_known(f'number - {n}', f'{side}_{n}')}",
        }


@few
@given(bars=either)
def test_sql_agrees_on_levels(bars):
    agree_with_sql(bars, LEVELS, VIEW, 1e-9)


# New York's sessions of June to August 2024 by the exchange's own list of holidays and half days.
CALENDAR = {
    "session_minute": "minute",
    "minutes_to_close": "length - minute",
    "session_position": "minute / length",
    "time_of_day_sin": "sin(2 * pi() * minute / 390)",
    "time_of_day_cos": "cos(2 * pi() * minute / 390)",
    "day_of_week_sin": "sin(2 * pi() * (isodow(session_date) - 1) / 5)",
    "day_of_week_cos": "cos(2 * pi() * (isodow(session_date) - 1) / 5)",
    "is_half_day": "session_date = '2024-07-03'",
    "is_month_begin": "session_date IN ('2024-06-03', '2024-07-01', '2024-08-01')",
    "is_month_end": "session_date IN ('2024-06-28', '2024-07-31', '2024-08-30')",
    "is_quarter_end": "session_date = '2024-06-28'",
    "is_first_30m": "minute < 30",
    "is_last_30m": "length - minute <= 30",
}


@few
@given(bars=either)
def test_sql_agrees_on_the_calendar(bars):
    agree_with_sql(bars, CALENDAR, VIEW, 1e-9)


WINDOW = "(ORDER BY timestamp ROWS BETWEEN {} PRECEDING AND CURRENT ROW)"
BESIDE = """
    WITH carried AS (
        SELECT *, last_value(context_close IGNORE NULLS) OVER (
            ORDER BY timestamp ROWS UNBOUNDED PRECEDING) AS context
        FROM just_bars)
    SELECT *, ln(close / lag(close) OVER o) AS own, ln(context / lag(context) OVER o) AS other,
        lag(close, 30) OVER o AS close_30, lag(context, 30) OVER o AS context_30,
        lag(context, 60) OVER o AS context_60, lag(context, 390) OVER o AS context_390
    FROM carried WINDOW o AS (ORDER BY timestamp)
"""


def beside(function: str, bars: int, *columns: str) -> str:
    window = f"OVER {WINDOW.format(bars - 1)}"
    moved = " AND ".join(f"max({one}) {window} > min({one}) {window}" for one in columns)
    return f"if(context_{bars} IS NOT NULL AND {moved}, {function} {window}, NULL)"


CONTEXT = {
    **{f"beta_{n}": beside("regr_slope(own, other)", n, "other") for n in (60, 390)},
    **{f"correlation_{n}": beside("corr(own, other)", n, "own", "other") for n in (60, 390)},
    "relative_strength_30": "close / close_30 - context / context_30",
}


@few
@given(bars=thin_weeks())
def test_sql_agrees_on_the_context(bars):
    agree_with_sql(bars, CONTEXT, BESIDE)


covers([*LEVELS, *CALENDAR, *CONTEXT])


def bars_of(*rows: tuple[str, float, float, float, float], volume: float = 100.0) -> pl.DataFrame:
    """Bars by hand: when (UTC), open, high, low, close."""
    return pl.DataFrame(
        [
            (moment := datetime.fromisoformat(when).replace(tzinfo=UTC), moment.date(), *prices)
            for when, *prices in rows
        ],
        schema={
            "timestamp": pl.Datetime("us", "UTC"),
            "session_date": pl.Date,
            **dict.fromkeys(("open", "high", "low", "close"), pl.Float64),
        },
        orient="row",
    ).with_columns(pl.lit(volume).alias("volume"))


@pytest.mark.parametrize(
    ("name", "expected"),
    {
        "classic_pivot_day": 106,
        "classic_r1_day": 112,
        "classic_r2_day": 116,
        "classic_r3_day": 122,
        "classic_s1_day": 102,
        "classic_s2_day": 96,
        "classic_s3_day": 92,
        "woodie_pivot_day": 107,
        "woodie_r1_day": 114,
        "woodie_s3_day": 94,
        "camarilla_r3_day": 110.75,
        "camarilla_r4_day": 113.5,
        "camarilla_s4_day": 102.5,
        "fibonacci_r1_day": 109.82,
        "fibonacci_s2_day": 99.82,
        "overnight_gap": 1 / 108,
    }.items(),
)
def test_the_floor_pivots_of_a_day_from_100_to_110_that_closed_at_108(name, expected):
    bars = bars_of(
        ("2024-07-01 13:30", 104, 110, 104, 109),
        ("2024-07-01 19:59", 109, 109, 100, 108),
        ("2024-07-02 13:30", 109, 111, 109, 110),
    )

    assert values(bars, name)[-1] == pytest.approx(expected, rel=1e-12)


def test_bars_before_the_open_and_after_the_close_lie_outside_of_the_session():
    bars = bars_of(
        ("2024-07-03 13:00", 100, 105, 95, 100),
        ("2024-07-03 13:30", 100, 101, 99, 100),
        ("2024-07-03 17:00", 100, 105, 95, 100),
    )

    assert list(values(bars, "session_minute")) == [-30, 0, 210]
    assert list(values(bars, "minutes_to_close")) == [240, 210, 0]
    assert list(values(bars, "session_position")) == [-1 / 7, 0, 1]
    assert list(values(bars, "is_first_30m")) == [0, 1, 0]
    assert list(values(bars, "is_last_30m")) == [0, 0, 0]
    assert values(bars, "opening_range_high_15m")[-1] == 101


def test_a_swing_is_known_only_after_the_bars_that_confirm_it():
    rise = [*range(100, 106), *range(104, 98, -1)]
    start = datetime(2024, 7, 1, 13, 30, tzinfo=UTC)
    bars = bars_of(
        *(
            (f"{start + timedelta(minutes=row):%Y-%m-%d %H:%M}", price, price, price, price)
            for row, price in enumerate(rise)
        )
    )
    found = values(bars, "swing_high_5")

    assert [*found[10:]] == [105, 105]
    assert all(found[:10] != found[:10])
    assert [*values(bars, "swing_high_bars_5")[10:]] == [5, 6]


def test_a_symbol_that_moves_twice_as_far_as_its_context_has_a_beta_of_two():
    other = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 1e-3, 500)))
    start = datetime(2024, 7, 1, 13, 30, tzinfo=UTC)
    bars = pl.DataFrame(
        {
            "timestamp": [
                start + timedelta(minutes=row % 390, days=row // 390) for row in range(500)
            ],
            "close": other**2,
            "context_close": other,
        }
    ).with_columns(pl.col("timestamp").dt.date().alias("session_date"))

    assert values(bars, "beta_390")[-1] == pytest.approx(2, rel=1e-9)
    assert values(bars, "correlation_60")[-1] == pytest.approx(1, rel=1e-9)
