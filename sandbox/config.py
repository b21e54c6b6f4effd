"""What a sandbox may be told."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sandbox.errors import ConfigError

#: Seconds since 1970 (UTC), now.
Clock = Callable[[], float]

TICKER = re.compile(r"[A-Z0-9][A-Z0-9.\-]{0,15}", re.ASCII)
HIGHEST_PORT = 65_535


@dataclass(frozen=True, kw_only=True)
class SandboxConfig:
    """How a sandbox serves; every field has a default that works.

    Args:
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        data: Folder of ``SYMBOL.parquet`` files to serve; None generates bars.
        seed: Chooses the generated market; the same seed gives the same bytes.
        symbols: What to serve; empty means all of the folder, or the default symbols.
        now: The present, aware, standing still; None follows the real clock. Bars and corporate
            actions of the future are not served. The rate limit always follows the real clock.
        rate_limit: Requests a minute and account, for market data and for trading each.
        key: The only key accepted; empty accepts any key and secret that are not empty.
        secret: The secret of ``key``; as a Bearer token it is accepted alone.
        free_plan: Refuse SIP bars of the last 15 minutes, as Alpaca's free plan does.

    Raises:
        ConfigError: A value cannot be used.
    """

    host: str = "127.0.0.1"
    port: int = 8099
    data: Path | None = None
    seed: int = 1
    symbols: tuple[str, ...] = ()
    now: datetime | None = None
    rate_limit: int = 10_000
    key: str = ""
    secret: str = ""
    free_plan: bool = False

    def __post_init__(self) -> None:
        for symbol in self.symbols:
            if not TICKER.fullmatch(symbol):
                raise ConfigError(f"{symbol[:40]!r} is not a ticker; use capitals like SPY,BRK.B.")
        if not 0 <= self.port <= HIGHEST_PORT:
            raise ConfigError(f"The port must be 0 to {HIGHEST_PORT}, was {self.port}.")
        if self.rate_limit < 1:
            raise ConfigError(f"The rate limit must be at least 1 a minute, was {self.rate_limit}.")
        if self.now is not None and self.now.tzinfo is None:
            raise ConfigError("--now needs a time zone, like 2024-11-29T16:00:00Z.")
        if bool(self.key) != bool(self.secret):
            raise ConfigError("A key and its secret are given together, or neither.")

    @property
    def clock(self) -> Clock:
        """The present in seconds since 1970."""
        if self.now is None:
            return time.time
        frozen = self.now.timestamp()
        return lambda: frozen

    def arguments(self) -> list[str]:
        """The options of ``python -m sandbox`` that mean the same."""
        pairs = {
            "--host": self.host,
            "--port": self.port,
            "--data": self.data,
            "--seed": self.seed,
            "--symbols": ",".join(self.symbols) or None,
            "--now": None if self.now is None else self.now.astimezone(UTC).isoformat(),
            "--rate-limit": self.rate_limit,
            "--key": self.key or None,
            "--secret": self.secret or None,
        }
        given = [f"{name}={value}" for name, value in pairs.items() if value is not None]
        return [*given, *(["--free-plan"] if self.free_plan else [])]
