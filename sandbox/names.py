"""Which company's bars a ticker means, as of a day.

Alpaca's ``asof`` names a day: the company that had the ticker then is meant, and its whole history
comes under the ticker that was asked for. A new name is known to the mapping on the day after it.
Without a mapping (``asof=-``), and where nobody had the ticker, the bars that bore it are meant.
"""

from datetime import date
from typing import NamedTuple

from sandbox.market import Listing
from sandbox.times import date_of, day_of, midnight, new_york_day

EVER = 1 << 62


class Part(NamedTuple):
    """The bars of a symbol of the market that open from ``first`` to ``last``, in seconds."""

    symbol: str
    first: int = -EVER
    last: int = EVER


class Names:
    """The tickers of a market.

    Args:
        listings: Its symbols.
    """

    def __init__(self, listings: tuple[Listing, ...]) -> None:
        self._listings = listings
        self._renamed = {
            ticker: (one, one.renamed)
            for one in listings
            if one.renamed
            for ticker in (one.symbol, one.renamed[0])
        }

    def part(self, ticker: str, asof: int | None) -> Part:
        """What a ticker means.

        Args:
            ticker: As asked for; one that nobody ever had means itself.
            asof: The day that decides; None for no mapping.
        """
        found = self._renamed.get(ticker)
        if found is None:
            return Part(ticker)
        listing, (_, since) = found
        changed = day_of(since)
        if ticker == listing.symbol:
            whole = asof is not None and asof > changed
            return Part(ticker) if whole else Part(ticker, midnight(changed))
        if asof is not None and asof < changed:
            return Part(listing.symbol)
        return Part(listing.symbol, last=midnight(changed) - 1)

    def today(self, now: float) -> dict[str, str]:
        """The symbol of the market behind each ticker of a moment."""
        day: date = date_of(new_york_day(now))
        return {one.ticker(day): one.symbol for one in self._listings}
