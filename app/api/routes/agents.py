"""Who works, and whether they still do."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from app.api.house import HouseDep
from app.api.security import READ

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


class AgentsAnswer(BaseModel):
    """Every agent that ever reported here."""

    agents: list[AgentAnswer]


@router.get("/agents", dependencies=[READ])
def get_agents(house: HouseDep) -> AgentsAnswer:
    """Every agent with its state and the age of its heartbeat."""
    found = house.journal.agents()
    return AgentsAnswer(agents=[AgentAnswer.model_validate(agent) for agent in found])
