"""The trading host as far as it is about the market: calendar, clock, assets."""

import uuid
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

import numpy as np
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.calendar import Sessions, nyse
from sandbox.config import Clock
from sandbox.errors import ApiError, BadRequestError
from sandbox.market import Listing, Market
from sandbox.queries import choose, optional_date
from sandbox.times import NEW_YORK, date_of, day_of, new_york_day

ASSET_MISSING = 40410000
#: From when on trades settle so many sessions later.
SETTLEMENT = ((date(2024, 5, 28), 1), (date(2017, 9, 5), 2), (date(1900, 1, 1), 3))


class TradingRoutes:
    """The trading host.

    Args:
        market: Whose symbols are the assets.
        clock: The present.
    """

    def __init__(self, market: Market, clock: Clock) -> None:
        self._clock = clock
        self._listings = market.listings

    def routes(self) -> list[Route]:
        """The routes of this host."""
        return [
            Route("/v2/calendar", self.calendar),
            Route("/v2/clock", self.clock),
            Route("/v2/assets", self.assets),
            Route("/v2/assets/{symbol_or_id}", self.asset),
        ]

    async def calendar(self, request: Request) -> Response:
        """The sessions of a range, both ends included; all of 1970 to 2029 without one."""
        parameters = request.query_params
        start = optional_date(parameters, "start", date(1970, 1, 1))
        end = optional_date(parameters, "end", date(2029, 12, 31))
        if end < start:
            raise BadRequestError("end should not be before start")
        kind = choose(parameters, "date_type", "TRADING", ("TRADING", "SETTLEMENT"))
        rows = calendar_rows(nyse(), start, end, by_settlement=kind == "SETTLEMENT")
        return _reply(rows)

    async def clock(self, _: Request) -> Response:
        """Whether the regular session is open, and when that changes."""
        return _reply(clock_facts(nyse(), self._clock()))

    async def assets(self, request: Request) -> Response:
        """All assets there are by now, those that are not traded any more too."""
        parameters = request.query_params
        status = choose(parameters, "status", "all", ("active", "inactive", "all"))
        kind = parameters.get("asset_class") or "us_equity"
        exchange = parameters.get("exchange")
        found = [
            one
            for one in self._assets()
            if (status in {"all", one["status"]})
            and kind == "us_equity"
            and (not exchange or one["exchange"] == exchange)
        ]
        return _reply(found)

    async def asset(self, request: Request) -> Response:
        """One asset by its symbol or id."""
        name = request.path_params["symbol_or_id"]
        found = next((one for one in self._assets() if name in {one["symbol"], one["id"]}), None)
        if found is None:
            raise ApiError(404, f"asset not found for {name[:40]}", ASSET_MISSING)
        return _reply(found)

    def _assets(self) -> list[dict[str, Any]]:
        today = date_of(new_york_day(self._clock()))
        return [
            asset(one, today) for one in self._listings if one.listed is None or one.listed <= today
        ]


def asset(listing: Listing, today: date) -> dict[str, Any]:
    """A listing in the protocol, as of a day; its id stays the same under another ticker."""
    trades = listing.delisted is None or today < listing.delisted
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"sandbox:{listing.symbol}")),
        "class": "us_equity",
        "exchange": listing.exchange,
        "symbol": listing.ticker(today),
        "name": listing.name,
        "status": "active" if trades else "inactive",
        "tradable": trades,
        "marginable": trades,
        "shortable": trades,
        "easy_to_borrow": trades,
        "borrow_status": "easy_to_borrow" if trades else "not_shortable",
        "fractionable": trades,
        "attributes": [],
    }


def calendar_rows(
    sessions: Sessions, start: date, end: date, *, by_settlement: bool = False
) -> list[dict[str, str]]:
    """The sessions from ``start`` to ``end`` in the protocol, times of New York.

    After a half day the extended session ends at 17:00; Alpaca does not document its value.
    """
    early = max(day_of(start) - (10 if by_settlement else 0), 0)
    begin = sessions.at_or_after(early)
    stop = int(np.searchsorted(sessions.days, day_of(end), side="right"))
    rows = [_calendar_row(sessions, row) for row in range(begin, stop)]
    if by_settlement:
        low, high = start.isoformat(), end.isoformat()
        return [row for row in rows if low <= row["settlement_date"] <= high]
    return rows


def clock_facts(sessions: Sessions, now: float) -> dict[str, Any]:
    """The clock in the protocol, with New York's offsets."""
    opening = int(np.searchsorted(sessions.open, now, side="right"))
    closing = int(np.searchsorted(sessions.close, now, side="right"))
    return {
        "timestamp": _local(now).isoformat(),
        "is_open": opening > closing,
        "next_open": _local(int(sessions.open[opening])).isoformat(),
        "next_close": _local(int(sessions.close[closing])).isoformat(),
    }


def _calendar_row(sessions: Sessions, row: int) -> dict[str, str]:
    day = date_of(int(sessions.days[row]))
    later = next(delay for since, delay in SETTLEMENT if day >= since)
    settled = int(sessions.days[min(row + later, len(sessions.days) - 1)])
    columns: Iterable[Any] = (
        sessions.open, sessions.close, sessions.pre_open, sessions.post_close,
    )  # fmt: skip
    opens, closes, pre_open, post_close = (_local(int(column[row])) for column in columns)
    return {
        "date": day.isoformat(),
        "open": f"{opens:%H:%M}",
        "close": f"{closes:%H:%M}",
        "session_open": f"{pre_open:%H%M}",
        "session_close": f"{post_close:%H%M}",
        "settlement_date": date_of(settled).isoformat(),
    }


def _local(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, NEW_YORK)


def _reply(content: Any) -> Response:
    return Response(orjson.dumps(content), media_type="application/json")
