"""``barlake features list`` and ``show``."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.features.shared import lake_if_any, listed
from app.cli.options import AsJson
from app.cli.output import counted, rfc3339, say, show_json, show_table

if TYPE_CHECKING:
    from feature_service.sets import FeatureSet
    from lake import Lake

_SHORT = 8  # of a hash in a table
_BUILDS = ("symbol", "source", "set_version", "row_count", "start", "end", "seconds", "created_at")


def list_features(
    *,
    set_name: Annotated[
        str | None, typer.Option("--set", metavar="NAME", help="The features of a set.")
    ] = None,
    group: Annotated[
        str | None, typer.Option("--group", metavar="NAME,NAME", help="Only these groups.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the sets there are, or the features of one with what was built.

    Examples:
        barlake features list
        barlake features list --set core_all --json
        barlake features list --group volatility,volume
    """
    from feature_service import describing
    from feature_service.choosing import choose

    with lake_if_any() as lake:
        if set_name is None and group is None:
            _list_sets(lake, as_json=as_json)
            return
        chosen = choose(lake, set_name or "wide")
        names = chosen.of_groups(listed(group) or []) if group else chosen.columns
        versions = describing.versions(lake)
        facts = [
            describing.feature_facts(one, versions) for one in chosen.features if one.name in names
        ]
        built = _builds(lake, chosen.name)
    if as_json:
        head = {"set": chosen.name, "version": chosen.version}
        show_json(head | {"features": facts, "builds": built})
        return
    rows = [
        [
            one["name"],
            one["group"],
            one["unit"],
            one["warm_up"],
            one["hash"][:_SHORT],
            ", ".join(str(version["version"]) for version in one["versions"]) or None,
            one["about"],
        ]
        for one in facts
    ]
    columns = ("feature", "group", "unit", "warm-up", "hash", "versions", "about")
    show_table(columns, rows, title=f"{chosen.name} {chosen.version[:_SHORT]}: {chosen.about}")
    _show_builds(built, chosen.name)


def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A feature or a set.")],
    *,
    symbol: Annotated[
        str | None,
        typer.Option(metavar="SYMBOL", help="Every build of the set for this symbol."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show all about a feature, or a set: what it declares, its versions, its builds.

    Examples:
        barlake features show rsi_14
        barlake features show wide_1h
        barlake features show core --symbol SPY --json
    """
    from feature_service import describing
    from feature_service.catalog import FeatureNameError
    from feature_service.choosing import choose
    from feature_service.sets import FeatureSetError

    with lake_if_any() as lake:
        try:
            chosen = choose(lake, name)
        except FeatureSetError as none:
            try:
                feature = describing.find_feature(lake, name)
            except FeatureNameError as error:
                raise _neither(name, error.known, none.known) from None
            _show_feature(
                describing.feature_facts(feature, describing.versions(lake)), as_json=as_json
            )
            return
        _show_set(lake, chosen, symbol, as_json=as_json)


def _neither(name: str, features: tuple[str, ...], sets: tuple[str, ...]) -> Exception:
    """What is wrong with a name that neither has, by whose names are nearer."""
    import difflib

    from feature_service.catalog import FeatureNameError
    from feature_service.sets import FeatureSetError

    near = difflib.get_close_matches(name, [*features, *sets], n=1)
    of_set = bool(near) and near[0] in sets
    return FeatureSetError(name, sets) if of_set else FeatureNameError([name], features)


def _show_feature(facts: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(facts)
        return
    versions = facts["versions"]
    rows = [
        [key, ", ".join(map(str, value)) if isinstance(value, list) else _plain(value)]
        for key, value in facts.items()
        if key not in {"versions", "name"} and value not in ("", None, [], {})
    ]
    show_table(("", facts["name"]), rows)
    if versions:
        columns = ("version", "hash", "created_at", "code_reference")
        show_table(
            columns, [[one[key] for key in columns] for one in versions], title="Versions built"
        )
    else:
        say("No version of it was built yet.")


def _show_set(
    lake: "Lake | None", chosen: "FeatureSet", symbol: str | None, *, as_json: bool
) -> None:
    from dataclasses import asdict

    from feature_service import describing
    from lake.features import stored_versions

    facts = describing.set_facts(chosen)
    builds = _builds(lake, chosen.name, symbol)
    versions = [asdict(one) for one in stored_versions(lake, chosen.name)] if lake else []
    if as_json:
        show_json(facts | {"versions": versions, "builds": builds})
        return
    beside = f", beside {chosen.context}" if chosen.context else ""
    say(f"{chosen.name} {chosen.version}: {chosen.about}.")
    prices = "raw prices" if chosen.adjust == "raw" else "split-adjusted prices"
    form = f"bars of {chosen.timeframe}, {chosen.hours} hours, {prices}{beside}"
    amount, warming = counted(len(chosen.columns), "column"), counted(chosen.warm_up, "row")
    say(f"{amount} of {form}; warm-up {warming}.")
    rows = [[group, len(names), " ".join(names)] for group, names in facts["groups"].items()]
    show_table(("group", "columns", "names"), rows)
    if versions:
        told = ("version", "symbols", "shown", "rows", "first", "last")
        show_table(
            told,
            [[one["version"][:_SHORT], *(one[key] for key in told[1:])] for one in versions],
            title="Versions in the lake (shown: of so many symbols readers see it)",
        )
    _show_builds(builds, chosen.name)


def _list_sets(lake: "Lake | None", *, as_json: bool) -> None:
    from feature_service import describing

    found = describing.all_sets(lake)
    if as_json:
        show_json({"sets": found})
        return
    rows = [
        [
            one["name"],
            one["columns"],
            one["timeframe"],
            one["version"] and one["version"][:_SHORT],
            "built-in" if one["built_in"] else f"defined {rfc3339(one['created_at'])[:10]}",
            one["problem"] or one["about"],
        ]
        for one in found
    ]
    show_table(("set", "columns", "timeframe", "version", "whose", "about"), rows)
    say("`barlake features list --set core` shows the features of a set.")


def _builds(lake: "Lake | None", name: str, symbol: str | None = None) -> list[dict[str, Any]]:
    """The newest build of each symbol and source; of one symbol every build, the newest first."""
    import polars as pl

    from lake.features import builds
    from lake.schema import check_symbol

    if lake is None:
        return []
    found = builds(lake).filter(pl.col("feature_set") == name)
    if symbol is None:
        newest = found.unique(["symbol", "source"], keep="first", maintain_order=True)
        return newest.drop("params").sort("symbol", "source").to_dicts()
    return found.filter(pl.col("symbol") == check_symbol(symbol)).to_dicts()


def _show_builds(built: list[dict[str, Any]], name: str) -> None:
    if not built:
        say(f"Nothing was built yet. `barlake features build --set {name}` does it.")
        return
    rows = [
        [row[key][:_SHORT] if key == "set_version" else row[key] for key in _BUILDS]
        for row in built
    ]
    show_table(_BUILDS, rows, title="Newest builds")


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {one}" for key, one in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
