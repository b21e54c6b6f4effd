"""``barlake features preview``."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.doors import check_past, opened_lake
from app.cli.features.shared import Columns, Groups, SetName, Timeframe, listed
from app.cli.options import AsJson, End, Source, Start, Symbol
from app.cli.output import counted, rfc3339, say, show_frame, show_json

if TYPE_CHECKING:
    from feature_service.preview import Span

_ALL = 10_000


def preview(
    symbol: Symbol,
    *,
    set_name: SetName = "core",
    timeframe: Timeframe = None,
    columns: Columns = None,
    groups: Groups = None,
    start: Start = None,
    end: End = None,
    against: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="START END", help="Compare with this range: how far it has drifted."),
    ] = None,
    source: Source = None,
    as_json: AsJson = False,
) -> None:
    """Describe stored features: counts, nulls, mean, deviation, quartiles, and drift.

    Drift is the population stability index over deciles of the first range: below 0.1 none to
    speak of, from 0.25 on another population.

    Examples:
        barlake features preview SPY --columns rsi_14,volatility_20
        barlake features preview SPY --end 2024-06-28 --against 2024-07-01 2024-12-31
    """
    from feature_service.choosing import to_read
    from feature_service.preview import preview as preview_of

    for moment in (start, against[0] if against else None):
        check_past(moment)
    with opened_lake() as lake:
        name, chosen = to_read(lake, set_name, listed(columns), listed(groups), timeframe=timeframe)
        found = preview_of(
            lake, symbol, name, start, end, columns=chosen, against=against, source=source
        )
    if as_json:
        show_json(asdict(found) | {"columns": found.columns.to_dicts()})
        return
    say(f"{found.feature_set} of {found.symbol}: {_told(found.span)}.")
    if found.against:
        say(f"Drift (psi) against {_told(found.against)}: 0.1 is some, 0.25 is great.")
    show_frame(found.columns, most=_ALL)


def _told(span: "Span") -> str:
    return f"{counted(span.rows, 'row')}, {rfc3339(span.first)} to {rfc3339(span.last)}"
