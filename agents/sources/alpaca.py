"""Alpaca's market data over REST, through alpaca-py, page by page.

alpaca-py collects all pages in memory and loses them on an error, has no timeouts and retries
for less time than a rate limit lasts. So its low-level client is used with one request a page,
and what it lacks is in :mod:`agents.sources.http`. What each field becomes: docs/alpaca.md.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import polars as pl
from alpaca.common.rest import RESTClient

from agents.sources import (
    SINCE,
    Abilities,
    Budgets,
    Log,
    Page,
    PlaceLostError,
    ProviderBusyError,
    ProviderRefusedError,
)
from agents.sources.alpaca_bars import bars_of, loads
from agents.sources.alpaca_reference import read_action, read_assets, read_calendar
from agents.sources.http import Patient
from lake import sessions
from lake.actions import ACTION_SCHEMA
from lake.datasets import check_dataset
from lake.journal.budget import Budget, OwnBudget, RateWindow

_PAGE_BARS = 10_000
_PAGE_ACTIONS = 1_000
_NOT_FOUND = 404
_UNKNOWN_ASSET = 40410000
# A token that is not understood any more is refused like any bad parameter.
_TOKEN_REFUSED = (400, 404, 410, 422)
# More symbols than this are looked up in the list of all assets, which is one request.
_ASKED_ONE_BY_ONE = 5

# What can be done without is not worth a wait of minutes.
_OPTIONAL = 2

#: The free plan's, for each host, until the headers tell otherwise.
_RATES = (RateWindow(200, 60.0),)

#: The free plan serves the consolidated feed 15 minutes late; a bar is computed again half a
#: minute after its end. A minute's margin on both.
_DELAY = {"sip": timedelta(minutes=16)}
_SETTLED = timedelta(minutes=2)

_MINUTES = "1Min"
#: What Alpaca calls the timeframes of our datasets.
_TIMEFRAMES = {"1min": _MINUTES, "1d": "1Day"}

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

    def __init__(
        self,
        account: Account,
        log: Log = lambda **_: None,
        budgets: Budgets = lambda _, believed: OwnBudget(believed),
    ) -> None:
        self._account = account
        self._data = _Client(account, account.data_url, log, budgets)
        self._trading = _Client(account, account.trading_url, log, budgets)

    @property
    def name(self) -> str:
        """Provider and feed, like ``alpaca:iex``."""
        return self._account.source

    @property
    def abilities(self) -> Abilities:
        """What Alpaca can do with this feed."""
        return Abilities(
            datasets=("bars_1m", "bars_daily"),
            feed=self._account.feed,
            rates=_RATES,
            since=SINCE.get(self.name.partition(":")[0]),
            page_bars=_PAGE_BARS,
            live=True,
        )

    @property
    def budget(self) -> Budget:
        """Of the host of market data."""
        return self._data.budget

    def edge(self, now: datetime, dataset: str = "bars_1m") -> datetime:
        """The moment up to which bars of a dataset are final and may be asked for (UTC).

        A daily bar is final after its session's extended hours, whose volume counts into it.
        """
        delay = _DELAY.get(self._account.feed, _SETTLED)
        settled = (now.astimezone(UTC) - delay).replace(second=0, microsecond=0)
        return settled if _timeframe(dataset) == _MINUTES else _end_of_days(settled)

    def present(self) -> datetime | None:
        """Alpaca's own clock (UTC); None where it does not say."""
        try:
            told = self._trading.fetch("v2", "/clock", {}, needs=("timestamp",), attempts=_OPTIONAL)
            return datetime.fromisoformat(str(told["timestamp"])).astimezone(UTC)
        except (ProviderRefusedError, ProviderBusyError, ValueError):
            return None

    def unknown(self, symbols: Sequence[str]) -> set[str]:
        """Which of some symbols Alpaca surely does not have; none where it does not say."""
        if len(symbols) <= _ASKED_ONE_BY_ONE:
            return {symbol for symbol in symbols if not self._may_know(symbol)}
        known = self._assets
        return {symbol for symbol in symbols if symbol not in known} if known else set()

    def _may_know(self, symbol: str) -> bool:
        try:
            self._trading.fetch("v2", f"/assets/{symbol}", {}, attempts=_OPTIONAL)
        except ProviderRefusedError as error:
            return not (error.status == _NOT_FOUND and str(_UNKNOWN_ASSET) in error.said)
        except ProviderBusyError:
            return True
        return True

    @cached_property
    def _assets(self) -> frozenset[str]:
        """Every symbol that Alpaca lists, dead ones too; none where it does not say."""
        try:
            return frozenset(self.assets()["symbol"])
        except (ProviderRefusedError, ProviderBusyError):
            return frozenset()

    def assets(self) -> pl.DataFrame:
        """Every paper that Alpaca lists, dead ones too, as ``ASSET_SCHEMA``."""
        return read_assets(self._trading.fetch("v2", "/assets", {}), self.name)

    def calendar(self, start: date, end: date) -> pl.DataFrame:
        """Alpaca's sessions between two dates, both included, as ``CALENDAR_SCHEMA``."""
        asked = {"start": start.isoformat(), "end": end.isoformat()}
        return read_calendar(self._trading.fetch("v2", "/calendar", asked), self.name)

    def pages(
        self,
        symbols: Sequence[str],
        start: datetime,
        end: datetime,
        dataset: str = "bars_1m",
        *,
        asof: date | None = None,
    ) -> Iterator[Page]:
        """Raw bars of a dataset that open in a range (UTC, end outside), page by page.

        Args:
            asof: Each ticker means the company that had it on this day, with all of its history
                under its earlier names; None: today, as Alpaca has it.

        Raises:
            PlaceLostError: The token of the next page is not understood any more.
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
        } | ({} if asof is None else {"asof": asof.isoformat()})
        for answer, last in self._data.walk("v2", "/stocks/bars", asked, of="bars"):
            found = answer.get("bars")
            yield Page(found if isinstance(found, pl.DataFrame) else self._read(found), last)

    def _read(self, found: Any) -> pl.DataFrame:
        """Bars of an answer that has not the plain form."""
        if found and not isinstance(found, dict):
            raise ProviderBusyError(self.name, "an answer that is not what was asked for")
        return bars_of(found or {})

    def actions(self, symbols: Sequence[str], start: date, end: date) -> pl.DataFrame:
        """Corporate actions processed in a range of dates, both included, as ``ACTION_SCHEMA``."""
        asked = {
            "symbols": ",".join(symbols),
            "start": start.isoformat(),
            "end": end.isoformat(),
            "limit": _PAGE_ACTIONS,
        }
        rows = [
            read_action(kind, record)
            for answer, _ in self._data.walk(
                "v1", "/corporate-actions", asked, of="corporate_actions"
            )
            for kind, records in (answer.get("corporate_actions") or {}).items()
            for record in records or ()
        ]
        frame = pl.DataFrame(rows, schema=ACTION_SCHEMA, orient="row")
        return frame.filter(pl.col("symbol").is_not_null() & pl.col("ex_date").is_not_null())


class _Client(RESTClient):
    """alpaca-py's client with patience and one request a page."""

    def __init__(self, account: Account, url: str, log: Log, budgets: Budgets) -> None:
        super().__init__(
            base_url=url, api_key=account.key, secret_key=account.secret, raw_data=True
        )
        self._retry = 0  # ours: alpaca-py's give up long before a rate limit ends
        self._source = account.source
        self.budget = budgets(_budget_name(account, url), _RATES)
        self._patient = Patient(account.source, self.budget, log, _ADVICE)

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
            try:
                answer = self.fetch(version, path, page, needs=(of, "next_page_token"))
            except ProviderRefusedError as error:
                if token and error.status in _TOKEN_REFUSED:
                    raise PlaceLostError(self._source, error.said) from error
                raise
            token = answer.get("next_page_token")
            yield answer, not token
            if not token:
                return

    def fetch(
        self,
        version: str,
        path: str,
        asked: Mapping[str, Any],
        *,
        needs: Sequence[str] = (),
        attempts: int | None = None,
    ) -> Any:
        """One answer that has some fields, with retries where they can help."""

        def once() -> Any:
            answer = self.get(path, dict(asked), api_version=version)
            if needs and not (isinstance(answer, dict) and all(name in answer for name in needs)):
                raise ProviderBusyError(self._source, "an answer that is not what was asked for")
            return answer

        return self._patient.retried(once, attempts)

    def _one_request(self, method: str, url: str, opts: dict[str, Any], retry: int) -> Any:
        del retry
        answer = self._patient.send(self._session, method, url, opts)
        try:
            read = loads(answer.body)
        except ValueError as error:
            problem = "an answer that is no JSON"
            self._patient.tell(answer.facts | {"problem": problem}, level="warning")
            raise ProviderBusyError(self._source, problem) from error
        self._patient.tell(answer.facts | _counted(read))
        return read


def _counted(read: Any) -> dict[str, Any]:
    """How many bars an answer has, for the log."""
    bars = read.get("bars") if isinstance(read, dict) else None
    if isinstance(bars, pl.DataFrame):
        return {"bars": bars.height}
    if not isinstance(bars, dict):
        return {}
    return {"bars": sum(len(found) for found in bars.values() if isinstance(found, list))}


def _budget_name(account: Account, url: str) -> str:
    """Each host counts by itself, and each key."""
    key = hashlib.sha256(account.key.encode()).hexdigest()[:8]
    return f"{account.source.partition(':')[0]} {urlsplit(url).netloc} {key}"[:128]


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
