"""Options that several commands share, so that they mean the same everywhere."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

Symbol = Annotated[str, typer.Argument(metavar="SYMBOL", help="A ticker, like SPY or BRK.B.")]
Symbols = Annotated[list[str], typer.Argument(metavar="SYMBOL...", help="Tickers, like SPY QQQ.")]
AnySymbols = Annotated[
    list[str] | None, typer.Argument(metavar="[SYMBOL]...", help="Tickers; all without one.")
]
Start = Annotated[
    str | None,
    typer.Option(
        metavar="DATE|TIME", help="First session date (2024-05-01) or time (…T13:30:00Z)."
    ),
]
End = Annotated[
    str | None, typer.Option(metavar="DATE|TIME", help="Last session date or time, included.")
]
Source = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Provider and feed, like alpaca:iex; default: what `bars` shows."
    ),
]
Dataset = Annotated[
    str, typer.Option(help="bars_1m, or bars_daily: the provider's own daily bars.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to FILE instead.")
]


class FileFormat(StrEnum):
    """How rows are written to a file."""

    CSV = "csv"
    PARQUET = "parquet"


class TableFormat(StrEnum):
    """How rows leave a command."""

    TABLE = "table"
    CSV = "csv"
    PARQUET = "parquet"


class Window(StrEnum):
    """Which sessions before a day something is learnt or chosen from."""

    EXPANDING = "expanding"
    ROLLING = "rolling"


Pairs = list[str] | None


def listed(text: str | None) -> list[str]:
    """A list written with commas.

    >>> listed("SPY, QQQ")
    ['SPY', 'QQQ']
    """
    return [one.strip() for one in (text or "").split(",") if one.strip()]
