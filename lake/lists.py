"""Named lists of symbols, dated, with what was known when.

A list is set from a day on: its members are these until a later day that it was set from. Nothing is
ever overwritten. Setting a day anew is a correction: it holds from when it was recorded, and as-of
reads from before do not know it.
"""

import re
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from lake.errors import InvalidError, MissingError
from lake.reading import known_until
from lake.schema import UTC_TIME, check_symbol
from lake.sessions import Moment

if TYPE_CHECKING:
    from lake.store import Lake

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)

#: A list from a day on.
STATE_SCHEMA = pl.Schema(
    {
        "valid_from": pl.Date(),  # first day
        "valid_to": pl.Date(),  # first day of the next state; null: none
        "symbols": pl.List(pl.String()),
        "recorded_at": UTC_TIME,
    }
)


class ListNameError(InvalidError):
    """A name that no list can have."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return (
            f"{self.name[:40]!r} cannot name a list. Use small letters, digits, - and _, "
            "beginning with a letter or digit, like sp500."
        )


class EmptyListError(InvalidError):
    """A list without a symbol."""

    def __str__(self) -> str:
        return "A list needs at least one symbol, like SPY."


class ListMissingError(MissingError):
    """There is no such list, or there was none at the time."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return (
            f"There is no list {self.name}. `barlake lists` shows those there are; "
            f"`barlake lists set {self.name} --file symbols.txt` makes it."
        )


class MembersMissingError(MissingError):
    """A list that has no members in a range of days."""

    def __init__(self, name: str, first: date, last: date, begins: date) -> None:
        super().__init__(name, first, last, begins)
        self.name, self.first, self.last, self.begins = name, first, last, begins

    def __str__(self) -> str:
        when = f"on {self.first}" if self.first == self.last else f"{self.first} to {self.last}"
        return (
            f"The list {self.name} has no members {when}: it begins on {self.begins}. "
            f"`barlake lists set {self.name} --file symbols.txt --from {self.first}` says who they were."
        )


def check_list(name: str) -> str:
    """The name of a list, in small letters.

    Raises:
        ListNameError: No list can be called that.
    """
    written = name.strip().lower()
    if not _NAME.fullmatch(written):
        raise ListNameError(name)
    return written


def set_list(lake: "Lake", name: str, symbols: Sequence[str], start: date) -> bool:
    """Say who is on a list from a day on, until the next day that it is set from.

    Args:
        lake: To write.
        name: Of the list, which need not be there yet.
        symbols: Tickers; each counts once.
        start: The first day, a New York date.

    Returns:
        Whether that is news; the same again changes nothing.

    Raises:
        ListNameError, SymbolError, EmptyListError: What cannot be. Nothing was written.
    """
    wanted, members = check_list(name), sorted({check_symbol(symbol) for symbol in symbols})
    if not members:
        raise EmptyListError
    if _holds(lake, wanted, members, start):
        return False
    with lake.writing() as transaction:
        transaction.connection.execute(
            "INSERT INTO symbol_lists VALUES (?, ?, ?, ?)",
            [wanted, start, members, transaction.recorded_at],
        )
    return True


def lists(lake: "Lake", *, as_of: Moment = None) -> pl.DataFrame:
    """All lists: ``name``, ``members`` of the newest state, since when (``valid_from``), ``states``, ``recorded_at``."""
    states = _states(lake, None, as_of).sort("name", "valid_from")
    return (
        states.group_by("name", maintain_order=True)
        .agg(
            members=pl.col("symbols").last().list.len().cast(pl.Int64),
            begins=pl.col("valid_from").first(),
            valid_from=pl.col("valid_from").last(),
            states=pl.len().cast(pl.Int64),
            recorded_at=pl.col("recorded_at").max(),
        )
        .sort("name")
    )


def states(lake: "Lake", name: str, *, as_of: Moment = None) -> pl.DataFrame:
    """A list from its beginning on, as ``STATE_SCHEMA``, oldest first.

    Raises:
        ListMissingError: There is none, or there was none at ``as_of``.
    """
    wanted = check_list(name)
    found = _states(lake, wanted, as_of).sort("valid_from")
    if found.is_empty():
        raise ListMissingError(wanted)
    ends = pl.col("valid_from").shift(-1)
    return found.with_columns(valid_to=ends).select(STATE_SCHEMA.names()).cast(STATE_SCHEMA)


def members(lake: "Lake", name: str, *, on: date, as_of: Moment = None) -> list[str]:
    """Who is on a list on a day; nobody before its first.

    Args:
        lake: Read only.
        name: Of the list.
        on: A New York date.
        as_of: As the lake knew it then: a New York date (its end) or a time; None for now.

    Raises:
        ListMissingError: There is none, or there was none at ``as_of``.
    """
    begun = states(lake, name, as_of=as_of).filter(pl.col("valid_from") <= on)
    return [] if begun.is_empty() else list(begun["symbols"][-1])


def members_between(
    lake: "Lake", name: str, first: date, last: date, *, as_of: Moment = None
) -> dict[str, tuple[date, date]]:
    """Who is on a list on any day of a range, with the first and the last of those days.

    Those who left during the range are among them: whoever asks only for the members of the end
    sees survivors alone.

    Raises:
        ListMissingError: There is no such list.
        MembersMissingError: It has no members in the range.
    """
    every = states(lake, name, as_of=as_of)
    found: dict[str, tuple[date, date]] = {}
    for start, end, symbols, _ in every.iter_rows():
        low = max(start, first)
        high = last if end is None else min(end - _DAY, last)
        for symbol in symbols if low <= high else ():
            found[symbol] = (found.get(symbol, (low, high))[0], high)
    if not found:
        raise MembersMissingError(check_list(name), first, last, every["valid_from"][0])
    return found


def _holds(lake: "Lake", name: str, symbols: list[str], start: date) -> bool:
    held = _states(lake, name, None).filter(pl.col("valid_from") == start)
    return not held.is_empty() and list(held["symbols"][0]) == symbols


def _states(lake: "Lake", name: str | None, as_of: Moment) -> pl.DataFrame:
    """Of each day that a list was set from what holds, or held."""
    with lake.reading() as connection:
        found = connection.execute(
            """SELECT name, valid_from, symbols, recorded_at FROM symbol_lists
               WHERE ($name IS NULL OR name = $name) AND ($until IS NULL OR recorded_at <= $until::TIMESTAMPTZ)
               QUALIFY recorded_at = max(recorded_at) OVER (PARTITION BY name, valid_from)""",
            {"name": name, "until": known_until(as_of)},
        ).pl()
    return found.cast({"symbols": pl.List(pl.String), "recorded_at": UTC_TIME})


_DAY = date(2000, 1, 2) - date(2000, 1, 1)
