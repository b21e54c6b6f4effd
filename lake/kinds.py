"""The kinds of work there are and the states it can be in, for whoever names them without a journal."""

from typing import Literal, get_args

#: What there is to be done; each kind has its agent, its queue and its switch.
Kind = Literal[
    "ingest",
    "gaps",
    "actions",
    "instruments",
    "features",
    "train",
    "simulate",
    "upkeep",
    "quality",
]
State = Literal["queued", "running", "done", "failed"]

KINDS: tuple[Kind, ...] = get_args(Kind)
STATES: tuple[State, ...] = get_args(State)
