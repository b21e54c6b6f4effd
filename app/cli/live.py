"""``barlake live``: the newest bars as they come, in this process."""

from typing import Annotated

import typer

from app.cli.doors import settings
from app.cli.output import say
from app.cli.teaching import add


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, live)


def live(
    symbols: Annotated[
        list[str] | None, typer.Argument(help="Tickers; without any, those of BARLAKE_WATCH.")
    ] = None,
) -> None:
    """Fetch the bars of each minute as they come, until Ctrl-C.

    From the provider's stream, with REST for what it misses. `barlake up` does the same beside
    everything else where BARLAKE_WATCH names symbols; only one of them listens at a time.

    Examples:
        barlake live SPY QQQ
        BARLAKE_WATCH=SPY,QQQ barlake live
        BARLAKE_WATCH_BY=rest barlake live SPY
    """
    from contextlib import nullcontext

    from agents.live import door
    from agents.queueing import check_symbols
    from agents.sources import require_keys
    from app.up.membership import join

    chosen = settings()
    named = check_symbols(symbols) if symbols else []
    if not named and not chosen.watch:
        raise door.NothingWatchedError
    require_keys(chosen)
    with nullcontext() if chosen.redis_url else join(chosen):
        shown = (" ".join(named) or chosen.watch)[:200]
        say(f"Listening to {chosen.source}: {shown}. Ctrl-C ends it; `barlake agents` shows how.")
        door.run(chosen, named, stderr=False)
