"""What building features promises: the whole history, before any split, again only if it changed."""

import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from threading import Thread

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from feature_service import build, sets
from feature_service.reading import NoBarsInHoursError
from feature_service.sets import FeatureSetError
from lake import BarsMissingError, Covered, Fetched
from lake.actions import ACTION_SCHEMA, Answered
from lake.features import content_hash, latest_build, read_features

from .walks import SOURCE, put, random_walk


def test_a_row_for_every_bar_of_the_regular_hours(store):
    built = build.build(store, "SPY")

    bars = store.bars("SPY", regular_only=True)
    features = read_features(store, "SPY")
    assert built.rows == features.height == bars.height
    assert features["timestamp"].to_list() == bars["timestamp"].to_list()


def test_the_stored_values_are_those_of_the_functions(store):
    build.build(store, "SPY")

    bars = store.bars("SPY", regular_only=True, adjust="split")
    expected = bars["close"].rolling_mean(200).to_list()[-1]
    assert read_features(store, "SPY")["sma_200"].to_list()[-1] == pytest.approx(expected)


def test_sma_200_of_a_morning_counts_bars_of_the_day_before(store):
    build.build(store, "SPY")

    mornings = read_features(store, "SPY").group_by("session_date").first()
    first_day = mornings["session_date"].min()
    assert mornings.filter(pl.col("session_date") > first_day)["sma_200"].null_count() == 0


def test_building_again_without_new_bars_does_nothing(store):
    first = build.build(store, "SPY")
    snapshot = store.snapshot()
    again = build.build(store, "SPY")

    assert first.fresh
    assert not again.fresh
    assert again.build_id == first.build_id
    assert store.snapshot() == snapshot


def test_new_bars_of_the_symbol_are_built(store):
    build.build(store, "SPY")
    put(store, random_walk("SPY", date(2024, 7, 8), date(2024, 7, 8)))

    again = build.build(store, "SPY")

    assert again.fresh
    assert read_features(store, "SPY")["session_date"].max() == date(2024, 7, 8)


def test_new_bars_of_another_symbol_are_no_reason_to_build(store):
    build.build(store, "SPY")
    put(store, random_walk("QQQ", date(2024, 7, 8), date(2024, 7, 8)))

    assert not build.build(store, "SPY").fresh


def test_a_split_leaves_no_step_in_the_features(store):
    halved = random_walk("SPY", date(2024, 7, 8), date(2024, 7, 9), seed=9).with_columns(
        pl.col("open", "high", "low", "close", "vwap") / 2
    )
    put(store, halved)
    build.build(store, "SPY")
    split = {
        "action_id": "s1",
        "symbol": "SPY",
        "kind": "forward_split",
        "ex_date": date(2024, 7, 8),
        "ratio": 2.0,
        "amount": None,
        "details": None,
    }
    store.commit_actions(
        Answered(
            SOURCE,
            pl.DataFrame([split], schema=ACTION_SCHEMA),
            ("SPY",),
            split["ex_date"],
            split["ex_date"],
        )
    )

    assert build.build(store, "SPY").fresh
    returns = read_features(store, "SPY", columns=["return_1"])["return_1"]
    assert returns.abs().max() < 0.2


def test_bars_before_the_open_are_in_core_all_and_not_in_core(store):
    morning = random_walk("SPY", date(2024, 7, 8), date(2024, 7, 8), absent=0.0).head(60)
    early = morning.with_columns(pl.col("timestamp") - timedelta(hours=2))
    store.commit_bars(Fetched(SOURCE, early))

    core, every = build.build(store, "SPY"), build.build(store, "SPY", "core_all")

    assert every.rows == core.rows + 60


def test_a_symbol_with_bars_in_extended_hours_only_says_which_set_takes_them(store):
    morning = random_walk("IWM", date(2024, 7, 8), date(2024, 7, 8), absent=0.0).head(60)
    early = morning.with_columns(pl.col("timestamp") - timedelta(hours=2))
    store.commit_bars(Fetched(SOURCE, early))

    with pytest.raises(NoBarsInHoursError, match="core_all"):
        build.build(store, "IWM")


def test_three_bars_are_enough_to_build(store):
    store.commit_bars(
        Fetched(SOURCE, random_walk("IWM", date(2024, 7, 8), date(2024, 7, 8)).head(3))
    )

    assert build.build(store, "IWM").rows == 3


def test_an_unknown_symbol_and_an_unknown_set_are_named(store):
    with pytest.raises(BarsMissingError, match="barlake ingest ZZZ"):
        build.build(store, "ZZZ")
    with pytest.raises(FeatureSetError, match="Did you mean core"):
        build.build(store, "SPY", "cor")


def test_a_build_notes_what_it_was_made_of(store):
    built = build.build(store, "SPY")

    row = store.sql("FROM feature_builds").row(0, named=True)
    assert row["build_id"] == built.build_id
    assert row["set_version"] == sets.feature_set("core").version
    assert row["row_count"] == built.rows
    assert row["column_count"] == len(sets.feature_set("core").columns)
    assert row["adjust"] == "split"
    assert 0 < row["snapshot"] < store.snapshot()
    assert isinstance(row["start"], datetime)


def test_every_feature_of_a_build_is_defined_once(store):
    build.build(store, "SPY")
    build.build(store, "QQQ")
    build.build(store, "SPY", "core_all")

    defined = store.sql("FROM feature_definitions")
    assert sorted(defined["feature_name"]) == sorted(sets.feature_set("core").columns)
    assert set(defined["version"]) == {1}
    hashes = dict(zip(defined["feature_name"], defined["hash"], strict=True))
    assert hashes == sets.feature_set("core").hashes


def test_sql_users_find_a_view_of_all_symbols(store):
    build.build(store, "SPY")
    build.build(store, "QQQ")

    counted = store.sql("SELECT symbol, count(*) AS n FROM features_core GROUP BY 1 ORDER BY 1")
    expected = store.bars(["QQQ", "SPY"], regular_only=True).group_by("symbol").len(name="n")
    assert_frame_equal(counted, expected.sort("symbol"), check_dtypes=False)


def test_several_processes_may_build_the_same_symbols_at_once(store):
    command = [sys.executable, "-m", "feature_service.main"]
    environment = {**os.environ, "BARLAKE_HOME": str(store.home)}
    started = [
        subprocess.Popen(command, env=environment, cwd=store.home, stdout=subprocess.DEVNULL)
        for _ in range(3)
    ]

    assert [one.wait(timeout=120) for one in started] == [0, 0, 0]
    for symbol in ("QQQ", "SPY"):
        built, bars = read_features(store, symbol), store.bars(symbol, regular_only=True)
        assert built["timestamp"].to_list() == bars["timestamp"].to_list()
    assert store.sql("FROM feature_builds").height == 2


def test_an_added_session_costs_a_session_and_gives_the_bits_of_the_whole(store):
    build.build(store, "SPY")
    put(store, random_walk("SPY", date(2024, 7, 8), date(2024, 7, 8)))

    built = build.build(store, "SPY")

    assert built.since == date(2024, 7, 8)
    same_as_the_whole(store, "SPY", built)


def test_a_corrected_bar_is_computed_again_from_its_session_on(store):
    build.build(store, "SPY")
    bars = random_walk("SPY")
    day = bars.filter(pl.col("timestamp").dt.date() == date(2024, 7, 1))
    dearer = day.with_columns(pl.col("high", "close") + pl.lit(0.5))
    put(store, dearer)

    built = build.build(store, "SPY")

    assert built.since == date(2024, 7, 1)
    same_as_the_whole(store, "SPY", built)


def test_a_withdrawn_session_is_gone(store):
    build.build(store, "SPY")
    start = datetime(2024, 7, 3, 13, 30, tzinfo=UTC)
    nothing = random_walk("SPY").head(0)
    gone = Covered("SPY", start, start + timedelta(hours=4))
    store.commit_bars(Fetched(SOURCE, nothing, (gone,)))

    built = build.build(store, "SPY")

    assert built.since == date(2024, 7, 3)
    same_as_the_whole(store, "SPY", built)


def test_bars_that_come_while_it_reads_are_for_the_next_build(store, monkeypatch):
    def overtaken(*asked):
        more = random_walk("SPY", date(2024, 7, 8), date(2024, 7, 8))
        writer = Thread(target=put, args=(store, more))
        writer.start()
        writer.join()
        return latest_build(*asked)

    with monkeypatch.context() as patch:
        patch.setattr(build, "latest_build", overtaken)
        build.build(store, "SPY")
    assert read_features(store, "SPY")["session_date"].max() == date(2024, 7, 5)

    built = build.build(store, "SPY")

    assert built.since == date(2024, 7, 8)
    same_as_the_whole(store, "SPY", built)


def test_older_history_is_a_reason_to_begin_anew(store):
    build.build(store, "SPY")
    put(store, random_walk("SPY", date(2024, 5, 28), date(2024, 5, 31), seed=5))

    built = build.build(store, "SPY")

    assert built.since is None
    same_as_the_whole(store, "SPY", built)


@pytest.mark.parametrize(
    "name",
    ["core_15min", "core_1d", "core_1week", "core_all_raw", "alpha158_15min", "context_vs_qqq"],
)
def test_other_forms_go_on_too(store, name):
    build.build(store, "SPY", name)
    put(store, random_walk("SPY", date(2024, 7, 8), date(2024, 7, 9)))

    built = build.build(store, "SPY", name)

    same_as_the_whole(store, "SPY", built)


def same_as_the_whole(store, symbol, built):
    """What is stored has the bits, and the hash, of a build of the whole history."""
    wanted = sets.feature_set(built.feature_set)
    whole = build.compute(store, symbol, wanted)
    stored = read_features(store, symbol, built.feature_set)
    assert_frame_equal(stored.drop("symbol"), whole, check_exact=True)
    assert built.rows == whole.height
    assert built.content_hash == content_hash(whole)
