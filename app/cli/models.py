"""``barlake train`` and ``barlake models``: models and where they came from."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.doors import check_past, opened_lake
from app.cli.options import AsJson, End, Start
from app.cli.output import say, show_json, show_table
from app.cli.teaching import add

if TYPE_CHECKING:
    import polars as pl

_CONTEXT = 2  # without symbols: the lake's first two, one of them as context
_COLUMNS = ("model", "label", "primary", "context", "set", "auc", "accuracy", "tested from", "file")

PrimaryAndContext = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SYMBOL]...",
        help="The one to foresee, then its context; the lake's first two without one.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    add(app, train)
    add(app, models)


def train(
    symbols: PrimaryAndContext = None,
    *,
    set_name: Annotated[str, typer.Option("--set", help="The features it learns from.")] = "core",
    label: Annotated[
        str, typer.Option(help="What it is to foresee: docs/labels.md has the names.")
    ] = "direction_15",
    model: Annotated[
        str, typer.Option(help="logistic, hist_gradient_boosting or dummy.")
    ] = "logistic",
    test_share: Annotated[
        float, typer.Option(help="Share of the sessions, the newest, that is kept for testing.")
    ] = 0.3,
    start: Start = None,
    end: End = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same model.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Train a model and keep it with its provenance.

    What is tested lies after what was learnt. The same bars and the same recipe find the model
    that is there. Features are built first where they are not.

    Examples:
        barlake train SPY
        barlake train SPY QQQ --label direction_15 --model hist_gradient_boosting --seed 7
    """
    from lake.models import model as registered
    from training_service.main import report
    from training_service.splits import Holdout
    from training_service.training import Recipe, train_recipe

    check_past(start)
    split = Holdout(test_share)
    with opened_lake() as lake:
        chosen = symbols or lake.symbols()["symbol"].unique().sort().to_list()[:_CONTEXT]
        recipe = Recipe(chosen, set_name, label, model, split, seed, start=start, end=end)
        made = train_recipe(lake, recipe)
        if as_json:
            show_json(dict(vars(registered(lake, made.model_id))) | {"fresh": made.fresh})
            return
    for line in report(made):
        say(line)
    say("`barlake simulate` trades it on the bars it has not seen.")


def models(*, as_json: AsJson = False) -> None:
    """List trained models, newest first.

    The scores are those of the test: bars after everything the model has learnt from.

    Examples:
        barlake models
        barlake models --json
    """
    from lake.models import models as registered

    with opened_lake() as lake:
        found = registered(lake)
    if as_json:
        show_json(parsed(found))
    elif found.is_empty():
        say("No model yet. `barlake train SYMBOL` makes one.")
    else:
        show_table(_COLUMNS, [_row(model) for model in parsed(found)])


def parsed(found: "pl.DataFrame") -> list[dict[str, Any]]:
    """Rows of a registry, with its JSON columns read."""
    import orjson

    return [
        row | {name: orjson.loads(row[name]) for name in ("params", "metrics")}
        for row in found.to_dicts()
    ]


def _row(model: dict[str, Any]) -> list[object]:
    test = model["metrics"]["test"]
    return [
        model["model_id"],
        model["label"],
        model["primary_symbol"],
        ", ".join(model["context_symbols"]) or None,
        model["feature_set"],
        test["auc"],
        test["accuracy"],
        model["params"]["test_start"][:10],
        model["path"],
    ]
