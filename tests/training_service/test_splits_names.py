"""What a written split promises: its facts lead back to it, and a wrong word is told what is near."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training_service.splits import (
    CombinatorialPurged,
    Holdout,
    PurgedKFold,
    SplitError,
    WalkForward,
    split_names,
    split_of,
)

SPLITS = [
    Holdout(0.25),
    WalkForward(),
    WalkForward(5, "rolling", train=10, gap=2),
    WalkForward(window="rolling", train=60, test=5, step=10),
    PurgedKFold(),
    PurgedKFold(10, embargo_sessions=2),
    CombinatorialPurged(8, 3, embargo=0.0),
]


@pytest.mark.parametrize("split", SPLITS, ids=repr)
def test_facts_are_json_and_lead_back_to_the_split(split):
    facts = json.loads(json.dumps(split.facts))

    assert split_of(facts).facts == split.facts
    assert type(split_of(facts)) is type(split)


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("holdout", Holdout()),
        ("holdout:test_share=0.2", Holdout(0.2)),
        ("walk-forward", WalkForward()),
        ("walk-forward:folds=3,window=rolling", WalkForward(3, "rolling")),
        (" walk-forward : train=60, test = 5 ", WalkForward(train=60, test=5)),
        ("purged-k-fold:folds=10,embargo=0.02", PurgedKFold(10, 0.02)),
        (
            "combinatorial-purged:groups=10,test_groups=2,embargo_sessions=1",
            CombinatorialPurged(10, 2, embargo_sessions=1),
        ),
    ],
)
def test_a_short_text_says_a_split(text, split):
    assert split_of(text) == split


def test_the_facts_of_the_usual_splits_stay_as_they_were():
    assert Holdout().facts == {"split": "holdout", "test_share": 0.3}
    assert WalkForward().facts == {"split": "walk-forward", "folds": 3, "window": "expanding"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("walkforward", "no split 'walkforward'. Did you mean walk-forward?"),
        ("k-fold", "Did you mean purged-k-fold?"),
        ("", "The splits are holdout, walk-forward, purged-k-fold, combinatorial-purged"),
        ("walk-forward:fold=3", "has no 'fold'. Did you mean folds?"),
        ("holdout:folds=3", "The things to tell it are test_share"),
        ("walk-forward:folds=three", "folds of walk-forward is a whole number, not 'three'"),
        ("walk-forward:folds=2.5", "is a whole number, not '2.5'"),
        ("holdout:test_share=much", "test_share of holdout is a number, not 'much'"),
        ("walk-forward:folds", "Write key=value"),
        ("walk-forward:", "Write key=value"),
        ("walk-forward:folds=3,folds=4", "folds is given twice"),
        ("walk-forward:split=holdout", "split is given twice"),
        ("holdout:test_share=2", "between 0 and 1"),
        ("walk-forward:window=sliding", "expanding or rolling"),
    ],
)
def test_a_wrong_word_is_told_what_is_near(text, sentence):
    with pytest.raises(SplitError) as caught:
        split_of(text)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("value", [True, 2.5, [3], "1e400"])
def test_facts_that_are_no_numbers_are_refused(value):
    with pytest.raises(SplitError, match="whole number"):
        split_of({"split": "walk-forward", "folds": value})


@given(
    text=st.text(max_size=40) | st.from_regex(r"(holdout|purged-k-fold):\w*=?\S*", fullmatch=True)
)
def test_any_text_is_a_split_or_a_sentence(text):
    try:
        said = split_of(text).facts["split"]
    except SplitError as error:
        said = str(error)

    assert said in split_names() or (said.endswith(".") and len(said.splitlines()) == 1)
