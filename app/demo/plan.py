"""What the demo brings: made-up bars of fixed dates, or the dates that a folder of bars holds."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from lake.errors import ProblemError
from lake.schema import check_symbol
from lake.sessions import session_of

#: 84 sessions with two half days (2024-11-29 and 12-24), the end of daylight saving (11-03) and
#: the split of SPLT (10-15). Fixed, so that a second run finds its work done.
MADE_UP = (date(2024, 9, 3), date(2024, 12, 31))
MADE_UP_SYMBOLS = ("SPY", "QQQ", "AAPL", "SPLT", "THIN")

#: Dates further apart than this are fetched apart: nobody has bars between them.
_FAR = timedelta(days=10)
_MOST_SYMBOLS = 5


class DemoDataError(ProblemError):
    """A folder of bars the demo cannot use."""


@dataclass(frozen=True)
class Plan:
    """What to bring into which home.

    Attributes:
        data: The folder of bars to serve; None for made-up ones.
        spans: For each symbol the session dates to bring, both included; the first symbol is the
            model's primary, the second its context.
        base: The home of the settings.
        home: The lake's home, the same for made-up bars. Bars of a folder get one of their own:
            made-up ones come from a source of the same name, and they must never mix.
    """

    data: Path | None
    spans: Mapping[str, tuple[tuple[date, date], ...]]
    base: Path
    home: Path

    @property
    def symbols(self) -> tuple[str, ...]:
        """All symbols, the primary first."""
        return tuple(self.spans)


def plan(home: Path, environment: Mapping[str, str] = os.environ) -> Plan:
    """The plan that ``BARLAKE_DEMO_DATA`` and ``BARLAKE_DEMO_SYMBOLS`` ask for.

    Raises:
        DemoDataError: The folder or a symbol's file is not there or holds no bars.
        SymbolError: A name is not a ticker.
    """
    folder = environment.get("BARLAKE_DEMO_DATA", "")
    names = [
        name for name in environment.get("BARLAKE_DEMO_SYMBOLS", "").split(",") if name.strip()
    ]
    asked = tuple(dict.fromkeys(check_symbol(name) for name in names))
    if not folder:
        return Plan(None, dict.fromkeys(asked or MADE_UP_SYMBOLS, (MADE_UP,)), home, home)
    data = Path(folder).expanduser().resolve()
    if not data.is_dir():
        raise DemoDataError(
            f"BARLAKE_DEMO_DATA names {data}, which is no folder. Give a folder of SYMBOL.parquet files."
        )
    symbols = asked or tuple(sorted(path.stem for path in data.glob("*.parquet"))[:_MOST_SYMBOLS])
    if not symbols:
        raise DemoDataError(f"There is no SYMBOL.parquet in {data}.")
    return Plan(
        data,
        {name: _spans(data / f"{name}.parquet") for name in symbols},
        home,
        home / f"demo-{data.name}",
    )


def _spans(file: Path) -> tuple[tuple[date, date], ...]:
    if not file.is_file():
        raise DemoDataError(
            f"There is no {file.name} in {file.parent}. Choose BARLAKE_DEMO_SYMBOLS from the files there."
        )
    try:
        days = (
            pl.scan_parquet(file)
            .select(day=session_of(pl.col("timestamp")))
            .unique()
            .sort("day")
            .collect()["day"]
            .to_list()
        )
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DemoDataError(f"{file} is no file of bars: {error}") from error
    if not days:
        raise DemoDataError(f"{file} holds no bars.")
    return tuple(_runs(days))


def _runs(days: list[date]) -> list[tuple[date, date]]:
    """Dates in order, cut where they lie far apart.

    >>> _runs([date(2011, 1, 3), date(2011, 1, 4), date(2013, 10, 1)])
    [(datetime.date(2011, 1, 3), datetime.date(2011, 1, 4)), (datetime.date(2013, 10, 1), datetime.date(2013, 10, 1))]
    """
    runs = [(days[0], days[0])]
    for day in days[1:]:
        if day - runs[-1][1] > _FAR:
            runs.append((day, day))
        else:
            runs[-1] = (runs[-1][0], day)
    return runs
