"""What a piece of code is, as a hash: its own source and that of everything of ours it calls.

Comments, docstrings, decorators and layout do not count; names, constants and logic do.
"""

import ast
import hashlib
import inspect
import json
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from types import CodeType, FunctionType, ModuleType
from typing import Any

import polars as pl


def digest(facts: Any) -> str:
    """SHA-256 of JSON facts, keys in order."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def code_hash(function: Callable[..., Any]) -> str:
    """The hash of a function and of the functions and constants of its package that it uses."""
    return digest(sorted(_sources(function, set()).items()))


def _sources(thing: Callable[..., Any], seen: set[Callable[..., Any]]) -> dict[str, str]:
    seen.add(thing)
    found = {f"{thing.__module__}.{thing.__qualname__}": _normalised(thing)}
    for function in _functions(thing):
        for name, given in _globals(function):
            value = getattr(given, "py_func", given)  # what is compiled, as it is written
            if isinstance(value, FunctionType | type):
                if _is_of_room(value, thing) and value not in seen:
                    found |= _sources(value, seen)
            elif isinstance(value, pl.Expr):
                found[f"{function.__module__}.{name}"] = str(value)
            elif isinstance(value, bool | int | float | str | tuple):
                found[f"{function.__module__}.{name}"] = repr(value)
    return found


def _functions(thing: Callable[..., Any]) -> Iterator[FunctionType]:
    """A function itself, or those that a class defines."""
    inside = vars(thing).values() if isinstance(thing, type) else [thing]
    yield from (one for one in inside if isinstance(one, FunctionType))


def _globals(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """What a function may take from its module, and from those of our modules that it names."""
    names = sorted(set(_names(function.__code__)))
    for name in names:
        value = function.__globals__.get(name)
        if isinstance(value, ModuleType):
            if _room(value.__name__) == _room(function.__module__):
                yield from ((inner, getattr(value, inner, None)) for inner in names)
        else:
            yield name, value


def _room(module: str) -> str:
    return module.partition(".")[0]


def _is_of_room(value: Callable[..., Any], thing: Callable[..., Any]) -> bool:
    return _room(value.__module__) == _room(thing.__module__)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


@cache
def _normalised(function: Callable[..., Any]) -> str:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            node.decorator_list = []
            if ast.get_docstring(node, clean=False) is not None:
                node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)
