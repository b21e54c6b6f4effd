"""What tags of models promise: one champion of its kind, and none without its model."""

from dataclasses import replace

import pytest

from lake.models import (
    ModelMissingError,
    TagError,
    delete_model,
    insert_model,
    tag_model,
    tags,
    untag,
)
from tests.lake.test_models import MODEL, register


def held(store):
    return sorted(tags(store).select("model_id", "tag").rows())


def test_a_tag_is_read_back_and_taken_off(store):
    register(store, MODEL)
    for _ in range(2):
        tag_model(store, MODEL.model_id, "candidate")
    tag_model(store, MODEL.model_id, "champion")

    assert held(store) == [(MODEL.model_id, "candidate"), (MODEL.model_id, "champion")]
    for _ in range(2):
        untag(store, MODEL.model_id, "candidate")
    assert held(store) == [(MODEL.model_id, "champion")]


def test_a_new_champion_unseats_the_old_one_of_its_kind_alone(store):
    others = [
        replace(MODEL, model_id="same"),
        replace(MODEL, model_id="label", label="direction_5"),
        replace(MODEL, model_id="symbol", primary_symbol="QQQ"),
        replace(MODEL, model_id="set", feature_set="core_all"),
    ]
    register(store, MODEL, *others)
    tag_model(store, MODEL.model_id, "candidate")
    for one in [MODEL, *others]:
        tag_model(store, one.model_id, "champion")

    champions = {name for name, tag in held(store) if tag == "champion"}
    assert champions == {"same", "label", "symbol", "set"}
    assert (MODEL.model_id, "candidate") in held(store)


def test_a_deleted_model_has_no_tags_and_a_registered_one_keeps_them(store):
    register(store, MODEL)
    tag_model(store, MODEL.model_id, "champion")
    with store.writing() as transaction:
        insert_model(transaction, replace(MODEL, file_hash="e" * 64))
    assert held(store) == [(MODEL.model_id, "champion")]
    delete_model(store, MODEL.model_id)

    assert held(store) == []


def test_other_tags_and_other_models_are_sentences(store):
    with pytest.raises(TagError, match=r"no tag 'best'\. A model is tagged candidate or champion"):
        tag_model(store, MODEL.model_id, "best")
    for change in (tag_model, untag):
        with pytest.raises(ModelMissingError, match="There is no model"):
            change(store, "nobody", "champion")
    assert held(store) == []
