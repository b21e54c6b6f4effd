"""Features that users write: ``sma_20 / sma_50 - 1`` becomes a :class:`Feature` like any other.

The text is parsed with Python's own parser and never run: each piece must be on a safe list, and is
translated to polars. So the laws of all features hold for what is written here too.
"""

import ast
import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce

import polars as pl

from feature_service.fingerprint import code_hash, digest
from feature_service.inputs import INPUTS
from feature_service.operations import (
    LIMIT,
    POINTWISE,
    WINDOWS,
    chosen,
    quotient,
    tamed,
)
from feature_service.recursion import Ewm
from feature_service.registry import ANY, Feature
from lake.errors import InvalidError

GROUP = "expressions"
#: Columns of bars that an expression may read; other names are those of features.
COLUMNS: tuple[str, ...] = ("open", "high", "low", "close", "volume", "vwap")
LONGEST_WINDOW = 5_000
LONGEST_TEXT = 1_000
FUNCTIONS: tuple[str, ...] = tuple(sorted({*POINTWISE, *WINDOWS, "where", "ema"}))
ALLOWED = (
    f"numbers, {' '.join(COLUMNS)}, features by name, + - * / **, comparisons with and, or, not "
    f"inside where(condition, then, otherwise), and the functions {' '.join(FUNCTIONS)}"
)
NULL_RULE = (
    "where a value it reads is null, over zero, of a log or root that has none, and where a window "
    "holds such a value"
)
_DEEPEST = 40
_SHOWN = 40
_KEPT = (*INPUTS, "symbol", "source")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}", re.ASCII)


class ExpressionError(InvalidError):
    """An expression with a part that is not on the safe list."""

    def __init__(self, name: str, part: str, problem: str) -> None:
        super().__init__(name, part, problem)
        self.name, self.part, self.problem = name, part, problem

    def __str__(self) -> str:
        part = self.part if len(self.part) <= _SHOWN else f"{self.part[:_SHOWN]}…"
        return (
            f"The expression {self.name[:_SHOWN]}: {part!r} {self.problem}. Allowed are {ALLOWED}."
        )


@dataclass(frozen=True, eq=False)
class Derived(Feature):
    """A feature that an expression makes.

    Attributes:
        text: The expression, laid out in the one usual way.
        origins: The features of ``parents``.
        uses: The functions of the safe list that are in it.
    """

    text: str
    origins: tuple[Feature, ...]
    uses: tuple[str, ...]

    @property
    def ancestors(self) -> tuple[Feature, ...]:
        """The features of ``parents``."""
        return self.origins

    @property
    def code_reference(self) -> str:
        """The expression itself."""
        return f"expression:{self.text}"

    @property
    def hash(self) -> str:
        """What the values depend on: the expression, what it calls, what it reads, and the library that computes."""
        return digest(
            {
                "name": self.name,
                "text": self.text,
                "code": {name: _code_of(name) for name in self.uses},
                "arithmetic": [code_hash(tamed), code_hash(quotient)],
                "parents": {parent.name: parent.hash for parent in self.origins},
                "polars": pl.__version__,
            }
        )


def derived(name: str, text: str, known: Mapping[str, Feature]) -> Derived:
    """The feature that an expression makes.

    Args:
        name: Of its column.
        text: As a user wrote it.
        known: Features that it may read, by name.

    Raises:
        ExpressionError: A part of it is not on the safe list, or the name is taken.
    """
    _check_name(name, known)
    tree = _parsed(name, text)
    reading = _Reading(name, {key: one for key, one in known.items() if not one.is_hidden})
    made = reading.number(tree)
    if made.constant:
        raise ExpressionError(name, text, "reads no column")
    return _feature(name, ast.unparse(tree), made, made.value, tree)


@dataclass(frozen=True)
class _Part:
    """A piece of an expression, ready to compute.

    Attributes:
        value: Numbers, or truths where it is a condition.
        warm_up: Rows at the beginning of a history that are surely null.
        memory: Bars before the current one that it depends on.
        sessions: Whole sessions before the current one that it depends on.
        constant: It reads no column.
    """

    value: pl.Expr
    warm_up: int = 0
    memory: int = 0
    sessions: int = 0
    parents: tuple[Feature, ...] = ()
    constant: bool = False

    def moved(self, value: pl.Expr, bars: int) -> "_Part":
        """What reads it in the newest bars, or some bars ago."""
        return replace(
            self,
            value=value,
            warm_up=self.warm_up + bars,
            memory=self.memory + bars,
            # So many bars may lie in as many sessions.
            sessions=self.sessions + bars if self.sessions else 0,
        )


def _joined(value: pl.Expr, parts: Iterable[_Part], warm_up: int | None = None) -> _Part:
    """What is computed from several parts of the same bar."""
    some = list(parts)
    parents = {parent.name: parent for part in some for parent in part.parents}
    return _Part(
        value,
        max(part.warm_up for part in some) if warm_up is None else warm_up,
        max(part.memory for part in some),
        max(part.sessions for part in some),
        tuple(parents.values()),
        constant=all(part.constant for part in some),
    )


_ARITHMETIC = {
    ast.Add: pl.Expr.__add__,
    ast.Sub: pl.Expr.__sub__,
    ast.Mult: pl.Expr.__mul__,
    ast.Div: quotient,
    ast.Pow: pl.Expr.__pow__,
}
_COMPARISONS = {
    ast.Lt: pl.Expr.__lt__,
    ast.LtE: pl.Expr.__le__,
    ast.Gt: pl.Expr.__gt__,
    ast.GtE: pl.Expr.__ge__,
    ast.Eq: pl.Expr.__eq__,
    ast.NotEq: pl.Expr.__ne__,
}


class _Reading:
    """Translates the tree of one expression."""

    def __init__(self, name: str, known: Mapping[str, Feature]) -> None:
        self._name, self._known = name, known

    def number(self, node: ast.expr) -> _Part:
        """A piece whose value is a number."""
        if isinstance(node, ast.Constant):
            return self._literal(node)
        if isinstance(node, ast.Name):
            return self._column(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            part = self.number(node.operand)
            return replace(part, value=-part.value) if isinstance(node.op, ast.USub) else part
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            parts = [self.number(node.left), self.number(node.right)]
            made = _ARITHMETIC[type(node.op)](parts[0].value, parts[1].value)
            return _joined(tamed(made), parts)
        if isinstance(node, ast.Call):
            return self._call(node)
        if _is_condition(node):
            raise self._not(node, "is true or false, no number: write where(…, 1, 0) around it")
        raise self._not(node, "is not allowed")

    def condition(self, node: ast.expr) -> _Part:
        """A piece that is true, false or null."""
        if isinstance(node, ast.BoolOp):
            parts = [self.condition(value) for value in node.values]
            both = isinstance(node.op, ast.And)
            truths = [part.value for part in parts]
            made = reduce(lambda one, other: one & other if both else one | other, truths)
            return _joined(made, parts, min(part.warm_up for part in parts))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            part = self.condition(node.operand)
            return replace(part, value=part.value.not_())
        if isinstance(node, ast.Compare) and all(type(op) in _COMPARISONS for op in node.ops):
            parts = [self.number(one) for one in (node.left, *node.comparators)]
            pairs = zip(node.ops, parts, parts[1:], strict=False)
            truths = [_COMPARISONS[type(op)](left.value, right.value) for op, left, right in pairs]
            return _joined(reduce(lambda one, other: one & other, truths), parts)
        raise self._not(node, "is no condition: compare two numbers, like close > open")

    def _literal(self, node: ast.Constant) -> _Part:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._not(node, "is no number")
        if not abs(value) <= LIMIT:
            raise self._not(node, f"is too large: {LIMIT:g} is the limit")
        return _Part(pl.lit(float(value)), constant=True)

    def _column(self, node: ast.Name) -> _Part:
        if node.id in COLUMNS:
            return _Part(tamed(pl.col(node.id)))
        found = self._known.get(node.id)
        if found is None:
            near = difflib.get_close_matches(node.id, [*COLUMNS, *self._known], n=3)
            hint = f"; the nearest are {', '.join(near)}" if near else ""
            raise self._not(node, f"is no column and no feature{hint}")
        return _Part(
            tamed(pl.col(found.name)), found.warm_up, found.memory, found.sessions, (found,)
        )

    def _call(self, node: ast.Call) -> _Part:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in FUNCTIONS:
            near = difflib.get_close_matches(name, FUNCTIONS, n=1) if name else []
            hint = f"; {near[0]} is the nearest" if near else ""
            raise self._not(node.func, f"is no function that is allowed{hint}")
        if node.keywords or any(isinstance(one, ast.Starred) for one in node.args):
            raise self._not(node, "has arguments with names or stars")
        if name == "where":
            return self._where(node)
        if name in POINTWISE:
            few, many = POINTWISE[name].takes
            self._count(node, few, many)
            parts = [self.number(one) for one in node.args]
            return _joined(tamed(POINTWISE[name].make(*(one.value for one in parts))), parts)
        return self._windowed(node, name)

    def _where(self, node: ast.Call) -> _Part:
        self._count(node, 3, 3)
        test = self.condition(node.args[0])
        then, otherwise = self.number(node.args[1]), self.number(node.args[2])
        made = chosen(test.value, then.value, otherwise.value)
        surely = max(test.warm_up, min(then.warm_up, otherwise.warm_up))
        return _joined(made, [test, then, otherwise], surely)

    def _windowed(self, node: ast.Call, name: str) -> _Part:
        self._count(node, 2, 2)
        column, bars = self.number(node.args[0]), self._bars(node, name)
        if column.constant:
            raise self._not(node, "is a window over no column")
        if name == "ema":
            return self._ema(node, column, bars)
        window = WINDOWS[name]
        return column.moved(tamed(window.make(column.value, bars)), bars - window.own)

    def _ema(self, node: ast.Call, column: _Part, bars: int) -> _Part:
        """A feature of its own, for its newest value is what the next build goes on from."""
        made = Ewm(column.value, first=column.warm_up, width=bars, alpha=2 / (bars + 1))
        text = ast.unparse(node)
        marks = [text, *(parent.hash for parent in column.parents)]
        hidden = _feature(f"_ema_{digest(marks)[:12]}", text, column, made, node)
        hidden = replace(hidden, warm_up=column.warm_up + bars - 1)
        return _Part(tamed(pl.col(hidden.name)), hidden.warm_up, parents=(hidden,))

    def _bars(self, node: ast.Call, name: str) -> int:
        fewest = WINDOWS[name].fewest if name in WINDOWS else 1
        given = node.args[1]
        value = given.value if isinstance(given, ast.Constant) else None
        if type(value) is not int or not fewest <= value <= LONGEST_WINDOW:
            raise self._not(
                node, f"needs a whole number of {fewest} to {LONGEST_WINDOW:,} bars at its end"
            )
        return value

    def _count(self, node: ast.Call, few: int, many: int) -> None:
        if not few <= len(node.args) <= many:
            count = f"{few}" if few == many else f"at least {few}"
            raise self._not(node, f"needs {count} arguments")

    def _not(self, node: ast.AST, problem: str) -> ExpressionError:
        return ExpressionError(self._name, ast.unparse(node), problem)


def _feature(name: str, text: str, part: _Part, made: pl.Expr | Ewm, tree: ast.expr) -> Derived:
    def function() -> pl.Expr | Ewm:
        return made

    return Derived(
        name=name,
        group=GROUP,
        params={},
        unit="as written",
        value_range=ANY,
        warm_up=part.warm_up,
        null_rule=NULL_RULE,
        null_when=pl.col(name).is_null(),
        source="expression of a user set",
        parents=tuple(parent.name for parent in part.parents),
        memory=part.memory,
        sessions=part.sessions,
        intraday=any(parent.intraday for parent in part.parents),
        function=function,
        about=f"{text}.",
        text=text,
        origins=part.parents,
        uses=_uses(tree),
    )


def _uses(tree: ast.expr) -> tuple[str, ...]:
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return tuple(sorted({call.id for call in calls if isinstance(call, ast.Name)}))


def _code_of(name: str) -> str:
    if name in POINTWISE:
        return code_hash(POINTWISE[name].make)
    if name in WINDOWS:
        return code_hash(WINDOWS[name].make)
    return code_hash(chosen) if name == "where" else code_hash(Ewm)


def _is_condition(node: ast.expr) -> bool:
    negated = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    return negated or isinstance(node, ast.Compare | ast.BoolOp)


def _parsed(name: str, text: str) -> ast.expr:
    if len(text) > LONGEST_TEXT:
        raise ExpressionError(name, text, f"is longer than {LONGEST_TEXT:,} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ExpressionError(name, text, "cannot be read as an expression") from None
    if _depth(tree) > _DEEPEST:
        raise ExpressionError(name, text, f"is nested deeper than {_DEEPEST} levels")
    return tree


def _depth(tree: ast.AST) -> int:
    """Level by level: what is too deep is not followed by calls."""
    level, depth = [tree], 0
    while level:
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        depth += 1
    return depth


def _check_name(name: str, known: Mapping[str, Feature]) -> None:
    if not _NAME.fullmatch(name) or name.startswith("held_"):
        problem = "cannot name a column: use small letters, digits and _, beginning with a letter"
        raise ExpressionError(name, name, problem)
    taken = {*(one.lower() for one in known), *_KEPT}
    if name in taken or name in FUNCTIONS:
        raise ExpressionError(name, name, "is the name of a column or function already")
