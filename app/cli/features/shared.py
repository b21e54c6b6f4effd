"""What the commands about features have in common."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.doors import opened_lake
from lake.errors import LakeMissingError

if TYPE_CHECKING:
    from lake import Lake

SetName = Annotated[
    str, typer.Option("--set", metavar="NAME", help="A set of features, built-in or your own.")
]
Timeframe = Annotated[
    str | None, typer.Option(metavar="NAME", help="Of the bars: 1min, 15min, 1h, 1d, 1week ...")
]
Hours = Annotated[
    str | None, typer.Option(metavar="regular|all", help="The regular session, or all hours.")
]
Adjust = Annotated[str | None, typer.Option(metavar="split|raw", help="How prices are adjusted.")]
Columns = Annotated[
    str | None, typer.Option(metavar="NAME,NAME", help="Only these features, with commas.")
]
Groups = Annotated[
    str | None, typer.Option(metavar="NAME,NAME", help="Only features of these groups.")
]


@contextmanager
def lake_if_any() -> Iterator["Lake | None"]:
    """The lake of the settings' home; None where there is none yet."""
    try:
        with opened_lake() as lake:
            yield lake
    except LakeMissingError:
        yield None


def listed(text: str | None) -> list[str] | None:
    """Names with commas between; None stays None."""
    return [part.strip() for part in text.split(",") if part.strip()] if text else None


def chosen_symbols(lake: "Lake", symbols: list[str] | None) -> list[str]:
    """The named symbols, each once; without any, all the lake has.

    Raises:
        SymbolError: One is no ticker.
        NothingToBuildError: None is named and the lake has none.
    """
    from lake.schema import check_symbol

    if symbols:
        return list(dict.fromkeys(check_symbol(symbol) for symbol in symbols))
    held: list[str] = lake.symbols()["symbol"].unique().sort().to_list()
    if not held:
        from feature_service.main import NothingToBuildError

        raise NothingToBuildError(lake.home)
    return held
