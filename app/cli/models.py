"""``barlake train`` and ``barlake models``."""

from typing import Annotated

import typer

from app.cli.options import AsJson, Symbols
from app.cli.teaching import add


def register(app: typer.Typer) -> None:
    """Add the commands."""
    add(app, train)
    add(app, models)


def train(
    symbols: Symbols,
    *,
    set_name: Annotated[
        str, typer.Option("--set", help="The set of features it learns from.")
    ] = "core",
    label: Annotated[str, typer.Option(help="What it learns to foretell.")] = "direction_15",
    model: Annotated[str, typer.Option(help="The kind of model.")] = "logistic",
    seed: Annotated[int, typer.Option(help="The same seed gives the same model.")] = 0,
) -> None:
    """Train a model and keep it with its provenance.

    The first symbol is what it foretells; the others are context whose features it may use too.
    The split follows time: what is tested lies after what was learnt.

    Examples:
        barlake train SPY
        barlake train SPY QQQ --label direction_15 --seed 7
    """


def models(*, as_json: AsJson = False) -> None:
    """List trained models, newest first.

    Examples:
        barlake models
        barlake models --json
    """
