"""``python -m feature_service.main [SYMBOL…]``: build features; all symbols without one.

``SOURCE_DUCKDB_PATH`` is a lake's home or a plain DuckDB file with a table of bars (``bars``,
``bars_1m`` or the only one that has their columns; prices are taken as they are there).
``DEST_DUCKDB_PATH`` is a plain DuckDB file that receives the table ``features`` and its metadata,
``DEST_PARQUET_DIR`` a folder that receives ``SYMBOL.parquet``. Unset, all three are the lake of
``BARLAKE_HOME``. What a source names is only read, unless it is that lake and no destination is
set; features of any other source then go into that lake, as source ``file:NAME``.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

import lake
from feature_service import build, files
from feature_service.build import compute_set
from feature_service.choosing import choose
from feature_service.door import answer, complain, say
from feature_service.reading import NoBarsInHoursError
from feature_service.sets import FeatureSet
from lake.errors import LakeError, LakeMissingError, MissingError, SettingsError
from lake.features import read_features
from lake.home import Home
from lake.opening import open_by
from lake.schema import check_symbol
from lake.settings import Settings, load_settings

Work = Callable[[str], str]


class NothingToBuildError(MissingError):
    """A lake without bars."""

    def __init__(self, home: Path | str) -> None:
        super().__init__(str(home))
        self.home = str(home)

    def __str__(self) -> str:
        return f"The lake in {self.home} has no bars yet. Fetch some with `barlake ingest SPY`."


def run(arguments: Sequence[str] | None = None) -> int:
    """Parse, build each symbol, print a line each; 0, or 2 if something asked for cannot be."""
    parser = argparse.ArgumentParser(
        prog="python -m feature_service.main", description="Build wide features."
    )
    parser.add_argument("symbols", nargs="*", metavar="SYMBOL", help="all symbols without one")
    parser.add_argument("--set", default="core", dest="set_name", help="feature set (core)")
    options = parser.parse_args(arguments)
    return answer(lambda: _build_all(load_settings(), options.symbols, options.set_name))


def _build_all(settings: Settings, symbols: Sequence[str], set_name: str) -> int:
    named = settings.source_duckdb_path
    home = settings.home if named is None else _lake_of(named)
    if named is not None and home is None:
        wanted = _chosen_beside(settings, set_name)
        return _each([*symbols] or files.symbols(named), _from_file(named, settings, wanted))
    with open_by(settings, home=home) as opened:
        wanted = choose(opened, set_name)
        own = opened.home == settings.home.expanduser().resolve()
        in_place = named is None or (own and not _is_destined(settings))
        work = _in_place if in_place else _from_lake
        return _each([*symbols] or _symbols_of(opened), work(opened, settings, wanted))


def _chosen_beside(settings: Settings, set_name: str) -> FeatureSet:
    """A set for bars of a plain file, among those of the lake of ``BARLAKE_HOME`` if it is there."""
    try:
        with open_by(settings) as opened:
            return choose(opened, set_name)
    except LakeMissingError:
        return choose(None, set_name)


def _lake_of(source: Path) -> Path | None:
    """The home that a source names, itself or by its catalog file; None for a plain file."""
    path = source.expanduser().resolve()
    root = path.parent.parent
    if path == Home(root).catalog:
        return root
    return path if path.is_dir() else None


def _is_destined(settings: Settings) -> bool:
    return settings.dest_duckdb_path is not None or settings.dest_parquet_dir is not None


def _each(symbols: Sequence[str], work: Work) -> int:
    """Build one symbol after another; one that cannot be built does not keep the others waiting."""
    worst = 0
    for symbol in symbols:
        try:
            say(work(check_symbol(symbol)))
        except LakeError as error:
            worst = complain(error)
        except OSError as error:
            where = error.filename or "the destination"
            reason = error.strerror or type(error).__name__
            worst = complain(SettingsError(f"{symbol}: {where} cannot be written ({reason})."))
    return worst


def _symbols_of(opened: lake.Lake) -> list[str]:
    found = opened.symbols()["symbol"].unique().sort().to_list()
    if not found:
        raise NothingToBuildError(opened.home)
    return found


def _in_place(opened: lake.Lake, settings: Settings, wanted: FeatureSet) -> Work:
    """Build in the lake of ``BARLAKE_HOME`` from its own bars."""

    def work(symbol: str) -> str:
        built = build.build(opened, symbol, wanted)
        told = f"{built.rows:,} rows x {built.columns} columns"
        state = f"built in {built.seconds:.2f} s" if built.fresh else "nothing new"
        features = read_features(opened, symbol, wanted.name, set_version=wanted.version)
        places = [_named(opened), *_put(settings, symbol, features.drop("symbol"), wanted)]
        return f"{symbol} {wanted.name}: {told}, {state}; in {', '.join(places)}"

    return work


def _from_lake(opened: lake.Lake, settings: Settings, wanted: FeatureSet) -> Work:
    """Read a lake that a source names, and write elsewhere."""

    def work(symbol: str) -> str:
        features = build.compute(opened, symbol, wanted)
        places = _keep(settings, opened.home.name, symbol, features, wanted, wanted.adjust)
        told = f"{features.height:,} rows x {len(wanted.columns)} columns"
        return f"{symbol} {wanted.name}: {told}; in {', '.join(places)}"

    return work


def _from_file(path: Path, settings: Settings, wanted: FeatureSet) -> Work:
    """Read a plain file, and write elsewhere."""

    def work(symbol: str) -> str:
        found = files.read_bars(path, symbol)
        bars = found.bars.filter("is_regular") if wanted.hours == "regular" else found.bars
        if bars.is_empty():
            raise NoBarsInHoursError(symbol, found.bars.height, wanted.name)
        features = compute_set(bars, wanted)
        places = _keep(settings, path.stem, symbol, features, wanted, "raw")
        odd = f", {found.left_out:,} impossible bars left out" if found.left_out else ""
        told = f"{features.height:,} rows x {len(wanted.columns)} columns{odd}"
        return f"{symbol} {wanted.name}: {told}; in {', '.join(places)}"

    return work


def _keep(
    settings: Settings,
    name: str,
    symbol: str,
    features: pl.DataFrame,
    wanted: FeatureSet,
    adjust: str,
) -> list[str]:
    """Write to the destinations; without any, into the lake, which is made if there is none."""
    if _is_destined(settings):
        return _put(settings, symbol, features, wanted)
    source = f"file:{name}"
    with open_by(settings, create=True) as opened:
        build.store(opened, symbol, source, features, wanted, adjust)
        return [f"{_named(opened)} as source {source}"]


def _named(opened: lake.Lake) -> str:
    return f"the lake {opened.home}"


def _put(settings: Settings, symbol: str, features: pl.DataFrame, wanted: FeatureSet) -> list[str]:
    places = []
    if settings.dest_duckdb_path is not None:
        files.write_duckdb(settings.dest_duckdb_path, symbol, features, wanted)
        places.append(str(settings.dest_duckdb_path))
    if settings.dest_parquet_dir is not None:
        places.append(str(files.write_parquet(settings.dest_parquet_dir, symbol, features, wanted)))
    return places


if __name__ == "__main__":
    sys.exit(run())
