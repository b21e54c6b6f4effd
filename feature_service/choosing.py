"""Which set a name means in a lake: a built-in one or one of its users', in the form the name says."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from feature_service import sets, user_sets
from feature_service.sets import FeatureSet, FeatureSetError
from lake import Lake
from lake.features import StoredSet, stored_set, stored_sets, stored_versions


def choose(
    lk: Lake | None,
    name: str,
    *,
    timeframe: str | None = None,
    hours: str | None = None,
    adjust: str | None = None,
    context: str | None = None,
) -> FeatureSet:
    """The set of a name, as :func:`feature_service.sets.feature_set`, with those that users of a lake defined.

    Args:
        lk: The lake; None: built-in sets alone.
        name: With or without a form, as the other arguments.

    Raises:
        FeatureSetError: There is none; the sentence names the nearest.
        FeatureFormError: No set has such a form.
        NothingInSetError: Nothing is left of the set in this form.
        InvalidError: The set of a user names something that has gone since.
    """
    form = _Form(timeframe, hours, adjust, context)
    try:
        return sets.feature_set(name, **form._asdict())
    except FeatureSetError:
        if lk is None:
            raise
        # mine_1h_raw may be a set of that name, or a form of mine_1h, or of mine.
        stored = stored_set(lk, *reversed([*accumulate(name.split("_"), "{}_{}".format)]))
        if stored is None:
            raise _nobody(lk, name) from None
    try:
        return _formed(stored, name, form)
    except FeatureSetError:
        raise _nobody(lk, name) from None


def _nobody(lk: Lake, name: str) -> FeatureSetError:
    return FeatureSetError(name, sorted([*sets.sets(), *(one.name for one in stored_sets(lk))]))


class _Form(NamedTuple):
    timeframe: str | None
    hours: str | None
    adjust: str | None
    context: str | None


@lru_cache(256)
def _formed(stored: StoredSet, name: str, form: _Form) -> FeatureSet:
    """Kept, for a set's version is the hash of much code."""
    return sets.set_among({stored.name: user_sets.read(stored)}, name, **form._asdict())


def readable(lk: Lake, name: str, **form: str | None) -> str:
    """The name under which features of a set are stored, though the set itself may be forgotten.

    Raises:
        InvalidError: As :func:`choose`, and nothing was ever built under that name.
    """
    try:
        return choose(lk, name, **form).name
    except FeatureSetError:
        if not any(form.values()) and stored_versions(lk, name):
            return name
        raise


def columns_of(
    wanted: FeatureSet, columns: Sequence[str] | None, groups: Sequence[str] | None
) -> list[str] | None:
    """Columns that were named, and those of groups; None if neither was.

    Raises:
        FeatureFormError: The set has nothing of a group.
    """
    if not groups:
        return None if columns is None else list(columns)
    return list(dict.fromkeys([*(columns or ()), *wanted.of_groups(groups)]))


def to_read(
    lk: Lake,
    name: str,
    columns: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    *,
    timeframe: str | None = None,
) -> tuple[str, list[str] | None]:
    """Under which name, and which columns, to read what is stored of a set.

    Args:
        lk: The lake.
        name: Of the set, with or without a form.
        columns: Some of them, by name; None for all.
        groups: All columns of these besides.
        timeframe: Of the form.

    Raises:
        InvalidError: As :func:`choose`, :func:`readable` and :func:`columns_of`.
    """
    if groups:
        wanted = choose(lk, name, timeframe=timeframe)
        return wanted.name, columns_of(wanted, columns, groups)
    return readable(lk, name, timeframe=timeframe), None if columns is None else list(columns)
