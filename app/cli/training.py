"""``barlake train``: a model of wide features, with where it comes from."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.doors import check_past, opened_lake
from app.cli.models import facts_of
from app.cli.options import AsJson, End, Pairs, Start, listed
from app.cli.output import say, show_json
from app.cli.progress import shown_progress
from app.cli.reports import Html, Png, check_report, write_report
from app.cli.teaching import add
from feature_service.door import pairs, values

if TYPE_CHECKING:
    from lake import Lake

_CONTEXT = 2  # without symbols: the lake's first two, one of them as context

PrimaryAndContext = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SYMBOL]...",
        help="The one to foresee, then its context; the lake's first two without one.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, train)


def train(
    symbols: PrimaryAndContext = None,
    *,
    named: Annotated[
        str | None, typer.Option("--symbols", metavar="A,B,C", help="The same, with commas.")
    ] = None,
    set_name: Annotated[str, typer.Option("--set", help="The features it learns from.")] = "core",
    label: Annotated[
        str, typer.Option(help="What it is to foresee: docs/labels.md has the names.")
    ] = "direction_15",
    model: Annotated[
        str,
        typer.Option(
            help="logistic, ridge, random_forest, hist_gradient_boosting, lightgbm, dummy, or "
            "package.module:Class."
        ),
    ] = "logistic",
    split: Annotated[
        str | None,
        typer.Option(
            "--cv",
            "--split",
            help="What judges it: holdout, walk-forward:folds=5, purged-k-fold, combinatorial-purged.",
        ),
    ] = None,
    test_share: Annotated[
        float | None,
        typer.Option(help="Share of the sessions, the newest, that a holdout tests on (0.3)."),
    ] = None,
    selector: Annotated[str, typer.Option(help="none, variance or k_best:20.")] = "none",
    weights: Annotated[str, typer.Option(help="none or balanced.")] = "none",
    calibration: Annotated[str, typer.Option(help="none, sigmoid or isotonic.")] = "none",
    search: Annotated[
        int, typer.Option(help="Settings of the model that are tried on training rows.")
    ] = 0,
    parameters: Annotated[
        Pairs, typer.Option("--param", metavar="NAME=VALUE", help="Of the model, like C=0.1.")
    ] = None,
    join: Annotated[
        str, typer.Option(help="strict, or asof:5: a context bar of up to 5 minutes ago.")
    ] = "strict",
    panel: Annotated[
        bool, typer.Option("--panel", help="One model of all symbols, none of them context.")
    ] = False,
    sources: Annotated[
        Pairs,
        typer.Option(
            "--source", metavar="SYMBOL=NAME", help="Where its bars come from: VIX=file:cboe."
        ),
    ] = None,
    start: Start = None,
    end: End = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same model.")] = 0,
    html: Html = None,
    png: Png = None,
    as_json: AsJson = False,
) -> None:
    """Train a model and keep it with its provenance.

    What is tested lies after what was learnt. The same bars and the same recipe find the model
    that is there. Features are built first where they are not.

    Examples:
        barlake train SPY
        barlake train SPY QQQ --label direction_15 --model hist_gradient_boosting --seed 7
        barlake train --symbols GOOGL,VIX,SPY --source VIX=file:cboe --set wide --cv walk-forward:folds=5
    """
    from lake.models import model as registered
    from training_service.asking import recipe_of
    from training_service.main import report
    from training_service.report import report as page
    from training_service.training import train_recipe

    check_past(start)
    check_report(html, png)
    asked = {
        "set": set_name,
        "label": label,
        "model": model,
        "split": split,
        "test_share": test_share,
        "selector": selector,
        "weights": weights,
        "calibration": calibration,
        "search": search,
        "parameters": values(parameters, "--param"),
        "join": join,
        "panel": panel,
        "sources": pairs(sources, "--source", upper=True) or None,
        "start": start,
        "end": end,
        "seed": seed,
    }
    with opened_lake() as lake:
        chosen = [*(symbols or []), *listed(named)] or _first_symbols(lake)
        recipe = recipe_of({"symbols": chosen, **asked})
        with shown_progress() as tell:
            made = train_recipe(lake, recipe, progress=tell)
        stored = registered(lake, made.model_id)
        facts = facts_of(lake, stored) | {"fresh": made.fresh}
    write_report(lambda: page(stored), html, png)
    if as_json:
        show_json(facts)
        return
    for line in report(made):
        say(line)
    say("`barlake simulate` trades it on the bars it has not seen.")


def _first_symbols(lake: "Lake") -> list[Any]:
    return lake.symbols()["symbol"].unique().sort().to_list()[:_CONTEXT]
