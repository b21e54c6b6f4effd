"""Compiles all loops of labels and features ahead: python -m training_service.warming."""

from feature_service import warming
from training_service import labels
from training_service.label_families import FAMILIES

_ROWS = 150


def warm() -> int:
    """Compute a label of each family once, of a few bars; gives how many there are."""
    bars = warming.made_up(_ROWS)
    for family in FAMILIES:
        labels.add(bars, labels.find(family.examples[0]))
    return len(FAMILIES)


if __name__ == "__main__":
    warming.warm()
    warm()
