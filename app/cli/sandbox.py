"""``barlake sandbox``: an Alpaca-compatible server without keys or network."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from app.cli.teaching import add


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, sandbox)


def sandbox(
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="A folder of Parquet bars; default: bars made up by seed."
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 8099,
    seed: Annotated[int, typer.Option(help="The same seed makes the same bars.")] = 1,
    symbols: Annotated[
        str, typer.Option(metavar="A,B,C", help="Which; default: all there are.")
    ] = "",
    clock: Annotated[
        str, typer.Option(metavar="TIME", help="A time to go on from; default: the real clock.")
    ] = "",
    speed: Annotated[float, typer.Option(help="Its seconds in a real one.")] = 1.0,
    faults: Annotated[
        str, typer.Option(metavar="FILE|JSON", help="What goes wrong on purpose.")
    ] = "",
) -> None:
    """Serve bars as Alpaca does, without keys or network.

    From a folder or made up by seed, until Ctrl-C. What it serves is stored as `sandbox:<feed>`
    and never counts as a real source's data.

    Examples:
        barlake sandbox &
        export ALPACA_API_BASE_URL=http://127.0.0.1:8099
        export ALPACA_API_KEY_ID=any ALPACA_API_SECRET_KEY=any
        barlake ingest SPY --here
        barlake sandbox --data ~/bars --port 8100
        barlake sandbox --clock 2024-11-04T09:25:00-05:00 --speed 60
        barlake sandbox --faults '{"http_503": 0.1}'
    """
    arguments = ["--port", str(port), "--seed", str(seed)]
    if symbols:
        arguments += ["--symbols", symbols]
    if data is not None:
        arguments += ["--data", str(data)]
    if clock:
        arguments += ["--clock", clock, "--speed", str(speed)]
    if faults:
        arguments += ["--faults", faults]
    os.execv(sys.executable, [sys.executable, "-m", "sandbox", *arguments])  # noqa: S606
