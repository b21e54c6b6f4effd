"""What a walk through time promises: no prediction knows a bar that came after its training."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tests.training_service.training_rows import bars, dataset
from training_service import fitting
from training_service.recipe import Recipe
from training_service.training import data_of
from training_service.walking import Schedule, StepRowsError, WalkError, out_of_sample, walk

BARS = bars(9, 40)
RECIPE = Recipe(["SPY"], label="direction_3")


def walked(rows=BARS, schedule=None, recipe=RECIPE):
    return walk(dataset(rows, recipe.label), recipe, schedule or Schedule(retrain=2))


@settings(max_examples=12, deadline=None)
@given(
    row=st.integers(80, BARS.height - 1),
    factor=st.floats(0.5, 2),
    window=st.sampled_from(["expanding", "rolling"]),
    calibration=st.sampled_from(["none", "sigmoid"]),
)
def test_changing_a_bar_changes_no_earlier_prediction(row, factor, window, calibration):
    recipe = replace(RECIPE, calibration=calibration)
    place = pl.int_range(pl.len()) == row
    changed = BARS.with_columns(
        pl.when(place).then(pl.col("close") * factor).otherwise("close").alias("close"),
        pl.when(place).then(pl.col("noise") + 9).otherwise("noise").alias("noise"),
    )
    earlier = pl.col("timestamp") < BARS["timestamp"][row]
    before, after = (walked(rows, Schedule(2, window), recipe)[0] for rows in (BARS, changed))

    assert_frame_equal(after.filter(earlier), before.filter(earlier), check_exact=True)


def test_a_bar_of_the_past_does_change_what_follows():
    """Or the law above would hold for a walk that learns nothing."""
    changed = BARS.with_columns(close=pl.col("close") * pl.Series(np.linspace(1, 1.1, BARS.height)))
    before, after = (walked(rows)[0]["chance"] for rows in (BARS, changed))

    assert (before != after).any()


def test_cutting_the_future_off_changes_no_prediction():
    whole, _ = walked()
    days = BARS["session_date"].unique().sort()
    shorter, _ = walked(BARS.filter(pl.col("session_date") <= days[5]))

    assert_frame_equal(shorter, whole.head(shorter.height), check_exact=True)


@pytest.mark.parametrize(("window", "length"), [("expanding", None), ("rolling", 2)])
def test_each_step_is_what_a_model_of_its_past_says(window, length):
    frame, steps = walked(schedule=Schedule(3, window, length))
    data = dataset(BARS, RECIPE.label)

    days = BARS["session_date"].unique().sort()
    assert [step["first_session"] for step in steps] == [str(days[3]), str(days[6])]
    for place, step in enumerate(steps):
        first = 3 + 3 * place
        opening = BARS.filter(pl.col("session_date") == days[first])["timestamp"][0]
        known = data.frame.filter(pl.col("label_end") < opening)
        if length:
            known = known.filter(pl.col("session_date") >= days[first - length])
        assert step["train_rows"] == known.height
        made = fitting.fit(RECIPE, data_of(replace(data, frame=known), RECIPE))
        said = data.frame.filter(pl.col("session_date").is_in(days[first : first + 3].implode()))
        expected = made.outputs(fitting.matrix(said, data.columns), "m")[:, 1]
        got = frame.filter(pl.col("timestamp").is_in(said["timestamp"].implode()))
        np.testing.assert_array_equal(got["chance"], expected)
        assert got["trained_to"].unique().to_list() == [known["label_end"].max()]


def test_rows_without_a_label_are_foreseen_too():
    frame, _ = walked()

    assert frame["timestamp"].max() == BARS["timestamp"][-1]
    assert (frame["trained_to"] < frame["timestamp"]).all()
    assert ((frame["chance"] >= 0.5) == frame["prediction"]).all()


def test_a_label_of_the_next_session_is_not_learnt_before_that_session_is_over():
    recipe = replace(RECIPE, label="return_next_session", model="ridge")
    frame, _ = walked(bars(9, 60), Schedule(6), recipe)

    first = frame["session_date"][0]
    known = frame.filter(pl.col("session_date") == first)["trained_to"][0]
    assert known.date() < first


def test_a_panel_keeps_its_symbols_and_learns_from_all():
    several = pl.concat([bars(6, seed=n, symbol=name) for n, name in enumerate(["QQQ", "SPY"])])
    frame, steps = walked(several)

    assert frame.columns[:3] == ["timestamp", "session_date", "symbol"]
    assert frame["symbol"].value_counts()["count"].n_unique() == 1
    assert steps[0]["train_rows"] > 2 * 40


def test_numbers_have_predictions_and_no_chances():
    frame, _ = walked(recipe=replace(RECIPE, label="return_3", model="ridge"))

    assert "chance" not in frame.columns
    assert frame["prediction"].dtype == pl.Float64


def test_a_walk_may_begin_where_it_is_told():
    moment = datetime(2024, 7, 5, 13, 50, tzinfo=UTC)
    frame, steps = walked(schedule=Schedule(2, first=moment))

    assert frame["timestamp"][0] == moment
    assert steps[0]["first_session"] == "2024-07-05"


@pytest.mark.parametrize(
    ("told", "kind", "sentence"),
    [
        ({"retrain": 0}, WalkError, "one session or more, not 0"),
        ({"window": "growing"}, WalkError, "expanding or rolling, not 'growing'"),
        ({"length": 3}, WalkError, "of a rolling window alone"),
        ({"retrain": 9}, WalkError, "nothing to predict: the rows have 9 sessions"),
        (
            {"retrain": 1, "window": "rolling"},
            StepRowsError,
            "SPY has 37 rows .* widen the rolling window",
        ),
        (
            {"first": "2024-07-01"},
            StepRowsError,
            "Before 2024-07-01 SPY has 0 rows whose direction_3",
        ),
    ],
)
def test_a_walk_that_cannot_be_is_a_sentence(told, kind, sentence):
    with pytest.raises(kind, match=sentence):
        walked(schedule=Schedule(**{"retrain": 2, **told}))


def test_a_walk_along_a_lake_says_what_it_was_made_from(store):
    told = []
    asked = {"retrain": 4, "end": "2024-07-05", "progress": lambda *each: told.append(each)}
    first, again = (out_of_sample(store, Recipe(["SPY", "QQQ"]), **asked) for _ in range(2))

    assert first.hash == again.hash
    assert_frame_equal(first.frame, again.frame, check_exact=True)
    assert first.frame["session_date"].max().isoformat() == "2024-07-05"
    assert [step["rows"] for step in first.facts["steps"]] == [
        first.frame.filter(pl.col("session_date") <= pl.date(2024, 7, 3)).height,
        first.frame.filter(pl.col("session_date") > pl.date(2024, 7, 3)).height,
    ]
    assert first.facts["sources"].keys() == {"SPY", "QQQ"}
    assert told[1][0] == "step 1 of 2"


def test_a_feature_that_is_known_later_changes_no_earlier_prediction():
    """How many columns there are changes what a forest draws, be they empty in all rows learnt."""
    recipe = replace(RECIPE, model="random_forest", parameters={"n_estimators": 5})
    days = BARS["session_date"].unique().sort()
    known_from = pl.col("session_date") >= days[6]

    def with_news(rows):
        data = dataset(rows, recipe.label)
        news = pl.when(known_from).then("noise").alias("news")
        return replace(data, frame=data.frame.with_columns(news), columns=(*data.columns, "news"))

    without, _ = walk(dataset(BARS, recipe.label), recipe, Schedule(2))
    told, _ = walk(with_news(BARS), recipe, Schedule(2))

    # The step of the seventh session learns from the six before it, the next from two with news.
    unheard = pl.col("session_date") < days[8]
    assert_frame_equal(told.filter(unheard), without.filter(unheard), check_exact=True)
    assert (told["chance"] != without["chance"]).any()
