"""Splits that respect time: no label of a training row touches that of a test row.

A holdout and walking forward train on what comes before; a K-fold and combinations of groups test
on every row, and purge on both sides.
"""

from training_service.purging import Rows, SplitError
from training_service.split_cross import CombinatorialPurged, PurgedKFold
from training_service.split_folds import Fold, Split
from training_service.split_names import split_names, split_of
from training_service.split_walks import Holdout, WalkForward

__all__ = [
    "CombinatorialPurged",
    "Fold",
    "Holdout",
    "PurgedKFold",
    "Rows",
    "Split",
    "SplitError",
    "WalkForward",
    "split_names",
    "split_of",
]
