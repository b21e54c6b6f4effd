"""``barlake features build`` and ``export``."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.bars import write
from app.cli.doors import check_past, opened_lake
from app.cli.features.shared import (
    Adjust,
    Columns,
    Groups,
    Hours,
    SetName,
    Timeframe,
    chosen_symbols,
    listed,
)
from app.cli.options import AnySymbols, AsJson, End, FileFormat, Source, Start, TableFormat
from app.cli.output import made_folder, remark, say, show_json

if TYPE_CHECKING:
    from feature_service.build import Build
    from feature_service.sets import FeatureSet


def build(
    symbols: AnySymbols = None,
    *,
    set_name: SetName = "core",
    timeframe: Timeframe = None,
    hours: Hours = None,
    adjust: Adjust = None,
    full: Annotated[
        bool, typer.Option("--full", help="The whole history, whatever has changed.")
    ] = False,
    source: Source = None,
    as_json: AsJson = False,
) -> None:
    """Build features of what has changed since the last build; the first time, of the whole history.

    Examples:
        barlake features build SPY QQQ
        barlake features build                         (every symbol of the lake)
        barlake features build SPY --set wide --timeframe 1h
    """
    from feature_service.build import build as build_one
    from feature_service.choosing import choose

    facts = []
    with opened_lake() as lake:
        wanted = choose(lake, set_name, timeframe=timeframe, hours=hours, adjust=adjust)
        for symbol in chosen_symbols(lake, symbols):
            built = build_one(lake, symbol, wanted, source, full=full)
            facts.append(asdict(built))
            if not as_json:
                say(_told(built, wanted))
            if built.rows <= wanted.warm_up:
                some = sum(feature.warm_up >= built.rows for feature in wanted.features)
                remark(
                    f"{symbol} has {built.rows:,} bars and the longest window of {wanted.name} needs "
                    f"{wanted.warm_up + 1:,}: {some:,} of its columns are null for now."
                )
    if as_json:
        show_json(facts)


def export(
    symbols: AnySymbols = None,
    *,
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="The folder that gets one file a symbol.")
    ] = Path("features"),
    set_name: SetName = "core",
    timeframe: Timeframe = None,
    columns: Columns = None,
    groups: Groups = None,
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
        barlake features export SPY --set wide --groups trend,volatility
        barlake features export SPY --start 2024-01-01 --format csv --to /tmp
    """
    from feature_service.choosing import to_read
    from lake.features import read_features

    check_past(start)
    facts = []
    with opened_lake() as lake:
        name, chosen = to_read(lake, set_name, listed(columns), listed(groups), timeframe=timeframe)
        for symbol in chosen_symbols(lake, symbols):
            wide = read_features(lake, symbol, name, start, end, chosen, source)
            file = made_folder(to) / f"{symbol}.{output_format}"
            write(wide, TableFormat(output_format), file)
            facts.append({"symbol": symbol, "set": name, "rows": wide.height, "file": str(file)})
    if as_json:
        show_json(facts)


def _told(built: "Build", wanted: "FeatureSet") -> str:
    since = f" from {built.since} on" if built.since else ""
    state = f"built{since} in {built.seconds:.1f} s" if built.fresh else "nothing new"
    amount = f"{built.rows:,} rows of {built.columns} features"
    return f"{built.symbol}: {amount} of {wanted.name} from {built.source}, {state}."
