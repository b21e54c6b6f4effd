"""Parameters of requests, checked as Alpaca checks them."""

from collections.abc import Mapping
from datetime import date

from sandbox.config import TICKER
from sandbox.errors import ApiError, BadRequestError
from sandbox.pages import BarsQuery, read_swap, read_token
from sandbox.store import View
from sandbox.timeframes import parse_timeframe
from sandbox.times import day_of, midnight, new_york_day, parse_date, parse_end, parse_start

Parameters = Mapping[str, str]

DEFAULT_BARS, MOST_BARS = 1000, 10_000
FREE_PLAN_DELAY = 15 * 60
HISTORY_FEEDS = ("sip", "iex", "boats", "otc")
LATEST_FEEDS = (*HISTORY_FEEDS, "delayed_sip", "overnight")
ADJUSTMENTS = {
    "raw": frozenset[str](),
    "split": frozenset({"split"}),
    "dividend": frozenset({"dividend"}),
    "spin-off": frozenset[str](),  # the sandbox has none
    "all": frozenset({"split", "dividend"}),
}


def bars_query(symbols: str, parameters: Parameters, now: float, *, free_plan: bool) -> BarsQuery:
    """A request for historical bars.

    Args:
        symbols: Comma-separated tickers.
        parameters: The query.
        now: Seconds since 1970, for the defaults and the free plan.
        free_plan: Whether the last 15 minutes of SIP are refused.

    Raises:
        BadRequestError: A parameter is malformed (400).
        ApiError: The free plan does not permit it (403).
    """
    feed = choose(parameters, "feed", "sip", HISTORY_FEEDS)
    check_currency(parameters)
    delayed = free_plan and feed == "sip"
    first, last = _range(parameters, int(now), delayed=delayed)
    if delayed and last > now - FREE_PLAN_DELAY:
        raise recent_sip()
    token, then = parameters.get("page_token", ""), None
    if swapped := read_swap(token):
        token, then = swapped
    return BarsQuery(
        symbols=symbol_list(symbols),
        view=View(
            parse_timeframe(_required(parameters, "timeframe")), feed, _adjustments(parameters)
        ),
        first=first,
        last=last,
        limit=whole_number(parameters, "limit", DEFAULT_BARS, MOST_BARS),
        newest_first=choose(parameters, "sort", "asc", ("asc", "desc")) == "desc",
        after=read_token(token) if token else None,
        token=token,
        then=then,
    )


def asof_day(parameters: Parameters, now: float) -> int | None:
    """The day that decides what tickers mean: today unless told; None for no mapping.

    Raises:
        BadRequestError: It is no date.
    """
    text = parameters.get("asof")
    if text == "-":
        return None
    return day_of(parse_date(text, "asof")) if text else new_york_day(now)


def recent_sip() -> ApiError:
    """What the free plan hears when it asks for SIP bars of the last 15 minutes."""
    message = "subscription does not permit querying recent SIP data"
    return ApiError(403, message, 42210000)


def symbol_list(text: str) -> tuple[str, ...]:
    """Comma-separated tickers, sorted, each once.

    Raises:
        BadRequestError: None, or one that no ticker can be.
    """
    symbols = sorted(set(text.split(",")))
    if symbols == [""]:
        raise BadRequestError("symbols is required")
    for symbol in symbols:
        if not TICKER.fullmatch(symbol):
            raise BadRequestError(f"invalid symbol: {symbol[:40]}")
    return tuple(symbols)


def whole_number(parameters: Parameters, name: str, default: int, most: int) -> int:
    """A number from 1 to ``most``.

    Raises:
        BadRequestError: It is none, or outside.
    """
    text = parameters.get(name, "")
    if not text:
        return default
    if text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most:  # noqa: PLR2004
        return int(text)
    raise BadRequestError(f"invalid {name}: must be between 1 and {most}")


def choose(parameters: Parameters, name: str, default: str, known: tuple[str, ...]) -> str:
    """One of some words.

    Raises:
        BadRequestError: Another word.
    """
    word = parameters.get(name) or default
    if word not in known:
        raise BadRequestError(f"invalid {name}: {word[:40]}")
    return word


def optional_date(parameters: Parameters, name: str, default: date) -> date:
    """A date, or a default.

    Raises:
        BadRequestError: It is no date.
    """
    text = parameters.get(name)
    return parse_date(text, name) if text else default


def check_currency(parameters: Parameters) -> None:
    """Only USD is served.

    Raises:
        BadRequestError: Another currency.
    """
    currency = parameters.get("currency") or "USD"
    if currency != "USD":
        raise BadRequestError(f"invalid currency: {currency[:10]} (the sandbox has USD only)")


def _required(parameters: Parameters, name: str) -> str:
    value = parameters.get(name)
    if not value:
        raise BadRequestError(f"{name} is required")
    return value


def _range(parameters: Parameters, now: int, *, delayed: bool) -> tuple[int, int]:
    start, end = parameters.get("start"), parameters.get("end")
    first = parse_start(start) if start else midnight(new_york_day(now))
    last = parse_end(end) if end else now - (FREE_PLAN_DELAY if delayed else 0)
    if last < first and (start or end):
        raise BadRequestError("end should not be before start")
    return first, last


def _adjustments(parameters: Parameters) -> frozenset[str]:
    kinds: frozenset[str] = frozenset()
    for word in (parameters.get("adjustment") or "raw").split(","):
        if word not in ADJUSTMENTS:
            raise BadRequestError(f"invalid adjustment: {word[:40]}")
        kinds |= ADJUSTMENTS[word]
    return kinds
