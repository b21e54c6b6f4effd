"""``barlake instruments``: papers with the tickers they had, and the provider's calendar beside ours."""

import socket
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.doors import log_quietly, opened_journal, opened_lake, settings
from app.cli.lists import AsOf, day_of
from app.cli.options import AnySymbols, AsJson, Source
from app.cli.output import remark, say, show_frame, show_json
from app.cli.teaching import add, add_group

if TYPE_CHECKING:
    from lake.journal import Job

_SHOWN = 40


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = add_group(
        app, "instruments", "Show papers with their tickers, and calendars; read them anew."
    )
    add(group, show)
    add(group, actions)
    add(group, calendar)
    add(group, fetch)


def show(
    symbols: AnySymbols = None,
    *,
    on: Annotated[
        str | None, typer.Option("--on", metavar="DATE", help="Only tickers of that day.")
    ] = None,
    as_of: AsOf = None,
    source: Source = None,
    as_json: AsJson = False,
) -> None:
    """Show papers and the tickers they had: valid_from is inside, valid_to is outside.

    With a ticker: every paper that ever had it, with all of its tickers. A paper keeps its id when
    it is renamed, and a ticker may be used again by another one.

    Examples:
        barlake instruments show META
        barlake instruments show FB --on 2021-06-30
        barlake instruments show --as-of 2024-05-01 --json
    """
    from lake.instruments import instruments
    from lake.schema import check_symbol

    tickers = [check_symbol(symbol) for symbol in symbols] if symbols else None
    with opened_lake() as lake:
        found = instruments(lake, source or settings().source, tickers, on=day_of(on), as_of=as_of)
    if as_json:
        show_json(found.to_dicts())
    elif found.is_empty():
        say("No such papers are known. `barlake instruments fetch` reads the provider's list.")
    else:
        columns = ("symbol", "valid_from", "valid_to", "name", "status", "exchange", "asset_class")
        show_frame(found.select(*columns, "listed", "delisted", "instrument_id"), most=_SHOWN)


def actions(
    symbols: AnySymbols = None,
    *,
    kind: Annotated[str | None, typer.Option(help="Only of this kind, like cash_dividend.")] = None,
    as_of: AsOf = None,
    source: Source = None,
    as_json: AsJson = False,
) -> None:
    """Show corporate actions, newest ex date first: splits, dividends, spin-offs, new names, ends.

    Examples:
        barlake instruments actions AAPL
        barlake instruments actions --kind name_change --as-of 2024-05-01 --json
    """
    from lake import instruments
    from lake.schema import check_symbol

    tickers = [check_symbol(symbol) for symbol in symbols] if symbols else None
    with opened_lake() as lake:
        found = instruments.actions(
            lake, source or settings().source, tickers, kind=kind, as_of=as_of
        )
    if as_json:
        show_json(found.to_dicts())
    elif found.is_empty():
        say("No such actions are known. `barlake instruments fetch` reads those of all series.")
    else:
        show_frame(found.drop("details", "action_id"), most=_SHOWN)


def calendar(*, as_of: AsOf = None, source: Source = None, as_json: AsJson = False) -> None:
    """Show where the provider's calendar is not ours, over the days that are stored.

    exchange_calendars is our calendar; nothing is changed by what a provider says.

    Examples:
        barlake instruments calendar
        barlake instruments calendar --json
    """
    from lake.actions import provider_of
    from lake.calendars import told_differences
    from lake.known import newest_read

    chosen = source or settings().source
    with opened_lake() as lake:
        found = told_differences(lake, chosen, as_of=as_of)
        read = newest_read(lake, provider_of(chosen), "calendar")
    if as_json:
        show_json({"compared_to": read, "differences": found.to_dicts()})
    elif read is None:
        say("The provider's calendar was not read yet: `barlake instruments fetch` does.")
    elif found.is_empty():
        say(f"The provider's calendar is ours, up to {read}.")
    else:
        show_frame(found, title="Differences (New York time)", most=_SHOWN)


def fetch(
    *,
    whole: Annotated[
        bool, typer.Option("--whole", help="The whole history of corporate actions.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read corporate actions, papers and the calendar from the provider now, in this process.

    The nightly jobs `actions` and `instruments` do the same.

    Examples:
        barlake instruments fetch
        barlake instruments fetch --whole
    """
    from agents.sources import require_keys

    require_keys(settings())
    asked: dict[str, dict[str, Any]] = {
        "actions": {"whole": True} if whole else {},
        "instruments": {},
    }
    told = {job.kind: job.result or {} for job in _done(asked)}
    if as_json:
        show_json(told)
        return
    actions, papers = told["actions"], told["instruments"]
    if not (actions and papers):
        remark("A worker has one of them in hand; `barlake jobs` shows how it goes.")
        return
    say(
        f"{actions['changed']:,} corporate actions are news; {papers['papers']:,} papers listed, "
        f"{papers['changed']:,} rows of them news; {papers['calendar'] or 0:,} differences of the "
        f"calendar; {papers['moved']:,} bars moved to new tickers."
    )


def _done(asked: dict[str, dict[str, Any]]) -> "list[Job]":
    """Jobs of their own, done in this process: they take part in the rate budget and in `barlake jobs`."""
    from agents.heartbeat import Pulse
    from agents.work import perform
    from agents.worker import Workshop
    from app.cli.jobs import raise_failures

    agent = f"cli@{socket.gethostname()}"
    with opened_journal() as journal:
        log_quietly(journal)
        pulse = Pulse(journal, agent, "cli").start()
        shop, done = Workshop(agent), []
        try:
            for kind, params in asked.items():
                job, _ = journal.queue(kind, settings().source, "", params=params)
                perform(journal, job.id, shop.run, pulse=pulse, last=True)
                done.append(journal.job(job.id))
        finally:
            pulse.stop()
        raise_failures(done)
    return done
