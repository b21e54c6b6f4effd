"""The door of the live agent: settings, connections, threads, signals."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Any

from agents import broker
from agents.alerts import Watch
from agents.live.agent import LiveAgent, Means
from agents.live.asking import Asked, Asker, inbox
from agents.live.catching import Catcher
from agents.live.clock import MarketClock
from agents.live.gathering import Gatherer
from agents.live.lease import Lease, connect
from agents.live.pulse import LivePulse, named
from agents.live.watched import Watched, watched
from agents.sources import Source, open_source, open_stream, require_keys
from lake import Lake
from lake.errors import InvalidError, LakeError
from lake.journal import Journal
from lake.journal.budget import Budget, RateWindow, SharedBudget
from lake.logs import close_logs, configure_logs, logger
from lake.opening import open_by
from lake.settings import Settings, load_settings

_REFUSED = 2
_END_SECONDS = 1.5


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
    if symbols:
        settings = settings.model_copy(update={"watch": ",".join(symbols)})
    with open_by(settings, create=True) as lake:
        if not watched(settings, lake, datetime.now(UTC)):
            raise NothingWatchedError
    with (
        Journal.open(settings.journal_url or settings.home) as journal,
        named(journal, settings.home) as name,
        _stopping() as stop,
    ):
        _log_as(name.partition("@")[0], settings, journal, stderr=stderr)
        Watch(journal, settings.alert_webhook.get_secret_value()).start()
        listen(settings, journal, name, stop)
        close_logs()


def listen(settings: Settings, journal: Journal, name: str, stop: threading.Event) -> None:
    """Listen until it is stopped.

    Args:
        settings: Of the door.
        journal: Where heartbeats go.
        name: Of the agent.
        stop: Ends it, in good order.
    """
    lake = open_by(settings, create=True)
    asked, put = inbox()
    chosen = Watched(lambda: watched(settings, lake, datetime.now(UTC)), _tell)
    means = _means(settings, chosen, lake, LivePulse(journal, name), put)
    gatherer = Gatherer(lake, lambda: means.lease.is_held, _tell)
    means.pulse.start()
    runs = [means.asker.run, means.catcher.run, gatherer.run, means.clock.follow, means.lease.keep]
    threads = [_beside(run, stop) for run in runs]
    try:
        LiveAgent(means, asked).run(stop)
    finally:
        stop.set()
        means.pulse.stop()
        if _have_ended(threads):  # or who is in the middle of a request ends with the process
            lake.close()


def _means(
    settings: Settings,
    chosen: Watched,
    lake: Lake,
    pulse: LivePulse,
    put: Callable[[Asked], None],
) -> Means:
    """All that a live agent works with; connections are made when they are needed."""

    def source() -> Source:  # of one thread each
        return open_source(settings, _tell, _budgets(pulse.journal))

    clock = MarketClock(source().present)
    stream = open_stream(settings) if settings.watch_by == "stream" else None
    place = stream.endpoint if stream is not None else settings.source
    return Means(
        lake=lake,
        journal=pulse.journal,
        source=settings.source,
        watched=chosen,
        stream=stream,
        lease=Lease(connect(broker.broker_url(settings)), place),
        clock=clock,
        asker=Asker(source(), chosen.symbols, clock, put, _tell),
        catcher=Catcher(lake, source(), chosen.symbols, clock, _tell),
        pulse=pulse,
        always=settings.watch_hours == "always",
        log=_tell,
    )


def _beside(work: Callable[[threading.Event], None], stop: threading.Event) -> threading.Thread:
    """Run something in a thread of its own until it is stopped."""
    thread = threading.Thread(target=work, args=(stop,), daemon=True, name=work.__qualname__)
    thread.start()
    return thread


def _have_ended(threads: Sequence[threading.Thread]) -> bool:
    """Whether all have ended within a short while."""
    until = time.monotonic() + _END_SECONDS
    for thread in threads:
        thread.join(max(until - time.monotonic(), 0.0))
    return not any(thread.is_alive() for thread in threads)


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
