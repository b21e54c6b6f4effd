"""``barlake lists``: named lists of symbols, dated, with what was known when."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from app.cli.doors import opened_lake
from app.cli.ingest import listed_in
from app.cli.options import AsJson
from app.cli.output import counted, remark, say, show_frame, show_json, show_table
from app.cli.teaching import add, help_text
from lake.errors import RangeError

Name = Annotated[str, typer.Argument(metavar="NAME", help="A list, like sp500.")]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="DATE|TIME", help="As the lake knew it then."),
]
_SHOWN = 60


def register(app: typer.Typer) -> None:
    """Add the group, which shows all lists when it is called alone."""
    group = typer.Typer(rich_markup_mode=None)
    full = help_text(_alone)
    group.callback(invoke_without_command=True, help=full)(_alone)
    app.add_typer(group, name="lists", short_help=full.partition("\n")[0].rstrip("."))
    add(group, set_list, "set")
    add(group, show)


def _alone(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Name lists of symbols, for `barlake ingest --list`; without a command show those there are."""
    if context.invoked_subcommand is None:
        _show_all(None, as_json=as_json)


def set_list(
    name: Name,
    symbols: Annotated[
        list[str] | None, typer.Argument(metavar="[SYMBOL]...", help="Tickers, like SPY QQQ.")
    ] = None,
    *,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", metavar="FILE", help="More tickers: one a line, # comments."),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="First day; default: today.")
    ] = None,
) -> None:
    """Say who is on a list from a day on.

    They are its members until the next day that it is set from. Nothing is overwritten: setting a
    day anew is a correction, and --as-of still shows what was known before it.

    Examples:
        barlake lists set sp500 --file sp500.txt
        barlake lists set sp500 --file sp500-2020.txt --from 2020-01-02
        barlake lists set mine SPY QQQ
    """
    from lake import lists, sessions

    named = [*(symbols or []), *(listed_in(file) if file else [])]
    day = day_of(start) or sessions.today(datetime.now(UTC))
    with opened_lake(create=True) as lake:
        new = lists.set_list(lake, name, named, day)
        held = lists.members(lake, name, on=day)
    say(f"{lists.check_list(name)} has {counted(len(held), 'symbol')} from {day} on.")
    if not new:
        remark("It was so already.")


def show(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A list, like sp500; all without one.")
    ] = None,
    *,
    on: Annotated[
        str | None, typer.Option("--on", metavar="DATE", help="Its members on a day.")
    ] = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> None:
    """Show a list: its members of a day (by default today), or all lists.

    Examples:
        barlake lists show
        barlake lists show sp500 --on 2020-06-30
        barlake lists show sp500 --as-of 2024-05-01 --json
    """
    from lake import lists, sessions

    if name is None:
        _show_all(as_of, as_json=as_json)
        return
    day = day_of(on) or sessions.today(datetime.now(UTC))
    with opened_lake() as lake:
        members = lists.members(lake, name, on=day, as_of=as_of)
        states = lists.states(lake, name, as_of=as_of)
    if as_json:
        facts = {"name": lists.check_list(name), "on": day, "symbols": members}
        show_json(facts | {"states": states.to_dicts()})
        return
    say(f"{lists.check_list(name)} on {day}: {counted(len(members), 'symbol')}.")
    for begin in range(0, len(members), 12):
        say("  " + " ".join(members[begin : begin + 12]))
    short = states.with_columns(symbols=states["symbols"].list.len())
    show_frame(short, title="From when to when (valid_to outside)", most=_SHOWN)


def _show_all(as_of: str | None, *, as_json: bool) -> None:
    from lake import lists
    from lake.errors import LakeMissingError

    try:
        with opened_lake() as lake:
            found = lists.lists(lake, as_of=as_of).to_dicts()
    except LakeMissingError:
        found = []
    if as_json:
        show_json(found)
    elif not found:
        say("There are no lists. `barlake lists set NAME SYMBOL...` makes one.")
    else:
        show_table([*found[0]], [[*row.values()] for row in found])


def day_of(text: str | None) -> date | None:
    """A date that a user wrote.

    Raises:
        RangeError: It is none.
    """
    from lake.sessions import moment

    day = moment(text)
    if isinstance(day, datetime):
        problem = f"{text!r} is a time. Give a date, like 2024-05-01."
        raise RangeError(problem)
    found: date | None = day
    return found
