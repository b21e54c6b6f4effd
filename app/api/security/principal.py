"""The one dependency that lets a request in, and the scopes routes declare with it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from fastapi import Request, Security
from fastapi.security import SecurityScopes

from lake.errors import LakeError


class Scope(StrEnum):
    """What a route needs. A principal holds any of them; ``public`` needs no principal."""

    PUBLIC = "public"
    READ = "read"
    OPERATE = "operate"
    ADMIN = "admin"


class UnauthorizedError(LakeError):
    """Nobody vouches for the one who asks. 401."""

    def __init__(self, client: str) -> None:
        super().__init__(client)
        self.client = client

    def __str__(self) -> str:
        return (
            "This API answers only programs on its own machine, asked directly, and this request "
            f"came from {self.client}. Ask from that machine, or through a tunnel like "
            "`ssh -L 8000:localhost:8000 HOST`."
        )


class ForbiddenError(LakeError):
    """The one who asks is known and may not do this, or not in this way. 403."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return self.problem


@dataclass(frozen=True)
class Principal:
    """Who asks, and what they may do."""

    name: str
    scopes: frozenset[Scope]


class Authenticator(Protocol):
    """One way of proving who one is."""

    def __call__(self, request: Request) -> Principal | None:
        """Who asks; None if this way says nothing about the request.

        Raises:
            ForbiddenError: It is this way's to judge, and the answer is no.
        """


ANYONE = Principal("anyone", frozenset({Scope.PUBLIC}))


async def principal(request: Request, needed: SecurityScopes) -> Principal:
    """Who asks, if they hold every scope the route needs.

    Raises:
        UnauthorizedError: No authenticator knows them.
        ForbiddenError: They are refused, or lack a scope.
    """
    if needed.scopes == [Scope.PUBLIC]:
        return ANYONE
    found = _find(request)
    lacking = [scope for scope in needed.scopes if scope not in found.scopes]
    if lacking:
        problem = f"{found.name} may not {' or '.join(lacking)} here. Ask an administrator for it."
        raise ForbiddenError(problem)
    request.state.principal = found
    return found


def _find(request: Request) -> Principal:
    for authenticate in request.app.state.authenticators:
        found: Principal | None = authenticate(request)
        if found is not None:
            return found
    raise UnauthorizedError(request.client.host if request.client else "an unknown place")


PUBLIC = Security(principal, scopes=[Scope.PUBLIC])
READ = Security(principal, scopes=[Scope.READ])
OPERATE = Security(principal, scopes=[Scope.OPERATE])
ADMIN = Security(principal, scopes=[Scope.ADMIN])
