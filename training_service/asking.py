"""What a user asks to be trained, as plain JSON: from a command, over HTTP or in a job."""

import difflib
from collections.abc import Mapping
from typing import Any

from lake.errors import ProblemError
from training_service.recipe import Recipe
from training_service.splits import Holdout, split_of

#: What may be asked for, and what a recipe calls it.
NAMES = {
    "symbols": "symbols",
    "set": "set_name",
    "set_name": "set_name",
    "label": "label",
    "model": "model",
    "split": "split",
    "test_share": "split",
    "seed": "seed",
    "start": "start",
    "end": "end",
    "selector": "selector",
    "weights": "weights",
    "calibration": "calibration",
    "search": "search",
    "join": "join",
    "panel": "panel",
    "sources": "sources",
    "parameters": "parameters",
}


class AskedError(ProblemError):
    """A request that cannot be read."""


def recipe_of(asked: Mapping[str, Any]) -> Recipe:
    """A recipe from what was asked for; what is not named is as usual.

    Args:
        asked: As ``NAMES``; ``split`` is a text like ``walk-forward:folds=5`` or the facts of a split,
            ``test_share`` the share of a holdout instead.

    Raises:
        AskedError: Something is not known.
        RecipeError and others: As :class:`training_service.recipe.Recipe` says.
    """
    for name in asked:
        if name not in NAMES:
            near = difflib.get_close_matches(name, NAMES, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            problem = f"A model is not trained by {name[:40]!r}.{hint} It is by {', '.join(NAMES)}."
            raise AskedError(problem)
    if asked.get("split") and asked.get("test_share") is not None:
        problem = "Give either split or test_share: a test share is that of a holdout."
        raise AskedError(problem)
    told = {NAMES[name]: value for name, value in asked.items() if value is not None}
    if asked.get("split"):
        told["split"] = split_of(asked["split"])
    elif asked.get("test_share") is not None:
        told["split"] = Holdout(asked["test_share"])
    told.setdefault("symbols", ())
    return Recipe(**told)
