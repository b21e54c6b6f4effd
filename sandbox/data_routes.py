"""Market data: bars, the latest bars, corporate actions."""

from dataclasses import replace
from functools import cached_property

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.action_pages import Notice, actions_query, notices, read_actions_page
from sandbox.errors import BadRequestError
from sandbox.gate import FAULT, NUMBER
from sandbox.names import Names
from sandbox.page_faults import Answer, Pages
from sandbox.queries import (
    LATEST_FEEDS,
    Parameters,
    asof_day,
    bars_query,
    check_currency,
    choose,
    recent_sip,
    symbol_list,
)
from sandbox.store import BarStore

JSON = "application/json"


class DataRoutes:
    """The market data host.

    Args:
        store: What is served.
        pages: Reads its pages.
        free_plan: Whether the last 15 minutes of SIP are refused.
    """

    def __init__(self, store: BarStore, pages: Pages, *, free_plan: bool) -> None:
        self._store, self._pages, self._free_plan = store, pages, free_plan
        self._names = Names(store.market.listings)

    @cached_property
    def _notices(self) -> list[Notice]:
        return notices(self._store.market)

    def routes(self) -> list[Route]:
        """The routes of this host."""
        return [
            Route("/v2/stocks/bars", self.bars),
            Route("/v2/stocks/bars/latest", self.latest),
            Route("/v2/stocks/{symbol}/bars", self.bars_of_one),
            Route("/v2/stocks/{symbol}/bars/latest", self.latest_of_one),
            Route("/v1/corporate-actions", self.corporate_actions),
        ]

    async def bars(self, request: Request) -> Response:
        """Bars of some symbols, by symbol and then by time."""
        answer = self._page(request.query_params.get("symbols", ""), request)
        page = answer.page
        groups = b",".join(_named(symbol, page.text(symbol)) for symbol in page.bars)
        bars = b'"bars":null' if answer.null else b'"bars":{%b}' % groups
        return _reply(bars, _next(answer), _currency(request))

    async def bars_of_one(self, request: Request) -> Response:
        """Bars of one symbol; ``bars`` is null if there are none."""
        symbol = _one_symbol(request)
        answer = self._page(symbol, request)
        page = answer.page
        rows = page.text(symbol) if symbol in page.bars else b"null"
        return _reply(
            b'"bars":%b' % rows,
            _named("symbol", orjson.dumps(symbol)),
            _next(answer),
            _currency(request),
        )

    async def latest(self, request: Request) -> Response:
        """The newest minute bar of each symbol that has one."""
        symbols = symbol_list(request.query_params.get("symbols", ""))
        found = self._latest(symbols, request.query_params)
        groups = [_named(symbol, text) for symbol, text in found.items()]
        return _reply(b'"bars":{%b}' % b",".join(groups), _currency(request))

    async def latest_of_one(self, request: Request) -> Response:
        """The newest minute bar of a symbol, null if there is none."""
        symbol = _one_symbol(request)
        found = self._latest((symbol,), request.query_params)
        bar = b'"bar":%b' % found.get(symbol, b"null")
        return _reply(bar, _named("symbol", orjson.dumps(symbol)), _currency(request))

    async def corporate_actions(self, request: Request) -> Response:
        """Corporate actions by the day they were booked."""
        query = actions_query(request.query_params, self._store.clock())
        page = read_actions_page(self._notices, self._store.revisions.faults, query)
        return Response(orjson.dumps(page), media_type=JSON)

    def _page(self, symbols: str, request: Request) -> Answer:
        now = self._store.clock()
        query = bars_query(symbols, request.query_params, now, free_plan=self._free_plan)
        asof = asof_day(request.query_params, now)
        parts = tuple(self._names.part(symbol, asof) for symbol in query.symbols)
        query = replace(query, parts=parts)
        fault, number = request.scope.get(FAULT), request.scope.get(NUMBER, 0)
        return self._pages.read(query, fault, number)

    def _latest(self, symbols: tuple[str, ...], parameters: Parameters) -> dict[str, bytes]:
        default = "iex" if self._free_plan else "sip"
        feed = choose(parameters, "feed", default, LATEST_FEEDS)
        check_currency(parameters)
        if feed == "sip" and self._free_plan:
            raise recent_sip()
        today = self._names.today(self._store.clock())
        found = {s: self._store.latest(today[s], feed) for s in symbols if s in today}
        return {symbol: text for symbol, text in found.items() if text is not None}


def _one_symbol(request: Request) -> str:
    symbols = symbol_list(request.path_params["symbol"])
    if len(symbols) != 1:
        raise BadRequestError(f"invalid symbol: {request.path_params['symbol'][:40]}")
    return symbols[0]


def _named(name: str, text: bytes) -> bytes:
    return b'"%b":%b' % (name.encode(), text)


def _next(answer: Answer) -> bytes:
    if answer.without_token:
        return b""
    return _named("next_page_token", orjson.dumps(answer.page.token))


def _currency(request: Request) -> bytes:
    """Alpaca names the currency only if it was asked for."""
    currency = request.query_params.get("currency")
    return _named("currency", orjson.dumps(currency)) if currency else b""


def _reply(*members: bytes) -> Response:
    text = b",".join(member for member in members if member)
    return Response(b"{%b}" % text, media_type=JSON)
