"""A provider's calendar beside ours: what differs is told, and nothing is changed.

exchange_calendars is the calendar (:mod:`lake.sessions`). A provider that says otherwise may be wrong,
or our copy may be too old to know a day of mourning: somebody has to look.
"""

from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from lake import known, sessions
from lake.actions import provider_of
from lake.reading import known_until
from lake.sessions import Moment

if TYPE_CHECKING:
    from lake.store import Lake

#: A session as a provider lists it: regular hours, New York wall time like 09:30.
CALENDAR_SCHEMA = pl.Schema({"session_date": pl.Date(), "open": pl.String(), "close": pl.String()})
DIFFERENCE_SCHEMA = pl.Schema(
    {
        "session_date": pl.Date(),
        "field": pl.String(),  # session, open or close
        "ours": pl.String(),  # null: we have no session that day
        "theirs": pl.String(),  # null: the provider has none
    }
)


def stored_span(lake: "Lake", source: str) -> tuple[date, date] | None:
    """The first and the last day that anything was fetched of; None: nothing was."""
    with lake.reading() as connection:
        row = connection.execute(
            'SELECT min("start"), max("end") FROM coverage WHERE source = ?', [source]
        ).fetchone()
    if row is None or row[0] is None:
        return None
    return sessions.today(row[0]), sessions.today(row[1])


def ours(first: date, last: date) -> pl.DataFrame:
    """Our sessions between two dates, both included, as ``CALENDAR_SCHEMA``."""
    wall = [
        pl.col(name).dt.convert_time_zone("America/New_York").dt.strftime("%H:%M").alias(name)
        for name in ("open", "close")
    ]
    return sessions.schedule(first, last).select("session_date", *wall).cast(CALENDAR_SCHEMA)


def differences(mine: pl.DataFrame, theirs: pl.DataFrame) -> pl.DataFrame:
    """Where two calendars are not the same.

    Args:
        mine: As ``CALENDAR_SCHEMA``.
        theirs: Likewise, over the same days.

    Returns:
        As ``DIFFERENCE_SCHEMA``, by day: a session that one of them lacks, an opening, a close.
    """
    both = mine.join(
        theirs.unique("session_date", keep="last"),
        on="session_date",
        how="full",
        coalesce=True,
        suffix="_theirs",
    )
    here, there = pl.col("open").is_not_null(), pl.col("open_theirs").is_not_null()
    alone = both.filter(here != there).select(
        "session_date",
        field=pl.lit("session"),
        ours=_hours("open", "close"),
        theirs=_hours("open_theirs", "close_theirs"),
    )
    shared = both.filter(here & there)
    unlike = [
        shared.filter(pl.col(name).ne_missing(pl.col(f"{name}_theirs"))).select(
            "session_date",
            field=pl.lit(name),
            ours=pl.col(name),
            theirs=pl.col(f"{name}_theirs"),
        )
        for name in ("open", "close")
    ]
    return pl.concat([alone, *unlike]).cast(DIFFERENCE_SCHEMA).sort("session_date", "field")


def commit_calendar(
    lake: "Lake", source: str, theirs: pl.DataFrame, first: date, last: date
) -> pl.DataFrame:
    """Compare a provider's sessions with ours and keep what differs, as known now.

    Args:
        theirs: All its sessions between two dates, both included, as ``CALENDAR_SCHEMA``.

    Returns:
        The differences, as ``DIFFERENCE_SCHEMA``.
    """
    provider = provider_of(source)
    found = differences(ours(first, last), theirs.cast(CALENDAR_SCHEMA))
    read = ("calendar", first, last, theirs.height)
    known.replace(lake, "calendar_differences", DIFFERENCE_SCHEMA, provider, found, read=read)
    return found


def told_differences(lake: "Lake", source: str, *, as_of: Moment = None) -> pl.DataFrame:
    """What the newest comparison found, or the newest one at a moment; as ``DIFFERENCE_SCHEMA``."""
    with lake.reading() as connection:
        return known.rows(
            connection,
            "calendar_differences",
            DIFFERENCE_SCHEMA,
            provider_of(source),
            known_until(as_of),
        )


def _hours(opens: str, closes: str) -> pl.Expr:
    return pl.when(pl.col(opens).is_not_null()).then(
        pl.concat_str(opens, pl.lit("-"), closes, ignore_nulls=True)
    )
