"""What is declared once for the session before and once for the calendar week before."""

from collections.abc import Callable, Sequence

import polars as pl

from feature_service.by_session import week_of
from feature_service.registry import Declared, Params, feature

FIRST_DAY = "in the first session of a history"
_FIRST_WEEK = "in the first calendar week of a history"
#: Sessions before a bar among which the week before it lies whole.
_TWO_WEEKS = 10


def in_first_day() -> pl.Expr:
    """Whether no session lies before."""
    return pl.col("session") == 0


def in_first_week() -> pl.Expr:
    """Whether no calendar week lies before."""
    day = pl.col("session_date")
    return week_of(day) == week_of(day.first())


def prior(price: str, weeks: int) -> pl.Expr:
    """The ``high``, ``low`` or ``close`` of the session before, or of the week before."""
    return pl.col(f"prior_week_{price}" if weeks else f"prior_day_{price}")


def by_period(
    name: str,
    *,
    group: str,
    unit: str,
    source: str,
    each: Sequence[Params] = ({},),
    parents: Sequence[str] = (),
) -> Callable[[Declared], Declared]:
    """Register a function for both periods; its parameter ``weeks`` is 0 for the day, 1 for the week.

    Args:
        name: With ``{period}`` in it, which becomes ``day`` or ``week``; parents likewise.
    """

    def register(function: Declared) -> Declared:
        for weeks, period in enumerate(("day", "week")):
            feature(
                name.replace("{period}", period),
                group=group,
                unit=unit,
                source=source,
                each=[{**params, "weeks": weeks} for params in each],
                sessions=lambda weeks, **_: _TWO_WEEKS if weeks else 1,
                null_rule=_FIRST_WEEK if weeks else FIRST_DAY,
                null_when=lambda weeks, **_: in_first_week() if weeks else in_first_day(),
                parents=[parent.replace("{period}", period) for parent in parents],
            )(function)
        return function

    return register
