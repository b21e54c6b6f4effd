"""How a feature is declared: one function, found by its decorator.

A feature is a function of its parameters that gives a polars expression over the bars of one
symbol, sorted by ``timestamp``, and over the columns of the features it names as parents; or a
recursion (``feature_service.recursion``), which goes on from its own newest value; or one of the
columns that one pass over bars gives together (``feature_service.shared``). It keeps rows and order
and never looks ahead.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import polars as pl

from feature_service.fingerprint import code_hash, digest
from feature_service.inputs import INPUTS
from feature_service.recursion import HELD, Ewm, Newest, Recursion, RunningSum
from feature_service.shared import Shared

Params = Mapping[str, int]
Range = tuple[float | None, float | None]
Declared = Callable[..., pl.Expr | Recursion | Shared]

#: What a feature is about; each group is a set of its own.
GROUPS: dict[str, str] = {
    "trend": "where the price has been lately",
    "momentum": "how one-sided the latest moves were",
    "volatility": "how wide the price swings",
    "volume": "how much was traded, beside what is usual",
    "returns": "how far the price has moved",
    "lags": "earlier values beside the current ones",
    "shape": "how the latest returns are distributed",
    "levels": "prices that others look at: pivots, swings, ranges",
    "profile": "at which prices the volume was traded",
    "calendar": "where in the day, the week and the month a bar lies",
    "context": "how the symbol moves beside another one",
    "alpha158": "the 158 factors of Qlib's Alpha158",
}
#: Nothing below, nothing above.
ANY: Range = (None, None)

#: Where a feature is null after its warm-up: nowhere.
NEVER = pl.lit(value=False)

_BY_NAME: dict[str, "Feature"] = {}


@dataclass(frozen=True, eq=False)
class Feature:
    """One column of a set, by its declaration.

    Attributes:
        name: Of the column; a window says its unit (``sma_200`` counts bars, ``return_30m`` minutes).
            One that begins with ``_`` is there for others and in no set.
        group: One of ``GROUPS``.
        params: Of the function, all of them numbers.
        unit: Of the values.
        value_range: No value is below the first or above the second; None: there is no such bound.
        warm_up: Rows at the beginning of a symbol's history that are null.
        null_rule: In words, where else it is null; empty if nowhere.
        null_when: The same as an expression over bars and parents.
        source: Paper, book or library whose formula this is.
        parents: Features whose columns the expression reads.
        memory: Bars before the current one that its value depends on, through its parents too, but
            for what a recursion remembers itself.
        sessions: Whole sessions before the current one that it depends on.
        intraday: It has a meaning for bars shorter than a session only.
        function: Gives the expression from ``params``.
        about: What the column says, in one sentence.
    """

    name: str
    group: str
    params: Params
    unit: str
    value_range: Range
    warm_up: int
    null_rule: str
    null_when: pl.Expr = field(repr=False)
    source: str
    parents: tuple[str, ...]
    memory: int
    sessions: int
    intraday: bool
    function: Declared = field(repr=False)
    about: str

    def expression(self, known: int = 0) -> pl.Expr:
        """The column, named; in the first ``known`` rows a recursion takes what is held of it."""
        made = self.made
        if isinstance(made, Ewm | RunningSum | Newest):
            made = made.expression(pl.col(self.held), known)
        if isinstance(made, Shared):
            made = made.expression()
        return made.cast(pl.Float64).alias(self.name)

    @cached_property
    def made(self) -> pl.Expr | Recursion | Shared:
        """What the function gives for the parameters."""
        return self.function(**self.params)

    @property
    def is_recursive(self) -> bool:
        """Whether it goes on from its own newest value."""
        return isinstance(self.made, Ewm | RunningSum | Newest)

    @property
    def always_held(self) -> bool:
        """Whether it has a value in every row after its warm-up."""
        return isinstance(self.made, Ewm | RunningSum)

    @property
    def held(self) -> str:
        """Name of the column that holds its values known already."""
        return f"{HELD}{self.name.lstrip('_')}"

    @property
    def shared(self) -> Shared | None:
        """What it shares a pass over the bars by; None if it is computed alone."""
        return self.made if isinstance(self.made, Shared) else None

    @property
    def is_hidden(self) -> bool:
        """Whether it is there for other features only."""
        return self.name.startswith("_")

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The columns of bars it reads itself; its parents read more."""
        made = self.made
        if isinstance(made, Shared):
            read = [*made.columns]
        else:
            read = (made if isinstance(made, pl.Expr) else made.column).meta.root_names()
        return tuple(name for name in INPUTS if name in read)

    @property
    def ancestors(self) -> tuple["Feature", ...]:
        """The features of ``parents``."""
        return tuple(_BY_NAME[name] for name in self.parents)

    @property
    def code_reference(self) -> str:
        """Where the function is: module and name."""
        return f"{self.function.__module__}:{self.function.__qualname__}"

    @property
    def hash(self) -> str:
        """What the values depend on: code, parameters, parents and the library that computes."""
        return digest(
            {
                "name": self.name,
                "code": code_hash(self.function),
                "params": dict(self.params),
                "parents": {parent.name: parent.hash for parent in self.ancestors},
                "polars": pl.__version__,
            }
        )


def feature(
    name: str,
    *,
    group: str,
    unit: str,
    source: str,
    each: Sequence[Params] = ({},),
    warm_up: Callable[..., int] = lambda **_: 0,
    memory: Callable[..., int] | None = None,
    sessions: Callable[..., int] = lambda **_: 0,
    value_range: Range = ANY,
    null_rule: str = "",
    null_when: Callable[..., pl.Expr] = lambda **_: NEVER,
    parents: Sequence[str] = (),
    intraday: bool = False,
) -> Callable[[Declared], Declared]:
    """Register a function as one feature for each of its parameter sets.

    Args:
        name: Of the columns, with parameters in braces: ``sma_{bars}``. Parents likewise.
        group: See :class:`Feature`, as for the other arguments.
        each: The parameter sets; one without parameters by default.
        warm_up: Rows, from the parameters.
        memory: Bars, from the parameters; by default as many as the warm-up.
        sessions: Sessions, from the parameters.
        null_when: Expression, from the parameters.

    Raises:
        ValueError: A feature of that name is registered already, or there is no such group.
    """
    if group not in GROUPS:
        message = f"{name} is of the group {group!r}; the groups are {', '.join(GROUPS)}"
        raise ValueError(message)

    def register(function: Declared) -> Declared:
        about = (function.__doc__ or "").strip().partition("\n")[0]
        for params in each:
            _add(
                Feature(
                    name=name.format(**params),
                    group=group,
                    params=params,
                    unit=unit,
                    value_range=value_range,
                    warm_up=warm_up(**params),
                    null_rule=null_rule.format(**params),
                    null_when=null_when(**params),
                    source=source,
                    parents=tuple(parent.format(**params) for parent in parents),
                    memory=(memory or warm_up)(**params),
                    sessions=sessions(**params),
                    intraday=intraday,
                    function=function,
                    about=about,
                )
            )
        return function

    return register


def registered() -> dict[str, Feature]:
    """Every feature declared so far, in the order of declaration."""
    return dict(_BY_NAME)


def _add(new: Feature) -> None:
    known = _BY_NAME.get(new.name)
    if known is not None and known.code_reference != new.code_reference:
        message = f"{new.name} is declared twice: {known.code_reference} and {new.code_reference}"
        raise ValueError(message)
    _BY_NAME[new.name] = new
