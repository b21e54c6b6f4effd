"""What the registry of models promises."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lake.models import (
    ModelMissingError,
    StoredModel,
    delete_model,
    find_model,
    insert_model,
    model,
    models,
)
from lake.upkeep import Plan, run
from tests.market import bar, fetched

MODEL = StoredModel(
    model_id="0123456789ab",
    name="logistic direction_15 SPY+QQQ",
    primary_symbol="SPY",
    context_symbols=("QQQ", "IWM"),
    label="direction_15",
    feature_set="core",
    set_version="a" * 64,
    snapshot=7,
    params={"seed": 0, "rows": {"train": 10}},
    metrics={"test": {"auc": None, "accuracy": 0.5}},
    path="models/0123456789ab.joblib",
    file_hash="f" * 64,
)


def register(lk, *found: StoredModel) -> None:
    for one in found:
        with lk.writing() as transaction:
            insert_model(transaction, one)


def test_what_is_registered_is_read_back(store):
    register(store, MODEL)

    found = model(store, MODEL.model_id)
    assert found.created_at is not None
    assert replace(found, created_at=None) == MODEL
    assert found.symbols == ("SPY", "QQQ", "IWM")


def test_the_newest_model_comes_first(store):
    register(store, MODEL, replace(MODEL, model_id="ba9876543210"))

    assert models(store)["model_id"].to_list() == ["ba9876543210", "0123456789ab"]


def test_an_id_is_registered_once(store):
    register(store, MODEL, replace(MODEL, file_hash="e" * 64))

    assert models(store)["file_hash"].to_list() == ["e" * 64]


def test_a_model_without_context_is_one_too(store):
    register(store, replace(MODEL, context_symbols=()))

    assert model(store, MODEL.model_id).symbols == ("SPY",)


def test_an_unknown_model_says_where_to_look(store):
    assert find_model(store, "nope") is None
    with pytest.raises(ModelMissingError, match="`barlake models` lists"):
        model(store, "nope")


def test_the_bars_of_a_registered_model_are_read_again_until_it_is_deleted(store):
    store.commit_bars(fetched(bar(0)))
    seen = store.snapshot()
    register(store, replace(MODEL, snapshot=seen))
    store.commit_bars(fetched(bar(0, 101.0), bar(1)))
    forget = Plan(datetime.now(UTC) + timedelta(days=1), keep=timedelta(0))
    run(store, forget)

    assert store.pins().select("name", "snapshot").rows() == [("model:0123456789ab", seen)]
    assert store.bars("SPY", snapshot=seen)["close"].to_list() == [100.0]

    file = store.place.models / "0123456789ab.joblib"
    file.parent.mkdir(exist_ok=True)
    file.touch()
    assert delete_model(store, MODEL.model_id).snapshot == seen
    assert store.pins().is_empty()
    assert not file.exists()
    run(store, forget)
    assert store.sql("SELECT min(snapshot_id) FROM ducklake_snapshots('lake')").item() > seen
    with pytest.raises(ModelMissingError):
        delete_model(store, MODEL.model_id)


def test_a_model_that_is_registered_again_pins_the_newer_snapshot(store):
    store.commit_bars(fetched(bar(0)))
    register(store, replace(MODEL, snapshot=store.snapshot()))
    store.commit_bars(fetched(bar(1)))
    newer = store.snapshot()
    register(store, replace(MODEL, snapshot=newer))

    assert store.pins()["snapshot"].to_list() == [newer]


def test_a_snapshot_that_has_expired_is_not_pinned_and_the_model_is_registered(store):
    register(store, replace(MODEL, snapshot=10**6))

    assert store.pins().is_empty()
    assert model(store, MODEL.model_id).snapshot == 10**6
