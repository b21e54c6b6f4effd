"""Pages of corporate actions."""

import base64
import binascii
from dataclasses import dataclass
from datetime import date
from typing import Any

from sandbox.actions import TYPES, event_identity, identity, to_json, type_of
from sandbox.errors import BadRequestError
from sandbox.faults import Faults
from sandbox.market import Action, Event, Market
from sandbox.queries import Parameters, choose, optional_date, symbol_list, whole_number
from sandbox.times import date_of, day_of, midnight, new_york_day

DEFAULT_ACTIONS, MOST_ACTIONS = 100, 1000
#: Actions are announced so many days before they go ex.
ANNOUNCED_DAYS = 14
REGIONS = ("us", "non_us", "all")


@dataclass(frozen=True)
class ActionsQuery:
    """A request for corporate actions, checked; empty sets and None do not filter.

    ``start`` and ``end`` are inclusive days of ``process_date``; ``ids`` excludes other filters;
    ``after`` is the identity of the last action of the page before; ``now`` is the present.
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
    now: float


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
        now=now,
    )


@dataclass(frozen=True)
class Notice:
    """A corporate action as the protocol tells it, from a moment on; all are of one order."""

    identity: str
    type: str
    process_date: date
    told: float
    symbols: frozenset[str]
    cusips: frozenset[str]
    content: dict[str, Any]


def notices(market: Market) -> list[Notice]:
    """All corporate actions of a market, in order of ``process_date``.

    Splits and dividends are told two weeks before they go ex, the others when they appear.
    """
    found = [_of_action(action) for action in market.actions]
    found += [_of_event(event) for event in market.events]
    return sorted(found, key=lambda notice: notice.process_date)


def read_actions_page(every: list[Notice], faults: Faults, query: ActionsQuery) -> dict[str, Any]:
    """The reply: actions in order of ``process_date``, by their plural type."""
    found = [notice for notice in every if _fits(notice, query) and _is_told(notice, faults, query)]
    if query.newest_first:
        found.reverse()
    begin = 0
    if query.after is not None:
        names = [notice.identity for notice in found]
        if query.after not in names:
            raise BadRequestError("invalid page_token")
        begin = names.index(query.after) + 1
    page = found[begin : begin + query.limit]
    groups: dict[str, list[dict[str, Any]]] = {}
    for notice in page:
        groups.setdefault(TYPES[notice.type], []).append(notice.content)
    more = begin + len(page) < len(found)
    token = base64.b64encode(page[-1].identity.encode()).decode() if more else None
    return {"corporate_actions": groups, "next_page_token": token}


def _of_action(action: Action) -> Notice:
    told = midnight(day_of(action.ex_date) - ANNOUNCED_DAYS)
    symbols, content = frozenset({action.symbol}), to_json(action)
    return Notice(
        identity(action), type_of(action), action.process_date, told, symbols,
        _cusips(content), content,
    )  # fmt: skip


def _of_event(event: Event) -> Notice:
    name = event_identity(event)
    content = {"id": name, "process_date": event.process_date.isoformat(), **event.fields}
    return Notice(
        name, event.type, event.process_date, midnight(day_of(event.appears)), event.symbols,
        _cusips(content), content,
    )  # fmt: skip


def _cusips(content: dict[str, Any]) -> frozenset[str]:
    return frozenset(value for name, value in content.items() if name.endswith("cusip"))


def _is_told(notice: Notice, faults: Faults, query: ActionsQuery) -> bool:
    processed = midnight(day_of(notice.process_date))
    return faults.action_told(notice.identity, notice.told, processed) <= query.now


def _fits(notice: Notice, query: ActionsQuery) -> bool:
    if query.ids:
        return notice.identity in query.ids
    return (
        query.start <= notice.process_date <= query.end
        and (not query.symbols or bool(notice.symbols & query.symbols))
        and (not query.cusips or bool(notice.cusips & query.cusips))
        and (not query.types or notice.type in query.types)
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
