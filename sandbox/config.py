"""What a sandbox may be told."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sandbox.clock import VirtualClock
from sandbox.errors import ConfigError

#: Seconds since 1970 (UTC), now.
Clock = Callable[[], float]

TICKER = re.compile(r"[A-Z0-9][A-Z0-9.\-]{0,15}", re.ASCII)
HIGHEST_PORT = 65_535
FASTEST = 100_000


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
        begin: The present, aware, going on from there at ``speed``; instead of ``now``.
        speed: Virtual seconds a real one.
        rate_limit: Requests a window and account, for market data and for trading each.
        rate_window: Seconds of a window; Alpaca's is a minute.
        key: The only key accepted; empty accepts any key and secret that are not empty.
        secret: The secret of ``key``; as a Bearer token it is accepted alone.
        free_plan: Refuse SIP bars of the last 15 minutes and SIP's stream, as Alpaca's free plan does.
        late_trades: Part of the minute bars that a late trade changes after half a minute.
        auth_seconds: How long a stream waits for an authentication.
        stream_symbols: Most symbols of a stream; None is 30 with the free plan, else no limit.
        faults: JSON of what goes wrong, see :mod:`sandbox.faults`; empty for nothing.
        fault_seed: Decides when; None is ``seed``.

    Raises:
        ConfigError: A value cannot be used.
    """

    host: str = "127.0.0.1"
    port: int = 8099
    data: Path | None = None
    seed: int = 1
    symbols: tuple[str, ...] = ()
    now: datetime | None = None
    begin: datetime | None = None
    speed: float = 1.0
    rate_limit: int = 10_000
    rate_window: int = 60
    key: str = ""
    secret: str = ""
    free_plan: bool = False
    late_trades: float = 0.1
    auth_seconds: float = 10.0
    stream_symbols: int | None = None
    faults: str = ""
    fault_seed: int | None = None

    def __post_init__(self) -> None:
        for symbol in self.symbols:
            if not TICKER.fullmatch(symbol):
                raise ConfigError(f"{symbol[:40]!r} is not a ticker; use capitals like SPY,BRK.B.")
        if not 0 <= self.port <= HIGHEST_PORT:
            raise ConfigError(f"The port must be 0 to {HIGHEST_PORT}, was {self.port}.")
        if self.rate_limit < 1:
            raise ConfigError(f"The rate limit must be at least 1 a minute, was {self.rate_limit}.")
        self._check_clock()
        if self.rate_window < 1:
            raise ConfigError(f"A rate window must be at least 1 second, was {self.rate_window}.")
        if not 0 <= self.late_trades <= 1:
            raise ConfigError(f"The part of late trades must be 0 to 1, was {self.late_trades}.")
        if bool(self.key) != bool(self.secret):
            raise ConfigError("A key and its secret are given together, or neither.")

    def _check_clock(self) -> None:
        for name, moment in (("--now", self.now), ("--clock", self.begin)):
            if moment is not None and moment.tzinfo is None:
                raise ConfigError(f"{name} needs a time zone, like 2024-11-29T16:00:00Z.")
        if self.now is not None and self.begin is not None:
            raise ConfigError("--now stands still and --clock goes on: give one of them.")
        if not 0 <= self.speed <= FASTEST:
            raise ConfigError(f"The speed must be 0 to {FASTEST}, was {self.speed:g}.")

    def make_clock(self) -> VirtualClock:
        """The present, beginning now."""
        if self.now is not None:
            return VirtualClock(self.now.timestamp(), 0.0)
        return VirtualClock(None if self.begin is None else self.begin.timestamp(), self.speed)

    def arguments(self) -> list[str]:
        """The options of ``python -m sandbox`` that mean the same."""
        pairs = {
            "--host": self.host,
            "--port": self.port,
            "--data": self.data,
            "--seed": self.seed,
            "--symbols": ",".join(self.symbols) or None,
            "--now": None if self.now is None else self.now.astimezone(UTC).isoformat(),
            "--clock": None if self.begin is None else self.begin.astimezone(UTC).isoformat(),
            "--speed": self.speed,
            "--rate-limit": self.rate_limit,
            "--rate-window": self.rate_window,
            "--key": self.key or None,
            "--secret": self.secret or None,
            "--late-trades": self.late_trades,
            "--auth-seconds": self.auth_seconds,
            "--stream-symbols": self.stream_symbols,
            "--faults": self.faults or None,
            "--fault-seed": self.fault_seed,
        }
        given = [f"{name}={value}" for name, value in pairs.items() if value is not None]
        return [*given, *(["--free-plan"] if self.free_plan else [])]
