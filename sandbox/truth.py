"""What a perfect client holds: what REST would give it, but for the bars that break a rule."""

import asyncio
from typing import Any

import numpy as np
import orjson

from sandbox.bars import Bars, encode_each
from sandbox.names import Part
from sandbox.revisions import NEVER, Revisions
from sandbox.times import new_york_day, utc_text


async def truth(
    revisions: Revisions, part: Part, feed: str, first: int, last: int, as_of: float
) -> bytes:
    """The minute bars of a symbol as of a moment, as JSON.

    Args:
        revisions: What bars were when.
        part: What the symbol means.
        feed: Which.
        first: The earliest opening, in seconds since 1970.
        last: The latest opening.
        as_of: The moment, in seconds since 1970 by the sandbox's clock.

    Returns:
        An object with ``bars`` as REST writes them, and ``malformed`` with the opening of each bar
        that breaks a rule, the rule's name, and from when on it is good (null for never).
    """
    symbol = part.symbol
    first, last = max(first, part.first), min(last, part.last)
    parts: list[Bars] = []
    malformed: list[dict[str, Any]] = []
    days = revisions.market.days(symbol)
    low, high = new_york_day(max(first, 0)), new_york_day(max(min(last, int(as_of)), 0))
    for day in days[(days >= low) & (days <= high)].tolist():
        await asyncio.sleep(0)  # years take seconds, and others ask meanwhile
        seen = revisions.at(symbol, feed, day, as_of)
        bars = seen.bars.between(first, last)
        if seen.broken:
            good = ~np.isin(bars.time, list(seen.broken))
            broken = {time: rule for time, rule in seen.broken.items() if first <= time <= last}
            malformed += _told(revisions, symbol, feed, day, broken)
            bars = Bars(*(column[good] for column in bars.columns()))  # type: ignore[arg-type]
        parts.append(bars)
    rows = [block.cut(0, len(block.time)) for block in encode_each(parts) if len(block.time)]
    facts = {"symbol": symbol, "feed": feed, "as_of": utc_text(int(as_of)), "malformed": malformed}
    return orjson.dumps(facts)[:-1] + b',"bars":[%b]}' % b",".join(rows)


def _told(
    revisions: Revisions, symbol: str, feed: str, day: int, broken: dict[int, str]
) -> list[dict[str, Any]]:
    history = revisions.history(symbol, feed, day)
    found = []
    for time, rule in sorted(broken.items()):
        mended = float(history.mended[int(history.final.time.searchsorted(time))])
        good = None if mended == NEVER else utc_text(int(mended))
        found.append({"t": utc_text(time), "rule": rule, "good_from": good})
    return found
