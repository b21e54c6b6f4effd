"""Pages of corporate actions."""

import base64
import binascii
from dataclasses import dataclass
from datetime import date
from typing import Any

from sandbox.actions import TYPES, cusip, identity, to_json, type_of
from sandbox.errors import BadRequestError
from sandbox.market import Action, Market
from sandbox.queries import Parameters, choose, optional_date, symbol_list, whole_number
from sandbox.times import date_of, new_york_day

DEFAULT_ACTIONS, MOST_ACTIONS = 100, 1000
#: Actions are announced so many days before they go ex.
ANNOUNCED_DAYS = 14
REGIONS = ("us", "non_us", "all")


@dataclass(frozen=True)
class ActionsQuery:
    """A request for corporate actions, checked; empty sets and None do not filter.

    ``start`` and ``end`` are inclusive days of ``process_date``; ``ids`` excludes other filters;
    ``after`` is the identity of the last action of the page before; ``announced`` is the last
    ex date that is known yet.
    """

    symbols: frozenset[str]
    cusips: frozenset[str]
    types: frozenset[str]
    ids: frozenset[str]
    start: date
    end: date
    limit: int
    newest_first: bool
    after: str | None
    announced: date


def actions_query(parameters: Parameters, now: float) -> ActionsQuery:
    """A request for corporate actions.

    Raises:
        BadRequestError: A parameter is malformed.
    """
    today = new_york_day(now)
    start = optional_date(parameters, "start", date_of(today))
    end = optional_date(parameters, "end", date_of(today))
    if end < start and not parameters.get("ids"):
        raise BadRequestError("end should not be before start")
    choose(parameters, "region", "us", REGIONS)
    symbols = parameters.get("symbols")
    token = parameters.get("page_token")
    return ActionsQuery(
        symbols=frozenset(symbol_list(symbols)) if symbols else frozenset(),
        cusips=_words(parameters, "cusips"),
        types=_types(parameters),
        ids=_words(parameters, "ids"),
        start=start,
        end=end,
        limit=whole_number(parameters, "limit", DEFAULT_ACTIONS, MOST_ACTIONS),
        newest_first=choose(parameters, "sort", "asc", ("asc", "desc")) == "desc",
        after=_read_token(token) if token else None,
        announced=date_of(today + ANNOUNCED_DAYS),
    )


def read_actions_page(market: Market, query: ActionsQuery) -> dict[str, Any]:
    """The reply: actions in order of ``process_date``, by their plural type."""
    found = [action for action in market.actions if _fits(action, query)]
    if query.newest_first:
        found.reverse()
    names = [identity(action) for action in found]
    begin = 0
    if query.after is not None:
        if query.after not in names:
            raise BadRequestError("invalid page_token")
        begin = names.index(query.after) + 1
    page = found[begin : begin + query.limit]
    groups: dict[str, list[dict[str, Any]]] = {}
    for action in page:
        groups.setdefault(TYPES[type_of(action)], []).append(to_json(action))
    more = begin + len(page) < len(found)
    token = base64.b64encode(names[begin + len(page) - 1].encode()).decode() if more else None
    return {"corporate_actions": groups, "next_page_token": token}


def _fits(action: Action, query: ActionsQuery) -> bool:
    if action.ex_date > query.announced:
        return False
    if query.ids:
        return identity(action) in query.ids
    return (
        query.start <= action.process_date <= query.end
        and (not query.symbols or action.symbol in query.symbols)
        and (not query.cusips or cusip(action.symbol) in query.cusips)
        and (not query.types or type_of(action) in query.types)
    )


def _words(parameters: Parameters, name: str) -> frozenset[str]:
    return frozenset(word for word in parameters.get(name, "").split(",") if word)


def _types(parameters: Parameters) -> frozenset[str]:
    types = _words(parameters, "types")
    if unknown := sorted(types - set(TYPES)):
        raise BadRequestError(f"invalid types: {unknown[0][:40]}")
    return types


def _read_token(token: str) -> str:
    try:
        return base64.b64decode(token, validate=True).decode()
    except (binascii.Error, ValueError):
        raise BadRequestError(f"invalid page_token: {token[:60]}") from None
