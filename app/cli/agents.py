"""``barlake agents`` and ``barlake alerts``: who works, who may, and what is wrong."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.doors import opened_journal
from app.cli.options import AsJson
from app.cli.output import counted, remark, say, show_json, show_table
from app.cli.teaching import add
from lake.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lake.journal import Journal
    from lake.journal.alerts import Alert
    from lake.journal.switches import State, Switch

_ACTIONS: "dict[str, State]" = {"start": "running", "pause": "paused", "stop": "stopped"}


class AgentActionError(InvalidError):
    """Something that cannot be done with an agent."""

    def __init__(self, action: str) -> None:
        super().__init__(action)
        self.action = action

    def __str__(self) -> str:
        return (
            f"{self.action[:40]!r} is nothing that an agent can be told. Use start, pause or stop, "
            "and the kind of agent, like `barlake agents pause ingest`."
        )


class AgentUnnamedError(InvalidError):
    """No kind of agent was named."""

    def __str__(self) -> str:
        from lake.journal.switches import AGENTS

        return f"Name the kind of agent too: one or more of {', '.join(AGENTS)}."


def register(app: typer.Typer) -> None:
    """Add the commands."""
    add(app, agents)
    add(app, alerts)


def agents(
    action: Annotated[
        str | None, typer.Argument(metavar="[start|pause|stop]", help="What they shall do.")
    ] = None,
    kinds: Annotated[
        list[str] | None, typer.Argument(metavar="[KIND]...", help="ingest, features, upkeep ...")
    ] = None,
    *,
    reason: Annotated[str, typer.Option(help="Why; shown to others.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show who works; start, pause or stop a kind of agent.

    A paused kind takes no new jobs and finishes what it is on. A stopped one also puts back what
    it is on, at its next step. Jobs stay queued and go on when it is started; all of it outlives
    restarts.

    Examples:
        barlake agents
        barlake agents pause ingest --reason "the provider asked"
        barlake agents stop features upkeep
        barlake agents start ingest
    """
    if action is not None and action not in _ACTIONS:
        raise AgentActionError(action)
    if action is not None and not kinds:
        raise AgentUnnamedError
    with opened_journal() as journal:
        if action is not None:
            _turn(journal, _ACTIONS[action], kinds or [], reason)
        facts = _facts(journal)
    if as_json:
        show_json(facts)
    else:
        show_agents(facts["agents"])
        show_switches(facts["switches"], every=True)


def alerts(
    *,
    every: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    kind: Annotated[str | None, typer.Option(help="Only of this kind, like stalled.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest N.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show what is wrong now, newest first.

    Examples:
        barlake alerts
        barlake alerts --all --kind stalled
    """
    from lake.journal import alerts as kept

    with opened_journal() as journal:
        found = kept.read(journal, kind=kind, over=every, limit=limit)
    if as_json:
        show_json([asdict(alert) for alert in found])
    elif found:
        show_alerts(found)
    else:
        say("No alerts." if every else "No open alerts. --all shows those that are over.")


def show_agents(found: "Sequence[dict[str, Any]]") -> None:
    """A table of processes that work, by their heartbeats."""
    if not found:
        say("agents  none; `barlake up` starts them")
        return
    rows = [
        [
            agent["name"],
            agent["kind"],
            "stalled" if agent["stalled"] else agent["state"],
            str(agent["pid"]),
            f"{agent['age']:.0f} s ago",
            _on(agent["detail"]),
        ]
        for agent in found
    ]
    show_table(("agent", "kind", "state", "pid", "last heard", "on"), rows, title="Agents")
    for agent in found:
        if (problem := agent["detail"].get("problem")) and agent["state"] != "stopped":
            say(f"{agent['name']}: {problem}")


def _on(detail: dict[str, Any]) -> str:
    """What an agent is on, in a word."""
    if (symbols := detail.get("symbols")) is not None:
        return counted(symbols, "symbol")
    return str(detail.get("symbol") or detail.get("job_id") or "-")


def show_switches(found: "Sequence[dict[str, Any]]", *, every: bool = False) -> None:
    """A table of kinds of agents and how a user has switched them; without ``every``: off only."""
    shown = [one for one in found if every or one["state"] != "running"]
    if shown:
        columns = ("agent", "state", "reason", "changed_at")
        rows = [[one[name] or None for name in columns] for one in shown]
        show_table(columns, rows, title="Switches")


def show_alerts(found: "Sequence[Alert]") -> None:
    """A table of alerts."""
    columns = ("alert", "kind", "about", "raised", "over", "message")
    rows = [
        [
            str(alert.number),
            alert.kind,
            alert.subject,
            alert.raised_at.replace(microsecond=0),
            alert.over_at and alert.over_at.replace(microsecond=0),
            alert.message,
        ]
        for alert in found
    ]
    show_table(columns, rows, title="Alerts")


def _turn(journal: "Journal", state: "State", kinds: "Sequence[str]", reason: str) -> None:
    from lake.errors import BrokerMissingError
    from lake.journal import switches

    for kind in kinds:
        switches.check_kind(kind)
    for kind in kinds:
        switches.turn(journal, kind, state, reason)
    if state != "running":
        return
    from agents.tasks import send_unfinished

    try:
        sent = send_unfinished(journal)
    except BrokerMissingError:
        remark("No broker answers; waiting jobs go on when workers start (`barlake up`).")
    else:
        if sent:
            remark(f"{counted(sent, 'waiting job')} went to the workers.")


def _facts(journal: "Journal") -> dict[str, Any]:
    from lake.journal import switches

    found: Sequence[Switch] = switches.all_of(journal)
    return {
        "agents": [asdict(agent) for agent in journal.agents()],
        "switches": [asdict(switch) for switch in found],
    }
