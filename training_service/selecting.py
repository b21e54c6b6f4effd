"""Which features a pipeline keeps, learnt from its training rows."""

import difflib
from dataclasses import dataclass
from typing import Any

from lake.errors import ProblemError

_KINDS = ("none", "variance", "k_best")


class SelectorError(ProblemError):
    """A way of choosing features that there is not."""


@dataclass(frozen=True)
class Selector:
    """A way of choosing features.

    Attributes:
        kind: ``none``, ``variance`` (leaves out what never changes) or ``k_best``.
        count: How many ``k_best`` keeps.
    """

    kind: str = "none"
    count: int = 0

    def step(self, columns: int, *, classes: bool) -> Any:
        """An unfitted scikit-learn selector, or None where everything is kept.

        The best are those of the largest F value against the label, each feature by itself: of
        the analysis of variance for classes, of the linear regression for numbers.

        Args:
            columns: How many there are; no more are kept.
            classes: Whether the label is one.
        """
        from sklearn.feature_selection import (
            SelectKBest,
            VarianceThreshold,
            f_classif,
            f_regression,
        )

        if self.kind == "none":
            return None
        if self.kind == "variance":
            return VarianceThreshold()
        return SelectKBest(f_classif if classes else f_regression, k=min(self.count, columns))


def selector_of(text: str) -> Selector:
    """The selector that a text names.

    Raises:
        SelectorError: It names none; the sentence says which there are.

    >>> selector_of("k_best:20").count
    20
    """
    kind, colon, rest = (part.strip() for part in text.strip().partition(":"))
    if kind not in _KINDS or (kind != "k_best" and colon):
        near = difflib.get_close_matches(kind, _KINDS, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        problem = f"There is no selector {text[:40]!r}.{hint} Take none, variance or k_best:20."
        raise SelectorError(problem)
    if kind != "k_best":
        return Selector(kind)
    if not (rest.isascii() and rest.isdigit() and int(rest)):
        problem = f"k_best keeps a number of features from 1 on, like k_best:20, not {text[:40]!r}."
        raise SelectorError(problem)
    return Selector(kind, int(rest))
