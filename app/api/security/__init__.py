"""Who may do what over HTTP.

Every route names the scope it needs; one dependency, ``principal``, finds out who asks by going
through a list of authenticators. A new way of proving who one is (keys, tokens, users) is a file
here and an entry in ``authenticators``.
"""

from app.api.security.loopback import Loopback
from app.api.security.principal import (
    ADMIN,
    OPERATE,
    PUBLIC,
    READ,
    Authenticator,
    ForbiddenError,
    Principal,
    Scope,
    UnauthorizedError,
    principal,
)
from lake.settings import Settings


def authenticators(settings: Settings) -> tuple[Authenticator, ...]:
    """Every way of proving who one is, in the order in which they are asked."""
    return (Loopback.from_settings(settings),)


__all__ = [
    "ADMIN",
    "OPERATE",
    "PUBLIC",
    "READ",
    "Authenticator",
    "ForbiddenError",
    "Loopback",
    "Principal",
    "Scope",
    "UnauthorizedError",
    "authenticators",
    "principal",
]
