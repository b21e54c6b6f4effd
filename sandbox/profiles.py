"""The character of each generated symbol."""

import hashlib
import math
from dataclasses import dataclass, replace
from datetime import date

FIRST_SESSION = date(2016, 1, 4)


@dataclass(frozen=True, kw_only=True)
class Profile:
    """How a generated symbol behaves.

    Args:
        symbol: Ticker.
        exchange: Where it is listed, as Alpaca writes it.
        price: USD on the first of all sessions, adjusted for splits.
        growth: Yearly drift of the price, as a logarithm.
        volatility: Standard deviation of a day's return.
        market: Correlation with the market's factor, -1 to 1.
        trades: Trades of a usual day, on all exchanges.
        shares: Shares of a usual trade, adjusted for splits.
        listed: Its first session.
        delisted: The first day without it, None for never.
        renamed: Its ticker before, and the first day under this one.
        split: Ex date and new shares per old.
        dividend_yield: Part of the price paid in a year.
        dividend_months: The first month of the year that pays, then every third; 0 for never.
    """

    symbol: str
    exchange: str = "NASDAQ"
    price: float = 100.0
    growth: float = 0.08
    volatility: float = 0.016
    market: float = 0.6
    trades: float = 100_000
    shares: float = 95.0
    listed: date = FIRST_SESSION
    delisted: date | None = None
    renamed: tuple[str, date] | None = None
    split: tuple[date, int] | None = None
    dividend_yield: float = 0.0
    dividend_months: int = 0


#: SPY and QQQ follow the market closely; IBM and SPY pay dividends; SPLT splits 4:1; THIN trades in
#: about a third of the regular minutes and hardly outside; LATE begins in June 2023; GONE is bought
#: for cash on 2024-07-01; NEWN was OLDN until 2024-09-03.
DEFAULTS: tuple[Profile, ...] = (
    Profile(symbol="AAPL", price=60, growth=0.13, volatility=0.017, market=0.72, trades=500_000),
    Profile(symbol="GONE", price=30, growth=0.05, trades=15_000, delisted=date(2024, 7, 1)),
    Profile(symbol="GOOGL", price=40, growth=0.14, volatility=0.017, market=0.70, trades=260_000),
    Profile(
        symbol="IBM",
        exchange="NYSE",
        price=130,
        growth=0.04,
        volatility=0.014,
        market=0.55,
        trades=55_000,
        dividend_yield=0.04,
        dividend_months=2,
    ),
    Profile(
        symbol="LATE",
        exchange="NYSE",
        price=35,
        growth=0.10,
        volatility=0.024,
        market=0.5,
        trades=20_000,
        listed=date(2023, 6, 1),
    ),
    Profile(symbol="MSFT", price=55, growth=0.18, volatility=0.016, market=0.75, trades=320_000),
    Profile(symbol="NEWN", price=45, trades=30_000, renamed=("OLDN", date(2024, 9, 3))),
    Profile(symbol="QQQ", price=110, growth=0.15, volatility=0.013, market=0.94, trades=380_000),
    Profile(
        symbol="SPLT",
        exchange="NYSE",
        price=80,
        growth=0.12,
        volatility=0.020,
        market=0.6,
        trades=120_000,
        split=(date(2024, 10, 15), 4),
    ),
    Profile(
        symbol="SPY",
        exchange="ARCA",
        price=200,
        growth=0.11,
        volatility=0.010,
        market=0.98,
        trades=480_000,
        shares=140,
        dividend_yield=0.015,
        dividend_months=3,
    ),
    Profile(
        symbol="THIN",
        exchange="AMEX",
        price=22,
        growth=0.03,
        volatility=0.019,
        market=0.3,
        trades=130,
        shares=180,
    ),
)

DEFAULT_SYMBOLS: tuple[str, ...] = tuple(profile.symbol for profile in DEFAULTS)


def profile_of(symbol: str, seed: int) -> Profile:
    """The written profile of a default symbol, else one that seed and ticker decide."""
    for profile in DEFAULTS:
        if profile.symbol == symbol:
            return profile
    digest = hashlib.blake2b(f"{seed}|{symbol}|profile".encode(), digest_size=20).digest()
    parts = [int.from_bytes(digest[i : i + 4]) / 2**32 for i in range(0, 20, 4)]
    return replace(
        Profile(symbol=symbol),
        exchange=("NASDAQ", "NYSE")[int(parts[0] * 2)],
        price=math.exp(3 + 2 * parts[1]),
        growth=0.02 + 0.12 * parts[2],
        volatility=0.011 + 0.012 * parts[3],
        market=0.35 + 0.4 * parts[0],
        trades=math.exp(9 + 3.5 * parts[4]),
    )
