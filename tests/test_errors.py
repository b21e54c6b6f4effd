"""What every error of the project promises: one sentence, whole again after a journey between processes."""

import importlib
import inspect
import pickle
import pkgutil
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

import pytest

import agents
import app
import feature_service
import lake
import simulation_service
import strategy_service
import training_service
from lake.errors import InvalidError, LakeError, MissingError, RefusedError, TransientError

ROOMS = (lake, feature_service, training_service, strategy_service, simulation_service, agents, app)
KINDS = (MissingError, InvalidError, RefusedError, TransientError)
SAMPLES: dict[Any, object] = {
    str: "text",
    int: 7,
    float: 1.5,
    bool: True,
    date: date(2024, 5, 1),
    datetime: datetime.fromisoformat("2024-05-01T13:30:00Z"),
    Path: Path("here"),
}


def every_error() -> Iterator[type[LakeError]]:
    for room in ROOMS:
        for found in pkgutil.walk_packages(room.__path__, room.__name__ + "."):
            if (
                not found.name.endswith(("__main__", "migrations.env"))
                and ".versions" not in found.name
            ):
                importlib.import_module(found.name)
    waiting = [LakeError]
    while waiting:
        waiting += (subs := waiting.pop().__subclasses__())
        yield from subs


def sample(annotation: Any) -> object:
    if annotation in SAMPLES:
        return SAMPLES[annotation]
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is UnionType or (parts and not isinstance(origin, type)):
        return sample(parts[0])
    if origin is not None and issubclass(origin, Mapping):
        return {sample(parts[0]): sample(parts[1])}
    if origin is tuple:
        return tuple(sample(part) for part in parts if part is not Ellipsis)
    return (sample(parts[0]),) if parts else "text"


def made(kind: type[LakeError]) -> LakeError:
    if kind.__init__ is LakeError.__init__ or kind.__init__ is Exception.__init__:
        return kind()
    parameters = list(inspect.signature(kind.__init__, eval_str=True).parameters.values())[1:]
    wanted = [
        one for one in parameters if one.kind in {one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD}
    ]
    return kind(*(sample(one.annotation) for one in wanted))


@pytest.mark.parametrize(
    "kind", sorted(set(every_error()), key=lambda kind: (kind.__module__, kind.__name__))
)
def test_an_error_keeps_its_text_through_pickling(kind):
    error = made(kind)
    again = pickle.loads(pickle.dumps(error))

    assert type(again) is kind
    assert str(again) == str(error)
    assert again.args == error.args


@pytest.mark.parametrize(
    "kind", sorted(set(every_error()), key=lambda kind: (kind.__module__, kind.__name__))
)
def test_an_error_is_of_one_kind_so_that_doors_know_its_status(kind):
    kinds = [base for base in KINDS if issubclass(kind, base)]

    assert len(kinds) <= 1
    assert kind.__doc__, "what does it mean?"
