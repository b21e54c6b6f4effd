"""The lake: bars, corrections and coverage in Parquet, with DuckLake as the catalog.

>>> import lake
>>> lake.open("/no/such/folder")
Traceback (most recent call last):
...
lake.errors.LakeMissingError: There is no lake in /no/such/folder yet. ...
"""

from lake.bars import Commit, Fetched
from lake.coverage import Covered
from lake.errors import (
    BarsMissingError,
    InvalidError,
    LakeError,
    MissingError,
    RefusedError,
    TransientError,
)
from lake.schema import BAR_SCHEMA, check_symbol
from lake.store import Lake
from lake.store import open_lake as open  # noqa: A004
from lake.timeframes import READ_COLUMNS, TIMEFRAMES

__all__ = [
    "BAR_SCHEMA",
    "READ_COLUMNS",
    "TIMEFRAMES",
    "BarsMissingError",
    "Commit",
    "Covered",
    "Fetched",
    "InvalidError",
    "Lake",
    "LakeError",
    "MissingError",
    "RefusedError",
    "TransientError",
    "check_symbol",
    "open",
]
