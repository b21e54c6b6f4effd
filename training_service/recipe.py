"""Everything that decides what a model will be, but for the bars."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from lake.errors import ProblemError
from lake.schema import check_symbol
from lake.sessions import Moment
from training_service import labels
from training_service.dataset import check_symbols
from training_service.selecting import selector_of
from training_service.splits import Holdout, Split, WalkForward

Weights = Literal["none", "balanced"]
Calibration = Literal["none", "sigmoid", "isotonic"]
_MOST_TRIALS = 1_000
_GREATEST_SEED = 2**32 - 1  # what NumPy's generators take


class RecipeError(ProblemError):
    """A recipe that contradicts itself or asks for what there is not."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a model will be, but for the bars.

    Attributes:
        symbols: The primary symbol, then its context.
        model: A preset's name, or ``package.module:Class`` of a scikit-learn estimator.
        split: What judges the model. Of a holdout and of walking forward the last fold's model is
            the one for use; K-folds and combinations judge the recipe, and the model for use is
            that of a default :class:`Holdout`.
        walk: Folds inside the training part of a holdout, scored beside the test.
        start: A New York session date, or a time with its zone; None for the beginning.
        end: As ``start``, both included; None for the newest.
        selector: Which features are kept, learnt from training rows: ``none``, ``variance`` (those
            that change) or ``k_best:20``.
        weights: ``balanced`` lets all classes weigh alike in the fit.
        calibration: What turns scores into chances, learnt from rows that come after what the
            scoring model was trained on, all of them training rows.
        search: How many settings of the estimator are tried on folds inside the training rows.
        join: How context joins, as :func:`training_service.dataset.assemble` has it.
        panel: Whether all symbols are foreseen by one model, their rows one above another.
        sources: Where the bars of a symbol come from, where it is not the source ``bars`` shows.
        parameters: Of the estimator, over what the preset says.

    Raises:
        RecipeError: Something of it is not known, or does not go with the label.
        SelectorError: The selector is not one.
        LabelError: There is no such label.
    """

    symbols: Sequence[str]
    set_name: str = "core"
    label: str = "direction_15"
    model: str = "logistic"
    split: Split = field(default_factory=Holdout)
    seed: int = 0
    walk: WalkForward = field(default_factory=WalkForward)
    start: Moment = None
    end: Moment = None
    selector: str = "none"
    weights: Weights = "none"
    calibration: Calibration = "none"
    search: int = 0
    join: str = "strict"
    panel: bool = False
    sources: Mapping[str, str] | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def facts(self) -> dict[str, Any]:
        """All of it as JSON, without the range and the sources: the rows say which they are."""
        return {
            "symbols": list(check_symbols(self.symbols)),
            "set": self.set_name,
            "label": self.label,
            "label_hash": labels.find(self.label).hash,
            "model": self.model,
            "parameters": dict(self.parameters),
            "selector": self.selector,
            "weights": self.weights,
            "calibration": self.calibration,
            "search": self.search,
            "split": self.split.facts,
            "walk": self.walk.facts,
            "join": self.join,
            "panel": self.panel,
            "seed": self.seed,
        }

    @property
    def classes(self) -> tuple[int, ...]:
        """The label's classes, smallest first; none for a number."""
        return labels.find(self.label).classes

    @property
    def joining(self) -> dict[str, Any]:
        """What the data set is told beyond symbols, set and range, where it is not as usual."""
        sources = {check_symbol(name): source for name, source in (self.sources or {}).items()}
        told = {"join": self.join, "panel": self.panel, "sources": sources or None}
        usual = {"join": "strict", "panel": False, "sources": None}
        return {name: value for name, value in told.items() if value != usual[name]}

    def check(self) -> None:
        """Refuse what cannot be before anything is built.

        Raises:
            RecipeError, SelectorError, LabelError: As the class says.
        """
        selector_of(self.selector)
        if problem := self._problem():
            raise RecipeError(problem)

    def _problem(self) -> str | None:
        for name, kinds in (("weights", Weights), ("calibration", Calibration)):
            known, value = get_args(kinds), getattr(self, name)
            if value not in known:
                named = name.capitalize()
                return f"{named} can be {', '.join(known)}, not {str(value)[:40]!r}."
        try:
            json.dumps(dict(self.parameters), allow_nan=False)
        except (TypeError, ValueError):
            return "Parameters are numbers, texts, true, false or null, for they are kept as JSON."
        if not _whole(self.search, _MOST_TRIALS):
            return f"A search tries 0 to {_MOST_TRIALS:,} settings, not {str(self.search)[:40]}."
        if not _whole(self.seed, _GREATEST_SEED):
            said = str(self.seed)[:40]
            return f"The seed is a whole number from 0 on, at most {_GREATEST_SEED}, not {said}."
        if not self.classes and {self.weights, self.calibration} != {"none"}:
            return (
                f"{self.label} is a number, and weights and calibration are for classes. "
                "Leave them out, or take a label like direction_15."
            )
        return None


def _whole(value: Any, greatest: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= greatest
