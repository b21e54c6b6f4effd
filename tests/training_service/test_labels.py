"""What labels promise: they look ahead as far as they say, in their session, and no further."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tests.feature_service.thin_bars import thin_bars, thin_weeks
from training_service import labels
from training_service.labels import LabelColumnsError, LabelRowsError

quick = settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
every_name = st.sampled_from(sorted(labels.labels()))
spans = st.integers(1, 60)


def bars_of(*rows: tuple[str, float]) -> pl.DataFrame:
    """Bars from ``("2024-07-02 13:30", close)``, UTC."""
    times = [datetime.fromisoformat(text).replace(tzinfo=UTC) for text, _ in rows]
    return pl.DataFrame(
        {
            "timestamp": times,
            "session_date": [moment.date() for moment in times],
            "close": [close for _, close in rows],
        },
        schema_overrides={"timestamp": pl.Datetime("us", "UTC"), "close": pl.Float64},
    )


def values(bars: pl.DataFrame, name: str) -> list[float | None]:
    return labels.add(bars, labels.find(name))["label"].to_list()


def ends(bars: pl.DataFrame, name: str) -> list[str | None]:
    found = labels.add(bars, labels.find(name))["label_end"].dt.strftime("%H:%M")
    return found.to_list()


# Slow oracles, a bar at a time


def bar_after(bars: list[dict], row: int, count: int) -> dict | None:
    there = [one for one in bars[row + 1 :] if one["session_date"] == bars[row]["session_date"]]
    return there[count - 1] if len(there) >= count else None


def bar_that_holds(bars: list[dict], row: int, minutes: int) -> dict | None:
    moment = bars[row]["timestamp"] + timedelta(minutes=minutes)
    own = [one for one in bars if one["session_date"] == bars[row]["session_date"]]
    if own[-1]["timestamp"] < moment:
        return None
    return [one for one in own if one["timestamp"] <= moment][-1]


def expected(kind: str, base: float, later: float) -> float:
    change = later / base - 1
    return {
        "direction": int(later > base),
        "return": change,
        "above_10bp": int(change > 0.001 + 1e-12),
        "move_10bp": (change > 0.001 + 1e-12) - (change < -0.001 - 1e-12),
    }[kind]


@quick
@given(
    bars=thin_bars(),
    span=spans,
    clock=st.booleans(),
    kind=st.sampled_from(["direction", "return", "above_10bp", "move_10bp"]),
)
def test_a_slow_loop_agrees_on_what_follows(bars, span, clock, kind):
    name = f"{kind}_{span}m" if clock else f"{kind}_{span}"
    found = labels.add(bars, labels.find(name)).to_dicts()

    for row, one in enumerate(found):
        later = (bar_that_holds if clock else bar_after)(found, row, span)
        if later is None:
            assert one["label"] is None
            assert one["label_end"] is None
        else:
            assert one["label"] == expected(kind, one["close"], later["close"])
            assert one["label_end"] == later["timestamp"]


# Laws of every label


@quick
@given(bars=st.one_of(thin_bars(), thin_weeks()), name=every_name)
def test_a_label_and_its_end_are_there_together_and_in_the_session_unless_it_says_otherwise(
    bars, name
):
    label = labels.find(name)
    found = labels.add(bars, label)
    known = found.filter(pl.col("label").is_not_null())
    days = dict(bars.select("timestamp", "session_date").iter_rows())

    assert_frame_equal(found.drop("label", "label_end"), bars)
    assert found["label"].is_null().to_list() == found["label_end"].is_null().to_list()
    assert (known["label_end"] >= known["timestamp"]).all()
    for day, end in known.select("session_date", "label_end").iter_rows():
        assert days[end] > day if label.crosses_sessions else days[end] == day


@quick
@given(bars=st.one_of(thin_bars(), thin_weeks()), name=every_name)
def test_values_are_of_the_kind_that_is_declared(bars, name):
    label = labels.find(name)
    found = labels.add(bars, label)["label"]

    if label.kind == "classes":
        assert found.dtype == pl.Int8
        assert set(found.drop_nulls()) <= set(label.classes)
    else:
        assert found.dtype == pl.Float64
        assert not found.is_nan().any()
        assert label.classes == ()


@quick
@given(bars=st.one_of(thin_bars(), thin_weeks()), name=every_name, share=st.floats(0, 1))
def test_a_label_that_is_known_never_changes(bars, name, share):
    label = labels.find(name)
    so_far = labels.add(bars.head(int(bars.height * share)), label)
    later = labels.add(bars, label).head(so_far.height)

    known = so_far["label"].is_not_null()
    assert_frame_equal(so_far.filter(known), later.filter(known))


@quick
@given(bars=st.one_of(thin_bars(), thin_weeks()), name=every_name, share=st.floats(0, 0.999))
def test_no_price_after_its_end_counts(bars, name, share):
    label = labels.find(name)
    found = labels.add(bars, label)
    known = found.filter(pl.col("label").is_not_null())
    if known.is_empty():
        return
    one = known.row(int(known.height * share), named=True)
    late = pl.col("timestamp") > one["label_end"]
    other = bars.with_columns(
        pl.when(late).then(pl.col(name) * 7).otherwise(pl.col(name)).alias(name)
        for name in ("high", "low", "close")
    )

    again = labels.add(other, label).filter(pl.col("timestamp") == one["timestamp"])
    assert again["label"].item() == one["label"]
    assert again["label_end"].item() == one["label_end"]


# By hand

THIN = bars_of(
    ("2024-07-02 13:30", 100.0),
    ("2024-07-02 13:31", 101.0),
    ("2024-07-02 13:34", 99.0),
    ("2024-07-02 13:35", 100.0),
    ("2024-07-03 13:30", 102.0),
)


def test_bars_and_minutes_differ_where_a_minute_has_no_bar():
    assert values(THIN, "return_2") == pytest.approx([-0.01, -1 / 101, None, None, None])
    assert ends(THIN, "return_2") == ["13:34", "13:35", None, None, None]
    assert values(THIN, "return_2m") == pytest.approx([0.01, 0.0, None, None, None])
    assert ends(THIN, "return_2m") == ["13:31", "13:31", None, None, None]


def test_a_minute_that_has_come_needs_a_bar_at_or_after_it():
    assert values(THIN, "direction_4m") == [0, 0, None, None, None]
    assert values(THIN.head(3), "direction_4m") == [0, None, None]


def test_exactly_the_threshold_is_not_above_it():
    bars = bars_of(*((f"2024-07-02 13:3{i}", c) for i, c in enumerate([20.0, 20.02, 20.0, 20.03])))

    assert values(bars, "above_10bp_1") == [0, 0, 1, None]
    assert values(bars, "move_10bp_1") == [0, 0, 1, None]
    assert values(bars, "move_9.99bp_1") == [1, -1, 1, None]


def sessions(*closes: float, last: str = "19:59") -> pl.DataFrame:
    """Two bars a session; 3 July is a half day, 4 July a holiday."""
    days = ["2024-07-02", "2024-07-03", "2024-07-05", "2024-07-08"][: len(closes)]
    rows = []
    for day, close in zip(days, closes, strict=True):
        final = last if day == days[-1] else "16:59" if day == "2024-07-03" else "19:59"
        rows += [(f"{day} 14:00", close + 5), (f"{day} {final}", close)]
    return bars_of(*rows)


def test_the_next_session_is_its_close_against_this_sessions_close():
    found = labels.add(sessions(100, 110, 99), labels.find("return_next_session"))

    assert found["label"].to_list() == pytest.approx([0.1, 0.1, -0.1, -0.1, None, None])
    assert found["label_end"].dt.strftime("%d %H:%M").to_list() == [
        "03 16:59",
        "03 16:59",
        "05 19:59",
        "05 19:59",
        None,
        None,
    ]
    assert labels.find("return_next_session").crosses_sessions
    assert values(sessions(100, 110, 99), "direction_next_session") == [1, 1, 0, 0, None, None]


def test_a_newest_session_that_may_go_on_has_no_close_yet():
    early = sessions(100, 110, last="16:58")

    assert values(early, "return_next_session") == [None] * 4
    assert values(sessions(100, 110, last="16:59"), "return_next_session")[0] is not None


def test_a_session_without_bars_is_not_jumped_over():
    holed = sessions(100, 110, 99, 98).filter(pl.col("session_date") != date(2024, 7, 5))

    assert values(holed, "direction_next_session") == [1, 1, None, None, None, None]


def test_a_null_price_gives_no_label():
    holed = THIN.with_columns(
        pl.when(pl.int_range(pl.len()) != 2).then(pl.col("close")).alias("close")
    )

    assert values(holed, "direction_1") == [1, None, None, None, None]
    assert ends(holed, "direction_1") == ["13:31", None, None, None, None]


def test_whole_prices_are_prices():
    assert values(THIN.with_columns(pl.col("close").cast(pl.Int64)), "direction_1")[0] == 1


@pytest.mark.parametrize("price", [0.0, -1.5, float("nan"), float("inf")])
def test_a_price_that_is_not_above_zero_is_named(price):
    wrong = THIN.with_columns(
        pl.when(pl.int_range(pl.len()) == 1).then(price).otherwise(pl.col("close")).alias("close")
    )

    with pytest.raises(LabelRowsError, match=r"2024-07-02T13:31.* has a close of .* above zero"):
        labels.add(wrong, labels.find("return_1"))


@pytest.mark.parametrize("wrong", [THIN.reverse(), pl.concat([THIN, THIN]).sort("timestamp")])
def test_bars_of_several_symbols_or_out_of_order_are_refused(wrong):
    with pytest.raises(LabelRowsError, match="bars of one symbol, each once, sorted"):
        labels.add(wrong, labels.find("return_1"))


def test_a_missing_column_is_named():
    with pytest.raises(LabelColumnsError, match="looks at high and low, which these rows do not"):
        labels.add(THIN, labels.find("triple_barrier_1x1_15"))
