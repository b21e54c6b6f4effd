"""What a holdout and walking forward promise: they train on what comes before, cut at sessions."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from tests.feature_service.walks import random_walk
from training_service import labels
from training_service.splits import Holdout, SplitError, WalkForward

FIRST = datetime(2024, 1, 1, 14, 30, tzinfo=UTC)


def labelled(last: date) -> pl.DataFrame:
    bars = random_walk("SPY", date(2024, 6, 3), last)
    dated = bars.with_columns(pl.col("timestamp").dt.date().alias("session_date"))
    rows = labels.add(dated, labels.find("direction_15"))
    return rows.filter(pl.col("label").is_not_null())


ONE, TWO, TEN = (labelled(date(2024, 6, day)) for day in (3, 4, 14))


def days(count: int, reach: int = 0) -> pl.DataFrame:
    """One row a session, whose label reaches so many sessions ahead."""
    times = [FIRST + timedelta(days=day) for day in range(count)]
    return pl.DataFrame(
        {
            "timestamp": times,
            "session_date": [moment.date() for moment in times],
            "label_end": [moment + timedelta(days=reach) for moment in times],
        }
    )


def shape(split, rows: pl.DataFrame) -> list[tuple[list[int], list[int]]]:
    return [(fold.train.tolist(), fold.test.tolist()) for fold in split.folds(rows)]


# Holdout


def test_a_holdout_cuts_between_sessions():
    (fold,) = Holdout(0.3).folds(TEN)

    assert TEN["session_date"][fold.test].n_unique() == 3
    assert TEN["session_date"][fold.train].n_unique() == 7
    assert fold.purged == 0


def test_a_single_session_is_cut_inside_and_purged():
    (fold,) = Holdout(0.3).folds(ONE)

    assert len(fold.test) == round(ONE.height * 0.3)
    assert fold.purged == 15


def test_two_sessions_are_one_to_train_on_and_one_to_test_on():
    (fold,) = Holdout(0.01).folds(TWO)

    assert TWO["session_date"][fold.test].unique().to_list() == [date(2024, 6, 4)]


@pytest.mark.parametrize("share", [0, 1, -0.5, 2, float("nan")])
def test_a_test_share_that_leaves_nothing_is_refused(share):
    with pytest.raises(SplitError, match="between 0 and 1"):
        Holdout(share)


def test_one_row_cannot_be_split():
    with pytest.raises(SplitError, match="1 labelled rows"):
        next(Holdout().folds(ONE.head(1)))


# Walking forward, told a number of folds


def test_an_expanding_window_trains_on_more_each_time():
    assert shape(WalkForward(3), days(8)) == [
        ([0, 1], [2, 3]),
        ([0, 1, 2, 3], [4, 5]),
        ([0, 1, 2, 3, 4, 5], [6, 7]),
    ]


def test_a_rolling_window_trains_on_as_much_as_the_first():
    assert shape(WalkForward(3, "rolling"), days(8)) == [
        ([0, 1], [2, 3]),
        ([2, 3], [4, 5]),
        ([4, 5], [6, 7]),
    ]


def test_a_rolling_window_may_be_longer_than_the_first_part():
    assert shape(WalkForward(3, "rolling", train=3), days(8)) == [
        ([0, 1], [2, 3]),
        ([1, 2, 3], [4, 5]),
        ([3, 4, 5], [6, 7]),
    ]


def test_a_gap_is_left_out_besides_what_is_purged():
    (one, two, three) = WalkForward(3, gap=1).folds(days(8, reach=2))

    assert [fold.train.tolist() for fold in (one, two, three)] == [[], [0, 1], [0, 1, 2, 3]]
    assert [fold.purged for fold in (one, two, three)] == [1, 1, 1]


def test_a_number_of_folds_that_do_not_fit_gives_none():
    assert shape(WalkForward(3), days(3)) == []
    assert len(shape(WalkForward(3), days(4))) == 3


def test_one_session_is_walked_through_by_rows():
    folds = [*WalkForward(2).folds(ONE)]

    assert len(folds) == 2
    assert [fold.purged for fold in folds] == [15, 15]


# Walking forward, told lengths


def test_lengths_in_sessions_end_with_the_newest():
    split = WalkForward(window="rolling", train=3, test=2)

    assert shape(split, days(8)) == [([1, 2, 3], [4, 5]), ([3, 4, 5], [6, 7])]


def test_an_expanding_window_takes_what_is_left_over():
    assert shape(WalkForward(train=3, test=2), days(8)) == [
        ([0, 1, 2, 3], [4, 5]),
        ([0, 1, 2, 3, 4, 5], [6, 7]),
    ]


def test_a_step_lies_between_the_beginnings_of_tests():
    apart = WalkForward(window="rolling", train=2, test=1, step=3)
    over = WalkForward(window="rolling", train=2, test=2, step=1, gap=1)

    assert shape(apart, days(6)) == [([0, 1], [2]), ([3, 4], [5])]
    assert shape(over, days(6)) == [([0, 1], [3, 4]), ([1, 2], [4, 5])]


def test_lengths_that_do_not_fit_say_how_many_sessions_are_needed():
    with pytest.raises(SplitError, match="needs 66 sessions, and the rows have 8"):
        next(WalkForward(train=60, test=5, gap=1).folds(days(8)))
    with pytest.raises(SplitError, match="needs 8 sessions, and the rows have 7"):
        next(WalkForward(3, gap=1).folds(days(7)))


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"count": 0}, "at least one fold"),
        ({"window": "sliding"}, "expanding or rolling, not 'sliding'"),
        ({"train": 5, "test": 0}, "a test of at least one session"),
        ({"window": "rolling", "train": -1}, "a train of at least one session"),
        ({"train": 5, "test": 2, "step": 0}, "a step of at least one session"),
        ({"gap": -1}, "0 sessions or more"),
        ({"count": 3, "train": 5, "test": 2}, "not both"),
        ({"test": 2}, "needs a train length too"),
        ({"step": 2}, "needs a train and a test length"),
        ({"train": 5}, "Take window=rolling"),
    ],
)
def test_a_walk_that_cannot_be_is_refused(wrong, sentence):
    with pytest.raises(SplitError, match=sentence):
        WalkForward(**wrong)


# Rows


def test_rows_that_cannot_be_split_are_refused():
    good = days(8)
    for wrong, sentence in [
        (good.reverse(), "sorted by timestamp"),
        (good.with_columns(label_end=good["label_end"].shift(2)), "2 rows have no label_end"),
        (days(8, reach=-1), "Labels look ahead"),
    ]:
        with pytest.raises(SplitError, match=sentence):
            next(Holdout().folds(wrong))
