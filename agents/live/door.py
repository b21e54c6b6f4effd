"""The door of the live agent: settings, connections, threads, signals."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Any

from agents import broker
from agents.alerts import Watch
from agents.live.agent import LiveAgent, Means, inbox
from agents.live.asking import Asker
from agents.live.catching import Catcher
from agents.live.clock import MarketClock
from agents.live.gathering import Gatherer
from agents.live.lease import Lease, connect
from agents.live.pulse import LivePulse, free_name
from agents.live.watched import watched
from agents.sources import Source, open_source, open_stream, require_keys
from lake.errors import InvalidError, LakeError
from lake.journal import Journal
from lake.journal.budget import Budget, RateWindow, SharedBudget
from lake.logs import close_logs, configure_logs, logger
from lake.opening import open_by
from lake.settings import Settings, load_settings

_REFUSED = 2
_END_SECONDS = 3.0


class NothingWatchedError(InvalidError):
    """No symbols are named."""

    def __str__(self) -> str:
        return "There is nothing to watch. Name symbols in BARLAKE_WATCH, like SPY,QQQ."


def main() -> int:
    """Run it with the settings of this process; returns the exit code."""
    try:
        run(load_settings())
    except LakeError as error:
        sys.stderr.write(f"{error}\n")
        return _REFUSED
    return 0


def run(settings: Settings, symbols: Sequence[str] = (), *, stderr: bool = True) -> None:
    """Listen in this process until SIGINT, SIGTERM or SIGHUP.

    Args:
        settings: Of the door.
        symbols: Instead of those in ``BARLAKE_WATCH``.
        stderr: Whether log lines go there too.

    Raises:
        NothingWatchedError, ListMissingError, KeysMissingError: There is nothing to do.
        BrokerMissingError: No broker answers, so nobody can tell whether another one listens.
    """
    if not symbols and not settings.watch:
        raise NothingWatchedError
    require_keys(settings)
    broker.require(broker.broker_url(settings))
    named = tuple(symbols) or _named(settings)
    with Journal.open(settings.journal_url or settings.home) as journal, _stopping() as stop:
        name = free_name(journal)
        _log_as(name.partition("@")[0], settings, journal, stderr=stderr)
        Watch(journal, settings.alert_webhook.get_secret_value()).start()
        listen(settings, named, journal, name, stop)
        close_logs()


def _named(settings: Settings) -> tuple[str, ...]:
    with open_by(settings, create=True) as lake:
        named = watched(settings, lake, datetime.now(UTC))
    if not named:
        raise NothingWatchedError
    return named


def listen(
    settings: Settings,
    symbols: Sequence[str],
    journal: Journal,
    name: str,
    stop: threading.Event,
) -> None:
    """Listen until it is stopped.

    Args:
        settings: Of the door.
        symbols: Tickers.
        journal: Where heartbeats go.
        name: Of the agent.
        stop: Ends it, in good order.
    """
    with open_by(settings, create=True) as lake, ExitStack() as threads:

        def source() -> Source:
            return open_source(settings, _tell, _budgets(journal))

        clock = MarketClock(source().present)
        stream = open_stream(settings) if settings.watch_by == "stream" else None
        place = stream.endpoint if stream is not None else settings.source
        asked, put = inbox()
        means = Means(
            lake=lake,
            journal=journal,
            source=settings.source,
            symbols=symbols,
            stream=stream,
            lease=Lease(connect(broker.broker_url(settings)), place),
            clock=clock,
            asker=Asker(source(), symbols, clock, put, _tell),
            catcher=Catcher(lake, source(), symbols, clock, _tell),
            pulse=LivePulse(journal, name),
            always=settings.watch_hours == "always",
            log=_tell,
        )
        means.pulse.start()
        threads.callback(means.pulse.stop)
        gatherer = Gatherer(lake, lambda: means.lease.is_held, _tell)
        for one in (means.asker, means.catcher, gatherer):
            _beside(threads, one.run, stop)
        for work in (clock.follow, means.lease.keep):
            _beside(threads, work, stop)
        LiveAgent(means, asked).run(stop)


def _beside(
    threads: ExitStack, work: Callable[[threading.Event], None], stop: threading.Event
) -> None:
    """Run something in a thread of its own until it is stopped."""
    thread = threading.Thread(target=work, args=(stop,), daemon=True, name=work.__qualname__)
    thread.start()
    threads.callback(thread.join, _END_SECONDS)


def _budgets(journal: Journal) -> Callable[[str, Sequence[RateWindow]], Budget]:
    def shared(account: str, believed: Sequence[RateWindow]) -> Budget:
        return SharedBudget(journal, account, believed)

    return shared


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """Set when a signal asks to end; as before again afterwards."""
    stop = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, ask) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _log_as(agent: str, settings: Settings, journal: Journal, *, stderr: bool) -> None:
    hidden = (settings.alpaca_key, settings.alpaca_secret, settings.alert_webhook)
    secrets = [secret.get_secret_value() for secret in hidden]
    configure_logs(agent, home=settings.home, journal=journal, stderr=stderr, secrets=secrets)


def _tell(**facts: Any) -> None:
    """Takes the structured lines of plain code."""
    message = facts.pop("message", None) or str(facts.get("stage") or "")
    level = str(facts.pop("level", "info"))
    getattr(logger(), level, logger().info)(message, **facts)
