"""``barlake demo``: from nothing to a simulated model, without a key."""

import typer

from app.cli.teaching import add


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, demo)


def demo() -> None:
    """From nothing to a simulated model, without a key.

    Sandbox, ingest, features, training, simulation, on this machine
    alone. Run again, it finds its work done. BARLAKE_DEMO_DATA names a
    folder of Parquet bars to use instead of made-up ones, BARLAKE_DEMO_SYMBOLS the symbols.

    Examples:
        barlake demo
        BARLAKE_DEMO_DATA=~/bars BARLAKE_DEMO_SYMBOLS=SPY,IBM barlake demo
    """
    from app.demo import run

    run()
