"""``barlake status``: what runs, what waits, what the lake holds."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from app.cli.agents import show_agents, show_alerts, show_switches
from app.cli.doors import opened_journal, opened_lake, settings
from app.cli.options import AsJson
from app.cli.output import counted, say, show_json, show_table, size
from app.cli.teaching import add
from lake.kinds import STATES

if TYPE_CHECKING:
    from lake.journal import Journal

_LATELY = 1000


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, status)


def status(*, as_json: AsJson = False) -> None:
    """Show broker, agents, jobs and what the lake holds.

    Examples:
        barlake status
        barlake status --json
    """
    from lake.journal import alerts, switches

    with opened_journal() as journal:
        agents = [asdict(agent) for agent in journal.agents()]
        turned = [asdict(switch) for switch in switches.all_of(journal)]
        wrong = alerts.read(journal)
        counts = _jobs(journal)
    facts: dict[str, Any] = {
        "home": str(settings().home.resolve()),
        "source": settings().source,
        "broker": _broker(),
        "agents": agents,
        "switches": turned,
        "alerts": [asdict(alert) for alert in wrong],
        "jobs": counts,
        **_lake(),
    }
    if as_json:
        show_json(facts)
    else:
        _show(facts)
        if wrong:
            show_alerts(wrong)


def _broker() -> dict[str, Any]:
    from agents.tasks import ping

    return {"answers": ping()}


def _jobs(journal: "Journal") -> dict[str, int]:
    return {state: len(journal.jobs(state=state, limit=_LATELY)) for state in STATES}


def _lake() -> dict[str, Any]:
    from lake.errors import LakeMissingError

    try:
        with opened_lake() as lake:
            symbols = lake.symbols()
            daily = lake.symbols(dataset="bars_daily")
            snapshot = lake.snapshot()
    except LakeMissingError:
        return {"lake": None, "symbols": []}
    held = {
        "snapshot": snapshot,
        "symbols": symbols["symbol"].n_unique(),
        "bars": int(symbols["bars"].sum() or 0),
        "daily_symbols": daily["symbol"].n_unique(),
        "daily_bars": int(daily["bars"].sum() or 0),
        "bytes": _bytes(settings().home),
    }
    return {"lake": held, "symbols": symbols.to_dicts()}


def _bytes(home: Path) -> int:
    folders = [home / "parquet", home / "duckdb"]
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files if file.exists())


def _show(facts: dict[str, Any]) -> None:
    say(f"home    {facts['home']}")
    say(f"source  {facts['source']}")
    words = "answers" if facts["broker"]["answers"] else "silent; `barlake up` starts one"
    say(f"broker  {words}")
    say("jobs    " + ", ".join(f"{number:,} {state}" for state, number in facts["jobs"].items()))
    held = facts["lake"]
    if held is None:
        say("lake    none yet; the first `barlake ingest SYMBOL` makes it")
    else:
        amount = f"{counted(held['bars'], 'bar')} of {counted(held['symbols'], 'symbol')}"
        say(f"lake    {amount}, {size(held['bytes'])}, snapshot {held['snapshot']}")
        if held["daily_bars"]:
            days = counted(held["daily_bars"], "daily bar")
            say(f"        {days} of {counted(held['daily_symbols'], 'symbol')}")
    show_agents(facts["agents"])
    show_switches(facts["switches"])
    if facts["symbols"]:
        columns = ("symbol", "source", "first", "last", "bars", "is_default")
        show_table(
            columns, [[row[name] for name in columns] for row in facts["symbols"]], title="Bars"
        )
