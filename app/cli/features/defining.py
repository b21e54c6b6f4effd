"""``barlake features define``, ``drop`` and ``audit``."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.doors import opened_lake
from app.cli.features.shared import SetName, Timeframe
from app.cli.options import AsJson, Source, Symbol
from app.cli.output import counted, say, show_json, show_table

_SHORT = 8  # of a version


def define(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A TOML file.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Define feature sets of your own: a table [sets.NAME] for each in a TOML file.

    A set has features = [...], groups = [...], about, timeframe, hours, adjust, context, and
    [sets.NAME.expressions] with lines like trend = "sma_20 / sma_50 - 1". All sets of the file are
    checked before one is stored. Defining a name again makes a new version, which stands.

    Examples:
        barlake features define sets.toml
        barlake features build SPY --set mine
    """
    from feature_service import user_sets
    from feature_service.choosing import choose

    wanted = user_sets.read_toml(file)
    facts = []
    with opened_lake(create=True) as lake:
        for one in wanted:
            news = user_sets.define(lake, one)
            chosen = choose(lake, one.name)
            told = {"name": one.name, "version": chosen.version, "columns": list(chosen.columns)}
            facts.append(told | {"news": news})
            if not as_json:
                state = "" if news else " (it was so already)"
                amount = counted(len(chosen.columns), "column")
                say(f"{one.name} {chosen.version[:_SHORT]}: {amount}{state}.")
    if as_json:
        show_json(facts)


def drop(
    *,
    set_name: Annotated[str, typer.Option("--set", metavar="NAME", help="A set, with its form.")],
    version: Annotated[
        str | None,
        typer.Option(metavar="VERSION", help="It, or its first characters (at least 4)."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also the version that readers see.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Drop what was built of a version of a set; without --version forget a set of your own.

    A set that is forgotten stays readable where it was built, until its versions are dropped.

    Examples:
        barlake features drop --set core --version 4f2a91bc
        barlake features drop --set mine
    """
    from dataclasses import asdict

    from feature_service import user_sets
    from lake.features import drop_version

    with opened_lake() as lake:
        if version is None:
            user_sets.drop(lake, set_name)
            facts, said = (
                {"name": set_name},
                f"The set {set_name} is forgotten; what was built of it stays.",
            )
        else:
            gone = drop_version(lake, set_name, version, force=force)
            facts = asdict(gone)
            rows, symbols = counted(gone.rows, "row"), counted(gone.symbols, "symbol")
            said = f"Version {gone.version[:_SHORT]} of {set_name} is dropped: {rows} of {symbols}."
    if as_json:
        show_json(facts)
    else:
        say(said)


def audit(
    symbol: Symbol,
    *,
    set_name: SetName = "core",
    timeframe: Timeframe = None,
    source: Source = None,
    as_json: AsJson = False,
) -> None:
    """Compare stored features with what their definitions give for a history that is cut off.

    Values that knew the future, or are not what the definitions say, are told; the verdict goes
    into the build's metadata. Exit code 1 if something is wrong.

    Examples:
        barlake features audit SPY
        barlake features audit SPY --set wide --json
    """
    from feature_service.audit import audit as audit_of
    from feature_service.choosing import choose

    with opened_lake() as lake:
        wanted = choose(lake, set_name, timeframe=timeframe)
        verdict = audit_of(lake, symbol, wanted, source)
    if as_json:
        show_json(verdict.facts)
    else:
        state = "as defined, blind to the future" if verdict.clean else "NOT as defined"
        amount = f"{counted(verdict.rows, 'row')} at {counted(len(verdict.cuts), 'cut')}"
        say(
            f"{verdict.symbol} {verdict.feature_set} {verdict.set_version[:_SHORT]}: {amount} compared, {state}."
        )
        if not verdict.intact:
            say("What is stored has not the hash that was noted when it was built.")
        if not verdict.bars_as_stored:
            say(
                "The bars of that time have expired; those corrected since may be why something differs."
            )
        if verdict.differing:
            columns = list(next(iter(verdict.differing.values())))
            rows = [[name, *facts.values()] for name, facts in verdict.differing.items()]
            show_table(("feature", *columns), rows)
    if not verdict.clean:
        raise typer.Exit(1)
