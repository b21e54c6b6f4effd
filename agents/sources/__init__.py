"""Where bars come from. A source is one file here behind this small protocol.

It declares what it can do; nothing outside this folder knows a provider. :mod:`agents.sources.http`
has what every provider over HTTP needs: time limits, retries, the rate budget, a line a request.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, Protocol

import polars as pl

from lake.errors import InvalidError, RefusedError, TransientError
from lake.journal.budget import Budget, OwnBudget, RateWindow
from lake.settings import Settings


@dataclass(frozen=True)
class Page:
    """One answer of a provider.

    Attributes:
        bars: As ``lake.BAR_SCHEMA``, in the provider's order, good or not.
        last: Nothing follows: with this page the whole request is answered.
    """

    bars: pl.DataFrame
    last: bool


@dataclass(frozen=True)
class Abilities:
    """What a source can do.

    Attributes:
        datasets: Of the lake; each has its timeframe.
        feed: Which of the provider's feeds it reads; empty where there is but one.
        asset_classes: Like ``us_equity``.
        calendar: Of its exchange, as exchange_calendars names it.
        rates: How many requests are believed to be allowed, a window each, until the provider tells.
        since: No bar is older; None where that is not known.
        page_bars: How many bars an answer has at most, over all its symbols.
        most_symbols: How many symbols one request may name.
        live: Whether it tells new bars by itself (a stream).
    """

    datasets: tuple[str, ...]
    feed: str = ""
    asset_classes: tuple[str, ...] = ("us_equity",)
    calendar: str = "XNYS"
    rates: tuple[RateWindow, ...] = ()
    since: date | None = None
    page_bars: int = 10_000
    most_symbols: int = 200
    live: bool = False


class Source(Protocol):
    """A provider of bars, with one feed."""

    @property
    def name(self) -> str:
        """Provider and feed, like ``alpaca:iex``."""

    @property
    def abilities(self) -> Abilities:
        """What it can do."""

    @property
    def budget(self) -> Budget:
        """What it may ask, and what is left of it."""

    def edge(self, now: datetime, dataset: str = "bars_1m") -> datetime:
        """The moment up to which bars of a dataset are final and may be asked for (UTC).

        On a whole minute; for daily bars a midnight in New York.
        """

    def present(self) -> datetime | None:
        """The provider's own clock (UTC); None where it does not say."""

    def unknown(self, symbols: Sequence[str]) -> set[str]:
        """Which of some symbols the provider surely does not have; none where it does not say."""

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
            asof: A ticker means the paper that had it on this day; None: as the provider likes.

        Raises:
            PlaceLostError: It does not know any more how far it was: begin a new request.
            RefusedError: The provider will not answer; asking again does not help.
            TransientError: It could not answer in spite of several attempts.
        """

    def actions(self, symbols: Sequence[str], start: date, end: date) -> pl.DataFrame:
        """Corporate actions processed in a range of dates, both included, as ``ACTION_SCHEMA``."""

    def assets(self) -> pl.DataFrame:
        """Every paper that it lists, dead ones too, as ``lake.papers.ASSET_SCHEMA``."""

    def calendar(self, start: date, end: date) -> pl.DataFrame:
        """Its sessions between two dates, both included, as ``lake.calendars.CALENDAR_SCHEMA``."""


@dataclass(frozen=True)
class Heard:
    """What a stream told since it was last asked.

    Attributes:
        bars: First values of minutes, as ``BAR_SCHEMA``, in the order in which they came.
        updates: Minutes computed anew, likewise.
        halts: Where trading of a symbol stopped or went on: ``symbol``, ``at`` (UTC), ``halted``
            and ``reason`` (the provider's words).
    """

    bars: pl.DataFrame
    updates: pl.DataFrame
    halts: pl.DataFrame


@dataclass(frozen=True)
class Trouble:
    """Why a stream does not tell what it should.

    Attributes:
        kind: ``keys``: not for us; ``plan``: not on this plan; ``symbols``: not so many, or not
            these; ``taken``: another connection is there; ``lost``: no connection, or it broke.
        says: A sentence, with what to do.
        final: The stream has ended for it; otherwise it tries again by itself.
    """

    kind: Literal["keys", "plan", "symbols", "taken", "lost"]
    says: str
    final: bool = False


class Stream(Protocol):
    """A provider that tells new bars by itself, over one connection, to a thread of its own.

    It connects anew by itself. What was told meanwhile is lost: whoever sees ``connects`` grow asks
    the source for it.
    """

    @property
    def endpoint(self) -> str:
        """What there may be one connection of, without any secret."""

    @property
    def connects(self) -> int:
        """How often it has connected since it was opened."""

    @property
    def is_connected(self) -> bool:
        """Whether it is connected now."""

    @property
    def told(self) -> frozenset[str]:
        """The symbols that the provider has said it tells, on this connection."""

    @property
    def trouble(self) -> Trouble | None:
        """What is wrong now."""

    @property
    def silence(self) -> float:
        """Seconds since the last bar, or since it connected."""

    def open(self, symbols: Sequence[str]) -> None:
        """Connect, and stay so until it is closed; returns at once."""

    def hear(self, seconds: float) -> Heard:
        """What has come; waits so long for the first."""

    def renew(self) -> None:
        """End this connection and make another one."""

    def close(self) -> None:
        """End the connection in good order; what has come can still be heard."""


class KeysMissingError(InvalidError):
    """No keys for the provider are set."""

    def __str__(self) -> str:
        return (
            "No Alpaca keys are set. Put ALPACA_API_KEY_ID and ALPACA_API_SECRET_KEY into .env; "
            "or try it without an account: `barlake sandbox` says how."
        )


class ProviderRefusedError(RefusedError):
    """A provider said no for good."""

    def __init__(self, source: str, status: int, said: str, advice: str) -> None:
        super().__init__(source, status, said, advice)
        self.source, self.status, self.said, self.advice = source, status, said, advice

    def __str__(self) -> str:
        return f"{self.source} refused the request ({self.status}: {self.said}). {self.advice}"


class ProviderBusyError(TransientError):
    """A provider did not answer as it should; it may next time.

    Attributes:
        wait: Seconds to wait before the next attempt; None where the provider did not say.
        unreachable: No connection was made at all.
        hopeless: Nothing is won by asking again right now; the job may, later.
    """

    def __init__(self, source: str, problem: str, wait: float | None = None) -> None:
        super().__init__(source, problem, wait)
        self.source, self.problem, self.wait = source, problem, wait
        self.unreachable = self.hopeless = False

    def __str__(self) -> str:
        return f"{self.source} did not answer ({self.problem}). What was fetched is stored; ask again later."


class PlaceLostError(TransientError):
    """A provider refuses to go on where it stopped: what is left has to be asked for anew."""

    def __init__(self, source: str, said: str) -> None:
        super().__init__(source, said)
        self.source, self.said = source, said

    def __str__(self) -> str:
        return (
            f"{self.source} lost the place in a long answer ({self.said}). What was fetched is "
            "stored; ask again for the rest."
        )


class UnknownSymbolError(RefusedError):
    """Symbols the provider does not have.

    Attributes:
        others: How many other symbols were asked for beside them; those were fetched.
        renamed: What papers that had some of them are called now.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        source: str,
        others: int = 0,
        renamed: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(list(symbols), source, others, dict(renamed or {}))
        self.symbols, self.source, self.others = list(symbols), source, others
        self.renamed = dict(renamed or {})

    def __str__(self) -> str:
        first = ", ".join(self.symbols[:_SHOWN])
        more = len(self.symbols) - _SHOWN
        named = f"{first} and {more} more" if more > 0 else first
        noun = "symbol" if len(self.symbols) == 1 else "symbols"
        rest = f"the other {self.others:,} were fetched" if self.others else "nothing was fetched"
        newer = [f"{old} is called {new} now" for old, new in self.renamed.items()]
        known = f"{', '.join(newer[:_SHOWN])}: ask for the newer ticker. " if newer else ""
        spelling = "Check the spelling; " if len(newer) < len(self.symbols) else ""
        rest = rest if spelling else rest.capitalize()
        return f"{self.source} has no {noun} {named}. {known}{spelling}{rest}."


_SHOWN = 10

#: Where the histories of providers begin.
SINCE = {"alpaca": date(2016, 1, 1)}

Log = Callable[..., None]

#: Makes the budget of an account (a few characters) from what is believed of it.
Budgets = Callable[[str, Sequence[RateWindow]], Budget]


def _own(_account: str, believed: Sequence[RateWindow]) -> Budget:
    return OwnBudget(believed)


def open_source(settings: Settings, log: Log = lambda **_: None, budgets: Budgets = _own) -> Source:
    """The source that the settings name, with its connections; one for each process.

    Args:
        log: Takes one structured line (``stage=…``) for each request.
        budgets: Makes the rate budgets; without one it is this process's own.

    Raises:
        KeysMissingError: No keys are set.
    """
    from agents.sources.alpaca import Account, AlpacaSource

    require_keys(settings)
    account = Account(
        source=settings.source,
        feed=settings.alpaca_feed,
        data_url=settings.data_url,
        trading_url=settings.trading_url,
        key=settings.alpaca_key.get_secret_value(),
        secret=settings.alpaca_secret.get_secret_value(),
    )
    return AlpacaSource(account, log, budgets)


def open_stream(settings: Settings) -> Stream:
    """The stream of the source that the settings name; it connects when it is opened.

    Raises:
        KeysMissingError: No keys are set.
    """
    from agents.sources.alpaca_stream import AlpacaStream, stream_address

    require_keys(settings)
    key, secret = settings.alpaca_key, settings.alpaca_secret
    url = stream_address(settings.stream_url, settings.alpaca_feed)
    return AlpacaStream(settings.source, url, key.get_secret_value(), secret.get_secret_value())


def earliest(settings: Settings) -> date:
    """The first day of which the source that the settings name has bars; told without asking it."""
    return SINCE.get(settings.source.partition(":")[0], date.min)


def require_keys(settings: Settings) -> None:
    """Refuse to begin what no provider would answer.

    Raises:
        KeysMissingError: Key or secret is empty.
    """
    if not (settings.alpaca_key.get_secret_value() and settings.alpaca_secret.get_secret_value()):
        raise KeysMissingError
