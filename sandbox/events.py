"""Corporate actions that change no price of the generated market: one of every type, and many.

Their tickers are not served, but for the company that is bought and the one that is renamed. The
many are dividends of foreign companies, three on each Wednesday: more than a request can bring.
"""

from datetime import date, timedelta

from sandbox.actions import cusip
from sandbox.market import Event
from sandbox.profiles import FIRST_SESSION, Profile

LAST_DIVIDEND = date(2029, 12, 31)
WEDNESDAY = 2

Fields = dict[str, str | float | bool]
FOREIGN = 120
#: An action is told this long after its process date, unless it is told at once.
LATE = timedelta(days=9)


def all_events(profiles: tuple[Profile, ...]) -> tuple[Event, ...]:
    """The events of a market with some symbols, in order of ``process_date``."""
    own = [event for profile in profiles for event in _of(profile)]
    found = [*_examples(), *_foreign_dividends(), *own]
    return tuple(sorted(found, key=lambda event: (event.process_date, event.type)))


def _of(profile: Profile) -> list[Event]:
    """The end or the new name of a company, in its own bars too."""
    found = []
    if profile.delisted:
        merger: Fields = {
            "acquirer_symbol": "BUYR",
            "acquirer_cusip": cusip("BUYR"),
            "acquiree_symbol": profile.symbol,
            "acquiree_cusip": cusip(profile.symbol),
            "rate": 42.5,
            "effective_date": profile.delisted.isoformat(),
            "payable_date": profile.delisted.isoformat(),
        }
        found.append(_event("cash_merger", profile.delisted, merger))
    if profile.renamed:
        old, day = profile.renamed
        change: Fields = {
            "old_symbol": old,
            "old_cusip": cusip(profile.symbol),
            "new_symbol": profile.symbol,
            "new_cusip": cusip(profile.symbol),
        }
        found.append(_event("name_change", day, change))
    return found


def _examples() -> list[Event]:
    """One of each other type; the rights and the partial call are told late."""
    day = date(2023, 3, 1)
    text = day.isoformat()
    ex: Fields = {"ex_date": text}
    effective: Fields = {"effective_date": text}
    return [
        _event("forward_split", day, _one("FWDS") | ex | {"new_rate": 3, "old_rate": 2}),
        _event(
            "reverse_split",
            day + timedelta(days=1),
            {"symbol": "REVS", "old_cusip": cusip("REVS"), "new_cusip": cusip("REVS after")}
            | ex
            | {"new_rate": 1, "old_rate": 10},
        ),
        _event(
            "unit_split",
            day + timedelta(days=2),
            _two("old", "UNTU", "new", "UNT")
            | _one("UNTW", "alternate_")
            | effective
            | {"old_rate": 1, "new_rate": 1, "alternate_rate": 0.5},
        ),
        _event("stock_dividend", day + timedelta(days=5), _one("STKD") | ex | {"rate": 0.05}),
        _event(
            "spin_off",
            day + timedelta(days=6),
            _two("source", "PRNT", "new", "CHLD") | ex | {"source_rate": 4, "new_rate": 1},
        ),
        _event(
            "stock_merger",
            day + timedelta(days=7),
            _two("acquirer", "BUYR", "acquiree", "SOLD")
            | effective
            | {"acquirer_rate": 0.8, "acquiree_rate": 1},
        ),
        _event(
            "stock_and_cash_merger",
            day + timedelta(days=8),
            _two("acquirer", "BUYR", "acquiree", "MIXD")
            | effective
            | {"acquirer_rate": 0.4, "acquiree_rate": 1, "cash_rate": 7.25},
        ),
        _event("redemption", day + timedelta(days=9), _one("REDM") | {"rate": 25.0}),
        _event("worthless_removal", day + timedelta(days=12), _one("ZERO")),
        _event(
            "rights_distribution",
            day + timedelta(days=13),
            _two("source", "RGHT", "new", "RGHTR") | ex | {"rate": 1.0, "payable_date": text},
            late=True,
        ),
        _event("partial_call", day + timedelta(days=14), _one("CALL") | {"rate": 25.0}, late=True),
        _event("reorganization", day + timedelta(days=15), _two("old", "CHPT", "new", "CHPTQ")),
    ]


def _foreign_dividends() -> list[Event]:
    found: list[Event] = []
    day, number = FIRST_SESSION, 0
    while day <= LAST_DIVIDEND:
        if day.weekday() == WEDNESDAY:
            for _ in range(3):
                number += 1
                symbol = f"F{number % FOREIGN:03}"
                dividend = _one(symbol) | {
                    "rate": round(0.1 + number % 37 / 50, 2),
                    "special": False,
                    "foreign": True,
                    "ex_date": (day - timedelta(days=21)).isoformat(),
                    "payable_date": day.isoformat(),
                }
                found.append(_event("cash_dividend", day, dividend))
        day += timedelta(days=1)
    return found


def _event(kind: str, day: date, fields: Fields, *, late: bool = False) -> Event:
    return Event(kind, day, day + LATE if late else day, fields)


def _one(symbol: str, prefix: str = "") -> Fields:
    return {f"{prefix}symbol": symbol, f"{prefix}cusip": cusip(symbol)}


def _two(first: str, one: str, second: str, other: str) -> Fields:
    return _one(one, f"{first}_") | _one(other, f"{second}_")
