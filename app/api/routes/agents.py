"""Who works, whether they still do, who may, and what is wrong."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field, computed_field

from app.api.errors import error_responses
from app.api.house import House, HouseDep
from app.api.security import OPERATE, READ
from lake.errors import BrokerMissingError
from lake.journal import alerts, switches
from lake.journal.switches import State

router = APIRouter(tags=["agents"])


class AgentAnswer(BaseModel):
    """One agent by its last heartbeat."""

    model_config = ConfigDict(from_attributes=True)

    name: str = Field(examples=["worker-1"])
    kind: str = Field(examples=["worker"])
    state: str = Field(examples=["idle"])
    pid: int | None
    host: str | None
    age: float = Field(description="Seconds since its last heartbeat", examples=[1.4])
    stalled: bool = Field(description="Whether that is too long")
    detail: dict[str, Any]

    @computed_field(description="What is wrong with it, and what to do")  # type: ignore[prop-decorator]
    @property
    def problem(self) -> str | None:
        """A sentence, of agents that tell one."""
        return self.detail.get("problem")


class SwitchAnswer(BaseModel):
    """One kind of agent, and whether a user lets it work."""

    model_config = ConfigDict(from_attributes=True)

    agent: str = Field(description="Its kind, which is the kind of its jobs", examples=["ingest"])
    state: Literal["running", "paused", "stopped"]
    reason: str = Field(description="What the user said")
    changed_at: datetime | None = Field(description="Null: nobody has switched it")


class TurnedAnswer(SwitchAnswer):
    """One kind of agent as it is switched now."""

    sent: int = Field(description="Waiting jobs that went to the workers", examples=[3])


class AlertAnswer(BaseModel):
    """One thing that is or was wrong."""

    model_config = ConfigDict(from_attributes=True)

    number: int
    kind: str = Field(examples=["stalled"])
    subject: str = Field(description="An agent, or a series", examples=["worker-1@laptop"])
    message: str
    facts: dict[str, Any]
    raised_at: datetime
    over_at: datetime | None = Field(description="Null while it is wrong")
    told_at: datetime | None = Field(description="When the webhook took it")


class AgentsAnswer(BaseModel):
    """Every agent that was heard within a week, every kind's switch, and open alerts."""

    agents: list[AgentAnswer]
    switches: list[SwitchAnswer]
    alerts: list[AlertAnswer]


class AlertsAnswer(BaseModel):
    """Alerts, newest first."""

    alerts: list[AlertAnswer]


class AlertsQuery(BaseModel):
    """Which alerts."""

    model_config = ConfigDict(extra="forbid")

    kind: str | None = Field(default=None, examples=["stalled"])
    over: bool = Field(default=False, description="Also those that are over")
    limit: int = Field(default=100, ge=1, le=1_000)


Kind = Annotated[
    str, Path(max_length=64, description="A kind of agent", json_schema_extra={"example": "ingest"})
]
Reason = Annotated[str, Query(max_length=500, description="Why; shown to others")]


@router.get("/agents", dependencies=[READ])
def get_agents(house: HouseDep) -> AgentsAnswer:
    """Every agent with its state and the age of its heartbeat; switches; open alerts."""
    journal = house.journal
    return AgentsAnswer(
        agents=[AgentAnswer.model_validate(agent) for agent in journal.agents()],
        switches=[SwitchAnswer.model_validate(one) for one in switches.all_of(journal)],
        alerts=[AlertAnswer.model_validate(alert) for alert in alerts.read(journal)],
    )


@router.post("/agents/{kind}/start", dependencies=[OPERATE], responses=error_responses(422))
def post_start(kind: Kind, house: HouseDep, reason: Reason = "") -> TurnedAnswer:
    """Let a kind of agent work; its waiting jobs go to the workers."""
    return _turned(house, kind, "running", reason)


@router.post("/agents/{kind}/pause", dependencies=[OPERATE], responses=error_responses(422))
def post_pause(kind: Kind, house: HouseDep, reason: Reason = "") -> TurnedAnswer:
    """Let a kind of agent take no new jobs; what it is on, it finishes. Kept across restarts."""
    return _turned(house, kind, "paused", reason)


@router.post("/agents/{kind}/stop", dependencies=[OPERATE], responses=error_responses(422))
def post_stop(kind: Kind, house: HouseDep, reason: Reason = "") -> TurnedAnswer:
    """As pause, and what it is on goes back into the queue at its next step."""
    return _turned(house, kind, "stopped", reason)


@router.get("/alerts", dependencies=[READ])
def get_alerts(query: Annotated[AlertsQuery, Query()], house: HouseDep) -> AlertsAnswer:
    """What is wrong now, newest first."""
    found = alerts.read(house.journal, kind=query.kind, over=query.over, limit=query.limit)
    return AlertsAnswer(alerts=[AlertAnswer.model_validate(alert) for alert in found])


def _turned(house: House, kind: str, state: State, reason: str) -> TurnedAnswer:
    switch = switches.turn(house.journal, kind, state, reason)
    sent = _send_waiting(house) if state == "running" else 0
    return TurnedAnswer(**vars(switch), sent=sent)


def _send_waiting(house: House) -> int:
    """Without a broker the jobs wait on: workers that start find them in the journal."""
    try:
        return house.send_waiting()
    except BrokerMissingError:
        return 0
