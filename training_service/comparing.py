"""Models side by side: where their recipes differ, and what they scored."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from lake import Lake
from lake.errors import ProblemError
from lake.models import StoredModel, tags
from lake.models import model as stored_model
from training_service.scores import NUMBERS

_SCORES = ("rows", "accuracy", "balanced_accuracy", "log_loss", "auc", *NUMBERS)
_TESTED = ("test_start", "test_end")
_FEWEST = 2


class CompareError(ProblemError):
    """Models that make no comparison."""


def compare(lk: Lake, ids: Sequence[str]) -> pl.DataFrame:
    """A row a model, in the order asked for.

    Args:
        lk: The lake.
        ids: Two registered models or more.

    Returns:
        ``model_id``, ``name``, ``tags``, ``created_at``; of the recipe, the range and the sources
        what differs, as text; ``trained_rows``, ``test_start``, ``test_end``; each score of the test
        and of all folds together (``test_auc``, ``total_auc``) that one of them has, beside
        ``test_dummy`` and ``total_dummy``, the same of no model, by logarithmic loss or, for
        numbers, by the root of the mean squared error; ``comparable``, and ``warning``, a sentence
        where the scores cannot be set against the first model's, null where they can.

    Raises:
        CompareError: There are fewer than two, or one twice.
        ModelMissingError: There is none of an id.
    """
    if len(ids) < _FEWEST or len(set(ids)) < len(ids):
        problem = "Name at least two models, each once. `barlake models` lists those there are."
        raise CompareError(problem)
    found = [stored_model(lk, one) for one in ids]
    told = [_recipe(one) for one in found]
    differing = [
        name
        for name in dict.fromkeys(name for one in told for name in one)
        if len({one.get(name) for one in told}) > 1
    ]
    held = tags(lk)
    rows = []
    for one, facts in zip(found, told, strict=True):
        warning = _warning(found[0], one)
        own = held.filter(pl.col("model_id") == one.model_id)["tag"].sort().to_list()
        rows.append(
            {
                "model_id": one.model_id,
                "name": one.name,
                "tags": ", ".join(own) or None,
                "created_at": one.created_at,
                **{name: facts.get(name) for name in differing},
                "trained_rows": one.params["rows"]["train"],
                **{name: one.params[name] for name in _TESTED},
                **_scores(one.metrics),
                "comparable": warning is None,
                "warning": warning,
            }
        )
    frame = pl.DataFrame(rows, infer_schema_length=None)
    empty = [name for name in frame.columns if _is_score(name) and frame[name].is_null().all()]
    return frame.drop(empty).with_columns(pl.col("warning").cast(pl.String))


def _recipe(stored: StoredModel) -> dict[str, str]:
    """Everything that was decided, as text; nested facts under names with dots."""
    params = stored.params
    facts = {
        **params["recipe"],
        "parameters": params.get("parameters") or params["recipe"].get("parameters") or {},
        "source": params["sources"],
        "train_start": params["train_start"],
        "train_end": params["train_end"],
        "code": params["code"]["sources"][:12],
        "libraries": params["libraries"],
    }
    found: dict[str, str] = {}
    for name, value in facts.items():
        inner = value.items() if isinstance(value, Mapping) else [("", value)]
        for key, each in inner:
            full = name if key in {"", name} else f"{name}.{key}"
            found[full] = each if isinstance(each, str) else json.dumps(each, sort_keys=True)
    return found


def _scores(metrics: Mapping[str, Any]) -> dict[str, Any]:
    test = metrics["test"]
    total = metrics.get("total") or {}  # older models have none
    plain = metrics["baselines"].get("majority") or metrics["baselines"]["mean"]
    return {
        **{f"test_{name}": test.get(name) for name in _SCORES},
        "test_dummy": _loss(plain),
        **{f"total_{name}": total.get(name) for name in _SCORES},
        "total_dummy": _loss(total.get("dummy") or {}),
    }


def _loss(scores: Mapping[str, Any]) -> float | None:
    found: float | None = scores.get("log_loss")
    return scores.get("rmse") if found is None else found


def _is_score(name: str) -> bool:
    return name.startswith(("test_", "total_")) and name not in _TESTED


def _warning(first: StoredModel, other: StoredModel) -> str | None:
    """Why the scores of a model cannot be set against those of the first."""
    problem = _other_label(first, other) or _other_test(first, other)
    if problem is None:
        return None
    return f"Its scores are not to be set against those of {first.model_id}: {problem}."


def _other_label(first: StoredModel, other: StoredModel) -> str | None:
    if first.label != other.label:
        return f"it foresees {other.label}, not {first.label}"
    hashes = [one.params["recipe"].get("label_hash") for one in (first, other)]
    if hashes[0] != hashes[1]:
        return f"{other.label} was computed differently for it"
    ours, theirs = (_foreseen(one) for one in (first, other))
    if theirs != ours:
        return f"it foresees {' and '.join(theirs)}, not {' and '.join(ours)}"
    return None


def _other_test(first: StoredModel, other: StoredModel) -> str | None:
    for symbol in _foreseen(first):
        ours, theirs = (one.params["sources"][symbol] for one in (first, other))
        if theirs != ours:
            return f"its bars come from {theirs}, not from {ours}"
    if any(first.params[name] != other.params[name] for name in _TESTED):
        begin, end = (other.params[name][:16] for name in _TESTED)
        return f"it was tested on other bars, {begin} to {end}"
    if _tested_rows(first) != _tested_rows(other):
        return "it was tested on other rows of the same range"
    return None


def _tested_rows(stored: StoredModel) -> Any:
    """Times and label windows of the rows tested; older models know their number alone."""
    return stored.params.get("row_hashes", {}).get("test") or stored.metrics["test"]["rows"]


def _foreseen(stored: StoredModel) -> Sequence[str]:
    """Whose labels a model is scored on: the primary symbol's, or those of all of a panel."""
    panel = stored.params["recipe"].get("panel")
    return sorted(stored.symbols) if panel else [stored.primary_symbol]
