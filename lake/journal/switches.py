"""Which kinds of agents work: a user starts, pauses and stops them, and a restart changes nothing.

A paused kind takes no new jobs and finishes what it is on. A stopped one also puts back what it is
on, at its next report of progress, where a later worker goes on. Jobs stay queued meanwhile.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, cast

from sqlalchemy import Connection, insert, select, update

from lake.errors import InvalidError, LakeError
from lake.journal import events
from lake.journal.tables import switches
from lake.kinds import KINDS

if TYPE_CHECKING:
    from lake.journal.journal import Journal

State = Literal["running", "paused", "stopped"]

#: The kinds of agents there are: each the kind of its jobs, and the live one, which has none.
AGENTS: tuple[str, ...] = (*KINDS, "live")

STATES: tuple[State, ...] = ("running", "paused", "stopped")


@dataclass(frozen=True)
class Switch:
    """How a kind of agent is switched.

    Attributes:
        agent: Its kind.
        state: ``running``, ``paused`` or ``stopped``.
        reason: What the user said; empty where nothing was.
        changed_at: When (UTC); None: never.
    """

    agent: str
    state: State
    reason: str = ""
    changed_at: datetime | None = None


class AgentKindError(InvalidError):
    """A kind of agent that there is none of."""

    def __init__(self, agent: str) -> None:
        super().__init__(agent)
        self.agent = agent

    def __str__(self) -> str:
        return f"{self.agent[:40]!r} is no kind of agent. Use one of {', '.join(AGENTS)}."


class AgentStoppedError(LakeError):
    """Work of a kind that a user has stopped or paused."""

    def __init__(self, agent: str, state: str) -> None:
        super().__init__(agent, state)
        self.agent, self.state = agent, state

    def __str__(self) -> str:
        return (
            f"The agent {self.agent} is {self.state}, so its jobs wait in the queue. "
            f"`barlake agents start {self.agent}` lets it work."
        )


def check_kind(agent: str) -> None:
    """Return if there is such a kind of agent.

    Raises:
        AgentKindError: There is not.
    """
    if agent not in AGENTS:
        raise AgentKindError(agent)


def turn(journal: "Journal", agent: str, state: State, reason: str = "") -> Switch:
    """Start, pause or stop a kind of agent, for all processes and from now on.

    Raises:
        AgentKindError: There is no such kind.
    """
    check_kind(agent)
    now = journal.now
    told = {"state": state, "reason": reason, "changed_at": now}
    with journal.database.writing(alone=True) as connection:
        before = _state(connection, agent)
        same = update(switches).where(switches.c.agent == agent).values(**told)
        if connection.execute(same).rowcount == 0:
            connection.execute(insert(switches).values(agent=agent, **told))
        if before != state:
            events.tell(connection, events.Switched(agent, state, reason), at=now)
    return Switch(agent, state, reason, now)


def all_of(journal: "Journal") -> list[Switch]:
    """Every kind of agent and how it is switched."""
    with journal.database.reading() as connection:
        kept = {row.agent: row for row in connection.execute(select(switches))}
    return [
        Switch(agent, row.state, row.reason, row.changed_at)
        if (row := kept.get(agent))
        else Switch(agent, "running")
        for agent in AGENTS
    ]


def state(journal: "Journal", agent: str) -> State:
    """How a kind of agent is switched; what nobody has switched is running."""
    with journal.database.reading() as connection:
        return _state(connection, agent)


def is_on(journal: "Journal", agent: str) -> bool:
    """Whether a kind of agent may begin work."""
    return state(journal, agent) == "running"


def check(connection: Connection, agent: str) -> None:
    """Return if a kind of agent may go on with what it is on.

    Raises:
        AgentStoppedError: A user has stopped it.
    """
    if _state(connection, agent) == "stopped":
        raise AgentStoppedError(agent, "stopped")


def _state(connection: Connection, agent: str) -> State:
    found = connection.execute(select(switches.c.state).where(switches.c.agent == agent)).scalar()
    return cast("State", found or "running")
