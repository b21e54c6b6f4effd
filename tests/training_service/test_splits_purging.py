"""What every split promises: no label of a training row touches that of a test row."""

import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from training_service.splits import (
    CombinatorialPurged,
    Holdout,
    PurgedKFold,
    SplitError,
    WalkForward,
)

quick = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
FIRST = datetime(2024, 1, 1, 14, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@st.composite
def labelled_rows(draw) -> pl.DataFrame:
    """Rows of some sessions, several symbols at a time; labels of any reach, over nights too."""
    rows = []
    for day in range(draw(st.integers(1, 8))):
        minutes = draw(st.lists(st.integers(0, 30), min_size=1, max_size=8))
        for minute in sorted(minutes):
            moment = FIRST + timedelta(days=day, minutes=minute)
            reach = draw(st.one_of(st.integers(0, 10), st.integers(0, 4000)))
            rows.append((moment, moment.date(), moment + reach * MINUTE))
    times = pl.Datetime("us", "UTC")
    schema = {"timestamp": times, "session_date": pl.Date, "label_end": times}
    return pl.DataFrame(rows, schema=schema, orient="row")


embargoes = st.one_of(
    st.builds(lambda share: {"embargo": share}, st.sampled_from([0.0, 0.01, 0.1, 0.5])),
    st.builds(lambda count: {"embargo_sessions": count}, st.integers(0, 3)),
)
splits = st.one_of(
    st.builds(Holdout, st.floats(0.01, 0.99)),
    st.builds(WalkForward, st.integers(1, 5), st.sampled_from(["expanding", "rolling"])),
    st.builds(
        lambda window, train, test, step, gap: WalkForward(None, window, train, test, step, gap),
        st.sampled_from(["expanding", "rolling"]),
        st.integers(1, 3),
        st.integers(1, 3),
        st.one_of(st.none(), st.integers(1, 3)),
        st.integers(0, 2),
    ),
    st.builds(lambda k, e: PurgedKFold(k, **e), st.integers(2, 6), embargoes),
    st.builds(
        lambda n, k, e: CombinatorialPurged(n, min(k, n - 1), **e),
        st.integers(2, 6),
        st.integers(1, 5),
        embargoes,
    ),
)


def folds_of(split, rows: pl.DataFrame) -> list:
    try:
        return [*split.folds(rows)]
    except SplitError:
        return []


def touch(one: dict, other: dict) -> bool:
    return one["timestamp"] <= other["label_end"] and other["timestamp"] <= one["label_end"]


@quick
@given(rows=labelled_rows(), split=splits)
def test_no_window_of_a_training_row_touches_that_of_a_test_row(rows, split):
    there = rows.to_dicts()

    for fold in folds_of(split, rows):
        train, test = fold.train.tolist(), fold.test.tolist()
        assert not any(touch(there[one], there[other]) for one in train for other in test)
        assert test
        assert train == sorted(set(train))
        assert test == sorted(set(test))


@quick
@given(rows=labelled_rows(), split=st.one_of(st.builds(Holdout), st.builds(WalkForward)))
def test_everything_before_the_test_trains_but_for_what_is_purged(rows, split):
    there = rows.to_dicts()

    for fold in folds_of(split, rows):
        test = fold.test.tolist()
        assert test == list(range(test[0], test[-1] + 1))
        assert fold.train.tolist() == [
            row
            for row in range(test[0])
            if not any(touch(there[row], there[other]) for other in test)
        ]
        assert len(fold.train) + fold.purged == test[0]
        assert fold.embargoed == 0


def under_embargo(there: list[dict], block: list[int], split) -> set[int]:
    last = max(there[row]["label_end"] for row in block)
    after = [row for row in range(len(there)) if row > block[-1] and there[row]["timestamp"] > last]
    if split.embargo_sessions is None:
        return set(after[: math.ceil(round(split.embargo * len(there), 6))])
    if split.embargo_sessions == 0:
        return set()
    days = sorted({one["session_date"] for one in there})
    until = max(
        one["session_date"]
        for row, one in enumerate(there)
        if one["timestamp"] <= last or row in block
    )
    allowed = days[: days.index(until) + split.embargo_sessions + 1]
    return {row for row in after if there[row]["session_date"] in allowed}


def pieces(numbers: list[int]) -> list[list[int]]:
    found: list[list[int]] = []
    for number in numbers:
        if found and found[-1][-1] == number - 1:
            found[-1].append(number)
        else:
            found.append([number])
    return found


@quick
@given(rows=labelled_rows(), parts=st.integers(2, 6), tests=st.integers(1, 5), embargo=embargoes)
def test_nothing_is_left_out_but_what_touches_or_is_under_embargo(rows, parts, tests, embargo):
    there = rows.to_dicts()
    split = CombinatorialPurged(parts, min(tests, parts - 1), **embargo)
    groups = {} if rows.height < parts else dict(enumerate(split.group_rows(rows)))

    for fold in folds_of(split, rows):
        test = set(fold.test.tolist())
        touching = {
            row
            for row in range(len(there))
            if row not in test and any(touch(there[row], there[other]) for other in test)
        }
        blocks = [groups[group].tolist() for group in fold.groups]
        late = set().union(*(under_embargo(there, block, split) for block in blocks))
        late -= test | touching
        assert set(fold.train.tolist()) == set(range(len(there))) - test - touching - late
        assert (fold.purged, fold.embargoed) == (len(touching), len(late))


@quick
@given(rows=labelled_rows(), count=st.integers(2, 6))
def test_a_k_fold_tests_every_row_once(rows, count):
    folds = folds_of(PurgedKFold(count), rows)

    if rows.height < count:
        assert folds == []
    else:
        assert len(folds) == count
        assert [int(row) for fold in folds for row in fold.test] == list(range(rows.height))


@quick
@given(rows=labelled_rows(), parts=st.integers(2, 7), tests=st.integers(1, 6))
def test_every_path_tests_every_row_once(rows, parts, tests):
    split = CombinatorialPurged(parts, min(tests, parts - 1))
    if rows.height < parts:
        return
    folds, groups = [*split.folds(rows)], split.group_rows(rows)

    assert len(folds) == math.comb(parts, split.test_groups) == split.fold_count
    assert len(split.paths) == split.path_count
    assert split.path_count == split.fold_count * split.test_groups / parts
    used = [(fold, group) for path in split.paths for group, fold in enumerate(path)]
    assert len(used) == len(set(used)) == split.fold_count * split.test_groups
    for path in split.paths:
        tested = []
        for group, fold in enumerate(path):
            assert set(groups[group]) <= set(folds[fold].test)
            tested += groups[group].tolist()
        assert tested == list(range(rows.height))


@quick
@given(rows=labelled_rows(), count=st.integers(2, 6))
def test_parts_are_cut_between_sessions_where_there_are_enough(rows, count):
    folds = folds_of(PurgedKFold(count), rows)

    if folds and rows["session_date"].n_unique() >= count:
        for before, after in pairwise(folds):
            days = rows["session_date"]
            assert days[int(before.test[-1])] < days[int(after.test[0])]


@pytest.mark.parametrize("count", [2, 3, 5, 7])
def test_parts_of_even_sessions_are_even(count):
    rows = pl.DataFrame(
        [(FIRST + timedelta(days=d, minutes=m),) for d in range(210) for m in range(4)],
        schema={"timestamp": pl.Datetime("us", "UTC")},
        orient="row",
    ).with_columns(session_date=pl.col("timestamp").dt.date(), label_end=pl.col("timestamp"))

    assert {len(fold.test) for fold in PurgedKFold(count).folds(rows)} == {840 // count}
