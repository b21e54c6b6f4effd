"""Corporate actions: from a file, in the protocol, and what they do to prices."""

import hashlib
import uuid
from collections.abc import Callable
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import polars as pl

from sandbox.errors import DataFolderError
from sandbox.market import Action, Event

FILE_NAME = "corporate_actions.parquet"
KINDS = {"split", "cash_dividend"}
#: Singular in the parameter ``types``, plural in the reply.
TYPES = {
    name: f"{name}s"
    for name in (
        "reverse_split", "forward_split", "unit_split", "cash_dividend", "stock_dividend",
        "spin_off", "cash_merger", "stock_merger", "stock_and_cash_merger", "redemption",
        "name_change", "worthless_removal", "rights_distribution", "partial_call",
        "reorganization",
    )
}  # fmt: skip


def read_actions(folder: Path) -> tuple[Action, ...]:
    """The splits and cash dividends of ``corporate_actions.parquet`` in a folder or the one above.

    The file has the columns ``symbol``, ``ex_date``, ``kind``, ``ratio`` (new shares per old) and
    ``amount`` (USD per share); other kinds are left out. It names no pay dates, so
    ``process_date`` is the ex date. No file means no actions.

    Raises:
        DataFolderError: The file is there and cannot be read.
    """
    path = next((p for p in (folder / FILE_NAME, folder.parent / FILE_NAME) if p.is_file()), None)
    if path is None:
        return ()
    try:
        frame = pl.read_parquet(path, columns=["symbol", "ex_date", "kind", "ratio", "amount"])
        rows = frame.sort("ex_date", "symbol", "kind").rows()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataFolderError(path, f"cannot be read as corporate actions ({error})") from None
    found = []
    for symbol, ex_date, kind, ratio, amount in rows:
        value = ratio if kind == "split" else amount
        if kind in KINDS and value is not None and value > 0:
            found.append(Action(symbol, kind, ex_date, ex_date, value))
    return tuple(found)


def type_of(action: Action) -> str:
    """Alpaca's singular name of an action."""
    if action.kind == "cash_dividend":
        return "cash_dividend"
    return "forward_split" if action.value > 1 else "reverse_split"


def identity(action: Action) -> str:
    """A UUID that only depends on symbol, kind and ex date."""
    name = f"{action.symbol}|{action.kind}|{action.ex_date}"
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"sandbox:{name}"))


def event_identity(event: Event) -> str:
    """A UUID that only depends on the event."""
    name = f"{event.type}|{event.process_date}|{'|'.join(sorted(event.symbols))}"
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"sandbox:{name}"))


def cusip(symbol: str) -> str:
    """Nine characters that look like one and belong to no security."""
    return hashlib.blake2b(symbol.encode(), digest_size=6).hexdigest()[:9].upper()


def to_json(action: Action) -> dict[str, Any]:
    """An action in the protocol."""
    common = {
        "id": identity(action),
        "symbol": action.symbol,
        "ex_date": action.ex_date.isoformat(),
        "process_date": action.process_date.isoformat(),
        "record_date": action.ex_date.isoformat(),
        "payable_date": action.process_date.isoformat(),
    }
    code = cusip(action.symbol)
    if action.kind == "cash_dividend":
        dividend = {"cusip": code, "rate": action.value, "special": False, "foreign": False}
        return common | dividend
    ratio = Fraction(action.value).limit_denominator(1000)
    rates = {"new_rate": ratio.numerator, "old_rate": ratio.denominator}
    if action.value > 1:
        return common | rates | {"cusip": code}
    return common | rates | {"old_cusip": code, "new_cusip": cusip(f"{action.symbol} after")}


def adjustment_factors(
    actions: tuple[Action, ...],
    day: date,
    kinds: frozenset[str],
    close_before: Callable[[Action], float | None],
) -> tuple[float, float]:
    """What a day's raw prices and volumes are multiplied by.

    Args:
        actions: Those of one symbol that have happened by now.
        day: The day of the bars; only what went ex after it counts.
        kinds: ``split`` changes prices and volumes, ``dividend`` prices alone.
        close_before: The raw close before a dividend's ex date, None if no bar tells.
    """
    price = volume = 1.0
    for action in actions:
        if action.ex_date <= day:
            continue
        if action.kind == "split" and "split" in kinds:
            price, volume = price / action.value, volume * action.value
        elif action.kind == "cash_dividend" and "dividend" in kinds:
            close = close_before(action)
            price *= max(0.0, 1 - action.value / close) if close else 1.0
    return price, volume
