"""``barlake models``: trained models, what they scored, and which are in use."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.doors import opened_lake
from app.cli.options import AsJson
from app.cli.output import say, show_json, show_table
from app.cli.reports import Html, Png, check_report, write_report
from app.cli.teaching import add, add_listing

if TYPE_CHECKING:
    import polars as pl

    from lake import Lake
    from lake.models import StoredModel

_COLUMNS = (
    "model", "tags", "label", "primary", "context", "set", "estimator", "score", "accuracy",
    "tested from", "file",
)  # fmt: skip

ModelId = Annotated[str, typer.Argument(metavar="MODEL", help="A model's id.")]
Tag = Annotated[str, typer.Argument(metavar="TAG", help="candidate or champion.")]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = add_listing(app, "models", models)
    add(group, models, "list")
    add(group, show)
    add(group, compare)
    add(group, tag)
    add(group, untag)
    add(group, delete)


def models(*, as_json: AsJson = False) -> None:
    """List trained models, newest first.

    The scores are those of the test: bars after everything the model has learnt from. The score is
    the AUC of a model of 0 and 1, the balanced accuracy of other classes, R² of a number.

    Examples:
        barlake models
        barlake models list --json
        barlake models compare 3f2a9c01d4e5 91b07c66aa10
    """
    from lake.models import models as registered

    with opened_lake() as lake:
        found, worn = registered(lake), _tags(lake)
    rows = [row | {"tags": worn.get(row["model_id"], [])} for row in parsed(found)]
    if as_json:
        show_json(rows)
    elif not rows:
        say("No model yet. `barlake train SYMBOL` makes one.")
    else:
        show_table(_COLUMNS, [_row(model) for model in rows])


def show(model: ModelId, *, html: Html = None, png: Png = None, as_json: AsJson = False) -> None:
    """Show a model: where it comes from and what it scored; or write its report.

    Examples:
        barlake models show 3f2a9c01d4e5
        barlake models show 3f2a9c01d4e5 --html model.html --png model.png
    """
    from lake.models import model as registered
    from training_service.main import report_of
    from training_service.report import report as page

    check_report(html, png)
    with opened_lake() as lake:
        stored = registered(lake, model)
        path, facts = lake.home / stored.path, facts_of(lake, stored)
    write_report(lambda: page(stored), html, png)
    if as_json:
        show_json(facts)
        return
    state = " and ".join(facts["tags"]) or "registered"
    for line in report_of(stored, path, state):
        say(line)


def compare(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Two ids or more.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Compare models: where their recipes differ, and their scores side by side.

    Examples:
        barlake models compare 3f2a9c01d4e5 91b07c66aa10
    """
    from training_service.comparing import compare as compared

    with opened_lake() as lake:
        found = compared(lake, models)
    if as_json:
        show_json(found.to_dicts())
        return
    ids = found["model_id"].to_list()
    rows = [
        [name, *found[name].to_list()]
        for name in found.columns
        if name not in ("model_id", "warning")
    ]
    show_table(["", *ids], rows)
    for warning in dict.fromkeys(found["warning"].drop_nulls()):
        say(warning)


def tag(model: ModelId, name: Tag) -> None:
    """Tag a model: candidate, or champion, of which there is one for a label, a symbol and a set.

    Examples:
        barlake models tag 3f2a9c01d4e5 champion
    """
    from lake.models import tag_model

    with opened_lake() as lake:
        tag_model(lake, model, name)
    say(f"{model} is {name} now.")


def untag(model: ModelId, name: Tag) -> None:
    """Take a tag off a model.

    Examples:
        barlake models untag 3f2a9c01d4e5 candidate
    """
    from lake.models import untag as taken

    with opened_lake() as lake:
        taken(lake, model, name)
    say(f"{model} is no {name} any more.")


def delete(
    model: ModelId,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a model: its row, its tags, its pin and its files. Simulations of it stay.

    Examples:
        barlake models delete 3f2a9c01d4e5
        barlake models delete 3f2a9c01d4e5 --yes
    """
    from lake.models import delete_model
    from lake.models import model as registered

    with opened_lake() as lake:
        stored = registered(lake, model)
        if not yes:
            typer.confirm(f"Delete {model} ({stored.name}) for good?", abort=True, err=True)
        delete_model(lake, model)
    say(f"{model} is gone.")


def facts_of(lake: "Lake", stored: "StoredModel") -> dict[str, Any]:
    """All about a model as JSON shows it, its tags too."""
    return dict(vars(stored)) | {"tags": _tags(lake).get(stored.model_id, [])}


def _tags(lake: "Lake") -> dict[str, list[str]]:
    """What each model is tagged, in the order of the alphabet."""
    from lake.models import tags

    worn: dict[str, list[str]] = {}
    for model_id, name in tags(lake).sort("tag").select("model_id", "tag").iter_rows():
        worn.setdefault(model_id, []).append(name)
    return worn


def parsed(found: "pl.DataFrame") -> list[dict[str, Any]]:
    """Rows of a registry, with its JSON columns read."""
    import orjson

    return [
        row | {name: orjson.loads(row[name]) for name in ("params", "metrics")}
        for row in found.to_dicts()
    ]


def _row(model: dict[str, Any]) -> list[object]:
    test, recipe = model["metrics"]["test"], model["params"].get("recipe", {})
    score = next(
        (test[name] for name in ("auc", "balanced_accuracy", "r2") if test.get(name) is not None),
        None,
    )
    return [
        model["model_id"],
        ", ".join(model["tags"]) or None,
        model["label"],
        model["primary_symbol"],
        ", ".join(model["context_symbols"]) or None,
        model["feature_set"],
        recipe.get("model"),
        score,
        test.get("accuracy", test.get("sign_accuracy")),
        model["params"]["test_start"][:10],
        model["path"],
    ]
