"""Only one listens: a lease in the broker, renewed while its holder lives.

A provider has one connection for an account and endpoint. Who holds the key there may connect; the
others wait, and one of them takes it when it is not renewed. While the broker does not answer nobody
can take it either, so its holder goes on.
"""

import threading
import uuid

from redis import Redis
from redis.exceptions import RedisError

#: Seconds that a lease lives without its holder, and between two renewals.
LIFE, RENEWED_EVERY = 9.0, 2.5

_RENEW = """
if redis.call('get', KEYS[1]) == ARGV[1] then
  return redis.call('pexpire', KEYS[1], ARGV[2])
end
return redis.call('set', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0
"""
_DROP = (
    "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"
)


def connect(url: str, patience: float = 1.0) -> Redis:
    """A client of a broker, by the URL that Celery takes; nothing is sent yet."""
    plain = url.replace("redis+socket://", "unix://", 1)
    return Redis.from_url(plain, socket_connect_timeout=patience, socket_timeout=patience)


class Lease:
    """One place that at most one process has.

    Args:
        client: Of the broker.
        name: Of the place.
        life: Seconds that it lives without its holder.
    """

    def __init__(self, client: Redis, name: str, life: float = LIFE) -> None:
        self._client, self._key = client, f"barlake:live:{name}"
        self._life = round(life * 1000)
        self._token = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._held = self._wanted = False

    @property
    def is_held(self) -> bool:
        """Whether this process has it."""
        return self._held

    def take(self) -> bool:
        """Have it if nobody else does; renewed from now on by :meth:`keep`. Tells whether it is held."""
        with self._lock:
            self._wanted = True
            if not self._held:
                self._renew()
            return self._held

    def release(self) -> None:
        """Give it up, if it is held: another process has it at once."""
        with self._lock:
            self._wanted = self._held = False
            try:
                self._client.eval(_DROP, 1, self._key, self._token)
            except (RedisError, OSError):
                return  # it ends by itself

    def keep(self, stop: threading.Event) -> None:
        """Renew it while it is wanted, until stopped; for a thread."""
        while not stop.wait(RENEWED_EVERY):
            with self._lock:
                if self._wanted and self._held:
                    self._renew()

    def _renew(self) -> None:
        try:
            told = self._client.eval(_RENEW, 1, self._key, self._token, self._life)
        except (RedisError, OSError):
            return  # as before: nobody can take it there either
        self._held = bool(told)
