"""Pages of bars: what a request may ask, in which order bars come, and where a page goes on.

Bars come by symbol, then by time; a page holds ``limit`` bars over all symbols. The token of the
next page is the base64 of ``SYMBOL|UNIT|TIME`` of the last bar delivered, as Alpaca's is.
"""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass

from sandbox.errors import BadRequestError
from sandbox.names import Part
from sandbox.store import BarStore, View
from sandbox.times import parse_end, utc_text

#: What a token of a swapped page begins with; no ticker is written like it.
SWAP = "-swapped-"


@dataclass(frozen=True)
class BarsQuery:
    """A request for bars, checked.

    Args:
        symbols: Sorted, each once.
        view: Timeframe, feed and adjustments.
        first: The earliest opening, in seconds since 1970.
        last: The latest opening.
        limit: Bars on a page.
        newest_first: The order of a symbol's bars; symbols always come in order of the alphabet.
        after: Symbol and opening of the last bar of the page before.
        token: The token that the place came from; empty for the first page.
        then: The token to give with this page whatever follows it; empty for none.
        parts: What each symbol means, in their order; empty if each means itself.
    """

    symbols: tuple[str, ...]
    view: View
    first: int
    last: int
    limit: int
    newest_first: bool = False
    after: tuple[str, int] | None = None
    token: str = ""
    then: str | None = None
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Page:
    """The text of some symbols' bars, in order, and the token of the next page if there is one."""

    bars: dict[str, list[bytes]]
    token: str | None

    def text(self, symbol: str) -> bytes:
        """The bars of a symbol as a JSON list."""
        return b"[%b]" % b",".join(self.bars[symbol])


def read_page(store: BarStore, query: BarsQuery) -> Page:
    """The bars a query asks for, as many as fit; it tells truly whether more follow."""
    bars: dict[str, list[bytes]] = {}
    room, place = query.limit, ("", 0)
    parts = dict(zip(query.symbols, query.parts, strict=False))
    for symbol, first, last in _ranges(query):
        part = parts.get(symbol) or Part(symbol)
        ends = max(first, part.first), min(last, part.last)
        for found in store.slices(
            part.symbol, query.view, *ends, newest_first=query.newest_first, rows=room
        ):
            if not room:
                return Page(bars, write_token(*place, query.view))
            taken = min(room, found.end - found.start)
            room -= taken
            if query.newest_first:
                start, block = found.end - taken, found.block
                text, place = (
                    block.cut_backwards(start, found.end),
                    (symbol, int(block.time[start])),
                )
            else:
                end, block = found.start + taken, found.block
                text, place = block.cut(found.start, end), (symbol, int(block.time[end - 1]))
            bars.setdefault(symbol, []).append(text)
            if taken < found.end - found.start:
                return Page(bars, write_token(*place, query.view))
    return Page(bars, None)


def _ranges(query: BarsQuery) -> Iterator[tuple[str, int, int]]:
    """Each symbol that may have bars left, and the openings that are left."""
    for symbol in query.symbols:
        if query.after is None or symbol > query.after[0]:
            yield symbol, query.first, query.last
        elif symbol == query.after[0]:
            time = query.after[1]
            if query.newest_first:
                yield symbol, query.first, min(query.last, time - 1)
            else:
                yield symbol, max(query.first, time + 1), query.last


def write_token(symbol: str, time: int, view: View) -> str:
    """The token of the page after a bar."""
    stamp = f"{utc_text(time)[:-1]}.000000000Z"
    return base64.b64encode(f"{symbol}|{view.timeframe.letter}|{stamp}".encode()).decode()


def read_token(token: str) -> tuple[str, int]:
    """The symbol and the opening of the bar a token was written for.

    Raises:
        BadRequestError: No page has such a token.
    """
    try:
        symbol, _, stamp = base64.b64decode(token, validate=True).decode().split("|")
        return symbol, parse_end(stamp, "page_token")
    except (binascii.Error, ValueError, BadRequestError):
        raise BadRequestError(f"invalid page_token: {token[:60]}") from None


def write_swap(before: str, after: str | None) -> str:
    """The token of a page whose place has one token, empty at the beginning, and its next another."""
    return base64.b64encode(f"{SWAP}|{before}|{after or ''}".encode()).decode()


def read_swap(token: str) -> tuple[str, str] | None:
    """What :func:`write_swap` wrote; None for any other token."""
    try:
        kind, before, after = base64.b64decode(token, validate=True).decode().split("|")
    except (binascii.Error, ValueError):
        return None
    return (before, after) if kind == SWAP else None
