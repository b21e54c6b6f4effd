"""What regulators take of a trade in US shares, by the date of the trade.

Section 31 (SEC) and the trading activity fee (FINRA) are taken of sales, the fee of the consolidated
audit trail (CAT) of both sides. Brokers without commission hand them on. Alpaca rounds each fee's
total of a day up to the cent (docs.alpaca.markets, Regulatory Fees); here nothing is rounded, which
is at most three cents a day less.
"""

from bisect import bisect_right
from datetime import date
from typing import NamedTuple


class Rates(NamedTuple):
    """Fees of one trade: of USD sold, of a share sold and the most of that, of a share traded."""

    section_31: float = 0.0
    activity: float = 0.0
    activity_most: float = 0.0
    audit: float = 0.0


class Since(NamedTuple):
    """A rate and the trade date from which it holds.

    Attributes:
        value: USD per USD sold, or per share.
        source: Who says so.
        most: Of an order, in USD; 0 where there is no such bound.
        sure: Whether both the rate and its date stand in the source; False where one is from
            memory or guessed, and then on the dear side.
    """

    first: date
    value: float
    source: str
    most: float = 0.0
    sure: bool = False


_SEC, _FINRA = "SEC, Fee Rate Advisory for fiscal year", "FINRA By-Laws, Schedule A, section 1"
_ALPACA = "alpaca.markets/support/regulatory-fees"

#: Section 31 of the Exchange Act: share of the USD sold.
SECTION_31: tuple[Since, ...] = (
    Since(date(2016, 2, 16), 21.80e-6, f"{_SEC} 2016"),
    Since(date(2017, 7, 4), 23.10e-6, f"{_SEC} 2017"),
    Since(date(2018, 5, 22), 13.00e-6, f"{_SEC} 2018"),
    Since(date(2019, 4, 16), 20.70e-6, f"{_SEC} 2019", sure=True),
    Since(date(2020, 2, 18), 22.10e-6, f"{_SEC} 2020", sure=True),
    Since(date(2021, 2, 25), 5.10e-6, f"{_SEC} 2021", sure=True),
    Since(date(2022, 5, 14), 22.90e-6, f"{_SEC} 2022"),
    Since(date(2023, 2, 27), 8.00e-6, f"{_SEC} 2023"),
    Since(date(2024, 5, 22), 27.80e-6, f"{_SEC} 2024"),
    Since(date(2025, 5, 14), 0.0, f"{_SEC} 2025"),
)
#: Trading activity fee: USD per share sold.
ACTIVITY: tuple[Since, ...] = (
    Since(date(2012, 7, 1), 0.000119, _FINRA, 5.95),
    Since(date(2022, 1, 1), 0.000130, _FINRA, 6.49),
    Since(date(2023, 1, 1), 0.000145, _FINRA, 7.27),
    Since(date(2024, 1, 1), 0.000166, _FINRA, 8.30),
)
#: Consolidated audit trail: USD per share bought or sold. Alpaca's page names the rates without dates.
AUDIT: tuple[Since, ...] = (
    Since(date(2024, 9, 1), 0.000053, _ALPACA),
    Since(date(2025, 7, 1), 0.0000265, _ALPACA),
)
_NOTHING = Since(date.min, 0.0, "")
_TABLES = (SECTION_31, ACTIVITY, AUDIT)

#: Nothing is taken.
NONE = Rates()


def rates(day: date) -> Rates:
    """The rates of a trade date; before the first one of a table nothing is taken."""
    section_31, activity, audit = (_newest(table, day) for table in _TABLES)
    return Rates(section_31.value, activity.value, activity.most, audit.value)


def changes() -> tuple[tuple[date, Rates], ...]:
    """Every date at which a rate changes, with the rates from then on."""
    days = sorted({one.first for table in _TABLES for one in table})
    return tuple((day, rates(day)) for day in days)


def _newest(table: tuple[Since, ...], day: date) -> Since:
    at = bisect_right([one.first for one in table], day)
    return table[at - 1] if at else _NOTHING
