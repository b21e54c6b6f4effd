"""What the sandbox serves: a folder's bars or generated ones look the same from here on."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Generic, Literal, Protocol, TypeVar

from sandbox.bars import Bars
from sandbox.calendar import Int64s


@dataclass(frozen=True)
class Action:
    """A corporate action.

    Args:
        symbol: Whose.
        kind: What.
        ex_date: The first day that trades without it.
        process_date: The day Alpaca books it, on which requests filter.
        value: New shares per old for a split, USD per share for a dividend.
    """

    symbol: str
    kind: Literal["split", "cash_dividend"]
    ex_date: date
    process_date: date
    value: float


@dataclass(frozen=True)
class Event:
    """A corporate action that changes no price here.

    Args:
        type: Alpaca's singular name.
        process_date: The day Alpaca books it.
        appears: The first day on which it is told, which may be later.
        fields: What the protocol says of it, but for id and process_date.
    """

    type: str
    process_date: date
    appears: date
    fields: Mapping[str, str | float | bool]

    @property
    def symbols(self) -> frozenset[str]:
        """All tickers in it."""
        return frozenset(
            str(value) for name, value in self.fields.items() if name.endswith("symbol")
        )


@dataclass(frozen=True)
class Listing:
    """What ``/v2/assets`` says of a symbol.

    Args:
        symbol: Its ticker today.
        name: Of the company.
        exchange: As Alpaca writes it.
        listed: Its first day, None if it was always there.
        delisted: The first day without it, None for never.
        renamed: Its ticker before, and the first day under this one.
    """

    symbol: str
    name: str
    exchange: str
    listed: date | None = None
    delisted: date | None = None
    renamed: tuple[str, date] | None = None

    def ticker(self, day: date) -> str:
        """Its ticker on a day."""
        return self.renamed[0] if self.renamed and day < self.renamed[1] else self.symbol


class Market(Protocol):
    """Raw minute and daily bars by symbol, feed and New York day; the future included."""

    @property
    def listings(self) -> tuple[Listing, ...]:
        """All symbols, sorted."""
        ...

    @property
    def actions(self) -> tuple[Action, ...]:
        """All corporate actions, in order of ``process_date``."""
        ...

    @property
    def events(self) -> tuple[Event, ...]:
        """The corporate actions that change no price, in order of ``process_date``."""
        ...

    def days(self, symbol: str) -> Int64s:
        """The days that may have minute bars, in order; none for an unknown symbol."""
        ...

    def minutes(self, symbol: str, feed: str, day: int) -> Bars:
        """The minute bars of a day."""
        ...

    def daily_days(self, symbol: str) -> Int64s:
        """The days that may have a daily bar, in order; none for an unknown symbol."""
        ...

    def daily(self, symbol: str, feed: str, day: int) -> Bars:
        """The daily bar of a day that is over, opening at midnight in New York; at most one."""
        ...


K = TypeVar("K")
V = TypeVar("V")


class ByteCache(Generic[K, V]):
    """The values used last, up to a number of bytes.

    Args:
        capacity: Bytes to hold at most; the newest value stays even if it is larger.
        size: Bytes of a value.
    """

    def __init__(self, capacity: int, size: Callable[[V], int]) -> None:
        self._capacity, self._size = capacity, size
        self._held: OrderedDict[K, V] = OrderedDict()
        self._bytes = 0

    def get(self, key: K) -> V | None:
        """The value, None if it is not held."""
        value = self._held.get(key)
        if value is not None:
            self._held.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        """Hold a value, instead of an older one; the ones used longest ago give way."""
        if key in self._held:
            self._bytes -= self._size(self._held.pop(key))
        self._held[key] = value
        self._bytes += self._size(value)
        while self._bytes > self._capacity and len(self._held) > 1:
            self._bytes -= self._size(self._held.popitem(last=False)[1])
