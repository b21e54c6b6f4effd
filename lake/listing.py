"""What a lake holds, series by series, from what the catalog says of its files.

Counting rows in a lake of years reads every file; the catalog knows how many each has, from when to
when. Only files that do not say it are opened: shared ones, and those with deleted rows.
"""

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from lake.datasets import Dataset
from lake.ledgers import Ledgers
from lake.scanning import scan
from lake.schema import UTC_TIME

if TYPE_CHECKING:
    from lake.catalog import Catalog
    from lake.planning import DataFile, Planner

# A plan gives the last moment a second later than the file has it; bars open at whole minutes.
_PADDED = timedelta(seconds=1)
_SCHEMA = {
    "symbol": pl.String(),
    "source": pl.String(),
    "first": UTC_TIME,
    "last": UTC_TIME,
    "bars": pl.Int64(),
}


def symbols(catalog: "Catalog", planner: "Planner", dataset: Dataset) -> pl.DataFrame:
    """What is here of a dataset, a row a series: ``symbol source first last bars is_default``."""
    counted = series(planner, dataset)
    shown = Ledgers(catalog, planner).shown_sources(dataset.name)
    if counted is None or shown is None:
        return _scanned(catalog, dataset)
    default = pl.DataFrame(
        [*shown.items()], schema={"symbol": pl.String, "source": pl.String}, orient="row"
    )
    return counted.join(
        default.with_columns(is_default=pl.lit(value=True)),
        on=["symbol", "source"],
        how="left",
        maintain_order="left",
    ).with_columns(pl.col("is_default").fill_null(value=False))


def _scanned(catalog: "Catalog", dataset: Dataset) -> pl.DataFrame:
    """The same by DuckLake's scan."""
    current = " UNION ALL ".join(
        f"SELECT symbol, source, timestamp FROM {table}" for table in dataset.tables
    )
    with catalog.reading() as connection:
        return connection.execute(
            f"""SELECT symbol, source, min(timestamp) AS first, max(timestamp) AS last, count(*) AS bars,
                       (symbol, source) IN (SELECT (symbol, source) FROM shown_sources WHERE dataset = $dataset) AS is_default
                FROM ({current}) GROUP BY symbol, source ORDER BY symbol, source""",
            {"dataset": dataset.name},
        ).pl()


def series(planner: "Planner", dataset: Dataset) -> pl.DataFrame | None:
    """Every series of a dataset: ``symbol source first last bars``, sorted; None if only DuckLake can say."""
    plan = planner.plan(dataset.tables)
    if plan is None:
        return None
    files = [file for table in dataset.tables for file in plan.files[table]]
    told = [file for file in files if _says_all(file)]
    counted = pl.DataFrame(
        [
            (*_series_of(file), file.first, file.last and file.last - _PADDED, file.rows)
            for file in told
        ],
        schema=_SCHEMA,
        orient="row",
    )
    parts = [counted, *(_counted(file) for file in files if not _says_all(file))]
    return (
        pl.concat(parts)
        .group_by("symbol", "source")
        .agg(pl.col("first").min(), pl.col("last").max(), pl.col("bars").sum())
        .sort("symbol", "source")
    )


def _series_of(file: "DataFile") -> tuple[str, str]:
    return (file.symbols or ("", ""))[0], (file.sources or ("", ""))[0]


def _says_all(file: "DataFile") -> bool:
    alone = file.symbols is not None and file.exact(file.symbols[0])
    return alone and file.deletes is None and file.first is not None and file.last is not None


def _counted(file: "DataFile") -> pl.DataFrame:
    time = pl.col("timestamp")
    return (
        scan([file], ["symbol", "source", "timestamp"], (None, None))
        .group_by("symbol", "source")
        .agg(first=time.min(), last=time.max(), bars=pl.len().cast(pl.Int64))
        .select(*_SCHEMA)
        .collect()
    )
