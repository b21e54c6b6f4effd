"""Upkeep of a lake: where bars lie on disk, for how long, and how long the gate is held for it."""

from lake.upkeep.deletion import delete_symbol
from lake.upkeep.gauge import HOLD, Report, Step
from lake.upkeep.rounds import KEEP, STEPS, Plan, StepError, run
from lake.upkeep.rules import Rule, RuleError, parse_rules
from lake.upkeep.steps import gather_live

__all__ = [
    "HOLD",
    "KEEP",
    "STEPS",
    "Plan",
    "Report",
    "Rule",
    "RuleError",
    "Step",
    "StepError",
    "delete_symbol",
    "gather_live",
    "parse_rules",
    "run",
]
