"""A program on the same machine may do everything; a web page open on it may do nothing.

The address alone does not tell the two apart, for a browser on this machine also comes from the
loopback. A page of another site gives itself away by its Origin, or, once its name has been
pointed at 127.0.0.1, by its Host.
"""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self
from urllib.parse import urlsplit

from fastapi import Request

from app.api.security.principal import ForbiddenError, Principal, Scope
from lake.settings import Settings

_EVERYTHING = frozenset({Scope.READ, Scope.OPERATE, Scope.ADMIN})
_FORWARDED = ("forwarded", "via", "x-real-ip")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Loopback:
    """Lets in a client on the loopback that asks directly, by an allowed name, for itself."""

    hosts: tuple[str, ...]

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The names of ``BARLAKE_ALLOWED_HOSTS``, whatever their ports."""
        names = (part.strip() for part in settings.allowed_hosts.split(","))
        return cls(tuple(filter(None, (_name(part) for part in names if part))))

    def __call__(self, request: Request) -> Principal | None:
        """All scopes for a direct client on the loopback, None for any other.

        Raises:
            ForbiddenError: The Host is not an allowed one, or the Origin is another site.
        """
        if not _is_direct(request):
            return None
        self._check_host(request)
        _check_origin(request)
        return Principal("loopback", _EVERYTHING)

    def _check_host(self, request: Request) -> None:
        asked = request.headers.getlist("host")
        if len(asked) == 1 and _name(asked[0]) in self.hosts:
            return
        shown = ", ".join(asked)[:80] or "nothing"
        problem = (
            f"The Host header says {shown!r}, and this API goes by {', '.join(self.hosts)}. "
            "Use one of these in the URL, or add yours to BARLAKE_ALLOWED_HOSTS."
        )
        raise ForbiddenError(problem)


def _is_direct(request: Request) -> bool:
    if request.client is None or _is_forwarded(request):
        return False
    try:
        address = ip_address(request.client.host.split("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _is_forwarded(request: Request) -> bool:
    return any(
        name in _FORWARDED or name.startswith("x-forwarded-")
        for name in request.headers.keys()  # noqa: SIM118
    )


def _check_origin(request: Request) -> None:
    own = _origin(f"{request.url.scheme}://{request.headers['host']}")
    for origin in request.headers.getlist("origin"):
        if _origin(origin) != own:
            problem = (
                f"A web page of {origin[:80]!r} may not use this API. "
                "Only its own pages may, and programs, which send no Origin."
            )
            raise ForbiddenError(problem)


def _origin(url: str) -> tuple[str, str, int | None] | None:
    """Scheme, host and port; None for what is no origin (a page without one says ``null``)."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname else None


def _name(host: str) -> str:
    """A Host header without its port, in small letters; empty if it is none."""
    try:
        parts = urlsplit(f"//{host}")
        plain = parts.netloc == host and "@" not in host
        _ = parts.port
    except ValueError:
        return ""
    return (parts.hostname or "").rstrip(".") if plain else ""
