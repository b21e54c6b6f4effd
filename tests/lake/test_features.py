"""What storing features promises: replaced whole, versions side by side, the newest bars win."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from lake import InvalidError
from lake.errors import BarsMissingError
from lake.features import (
    Built,
    Definition,
    FeatureSetNameError,
    FeaturesMissingError,
    builds,
    content_hash,
    definitions,
    latest_build,
    read_features,
    store_features,
)
from tests.market import SOURCE, bar, fetched

OLD, NEW = "a" * 64, "b" * 64


def features(rows: int = 3, value: float = 1.0) -> pl.DataFrame:
    first = datetime(2024, 11, 4, 14, 30, tzinfo=UTC)
    return pl.DataFrame(
        {
            "timestamp": [first + timedelta(days=row // 2, minutes=row) for row in range(rows)],
            "session_date": [date(2024, 11, 4) + timedelta(days=row // 2) for row in range(rows)],
            "sma_5": [value + row for row in range(rows)],
            "rsi_14": [None if row == 0 else value for row in range(rows)],
        },
        schema={
            "timestamp": pl.Datetime("us", "UTC"),
            "session_date": pl.Date,
            "sma_5": pl.Float64,
            "rsi_14": pl.Float64,
        },
    )


def built(**values) -> Built:
    usual = Built(
        feature_set="core",
        set_version=OLD,
        source=SOURCE,
        symbol="SPY",
        frame=features(),
        snapshot=1,
        changes_commit=1,
        seconds=0.1,
        adjust="split",
        definitions=(Definition("sma_5", "trend", {"bars": 5}, "h1", "here:sma"),),
    )
    return replace(usual, **values)


@pytest.fixture
def lk(store):
    """A lake in which SPY and QQQ have a bar, so that they have a source."""
    store.commit_bars(fetched(bar(0), bar(0, symbol="QQQ")))
    return store


def test_what_is_stored_is_read_back(lk):
    store_features(lk, built())

    expected = features().with_columns(symbol=pl.lit("SPY"))
    assert_frame_equal(read_features(lk, "spy"), expected.select("symbol", pl.exclude("symbol")))


def test_a_window_has_the_meaning_it_has_for_bars(lk):
    store_features(lk, built(frame=features(6)))

    def seen(**asked) -> list[float]:
        return read_features(lk, "SPY", **asked)["sma_5"].to_list()

    assert seen(start="2024-11-05") == [3, 4, 5, 6]
    assert seen(start=date(2024, 11, 5), end=date(2024, 11, 5)) == [3, 4]
    assert seen(end=datetime(2024, 11, 4, 14, 31, tzinfo=UTC)) == [1, 2]
    assert seen(limit=2) == [5, 6]
    assert seen(end="2024-11-05", limit=3) == [2, 3, 4]
    assert seen(start="2025-01-01") == []


def test_columns_can_be_chosen_and_unknown_ones_are_named(lk):
    store_features(lk, built())

    assert read_features(lk, "SPY", columns=["rsi_14"]).columns == [
        "symbol",
        "timestamp",
        "session_date",
        "rsi_14",
    ]
    with pytest.raises(InvalidError, match=r'no column x"\. Choose from sma_5, rsi_14'):
        read_features(lk, "SPY", columns=['x"'])


def test_a_symbol_is_replaced_and_the_others_stay(lk):
    store_features(lk, built(symbol="QQQ"))
    store_features(lk, built())
    store_features(lk, built(frame=features(2, 9.0), changes_commit=2))

    assert read_features(lk, "SPY")["sma_5"].to_list() == [9, 10]
    assert read_features(lk, "QQQ")["sma_5"].to_list() == [1, 2, 3]


def test_two_sources_of_one_symbol_do_not_mix(lk):
    store_features(lk, built())
    store_features(lk, built(source="other:sip", frame=features(2, 9.0)))

    assert read_features(lk, "SPY")["sma_5"].to_list() == [1, 2, 3]
    assert read_features(lk, "SPY", source="other:sip")["sma_5"].to_list() == [9, 10]


def test_a_build_that_saw_older_bars_does_not_undo_a_newer_one(lk):
    newer = store_features(lk, built(changes_commit=5))
    snapshot = lk.snapshot()
    late = store_features(lk, built(changes_commit=4, frame=features(1)))

    assert late.build_id == newer.build_id
    assert lk.snapshot() == snapshot
    assert read_features(lk, "SPY").height == 3


def test_a_new_version_is_shown_and_the_old_one_stays_readable(lk):
    store_features(lk, built())
    wider = features().with_columns(ema_12=pl.lit(7.0))
    store_features(lk, built(set_version=NEW, frame=wider))

    assert lk.sql("FROM features_core").columns[-1] == "ema_12"
    assert read_features(lk, "SPY").columns[-1] == "ema_12"
    assert "ema_12" not in read_features(lk, "SPY", set_version=OLD).columns
    assert lk.sql("FROM features_core_aaaaaaaa").height == 3


def test_definitions_are_kept_once_and_counted_up_when_they_change(lk):
    changed = Definition("sma_5", "trend", {"bars": 5}, "h2", "here:sma")
    store_features(lk, built())
    store_features(lk, built(symbol="QQQ"))
    store_features(lk, built(set_version=NEW, definitions=(changed,)))

    found = definitions(lk).select("feature_name", "version", "hash", "params")
    assert found.rows() == [("sma_5", 1, "h1", '{"bars": 5}'), ("sma_5", 2, "h2", '{"bars": 5}')]


def test_every_build_is_noted(lk):
    first = store_features(lk, built())
    second = store_features(lk, built(changes_commit=2, params={"hours": "regular"}))

    assert builds(lk)["build_id"].to_list() == [second.build_id, first.build_id]
    assert latest_build(lk, "core", OLD, SOURCE, "SPY") == second
    assert latest_build(lk, "core", NEW, SOURCE, "SPY") is None


def test_a_failed_write_leaves_the_old_features_alone(lk):
    store_features(lk, built())
    narrower = built(changes_commit=2, frame=features().with_columns(unknown=pl.lit(1.0)))

    with pytest.raises(Exception, match="unknown"):
        store_features(lk, narrower)
    assert read_features(lk, "SPY").height == 3
    assert builds(lk).height == 1


def test_missing_features_and_missing_bars_are_told_apart(lk):
    with pytest.raises(FeaturesMissingError, match="barlake features build SPY --set core"):
        read_features(lk, "SPY")
    with pytest.raises(BarsMissingError, match="barlake ingest ZZZ"):
        read_features(lk, "ZZZ")


@pytest.mark.parametrize("name", ["", "Core", "1st", 'x"; DROP TABLE bars_1m; --', "a" * 40])
def test_a_name_that_no_set_can_have_is_refused(lk, name):
    with pytest.raises(FeatureSetNameError, match="cannot name a feature set"):
        read_features(lk, "SPY", name)
    with pytest.raises(FeatureSetNameError, match="cannot name a feature set"):
        store_features(lk, built(feature_set=name))


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(
    values=st.lists(st.none() | st.floats(allow_nan=False), max_size=20),
    cut=st.integers(0, 20),
    at=st.integers(0, 19),
)
def test_a_content_hash_is_of_the_values_and_not_of_their_chunks(values, cut, at):
    times = features(len(values)).select("timestamp", "session_date")
    frame = times.with_columns(x=pl.Series(values, dtype=pl.Float64))
    chunked = pl.concat([frame.head(cut), frame.slice(cut)], rechunk=False)

    assert content_hash(chunked) == content_hash(frame)
    if at < len(values):
        other = [*values[:at], 0.5 if values[at] != 0.5 else None, *values[at + 1 :]]
        changed = times.with_columns(x=pl.Series(other, dtype=pl.Float64))
        assert content_hash(changed) != content_hash(frame)


def test_a_content_hash_tells_no_time_and_no_number_from_the_first_ones():
    times = features(2).select("timestamp", "session_date")
    columns = {
        "number": [0, None],
        "truth": [False, None],
        "moment": [datetime(1970, 1, 1, tzinfo=UTC), None],
    }
    for name, values in columns.items():
        known = times.with_columns(pl.Series(name, [values[0]] * 2))
        unknown = times.with_columns(pl.Series(name, values))
        assert content_hash(known) != content_hash(unknown), name
        assert content_hash(unknown) == content_hash(unknown.clone()), name
