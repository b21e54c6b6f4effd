"""Which sessions a page shows, and bars of which width."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")

#: More candles than this are no candles any more on any screen.
MAX_CANDLES = 500

#: Timeframes with about how many bars a session has, in regular and in all hours.
TIMEFRAMES: dict[str, tuple[float, float]] = {
    "1min": (390, 960),
    "2min": (195, 480),
    "3min": (130, 320),
    "5min": (78, 192),
    "10min": (39, 96),
    "15min": (26, 64),
    "30min": (13, 32),
    "1h": (7, 17),
    "2h": (4, 10),
    "4h": (2, 5),
    "1d": (1, 1),
    "1week": (0.2, 0.2),
}

#: Ranges that end with the last bar, with how many days they go back.
RANGES: dict[str, int | None] = {
    "1D": 0,
    "1W": 6,
    "1M": 30,
    "3M": 91,
    "1Y": 365,
    "All": None,
}
CUSTOM = "Dates"

_SESSIONS_A_DAY = 252 / 365


@dataclass(frozen=True)
class Span:
    """Session dates of New York, both included."""

    first: date
    last: date

    @property
    def sessions(self) -> float:
        """About how many sessions lie in it, at least 1."""
        days = (self.last - self.first).days + 1
        return max(1.0, days if days < 6 else days * _SESSIONS_A_DAY)  # noqa: PLR2004 - a week


def span_of(name: str, first: datetime, last: datetime) -> Span:
    """The sessions of a named range of what there is, from the first bar to the last (UTC)."""
    oldest, newest = (moment.astimezone(NEW_YORK).date() for moment in (first, last))
    days = RANGES[name]
    return Span(oldest if days is None else max(oldest, newest - timedelta(days)), newest)


def fitting(span: Span, *, regular_only: bool) -> str:
    """The finest timeframe whose candles all fit on a screen; the widest if none does."""
    for timeframe, (regular, extended) in TIMEFRAMES.items():
        if span.sessions * (regular if regular_only else extended) <= MAX_CANDLES:
            return timeframe
    return next(reversed(TIMEFRAMES))
