"""Returns by month and year."""

import calendar as months_of
from datetime import date

import numpy as np
import polars as pl

from lake import sessions
from simulation_service.returns import CurveError, finite
from simulation_service.run import Floats

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def monthly(dates: pl.Series, daily: Floats, calendar: pl.Series | None = None) -> pl.DataFrame:
    """The return of each month that has a session.

    Args:
        dates: Session dates, ascending.
        daily: The value before everything, then one for each of the dates.
        calendar: Dates of all sessions that there could be, from the first of the first month to
            the end of the last one; None for those of the NYSE.

    Returns:
        ``year`` and ``month`` (1 to 12), ``return`` (from the month before's last value to this
        one's; null where the former is not above zero), ``sessions`` (with a value), ``expected``
        (in the calendar) and ``partial`` (whether some of those have no value).

    Raises:
        CurveError: The dates do not ascend, or are not as many as the values ask for.
    """
    values = finite(daily, "values of the curve")
    _check(dates, values)
    ends = pl.DataFrame({"session_date": dates, "value": values[1:]})
    month = (pl.col("session_date").dt.year(), pl.col("session_date").dt.month())
    found = ends.group_by(month[0].alias("year"), month[1].alias("month"), maintain_order=True).agg(
        pl.col("value").last(), pl.len().cast(pl.Int64).alias("sessions")
    )
    before = pl.Series([values[0], *found["value"][:-1]], dtype=pl.Float64)
    expected = (_nyse(dates) if calendar is None else calendar).rename("session_date").to_frame()
    counted = expected.group_by(month[0].alias("year"), month[1].alias("month")).agg(
        pl.len().cast(pl.Int64).alias("expected")
    )
    return (
        found.with_columns(before=before)
        .join(counted, on=["year", "month"], how="left", maintain_order="left")
        .select(
            "year",
            pl.col("month").cast(pl.Int64),
            pl.when(pl.col("before") > 0)
            .then(pl.col("value") / pl.col("before") - 1)
            .alias("return"),
            "sessions",
            pl.col("expected").fill_null(0),
        )
        .with_columns(partial=pl.col("sessions") < pl.col("expected"))
    )


def monthly_table(by_month: pl.DataFrame) -> pl.DataFrame:
    """Months side by side: a row for each year.

    Args:
        by_month: As :func:`monthly` gives it.

    Returns:
        ``year``, ``jan`` to ``dec`` (null for months without a session), ``total`` (the months
        compounded; null if one is null) and ``partial`` (a list of the months, 1 to 12, that lack
        sessions; a year without all of its months counts the missing ones neither here nor there).
    """
    columns = [
        pl.col("return").filter(pl.col("month") == number).first().alias(name)
        for number, name in enumerate(MONTHS, start=1)
    ]
    whole = pl.col("return").is_not_null().all()
    return (
        by_month.group_by("year")
        .agg(
            *columns,
            pl.when(whole).then((pl.col("return") + 1).product() - 1).alias("total"),
            pl.col("month").filter(pl.col("partial")).alias("partial"),
        )
        .sort("year")
    )


def _check(dates: pl.Series, values: Floats) -> None:
    if len(dates) != len(values) - 1:
        raise CurveError(
            f"There are {len(dates):,} dates and {len(values):,} values. "
            "Give one value more than dates: the one before everything."
        )
    if not len(dates):
        raise CurveError("A table of months needs at least one session.")
    if not isinstance(dates.dtype, pl.Date) or dates.null_count():
        raise CurveError("The dates of a table of months must be dates, none of them missing.")
    if len(dates) > 1 and not bool(np.all(np.diff(dates.to_physical().to_numpy()) > 0)):
        raise CurveError("The dates of a table of months must ascend. Sort them, one a session.")


def _nyse(dates: pl.Series) -> pl.Series:
    first, last = dates[0], dates[-1]
    end = date(last.year, last.month, months_of.monthrange(last.year, last.month)[1])
    return sessions.schedule(first.replace(day=1), end)["session_date"]
