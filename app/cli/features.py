"""``barlake features``: build, list and export wide feature tables."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.bars import write
from app.cli.doors import opened_lake
from app.cli.options import AnySymbols, AsJson, End, Source, Start, TableFormat
from app.cli.output import OutputError, say
from app.cli.teaching import add, add_group

if TYPE_CHECKING:
    from lake import Lake

SetName = Annotated[str, typer.Option("--set", metavar="NAME", help="A named set of features.")]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = add_group(app, "features", "Build, list and export wide feature tables.")
    add(group, build)
    add(group, list_features, "list")
    add(group, export)


def build(symbols: AnySymbols = None, *, set_name: SetName = "core", source: Source = None) -> None:
    """Build features over the whole history.

    What has not changed is not built again.

    Examples:
        barlake features build SPY QQQ
        barlake features build                         (every symbol of the lake)
    """
    from feature_service.build import build as build_one

    with opened_lake() as lake:
        for symbol in _chosen(lake, symbols):
            built = build_one(lake, symbol, set_name, source)
            say(
                f"{symbol}: {built.rows:,} rows of {built.columns} features of {set_name} in {built.seconds:.1f} s."
            )


def list_features(*, set_name: SetName = "core", as_json: AsJson = False) -> None:
    """List the features of a set, and what was built from it.

    Examples:
        barlake features list
        barlake features list --json
    """


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
        TableFormat, typer.Option("--format", help="parquet or csv.")
    ] = TableFormat.PARQUET,
) -> None:
    """Write one wide file of features for each symbol.

    Examples:
        barlake features export SPY QQQ --to features/
        barlake features export SPY --start 2024-01-01 --format csv --to /tmp
    """
    if output_format is TableFormat.TABLE:
        problem = "A table is for the screen. Use --format parquet or --format csv."
        raise OutputError(problem)
    to.mkdir(parents=True, exist_ok=True)
    with opened_lake() as lake:
        for symbol in _chosen(lake, symbols):
            wide = lake.features(symbol, set_name, start, end, source=source)
            write(wide, output_format, to / f"{symbol}.{output_format}")


def _chosen(lake: "Lake", symbols: list[str] | None) -> list[str]:
    from lake.schema import check_symbol

    if symbols:
        return list(dict.fromkeys(check_symbol(symbol) for symbol in symbols))
    held: list[str] = lake.symbols()["symbol"].unique().sort().to_list()
    return held
