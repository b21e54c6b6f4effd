"""What labels and splits promise: a label stays in its session, and no label touches a test row."""

from datetime import date

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.feature_service.thin_bars import thin_bars
from tests.feature_service.walks import random_walk
from training_service import labels
from training_service.labels import LabelError
from training_service.splits import Holdout, SplitError, WalkForward

quick = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
every_label = st.sampled_from(list(labels.labels().values()))


@quick
@given(bars=thin_bars(), label=every_label)
def test_a_label_is_about_the_bars_that_follow_in_its_session(bars, label):
    found = labels.add(bars, label).to_dicts()

    for row, one in enumerate(found):
        later = found[row + label.bars] if row + label.bars < len(found) else None
        if later is None or later["session_date"] != one["session_date"]:
            assert one["label"] is None
            assert one["label_end"] is None
        else:
            assert one["label"] == int(later["close"] > one["close"])
            assert one["label_end"] == later["timestamp"]


@quick
@given(bars=thin_bars(), label=every_label, share=st.floats(0.01, 0.99), folds=st.integers(1, 5))
def test_no_label_of_a_training_row_touches_a_test_row(bars, label, share, folds):
    rows = labels.add(bars, label).filter(pl.col("label").is_not_null())
    cuts = [*WalkForward(folds).folds(rows)]
    if rows.height > 1:
        cuts += [*Holdout(share).folds(rows)]

    for fold in cuts:
        tested = rows["timestamp"][int(fold.test[0])]
        assert all(rows["label_end"][int(row)] < tested for row in fold.train)
        assert fold.test.tolist() == list(range(fold.test[0], fold.test[-1] + 1))
        assert len(fold.train) + fold.purged == fold.test[0]


def labelled(sessions: int) -> pl.DataFrame:
    last = [
        date(2024, 6, 3),
        date(2024, 6, 4),
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        date(2024, 6, 14),
    ]
    bars = random_walk("SPY", date(2024, 6, 3), last[sessions - 1])
    dated = bars.with_columns(pl.col("timestamp").dt.date().alias("session_date"))
    rows = labels.add(dated, labels.find("direction_15"))
    return rows.filter(pl.col("label").is_not_null())


def test_a_holdout_cuts_between_sessions():
    rows = labelled(10)
    (fold,) = Holdout(0.3).folds(rows)

    assert rows["session_date"][fold.test].n_unique() == 3
    assert rows["session_date"][fold.train].n_unique() == 7
    assert fold.purged == 0


def test_a_single_session_is_cut_inside_and_purged():
    rows = labelled(1)
    (fold,) = Holdout(0.3).folds(rows)

    assert len(fold.test) == round(rows.height * 0.3)
    assert fold.purged == 15


def test_two_sessions_are_one_to_train_on_and_one_to_test_on():
    rows = labelled(2)
    (fold,) = Holdout(0.01).folds(rows)

    assert rows["session_date"][fold.test].unique().to_list() == [date(2024, 6, 4)]


def test_walking_forward_trains_on_more_each_time():
    sizes = [len(fold.train) for fold in WalkForward(3).folds(labelled(10))]

    assert len(sizes) == 3
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("share", [0, 1, -0.5, 2])
def test_a_test_share_that_leaves_nothing_is_refused(share):
    with pytest.raises(SplitError, match="between 0 and 1"):
        Holdout(share)


def test_one_row_cannot_be_split():
    with pytest.raises(SplitError, match="1 labelled rows"):
        next(Holdout().folds(labelled(1).head(1)))


def test_an_unknown_label_names_the_nearest():
    with pytest.raises(LabelError, match="Did you mean direction_15"):
        labels.find("direction15")


def test_labels_of_other_horizons_have_other_hashes():
    hashes = {label.hash for label in labels.labels().values()}

    assert len(hashes) == len(labels.labels())
