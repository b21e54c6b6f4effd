"""The sandbox as a process: in the foreground, or beside a program that needs one."""

import asyncio
import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import IO

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from sandbox.config import SandboxConfig
from sandbox.errors import NotStartedError, PortError
from sandbox.server import create_app

START_SECONDS = 30.0
STOP_SECONDS = 5.0
#: Longer than a client keeps an idle connection, so that it is the client who closes.
KEEP_ALIVE_SECONDS = 120


class Connection(H11Protocol):
    """A client's connection that the application can reset: faults do."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Tell the application how; a websocket that comes of it inherits the state."""
        ways = {"reset": lambda: reset(transport), "hang_up": transport.close}
        self.app_state = {**self.app_state, **ways}
        super().connection_made(transport)


def reset(transport: asyncio.Transport) -> None:
    """End a connection with a reset instead of a farewell."""
    with contextlib.suppress(OSError):
        end = transport.get_extra_info("socket")
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def serve(config: SandboxConfig, ready: Callable[[str], None], *, until_eof: bool = False) -> None:
    """Serve until an interrupt or SIGTERM.

    Args:
        config: What to serve.
        ready: Called with the base URL once it answers.
        until_eof: End as well when standard input closes.

    Raises:
        SandboxError: It cannot start; nothing was listened on.
    """
    listener = _listen(config.host, config.port)
    host, port = listener.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    with listener:
        options = uvicorn.Config(
            create_app(config, lambda: ready(url)),
            log_level="warning",
            access_log=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=2,
            http=Connection,
            ws="websockets-sansio",
        )
        server = uvicorn.Server(options)
        if until_eof:
            threading.Thread(target=_stop_at_eof, args=(server,), daemon=True).start()
        signal.signal(signal.SIGTERM, _stop)
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])


@contextlib.contextmanager
def running(config: SandboxConfig) -> Iterator[str]:
    """A sandbox in a process of its own, on a free port; it always ends with the block.

    It ends as well if this process dies. ``config.port`` is not used.

    Yields:
        The base URL, like ``http://127.0.0.1:40123``.

    Raises:
        NotStartedError: It did not start; the error has its sentence.
    """
    options = config.arguments()
    options.append("--port=0")
    command = [sys.executable, "-P", "-m", "sandbox", *options, "--until-eof"]
    environment = os.environ | {
        "PYTHONPATH": _import_path(),
        "POLARS_MAX_THREADS": "1",  # the other cores are the program's
    }
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(  # noqa: S603 - our own module and checked options
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment,
            start_new_session=True,  # a Ctrl-C is for the program, which then ends the block
        ) as process,
    ):
        try:
            yield _read_url(process, errors)
        finally:
            _end(process)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio turns Nagle's delay off only where it reads TCP;
    # with it every small reply takes 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        raise PortError(host, port, error.strerror or str(error)) from None
    return listener


def _stop(_: int, __: FrameType | None) -> None:
    raise SystemExit(0)


def _stop_at_eof(server: uvicorn.Server) -> None:
    while os.read(sys.stdin.fileno(), 4096):  # sys.stdin's own lock would hold up the exit
        pass
    server.should_exit = True


def _import_path() -> str:
    """Where this package is imported from, so that the process finds the same one."""
    here = str(Path(__file__).resolve().parent.parent)
    before = os.environ.get("PYTHONPATH")
    return os.pathsep.join([here, before] if before else [here])


def _read_url(process: subprocess.Popen[str], errors: IO[str]) -> str:
    assert process.stdout is not None  # noqa: S101 - it was opened as a pipe
    watchdog = threading.Timer(START_SECONDS, process.kill)
    watchdog.start()
    try:
        line = process.stdout.readline()
    finally:
        watchdog.cancel()
    words = [word for word in line.split() if word.startswith("http://")]
    if not words:
        process.wait(STOP_SECONDS)
        errors.seek(0)
        raise NotStartedError(errors.read().strip()[-500:])
    return words[0]


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
