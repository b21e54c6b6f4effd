"""How a feature is declared: one function, found by its decorator.

A feature is a function of its parameters that gives a polars expression over the bars of one
symbol, sorted by ``timestamp``, and over the columns of the features it names as parents. The
expression keeps rows and order and never looks ahead.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from feature_service.fingerprint import code_hash, digest

Params = Mapping[str, int]

#: Where a feature is null after its warm-up: nowhere.
NEVER = pl.lit(value=False)

_BY_NAME: dict[str, "Feature"] = {}


@dataclass(frozen=True, eq=False)
class Feature:
    """One column of a set, by its declaration.

    Attributes:
        name: Of the column; a window says its unit (``sma_200`` counts bars, ``return_30m`` minutes).
        group: ``trend``, ``momentum``, ``volatility``, ``returns``, ``lags`` or ``volume``.
        params: Of the function, all of them numbers.
        unit: Of the values.
        warm_up: Rows at the beginning of a symbol's history that are null.
        null_rule: In words, where else it is null; empty if nowhere.
        null_when: The same as an expression over bars and parents.
        source: Paper, book or library whose formula this is.
        parents: Features whose columns the expression reads.
        function: Gives the expression from ``params``.
        about: What the column says, in one sentence.
    """

    name: str
    group: str
    params: Params
    unit: str
    warm_up: int
    null_rule: str
    null_when: pl.Expr = field(repr=False)
    source: str
    parents: tuple[str, ...]
    function: Callable[..., pl.Expr]
    about: str

    @property
    def expression(self) -> pl.Expr:
        """The column, named."""
        return self.function(**self.params).alias(self.name)

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
                "parents": {name: _BY_NAME[name].hash for name in self.parents},
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
    null_rule: str = "",
    null_when: Callable[..., pl.Expr] = lambda **_: NEVER,
    parents: Sequence[str] = (),
) -> Callable[[Callable[..., pl.Expr]], Callable[..., pl.Expr]]:
    """Register a function as one feature for each of its parameter sets.

    Args:
        name: Of the columns, with parameters in braces: ``sma_{bars}``. Parents likewise.
        group: See :class:`Feature`, as for the other arguments.
        each: The parameter sets; one without parameters by default.
        warm_up: Rows, from the parameters.
        null_when: Expression, from the parameters.

    Raises:
        ValueError: A feature of that name is registered already.
    """

    def register(function: Callable[..., pl.Expr]) -> Callable[..., pl.Expr]:
        about = (function.__doc__ or "").strip().partition("\n")[0]
        for params in each:
            _add(
                Feature(
                    name=name.format(**params),
                    group=group,
                    params=params,
                    unit=unit,
                    warm_up=warm_up(**params),
                    null_rule=null_rule.format(**params),
                    null_when=null_when(**params),
                    source=source,
                    parents=tuple(parent.format(**params) for parent in parents),
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
