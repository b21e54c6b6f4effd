"""``barlake simulate`` and ``barlake simulations``."""

import typer

from app.cli.teaching import add


def register(app: typer.Typer) -> None:
    """Add the commands."""
    add(app, simulate)
    add(app, simulations)


def simulate() -> None:
    """Simulate."""


def simulations() -> None:
    """Simulations."""
