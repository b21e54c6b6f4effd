"""Where bars come from. A source is one file here behind this small protocol."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

import polars as pl

from lake.errors import InvalidError, RefusedError, TransientError
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


class Source(Protocol):
    """A provider of bars, with one feed."""

    @property
    def name(self) -> str:
        """Provider and feed, like ``alpaca:iex``."""

    def edge(self, now: datetime, dataset: str = "bars_1m") -> datetime:
        """The moment up to which bars of a dataset are final and may be asked for (UTC).

        On a whole minute; for daily bars a midnight in New York.
        """

    def knows(self, symbol: str) -> bool | None:
        """Whether the provider has such a symbol; None where it does not say."""

    def pages(
        self, symbols: Sequence[str], start: datetime, end: datetime, dataset: str = "bars_1m"
    ) -> Iterator[Page]:
        """Raw bars of a dataset that open in a range (UTC, end outside), page by page.

        Raises:
            RefusedError: The provider will not answer; asking again does not help.
            TransientError: It could not answer in spite of several attempts.
        """

    def actions(self, symbols: Sequence[str], start: date, end: date) -> pl.DataFrame:
        """Corporate actions processed in a range of dates, both included, as ``ACTION_SCHEMA``."""


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


class UnknownSymbolError(RefusedError):
    """A symbol the provider does not have."""

    def __init__(self, symbol: str, source: str) -> None:
        super().__init__(symbol, source)
        self.symbol, self.source = symbol, source

    def __str__(self) -> str:
        return (
            f"{self.source} has no symbol {self.symbol}. Check the spelling; nothing was fetched."
        )


Log = Callable[..., None]


def open_source(settings: Settings, log: Log = lambda **_: None) -> Source:
    """The source that the settings name, with its connections; one for each process.

    Args:
        log: Takes one structured line (``stage=…``) for each request.

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
    return AlpacaSource(account, log)


def require_keys(settings: Settings) -> None:
    """Refuse to begin what no provider would answer.

    Raises:
        KeysMissingError: Key or secret is empty.
    """
    if not (settings.alpaca_key.get_secret_value() and settings.alpaca_secret.get_secret_value()):
        raise KeysMissingError
