"""A program on the same machine may do everything; a web page open on it may do nothing.

The address alone does not tell the two apart, for a browser on this machine also comes from the
loopback. A page of another site gives itself away by its Origin, or, once its name has been
pointed at 127.0.0.1, by its Host. Networks that only this machine and its containers can reach may
be trusted like the loopback (``BARLAKE_TRUSTED_CLIENTS``).
"""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Self
from urllib.parse import urlsplit

from fastapi import Request

from app.api.security.principal import ForbiddenError, Principal, Scope
from lake.errors import SettingsError
from lake.settings import Settings

_EVERYTHING = frozenset({Scope.READ, Scope.OPERATE, Scope.ADMIN})
_FORWARDED = ("forwarded", "via", "x-real-ip")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Loopback:
    """Lets in a client on the loopback that asks directly, by an allowed name, for itself."""

    hosts: tuple[str, ...]
    trusted: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The names of ``BARLAKE_ALLOWED_HOSTS``, whatever their ports, and the trusted networks.

        Raises:
            SettingsError: A trusted client is no address and no network.
        """
        names = (_name(part.strip()) for part in settings.allowed_hosts.split(","))
        trusted = (part.strip() for part in settings.trusted_clients.split(","))
        return cls(tuple(filter(None, names)), tuple(_network(part) for part in trusted if part))

    def __call__(self, request: Request) -> Principal | None:
        """All scopes for a direct client on the loopback, None for any other.

        Raises:
            ForbiddenError: The Host is not an allowed one, or the Origin is another site.
        """
        if (
            request.client is None
            or _is_forwarded(request)
            or not self._is_near(request.client.host)
        ):
            return None
        self._check_host(request)
        _check_origin(request)
        return Principal("loopback", _EVERYTHING)

    def _is_near(self, host: str) -> bool:
        try:
            address = ip_address(host.split("%", maxsplit=1)[0])
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return address.is_loopback or any(address in network for network in self.trusted)

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


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError:
        problem = (
            f"BARLAKE_TRUSTED_CLIENTS names {text[:40]!r}, which is no address and no network. "
            "Write it like 172.28.93.0/24, several with commas, or leave it empty."
        )
        raise SettingsError(problem) from None


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
