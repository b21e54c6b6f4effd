"""Alpaca's market data over REST, through alpaca-py, page by page.

alpaca-py collects all pages in memory and loses them on an error, has no timeouts and retries
for less time than a rate limit lasts. So its low-level client is used with one request a page,
and what it lacks is added in :class:`_Client`.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import orjson
import polars as pl
import requests
import stamina
from alpaca.common.rest import RESTClient
from urllib3.exceptions import HTTPError, NewConnectionError

from agents.sources import Page, ProviderBusyError, ProviderRefusedError
from lake import BAR_SCHEMA, sessions
from lake.actions import ACTION_SCHEMA
from lake.datasets import check_dataset

_PAGE_BARS = 10_000
_PAGE_ACTIONS = 1_000
_CONNECT_SECONDS, _READ_SECONDS, _REQUEST_SECONDS = 5.0, 30.0, 120.0
_ATTEMPTS, _LONGEST_BACKOFF = 8, 60.0
_UNREACHABLE_ATTEMPTS = 3
_TOO_MANY = 429
_SERVER_FAULT = 500
_NOT_FOUND = 404
_UNKNOWN_ASSET = 40410000
_WINDOW_SECONDS = 60.0

#: The free plan serves the consolidated feed 15 minutes late; a bar is computed again half a
#: minute after its end. A minute's margin on both.
_DELAY = {"sip": timedelta(minutes=16)}
_SETTLED = timedelta(minutes=2)

_MINUTES = "1Min"
#: What Alpaca calls the timeframes of our datasets.
_TIMEFRAMES = {"1min": _MINUTES, "1d": "1Day"}

#: Field of a bar at Alpaca and what it becomes here.
_FIELDS = {
    "t": "timestamp",
    "o": "open",
    "h": "high",
    "l": "low",
    "c": "close",
    "v": "volume",
    "n": "trade_count",
    "vw": "vwap",
}
_ADVICE = {
    400: "Check the symbol and the dates.",
    401: "Check ALPACA_API_KEY_ID and ALPACA_API_SECRET_KEY in .env.",
    403: "Check the keys in .env, and that the plan includes the feed (ALPACA_FEED=iex is free).",
    404: "Check ALPACA_API_BASE_URL and ALPACA_DATA_URL.",
    422: "Check the symbol and the dates.",
}


@dataclass(frozen=True)
class Account:
    """How to reach Alpaca, or a server that speaks its protocol."""

    source: str
    feed: str
    data_url: str
    trading_url: str
    key: str
    secret: str


class AlpacaSource:
    """1-minute and daily bars and corporate actions of one feed.

    One object per process: it holds connections. Safe to use by one thread at a time.
    """

    def __init__(self, account: Account, log: Callable[..., None] = lambda **_: None) -> None:
        self._account = account
        self._data = _Client(account, account.data_url, log)
        self._trading = _Client(account, account.trading_url, log)

    @property
    def name(self) -> str:
        """Provider and feed, like ``alpaca:iex``."""
        return self._account.source

    def edge(self, now: datetime, dataset: str = "bars_1m") -> datetime:
        """The moment up to which bars of a dataset are final and may be asked for (UTC).

        A daily bar is final after its session's extended hours, whose volume counts into it.
        """
        delay = _DELAY.get(self._account.feed, _SETTLED)
        settled = (now.astimezone(UTC) - delay).replace(second=0, microsecond=0)
        return settled if _timeframe(dataset) == _MINUTES else _end_of_days(settled)

    def knows(self, symbol: str) -> bool | None:
        """Whether the provider has such a symbol; None where it does not say."""
        try:
            self._trading.fetch("v2", f"/assets/{symbol}", {})
        except ProviderRefusedError as error:
            unknown = error.status == _NOT_FOUND and str(_UNKNOWN_ASSET) in error.said
            return False if unknown else None
        except ProviderBusyError:
            return None
        return True

    def pages(
        self, symbols: Sequence[str], start: datetime, end: datetime, dataset: str = "bars_1m"
    ) -> Iterator[Page]:
        """Raw bars of a dataset that open in a range (UTC, end outside), page by page.

        Raises:
            ProviderRefusedError: Wrong keys, no permission, a symbol Alpaca cannot read.
            ProviderBusyError: No answer in spite of several attempts.
        """
        timeframe = _timeframe(dataset)
        newest = end - timedelta(microseconds=1)  # Alpaca includes both ends
        if timeframe != _MINUTES:  # the end of today is to come, which Alpaca may refuse
            newest = sessions.midnight(sessions.today(newest))
        asked = {
            "symbols": ",".join(symbols),
            "timeframe": timeframe,
            "start": _rfc3339(start),
            "end": _rfc3339(newest),
            "limit": _PAGE_BARS,
            "adjustment": "raw",
            "feed": self._account.feed,
            "sort": "asc",
        }
        for answer, last in self._data.walk("v2", "/stocks/bars", asked, of="bars"):
            yield Page(_bars(answer.get("bars") or {}), last)

    def actions(self, symbols: Sequence[str], start: date, end: date) -> pl.DataFrame:
        """Corporate actions processed in a range of dates, both included, as ``ACTION_SCHEMA``."""
        asked = {
            "symbols": ",".join(symbols),
            "start": start.isoformat(),
            "end": end.isoformat(),
            "limit": _PAGE_ACTIONS,
        }
        rows = [
            _action(kind, record)
            for answer, _ in self._data.walk(
                "v1", "/corporate-actions", asked, of="corporate_actions"
            )
            for kind, records in (answer.get("corporate_actions") or {}).items()
            for record in records or ()
        ]
        frame = pl.DataFrame(rows, schema=ACTION_SCHEMA, orient="row")
        return frame.filter(pl.col("symbol").is_not_null() & pl.col("ex_date").is_not_null())


class _Client(RESTClient):
    """alpaca-py's client with time limits, honest retries and one request a page."""

    def __init__(self, account: Account, url: str, log: Callable[..., None]) -> None:
        super().__init__(
            base_url=url, api_key=account.key, secret_key=account.secret, raw_data=True
        )
        self._retry = 0  # ours, below: alpaca-py's give up long before a rate limit ends
        self._source, self._log = account.source, log
        self._not_before = 0.0

    def walk(
        self, version: str, path: str, asked: Mapping[str, Any], *, of: str
    ) -> Iterator[tuple[dict[str, Any], bool]]:
        """Every page of a request, and whether it is the last.

        A page names what it holds (``of``) and the next page, even where that is null: any other
        object, as a proxy may send with status 200, would pass for the end of the data.
        """
        token = None
        while True:
            page = {**asked, "page_token": token} if token else asked
            answer = self.fetch(version, path, page, needs=(of, "next_page_token"))
            token = answer.get("next_page_token")
            yield answer, not token
            if not token:
                return

    def fetch(
        self, version: str, path: str, asked: Mapping[str, Any], *, needs: Sequence[str] = ()
    ) -> dict[str, Any]:
        """One answer that has some fields, with retries where they can help."""
        for attempt in stamina.retry_context(
            on=_backoff,
            attempts=_ATTEMPTS,
            timeout=None,
            wait_initial=0.5,
            wait_max=_LONGEST_BACKOFF,
        ):
            with attempt, self._counted(attempt.num):
                answer = self.get(path, dict(asked), api_version=version)
                if not isinstance(answer, dict) or any(name not in answer for name in needs):
                    raise ProviderBusyError(
                        self._source, "an answer that is not what was asked for"
                    )
                return answer
        raise AssertionError  # the loop returns or raises

    @contextmanager
    def _counted(self, attempt: int) -> Iterator[None]:
        """Tell of an attempt in vain; a server that cannot be reached at all is soon given up."""
        try:
            yield
        except ProviderBusyError as error:
            error.hopeless = error.unreachable and attempt >= _UNREACHABLE_ATTEMPTS
            self._log(stage="retry", attempt=attempt, problem=error.problem)
            raise

    def _one_request(self, method: str, url: str, opts: dict[str, Any], retry: int) -> Any:
        del retry
        time.sleep(max(0.0, self._not_before - time.time()))
        started = time.monotonic()
        try:
            response = self._session.request(
                method, url, timeout=(_CONNECT_SECONDS, _READ_SECONDS), stream=True, **opts
            )
            body = _read(response, started + _REQUEST_SECONDS)
        except (requests.RequestException, HTTPError, TimeoutError, OSError) as error:
            raise _busy(self._source, url, error) from error
        self._tell(url, opts, response, body, started)
        self._mind_budget(response)
        if response.status_code == _TOO_MANY or response.status_code >= _SERVER_FAULT:
            raise ProviderBusyError(self._source, f"HTTP {response.status_code}", _wait(response))
        if not response.ok:
            said = body[:200].decode("utf-8", "replace")
            advice = _ADVICE.get(response.status_code, "Asking again does not help.")
            raise ProviderRefusedError(self._source, response.status_code, said, advice)
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ProviderBusyError(self._source, "an answer that is no JSON") from error

    def _mind_budget(self, response: requests.Response) -> None:
        """After the last request of a window wait for the next one."""
        if response.headers.get("X-RateLimit-Remaining") == "0":
            self._not_before = time.time() + (_wait(response) or 0.0)

    def _tell(
        self,
        url: str,
        opts: dict[str, Any],
        response: requests.Response,
        body: bytes,
        started: float,
    ) -> None:
        asked = opts.get("params") or {}
        self._log(
            stage="request",
            path=url.partition("//")[2].partition("/")[2],
            symbol=asked.get("symbols"),
            asked={name: value for name, value in asked.items() if name != "page_token"},
            page="next" if "page_token" in asked else "first",
            status=response.status_code,
            ms=round((time.monotonic() - started) * 1000),
            bytes=len(body),
            budget_left=response.headers.get("X-RateLimit-Remaining"),
        )


def _busy(source: str, url: str, error: Exception) -> ProviderBusyError:
    """What a failed connection says: no server there at all, or one that broke off."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    if not isinstance(reason, NewConnectionError):
        return ProviderBusyError(source, type(error).__name__)
    busy = ProviderBusyError(source, f"{urlsplit(url).netloc} cannot be reached")
    busy.unreachable = True
    return busy


def _backoff(error: Exception) -> bool | float:
    if not isinstance(error, ProviderBusyError) or error.hopeless:
        return False
    return True if error.wait is None else error.wait


def _wait(response: requests.Response) -> float | None:
    """Seconds until the budget of a refused or last request returns, with jitter; None if unsaid."""
    if response.status_code >= _SERVER_FAULT:
        return None
    reset = response.headers.get("X-RateLimit-Reset", "")
    left = float(reset) - time.time() if reset.isdigit() else _WINDOW_SECONDS
    return min(max(left, 0.0), 2 * _WINDOW_SECONDS) + random.uniform(0.05, 1.0)  # noqa: S311


def _read(response: requests.Response, deadline: float) -> bytes:
    """The whole body; a read timeout alone would let a slow drip go on for ever."""
    body = bytearray()
    with response:
        while chunk := response.raw.read1(1 << 16, decode_content=True):
            body += chunk
            if time.monotonic() > deadline:
                raise TimeoutError
    return bytes(body)


def _bars(found: Mapping[str, Sequence[Mapping[str, Any]] | None]) -> pl.DataFrame:
    """Columns from Alpaca's objects. What cannot be read becomes null, for the checks to judge."""
    rows = [
        (symbol, bar if isinstance(bar, dict) else {})
        for symbol, bars in found.items()
        for bar in bars or ()
    ]
    columns: dict[str, pl.Series] = {
        "symbol": pl.Series([symbol for symbol, _ in rows], dtype=pl.String)
    }
    for field, name in _FIELDS.items():
        values = pl.Series(name, [bar.get(field) for _, bar in rows], strict=False)
        columns[name] = (
            _read_time(values)
            if name == "timestamp"
            else values.cast(BAR_SCHEMA[name], strict=False)
        )
    return pl.DataFrame(columns, schema=BAR_SCHEMA)


def _read_time(texts: pl.Series) -> pl.Series:
    texts = texts.cast(pl.String, strict=False)
    times = texts.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", time_unit="us", strict=False)
    return times.dt.convert_time_zone("UTC")


def _action(kind: str, record: Mapping[str, Any]) -> tuple[Any, ...]:
    """One corporate action; ``kind`` is the plural under which Alpaca lists it."""
    day = record.get("ex_date") or record.get("effective_date") or record.get("process_date")
    split = kind in {"forward_splits", "reverse_splits"}
    new, old = _number(record.get("new_rate")), _number(record.get("old_rate"))
    ratio = new / old if split and new and old else None
    amount = record.get("rate") if kind == "cash_dividends" else None
    symbol = record.get("symbol") or record.get("source_symbol") or record.get("old_symbol")
    symbol = symbol or record.get("acquiree_symbol")
    return (
        str(record.get("id")),
        symbol,
        kind.removesuffix("s"),
        _day(day),
        _day(record.get("process_date")),
        ratio,
        _number(amount),
        orjson.dumps(record, option=orjson.OPT_SORT_KEYS).decode(),
    )


def _number(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:
        return None


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        return None


def _timeframe(dataset: str) -> str:
    return _TIMEFRAMES[check_dataset(dataset).timeframe]


def _end_of_days(settled: datetime) -> datetime:
    """The first midnight in New York whose day's bar is not final yet."""
    day = sessions.today(settled)
    hours = sessions.schedule(day, day)
    is_over = not hours.is_empty() and hours["post_close"].item() <= settled
    return sessions.midnight(day + timedelta(days=is_over))


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
