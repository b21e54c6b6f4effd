"""``python -m training_service.main [PRIMARY [CONTEXT…]]``: train a model and print its scores."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from feature_service.door import answer, say
from feature_service.main import NothingToBuildError
from lake import Lake
from lake.opening import open_by
from lake.settings import load_settings
from training_service.pipelines import PRESETS
from training_service.splits import Holdout
from training_service.training import Model, Recipe, train_recipe

_DEFAULT_SYMBOLS = 2


def run(arguments: Sequence[str] | None = None) -> int:
    """Parse, train, print; 0, or 2 if something asked for cannot be."""
    options = _parser().parse_args(arguments)
    return answer(lambda: _train(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training_service.main", description="Train a model on wide features."
    )
    parser.add_argument(
        "symbols",
        nargs="*",
        metavar="SYMBOL",
        help="the one to foresee, then its context (the lake's first two symbols)",
    )
    parser.add_argument("--set", default="core", dest="set_name", help="feature set (core)")
    parser.add_argument(
        "--label",
        default="direction_15",
        help="like direction_15, above_10bp_30m, profit_first_2x1_60 (direction_15)",
    )
    parser.add_argument("--model", default="logistic", help=f"{', '.join(PRESETS)} (logistic)")
    parser.add_argument("--test-share", type=float, default=0.3, help="of the sessions (0.3)")
    parser.add_argument("--start", help="New York session date or time (the beginning)")
    parser.add_argument("--end", help="New York session date or time (the newest)")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def _train(options: argparse.Namespace) -> None:
    split = Holdout(options.test_share)
    with open_by(load_settings()) as opened:
        recipe = Recipe(
            symbols=options.symbols or _first_symbols(opened),
            set_name=options.set_name,
            label=options.label,
            model=options.model,
            split=split,
            seed=options.seed,
            start=options.start,
            end=options.end,
        )
        for line in report(train_recipe(opened, recipe)):
            say(line)


def _first_symbols(opened: Lake) -> list[str]:
    found = opened.symbols()["symbol"].unique().sort().to_list()
    if not found:
        raise NothingToBuildError(opened.home)
    return found[:_DEFAULT_SYMBOLS]


def report(model: Model) -> list[str]:
    """What a user wants to know of a model, in lines."""
    params, metrics = model.stored.params, model.metrics
    rows, test = params["rows"], metrics["test"]
    state = "trained" if model.fresh else "found, trained before on the same rows"
    lines = [f"{model.model_id} {model.stored.name}: {state}"]
    lines += [
        f"joining {one['symbol']} on the minute costs {one['lost']:,} rows ({one['share']:.1%})"
        for one in params["coverage"]
    ]
    lines.append(
        f"trained on {rows['train']:,} rows to {params['train_end'][:16]}, "
        f"tested on {rows['test']:,} from {params['test_start'][:16]}, {rows['purged']} purged"
    )
    lines += [
        _scores("out of sample", test),
        _scores("majority", metrics["baselines"]["majority"]),
        _scores("always up", metrics["baselines"]["always_up"]),
    ]
    lines += [f"scikit-learn says: {said}" for said in metrics["warnings"]]
    return [*lines, f"file {model.path}"]


def _scores(name: str, found: dict[str, Any]) -> str:
    wanted = ("accuracy", "balanced_accuracy", "auc", "log_loss")
    values = (
        f"{key.replace('_', ' ')} {'-' if found[key] is None else format(found[key], '.4f')}"
        for key in wanted
    )
    return f"{name + ':':<15}{', '.join(values)}"


if __name__ == "__main__":
    sys.exit(run())
