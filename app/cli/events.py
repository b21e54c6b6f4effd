"""``barlake events``: what happened, in order, and what happens now."""

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.doors import opened_journal
from app.cli.options import AsJson
from app.cli.output import rfc3339, say, show_json
from app.cli.teaching import add
from lake.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lake.journal import Journal
    from lake.journal.events import Event

_LOOK_EVERY = 0.5
_PAGE = 500


class EventKindError(InvalidError):
    """A kind that no event is of."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind

    def __str__(self) -> str:
        from lake.journal.events import KINDS

        return f"{self.kind[:40]!r} is not a kind of event. Use one of {', '.join(KINDS)}."


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, events)


def events(
    *,
    after: Annotated[
        int | None, typer.Option(min=0, help="Only what came after this number; 0: all there is.")
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(help="Only events of this kind; repeat it for several.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most N, unless --follow.")] = 20,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Stay, and show what happens.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show events: jobs, agents, alerts, committed bars; the newest, or after a number.

    With --json a list; with --follow and --json one JSON object a line.

    Examples:
        barlake events
        barlake events --follow --kind job --kind alert
        barlake events --after 1200 --limit 100 --json
    """
    from lake.journal import events as stream

    kinds = kind or []
    for name in kinds:
        if name not in stream.KINDS:
            raise EventKindError(name)
    with opened_journal() as journal:
        found = stream.read(journal, after, limit, kinds)
        if as_json and not follow:
            show_json([stream.plain(event) for event in found.events])
            return
        _show(found.events, as_json=as_json)
        if follow:
            _follow(journal, found.next, kinds, as_json=as_json)
        elif not found.events:
            say("No such events.")


def _follow(journal: "Journal", after: int, kinds: "Sequence[str]", *, as_json: bool) -> None:
    from lake.journal import events as stream

    while True:
        found = stream.read(journal, after, _PAGE, kinds)
        _show(found.events, as_json=as_json)
        after = found.next
        if len(found.events) < _PAGE:
            time.sleep(_LOOK_EVERY)


def _show(found: "Sequence[Event]", *, as_json: bool) -> None:
    from lake.journal import events as stream

    for event in found:
        facts = stream.plain(event)
        say(_json_line(facts) if as_json else _line(facts))
    sys.stdout.flush()


def _json_line(facts: dict[str, Any]) -> str:
    import orjson

    return orjson.dumps(facts, option=orjson.OPT_UTC_Z).decode()


def _line(facts: dict[str, Any]) -> str:
    number, at, kind = (facts.pop(name) for name in ("number", "at", "kind"))
    words = "  ".join(
        f"{name} {value}" for name, value in facts.items() if value not in (None, "", 0)
    )
    return f"{number:>8}  {rfc3339(at.replace(microsecond=0))}  {kind:<10}  {words}"
