"""Out of the range of the session's first minutes."""

from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from strategy_service.parameters import ParameterError, choice, whole
from strategy_service.rule import STRATEGIES, Row, Rule, Says
from strategy_service.signals import Direction


@STRATEGIES("opening_range_breakout")
@dataclass(frozen=True)
class OpeningRangeBreakout(Rule):
    """Buy above the high of the session's first minutes, own nothing overnight.

    **Why it might work.** Orders gathered overnight meet in the first minutes; a price that leaves
    their range later shows on which side something is left to be done. Many breakouts fail: the
    stop and the close of the session bound each loss.

    **Rules.** The range is that of the bars which begin in the first `minutes` of the regular
    session. Buy: the close is above its high, with more than `last_entry` minutes to the
    session's close. Sell: the close is below the stop (`stop`: the range's low, or its middle),
    or at most `flat` minutes are left (on half days of their early close), or the range is not
    known: before it is over, and all day where it had no bar, so that what could not be sold in
    the evening goes in the morning. Minutes to the close count from the bar's beginning. Strength
    of a buy: how far the close is above the high in heights of the range; of a sale: 1.
    """

    title: ClassVar[str] = "opening-range breakout"
    source: ClassVar[str] = (
        "Crabel, Day Trading with Short Term Price Patterns and Opening Range Breakout (1990); "
        "Zarattini and Aziz, Can Day Trading Really Be Profitable? (2023)"
    )

    minutes: int = whole(
        30, low=5, high=180, step=5, unit="minutes", about="Length of the opening range."
    )
    last_entry: int = whole(
        60,
        low=10,
        high=390,
        step=5,
        unit="minutes to the close",
        about="Buys only while more are left; not below flat.",
    )
    flat: int = whole(
        10, low=2, high=120, step=1, unit="minutes to the close", about="Sells from there on."
    )
    stop: str = choice("low", "low", "middle", about="Of the range: it sells below.")

    def check(self) -> None:
        """It does not buy where it sells."""
        if self.last_entry < self.flat:
            raise ParameterError(
                self.key,
                "last_entry",
                f"must be at least flat, which is {self.flat}, was {self.last_entry}",
            )

    @property
    def needs(self) -> tuple[str, ...]:
        """Both ends of the range, and how long the session lasts."""
        ends = (f"opening_range_{end}_{self.minutes}m" for end in ("high", "low"))
        return (*ends, "minutes_to_close")

    def says(self) -> Says:
        """By the range and the clock."""
        high, low, left = (pl.col(name) for name in self.needs)
        close = pl.col("close")
        stop = low if self.stop == "low" else (high + low) / 2
        return Says(
            (close > high) & (left > self.last_entry),
            high.is_null() | (close < stop) | (left <= self.flat),
            pl.when(high > low).then((close - high) / (high - low)).otherwise(1.0),
        )

    def because(self, row: Row, direction: Direction) -> str:
        """The clock, or the close beside the range."""
        high, low, left = (row[name] for name in self.needs)
        if high is None or high != high:  # noqa: PLR0124 - NaN
            return f"the range of the first {self.minutes} minutes is not known"
        if direction == Direction.SELL and left is not None and left <= self.flat:
            return f"{left:g} minutes are left of the session"
        beside = f"the close {row['close']:,.6g} beside the opening range {low:,.6g} to {high:,.6g}"
        if direction == Direction.HOLD and row["close"] > high:
            return f"{beside}, too late for an entry"
        where = {Direction.BUY: "above its high", Direction.SELL: f"below its {self.stop}"}
        return f"{beside}, {where.get(direction, 'inside')}"
