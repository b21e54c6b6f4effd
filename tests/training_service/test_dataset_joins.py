"""What a data set promises of its joins: nothing from the future, nothing stale, and every loss told."""

import json
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from lake.features import read_features
from tests.feature_service.walks import put, random_walk
from training_service import joining, labels
from training_service.dataset import SymbolsError, assemble
from training_service.joining import JoinError, beside
from training_service.parts import Part

NEW_YORK = ZoneInfo("America/New_York")
FIRST, LAST = date(2024, 6, 24), date(2024, 7, 8)


@pytest.fixture
def thin(store):
    """Beside SPY and QQQ a symbol that trades in a third of all minutes."""
    put(store, random_walk("THIN", FIRST, LAST, seed=7, absent=0.67))
    return store


def features_of(store, symbol):
    """Keys, close and features by the polars of everyday."""
    bars = store.bars(symbol, adjust="split", regular_only=True, columns=["timestamp", "close"])
    features = read_features(store, symbol).drop("symbol")
    both = features.join(bars, on="timestamp", how="inner", maintain_order="left")
    keys = ["timestamp", "session_date", "close"]
    return both.select(*keys, pl.exclude(keys))


def suffixed(frame, symbol):
    return frame.rename({name: f"{name}_{symbol}" for name in frame.columns if name != "timestamp"})


@pytest.mark.parametrize("label", [None, "direction_15", "triple_barrier_2x1_30"])
def test_a_strict_join_is_the_inner_join_of_polars(thin, label):
    wanted = labels.find(label) if label else None
    data = assemble(thin, ["SPY", "QQQ", "THIN"], "core", label=wanted)

    plain = features_of(thin, "SPY")
    if wanted:
        bars = thin.bars("SPY", adjust="split", regular_only=True)
        told = labels.add(bars, wanted).select("timestamp", "label", "label_end")
        plain = plain.join(told, on="timestamp", how="left", maintain_order="left")
    for name in ("QQQ", "THIN"):
        other = suffixed(features_of(thin, name).drop("session_date"), name)
        plain = plain.join(other, on="timestamp", how="inner", maintain_order="left")
    assert_frame_equal(data.frame, plain)


@pytest.mark.parametrize("minutes", [1, 7])
def test_an_asof_join_is_the_one_of_polars_within_the_session(thin, minutes):
    data = assemble(thin, ["SPY", "THIN"], "core", join=f"asof:{minutes}")

    other = suffixed(features_of(thin, "THIN").drop("session_date"), "THIN")
    other = other.with_columns(then=pl.col("timestamp"), day=pl.col("timestamp").dt.date())
    mine = features_of(thin, "SPY").with_columns(day=pl.col("timestamp").dt.date())
    plain = mine.join_asof(
        other,
        on="timestamp",
        by="day",
        tolerance=timedelta(minutes=minutes),
        check_sortedness=False,
    ).filter(pl.col("then").is_not_null())
    age = (pl.col("timestamp") - pl.col("then")).dt.total_minutes().cast(pl.Float64)
    plain = plain.with_columns(age.alias("age_THIN")).drop("then", "day")
    assert_frame_equal(data.frame, plain)
    assert data.columns[-1] == "age_THIN"
    assert 0 < data.frame["age_THIN"].max() <= minutes


minutes_of_a_session = st.lists(st.integers(0, 60), max_size=25, unique=True).map(sorted)
sessions_of = st.lists(minutes_of_a_session, min_size=3, max_size=3)


def rows(sessions):
    """Minutes of sessions that begin 80 minutes apart: closer than a join may be stale."""
    origin = datetime(2024, 6, 24, 13, 30)  # noqa: DTZ001
    found = [
        (origin + timedelta(minutes=80 * day + minute), FIRST + timedelta(days=day))
        for day, minutes in enumerate(sessions)
        for minute in minutes
    ]
    schema = {"timestamp": pl.Datetime("us"), "session_date": pl.Date}
    keys = pl.DataFrame(found, schema=schema, orient="row")
    return keys.with_columns(pl.col("timestamp").dt.replace_time_zone("UTC"))


@given(mine=sessions_of, theirs=sessions_of, most=st.integers(0, 390))
def test_the_newest_row_that_is_known_and_of_the_session_stands_beside(mine, theirs, most):
    primary, context = rows(mine), rows(theirs)
    part = Part(context.with_columns(close=1.0), pl.DataFrame())
    join = f"asof:{most}" if most else "strict"

    found = beside(primary, part, "VIX", join)

    there = context.rows()
    for (moment, day), position, age in zip(
        primary.rows(), found.positions, found.ages, strict=True
    ):
        known = [
            number
            for number, (other, other_day) in enumerate(there)
            if other_day == day and timedelta(0) <= moment - other <= timedelta(minutes=most)
        ]
        assert position == (known[-1] if known else -1)
        if known:
            assert age == (moment - there[known[-1]][0]).total_seconds() / 60


def test_the_first_minutes_of_a_session_never_see_the_evening_before(store):
    late = random_walk("LATE", FIRST, LAST, seed=3, absent=0.0)
    local = late["timestamp"].dt.convert_time_zone("America/New_York").dt.time()
    put(store, late.filter(local >= datetime(2024, 6, 24, 10, 0).time()))  # noqa: DTZ001

    data = assemble(store, ["SPY", "LATE"], "core", join="asof:390")

    first = data.frame["timestamp"].dt.convert_time_zone("America/New_York").dt.time().min()
    assert first == datetime(2024, 6, 24, 10, 0).time()  # noqa: DTZ001
    lost = data.coverage.row(0, named=True)["by_half_hour"]
    assert [one["from"] for one in lost] == ["09:30"]


@pytest.mark.parametrize("join", ["asof", "asof:0", "asof:391", "asof:1.5", "loose", "", "asof:-1"])
def test_another_join_is_refused_in_a_sentence(store, join):
    with pytest.raises(
        JoinError, match=r"is no way to join symbols\. Take strict, or asof:MINUTES"
    ):
        assemble(store, ["SPY", "QQQ"], "core", join=join)


def test_the_coverage_says_where_rows_are_lost(thin):
    data = assemble(thin, ["SPY", "THIN", "QQQ"], "core")

    spy, other = (features_of(thin, name) for name in ("SPY", "THIN"))
    lost = [
        (moment.astimezone(NEW_YORK), day)
        for moment, day in spy.select("timestamp", "session_date").rows()
        if moment not in set(other["timestamp"])
    ]
    report = data.coverage.row(0, named=True)
    assert (report["primary"], report["symbol"]) == ("SPY", "THIN")
    assert report["lost"] == len(lost)

    def count(values):
        found, numbers = np.unique(values, return_counts=True)
        return dict(zip(found.tolist(), numbers.tolist(), strict=True))

    halves = count([f"{at.hour:02}:{at.minute // 30 * 30:02}" for at, _ in lost])
    assert {one["from"]: one["lost"] for one in report["by_half_hour"]} == halves
    months = count([f"{day:%Y-%m}" for _, day in lost])
    assert {one["month"]: one["lost"] for one in report["by_month"]} == months
    days = count([day.isoformat() for _, day in lost])
    worst = sorted(days.items(), key=lambda one: (one[1], one[0]), reverse=True)[:10]
    assert [(one["session"], one["lost"]) for one in report["worst_sessions"]] == worst
    assert (report["worst_session"].isoformat(), report["worst_lost"]) == worst[0]


def test_a_strict_join_fills_nothing(thin):
    report = assemble(thin, ["SPY", "THIN"], "core").coverage.row(0, named=True)

    assert report["filled"] == 0
    assert report["median_age"] is None
    assert report["greatest_age"] is None


def test_the_coverage_says_how_many_rows_an_older_bar_filled_and_how_old(thin):
    data = assemble(thin, ["SPY", "THIN"], "core", join="asof:30")

    ages = [age for age in data.frame["age_THIN"] if age > 0]
    report = data.coverage.row(0, named=True)
    assert report["filled"] == len(ages) > 0
    assert report["median_age"] == float(np.median(ages))
    assert report["greatest_age"] == max(ages)
    assert report["lost"] < 20


def test_the_coverage_can_be_kept_as_json(thin):
    report = assemble(thin, ["SPY", "THIN"], "core", join="asof:5").coverage

    kept = json.loads(json.dumps(report.with_columns(pl.col("worst_session").cast(str)).to_dicts()))
    assert kept[0]["by_half_hour"] == report["by_half_hour"][0].to_list()


def test_symbols_that_are_never_near_one_another_are_named(store):
    put(store, random_walk("OLD", date(2023, 6, 26), date(2023, 6, 26)))

    with pytest.raises(SymbolsError, match="SPY and OLD have no bar within 5 minutes"):
        assemble(store, ["SPY", "OLD"], "core", join="asof:5")


def test_a_range_without_bars_is_a_sentence(store):
    with pytest.raises(SymbolsError, match="SPY has no bar in that range"):
        assemble(store, ["SPY"], "core", start="2024-07-20", label=labels.find("direction_15"))


def test_rows_of_hours_have_the_close_of_the_hour(store):
    """What the features of an hour saw is its last close, not that of its first minute."""
    data = assemble(store, ["SPY", "QQQ"], "core_1h", label=labels.find("direction_1"))

    hours = store.bars("SPY", timeframe="1h", regular_only=True, adjust="split")
    closes = dict(zip(hours["timestamp"], hours["close"], strict=True))
    assert data.frame["close"].to_list() == [closes[moment] for moment in data.frame["timestamp"]]
    later = hours.select(
        "timestamp", rise=pl.col("close").shift(-1).over("session_date") > pl.col("close")
    )
    rises = dict(later.with_columns(pl.col("rise").cast(pl.Int8)).rows())
    assert data.frame["label"].to_list() == [rises[moment] for moment in data.frame["timestamp"]]


def test_the_same_rows_have_the_same_hash_and_other_rows_another(thin):
    strict, again = (assemble(thin, ["SPY", "THIN"], "core") for _ in range(2))
    loose = assemble(thin, ["SPY", "THIN"], "core", join="asof:1")

    assert strict.content_hash == again.content_hash != loose.content_hash


def test_a_staleness_of_a_whole_session_is_the_most():
    assert joining.staleness(f"asof:{joining.MOST_MINUTES}") == 390
    assert joining.staleness("strict") is None
