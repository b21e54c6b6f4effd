"""``barlake features``: build, list and export wide feature tables."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.bars import write
from app.cli.doors import check_past, opened_lake
from app.cli.options import AnySymbols, AsJson, End, FileFormat, Source, Start, TableFormat
from app.cli.output import made_folder, say, show_json, show_table
from app.cli.teaching import add, add_group

if TYPE_CHECKING:
    from feature_service.registry import Feature
    from lake import Lake

SetName = Annotated[str, typer.Option("--set", metavar="NAME", help="A named set of features.")]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = add_group(app, "features", "Build, list and export wide feature tables.")
    add(group, build)
    add(group, list_features, "list")
    add(group, export)


def build(
    symbols: AnySymbols = None,
    *,
    set_name: SetName = "core",
    source: Source = None,
    as_json: AsJson = False,
) -> None:
    """Build features over the whole history.

    What has not changed is not built again.

    Examples:
        barlake features build SPY QQQ
        barlake features build                         (every symbol of the lake)
    """
    from feature_service.build import build as build_one

    facts = []
    with opened_lake() as lake:
        for symbol in _chosen(lake, symbols):
            built = build_one(lake, symbol, set_name, source)
            facts.append(asdict(built))
            if not as_json:
                state = f"built in {built.seconds:.1f} s" if built.fresh else "nothing new"
                amount = f"{built.rows:,} rows of {built.columns} features"
                say(f"{symbol}: {amount} of {set_name} from {built.source}, {state}.")
    if as_json:
        show_json(facts)


def list_features(*, set_name: SetName = "core", as_json: AsJson = False) -> None:
    """List the features of a set, and what was built.

    Examples:
        barlake features list
        barlake features list --set core_all --json
    """
    from feature_service.sets import feature_set

    chosen = feature_set(set_name)
    built = _builds(chosen.name)
    if as_json:
        features = [_plain(feature) for feature in chosen.features]
        show_json(
            {"set": chosen.name, "version": chosen.version, "features": features, "builds": built}
        )
        return
    rows = [
        [feature.name, feature.group, feature.unit, feature.warm_up, feature.about]
        for feature in chosen.features
    ]
    title = f"{chosen.name} {chosen.version[:8]}: {chosen.about}"
    show_table(("feature", "group", "unit", "warm-up", "about"), rows, title=title)
    columns = ("symbol", "source", "row_count", "start", "end", "snapshot", "created_at")
    if built:
        show_table(
            columns, [[row[name] for name in columns] for row in built], title="Newest builds"
        )
    else:
        say(f"Nothing was built yet. `barlake features build --set {chosen.name}` does it.")


def export(
    symbols: AnySymbols = None,
    *,
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="The folder that gets one file a symbol.")
    ] = Path("features"),
    set_name: SetName = "core",
    start: Start = None,
    end: End = None,
    source: Source = None,
    output_format: Annotated[
        FileFormat, typer.Option("--format", help="How the files are written.")
    ] = FileFormat.PARQUET,
    as_json: AsJson = False,
) -> None:
    """Write one wide file of features for each symbol.

    --json tells which files were written, with how many rows each.

    Examples:
        barlake features export SPY QQQ --to features/
        barlake features export SPY --start 2024-01-01 --format csv --to /tmp
    """
    from feature_service.sets import feature_set
    from lake.features import read_features

    check_past(start)
    feature_set(set_name)
    facts = []
    with opened_lake() as lake:
        for symbol in _chosen(lake, symbols):
            wide = read_features(lake, symbol, set_name, start, end, source=source)
            file = made_folder(to) / f"{symbol}.{output_format}"
            write(wide, TableFormat(output_format), file)
            facts.append(
                {"symbol": symbol, "set": set_name, "rows": wide.height, "file": str(file)}
            )
    if as_json:
        show_json(facts)


def _chosen(lake: "Lake", symbols: list[str] | None) -> list[str]:
    from lake.schema import check_symbol

    if symbols:
        return list(dict.fromkeys(check_symbol(symbol) for symbol in symbols))
    held: list[str] = lake.symbols()["symbol"].unique().sort().to_list()
    if not held:
        from feature_service.main import NothingToBuildError

        raise NothingToBuildError(lake.home)
    return held


def _builds(set_name: str) -> list[dict[str, Any]]:
    """The newest build of each symbol and source; none where there is no lake."""
    import polars as pl

    from lake.errors import LakeMissingError
    from lake.features import builds

    try:
        with opened_lake() as lake:
            found = builds(lake).filter(pl.col("feature_set") == set_name)
    except LakeMissingError:
        return []
    newest = found.unique(["symbol", "source"], keep="first", maintain_order=True)
    return newest.drop("params").sort("symbol", "source").to_dicts()


def _plain(feature: "Feature") -> dict[str, Any]:
    names = ("name", "group", "unit", "warm_up", "null_rule", "about", "hash", "code_reference")
    facts = {name: getattr(feature, name) for name in names}
    return facts | {"params": dict(feature.params), "parents": list(feature.parents)}
