"""Where the broker is, whether it answers, and what waits in it.

Set ``REDIS_URL`` and it is that Redis. Without it, it is the embedded Valkey of a home, on a unix
socket that only its user can reach; ``app.up`` starts and stops it.
"""

import hashlib
import json
import os
import stat
import tempfile
from pathlib import Path
from urllib.parse import quote

from redis import Redis
from redis.exceptions import RedisError

from lake.errors import BrokerMissingError, InvalidError
from lake.home import Home
from lake.kinds import KINDS
from lake.settings import Settings


def queue_of(kind: str) -> str:
    """The queue of a kind of work.

    >>> queue_of("ingest")
    'barlake.ingest'
    """
    return f"barlake.{kind}"


#: Each kind of work has its own, so that a worker may be kept for some.
QUEUES = tuple(queue_of(kind) for kind in KINDS)

#: Where kombu keeps what workers were given and have not answered.
_UNANSWERED = "unacked"

#: Seconds in which a broker that runs has surely answered.
PATIENCE = 1.0

#: ``sockaddr_un`` has room for 108 bytes, the last of them zero.
_LONGEST_SOCKET = 107


class SocketFolderError(InvalidError):
    """The folder for a deep home's socket belongs to somebody else."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self.folder = str(folder)

    def __str__(self) -> str:
        return (
            f"{self.folder} is not a private folder of this user, so the broker's socket cannot "
            "lie there. Remove it, or choose a BARLAKE_HOME with a shorter path."
        )


def socket_path(home: Path) -> Path:
    """The embedded broker's socket: in the home, or in a short private folder for a deep home.

    Raises:
        SocketFolderError: Somebody else made that folder.
    """
    root = home.expanduser().resolve()
    inside = Home(root).run / "valkey.sock"
    if len(os.fsencode(inside)) <= _LONGEST_SOCKET:
        return inside
    name = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"barlake-{os.getuid()}-{name}"
    if len(os.fsencode(folder)) > _LONGEST_SOCKET - len("/valkey.sock"):
        folder = Path("/tmp") / folder.name  # noqa: S108 - private below, and checked
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    private = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077
    if not private or found.st_uid != os.getuid():
        raise SocketFolderError(folder)
    return folder / "valkey.sock"


def broker_url(settings: Settings) -> str:
    """The broker's URL as Celery takes it; it may hold a password."""
    if settings.redis_url:
        return settings.redis_url
    return f"redis+socket://{quote(str(socket_path(settings.home)))}"


def shown_url(url: str) -> str:
    """A broker's URL for people and logs, without its password."""
    from kombu.utils.url import maybe_sanitize_url

    return str(maybe_sanitize_url(url))


def answers(url: str, *, patience: float = PATIENCE) -> bool:
    """Whether a broker answers, within about ``patience`` seconds."""
    try:
        with _client(url, patience) as client:
            return bool(client.ping())
    except (RedisError, OSError, ValueError):
        return False


def require(url: str) -> None:
    """Return if a broker answers.

    Raises:
        BrokerMissingError: None does.
    """
    if not answers(url):
        raise BrokerMissingError(shown_url(url))


def waiting(url: str, *, in_hand: bool = False) -> set[str]:
    """The task ids of all messages that wait for a worker.

    Args:
        in_hand: Also those that some worker, dead or alive, was given and has not answered.

    Raises:
        BrokerMissingError: No broker answers.
    """
    try:
        with _client(url, PATIENCE * 2) as client:
            queued = [text for queue in QUEUES for text in client.lrange(queue, 0, -1)]
            messages = [json.loads(text) for text in queued]
            if in_hand:
                messages += [json.loads(text)[0] for text in client.hvals(_UNANSWERED)]
    except (RedisError, OSError) as error:
        raise BrokerMissingError(shown_url(url)) from error
    # A shared Redis may hold what others queued, in a shape of their own.
    return {name for message in messages if (name := message.get("headers", {}).get("id"))}


def shut_down(url: str) -> None:
    """Ask an embedded broker to save what it holds and end; harmless if there is none."""
    try:
        with _client(url, PATIENCE) as client:
            client.shutdown(nosave=False)
    except (RedisError, OSError):
        return


def _client(url: str, patience: float) -> Redis:
    plain = url.replace("redis+socket://", "unix://", 1)
    return Redis.from_url(plain, socket_connect_timeout=patience, socket_timeout=patience)
