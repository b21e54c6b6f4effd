"""K-folds and combinations by hand: rows an hour apart, a session a day."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from training_service.splits import CombinatorialPurged, PurgedKFold, SplitError

FIRST = datetime(2024, 1, 1, 14, 30, tzinfo=UTC)


def rows(days: int, each: int, reach: int) -> pl.DataFrame:
    """So many rows a session, an hour apart, whose labels reach so many rows of it ahead."""
    times = [
        (FIRST + timedelta(days=day, hours=hour), min(reach, each - 1 - hour))
        for day in range(days)
        for hour in range(each)
    ]
    return pl.DataFrame(
        {
            "timestamp": [moment for moment, _ in times],
            "session_date": [moment.date() for moment, _ in times],
            "label_end": [moment + timedelta(hours=ahead) for moment, ahead in times],
        }
    )


def test_a_test_in_the_middle_is_purged_on_both_sides_and_followed_by_an_embargo():
    _, fold, _ = PurgedKFold(3, embargo=0.1).folds(rows(1, 15, 2))

    assert fold.test.tolist() == [5, 6, 7, 8, 9]
    assert fold.train.tolist() == [0, 1, 2, 14]
    assert fold.purged == 4  # 3 and 4 look at test rows, 8 and 9 look at 10 and 11
    assert fold.embargoed == 2  # a tenth of 15 rows, rounded up: 12 and 13


def test_an_embargo_of_sessions_takes_whole_ones():
    first, *_ = PurgedKFold(4, embargo_sessions=1).folds(rows(4, 3, 1))

    assert first.test.tolist() == [0, 1, 2]
    assert first.train.tolist() == [6, 7, 8, 9, 10, 11]
    assert (first.purged, first.embargoed) == (0, 3)


def test_no_embargo_is_possible():
    for none in ({"embargo": 0.0}, {"embargo_sessions": 0}):
        first, *_ = PurgedKFold(4, **none).folds(rows(4, 3, 1))
        assert (first.purged, first.embargoed) == (0, 0)


def test_the_usual_embargo_is_a_hundredth_of_the_rows():
    first, *_ = PurgedKFold(2).folds(rows(20, 6, 0))

    assert first.embargoed == 2  # of 120 rows, rounded up


def test_six_groups_of_which_two_are_tested_make_fifteen_folds_and_five_paths():
    # Lopez de Prado (2018), figures 12.1 and 12.2.
    split = CombinatorialPurged(6, 2)
    folds = [*split.folds(rows(6, 2, 0))]

    assert len(folds) == 15
    assert folds[0].groups == (0, 1)
    assert folds[1].test.tolist() == [0, 1, 4, 5]
    assert split.paths == (
        (0, 0, 1, 2, 3, 4),
        (1, 5, 5, 6, 7, 8),
        (2, 6, 9, 9, 10, 11),
        (3, 7, 10, 12, 12, 13),
        (4, 8, 11, 13, 14, 14),
    )


def test_one_group_at_a_time_is_a_k_fold():
    rows_ = rows(5, 4, 2)
    combined = CombinatorialPurged(5, 1).folds(rows_)

    for one, other in zip(combined, PurgedKFold(5).folds(rows_), strict=True):
        assert one.train.tolist() == other.train.tolist()
        assert one.test.tolist() == other.test.tolist()


def test_fewer_rows_than_parts_is_a_sentence():
    with pytest.raises(SplitError, match="4 labelled rows cannot be split into 5 parts"):
        next(PurgedKFold(5).folds(rows(2, 2, 0)))


@pytest.mark.parametrize(
    ("kind", "wrong", "sentence"),
    [
        (PurgedKFold, {"count": 1}, "at least two folds"),
        (PurgedKFold, {"embargo": 1.0}, "from 0 to below 1"),
        (PurgedKFold, {"embargo": -0.1}, "from 0 to below 1"),
        (PurgedKFold, {"embargo": float("nan")}, "from 0 to below 1"),
        (PurgedKFold, {"embargo_sessions": -1}, "0 sessions or more"),
        (PurgedKFold, {"embargo": 0.1, "embargo_sessions": 1}, "not both"),
        (CombinatorialPurged, {"groups": 4, "test_groups": 4}, "at least one but not all"),
        (CombinatorialPurged, {"groups": 4, "test_groups": 0}, "at least one but not all"),
        (CombinatorialPurged, {"groups": 30, "test_groups": 15}, "155,117,520 folds"),
        (CombinatorialPurged, {"embargo": 2}, "from 0 to below 1"),
    ],
)
def test_a_split_that_cannot_be_is_refused(kind, wrong, sentence):
    with pytest.raises(SplitError, match=sentence):
        kind(**wrong)
