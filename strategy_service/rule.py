"""What a rule strategy is: conditions over the columns of one row."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import polars as pl

from feature_service.registry import Feature
from lake.errors import InvalidError
from strategy_service import needs
from strategy_service.parameters import Configured
from strategy_service.registry import Registry
from strategy_service.signals import SIGNALS, Direction, Signal

Row = Mapping[str, Any]

_NEVER, _SURELY = pl.lit(value=False), pl.lit(1.0)


class ColumnsMissingError(InvalidError):
    """Rows without columns that a strategy reads."""

    def __init__(self, strategy: str, columns: tuple[str, ...]) -> None:
        super().__init__(strategy, tuple(columns))
        self.strategy, self.columns = strategy, tuple(columns)

    def __str__(self) -> str:
        return (
            f"{self.strategy} reads {', '.join(self.columns)}, and the rows have none. "
            "Add them to the bars with strategy_service.needs.widened."
        )


class NoRowsError(InvalidError):
    """A signal asked for before the first bar."""

    def __init__(self, strategy: str) -> None:
        super().__init__(strategy)
        self.strategy = strategy

    def __str__(self) -> str:
        return (
            f"{self.strategy} has seen no bar yet, so it has no signal. Give it at least one row."
        )


@dataclass(frozen=True)
class Says:
    """What a rule says of each row, as expressions over the row alone.

    They multiply by a constant's inverse and never divide by a constant: polars gives other last
    bits of such a quotient for one row than for many.

    Attributes:
        buy: Null counts as false; where both hold, it sells.
        sell: As ``buy``.
        buying: How sure a buy is; brought between 0 and 1, null and NaN are 0.
        selling: How sure a sale is, likewise.
    """

    buy: pl.Expr
    sell: pl.Expr = _NEVER
    buying: pl.Expr = _SURELY
    selling: pl.Expr = _SURELY


@dataclass(frozen=True)
class Rule(Configured, ABC):
    """A strategy that is a rule: it has no memory but its columns, which look back by themselves.

    It wants to own while its buying condition holds (again in each bar, for an order may lapse), to
    own nothing while its selling condition holds, and nothing else than before in between. It never
    sells short. A value that is null or no number makes no condition true.

    Attributes:
        reads: Columns of bars it reads.
    """

    reads: ClassVar[tuple[str, ...]] = ("close",)

    @property
    def name(self) -> str:
        """For a person to read."""
        return self.described

    @property
    def facts(self) -> dict[str, Any]:
        """Name, parameters and the hashes of the features it reads, as JSON."""
        found: dict[str, Any] = {"strategy": self.key}
        if self.parameters:
            found["parameters"] = self.parameters
        if self.needs:
            found["features"] = {one.name: one.hash for one in self.features}
        return found

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the features it reads; see :mod:`strategy_service.needs`."""
        return ()

    @property
    def features(self) -> tuple[Feature, ...]:
        """The features it reads."""
        return needs.features(self.needs)

    @property
    def warm_up(self) -> int:
        """Bars at the beginning of a history in which not all it reads is known."""
        return max((one.warm_up for one in self.features), default=0)

    @abstractmethod
    def says(self) -> Says:
        """Its conditions."""

    @abstractmethod
    def because(self, row: Row, direction: Direction) -> str:
        """Why it says so, from the values of a row of which all are known."""

    def signal(self, seen: pl.DataFrame) -> Signal:
        """What to do now, from the newest row.

        Raises:
            ColumnsMissingError: A column it reads is not there.
            NoRowsError: There is no row.
        """
        newest = seen.tail(1)
        if newest.is_empty():
            raise NoRowsError(self.key)
        direction, strength = self.signals(newest).row(0)
        row = newest.row(0, named=True)
        return Signal(Direction(direction), strength, self.reason(row, Direction(direction)))

    def signals(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The same for every row, as ``SIGNALS``.

        Raises:
            ColumnsMissingError: A column it reads is not there.
        """
        columns = (*self.reads, *self.needs)
        if missing := tuple(name for name in columns if name not in rows.columns):
            raise ColumnsMissingError(self.key, missing)
        says = self.says()
        found = rows.select(pl.col(columns).cast(pl.Float64).fill_nan(None)) if columns else rows
        # A rule that reads nothing says the same in each row.
        each = pl.repeat(value=True, n=rows.height, eager=True).alias("each row")
        # In steps, for polars computes anew what an expression says twice.
        parts = found.with_columns(each).select(
            *(
                pl.when(pl.col("each row")).then(one).alias(name)
                for name, one in (
                    ("sell", says.sell.fill_null(value=False)),
                    ("buy", says.buy.fill_null(value=False)),
                    ("selling", says.selling.cast(pl.Float64)),
                    ("buying", says.buying.cast(pl.Float64)),
                )
            )
        )
        sell, buy = pl.col("sell"), pl.col("buy")
        chosen = parts.select(
            pl.when(sell)
            .then(pl.lit(int(Direction.SELL), pl.Int8))
            .when(buy)
            .then(pl.lit(int(Direction.BUY), pl.Int8))
            .otherwise(pl.lit(int(Direction.HOLD), pl.Int8))
            .alias("direction"),
            pl.when(sell).then("selling").when(buy).then("buying").otherwise(0.0).alias("strength"),
        )
        known = chosen.with_columns(pl.col("strength").fill_nan(None))
        return known.with_columns(pl.col("strength").fill_null(0.0).clip(0.0, 1.0)).cast(SIGNALS)

    def reason(self, row: Row, direction: Direction) -> str:
        """Why it says so of a row of the bars and features, for a person to read."""
        unknown = [name for name in (*self.reads, *self.needs) if _unknown(row[name])]
        if unknown and direction == Direction.HOLD:
            return f"{', '.join(unknown)} not known yet"
        return self.because(row, direction)


def _unknown(value: Any) -> bool:
    return value is None or value != value  # noqa: PLR0124 - NaN


#: Every rule strategy, by name.
STRATEGIES: Registry[Rule] = Registry("strategy", "strategy_service.rules")
