"""``python -m training_service.main [PRIMARY [CONTEXT…]]``: train a model and print its scores."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from feature_service.door import answer, pairs, say, values
from feature_service.main import NothingToBuildError
from lake import Lake
from lake.models import StoredModel
from lake.opening import open_by
from lake.settings import load_settings
from training_service.asking import NAMES, recipe_of
from training_service.pipelines import PRESETS
from training_service.scores import NUMBERS
from training_service.splits import split_names
from training_service.training import Model, train_recipe

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
    parser.add_argument(
        "--model",
        default="logistic",
        help=f"{', '.join(PRESETS)}, or package.module:Class (logistic)",
    )
    parser.add_argument(
        "--split",
        "--cv",
        help=f"what judges it: {', '.join(split_names())}, like walk-forward:folds=5 (holdout)",
    )
    parser.add_argument("--test-share", type=float, help="of the sessions, of a holdout (0.3)")
    _add_choices(parser)
    parser.add_argument("--start", help="New York session date or time (the beginning)")
    parser.add_argument("--end", help="New York session date or time (the newest)")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def _add_choices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--selector", default="none", help="none, variance or k_best:20 (none)")
    parser.add_argument("--weights", default="none", help="none or balanced (none)")
    parser.add_argument("--calibration", default="none", help="none, sigmoid or isotonic (none)")
    parser.add_argument("--search", type=int, default=0, help="trials of settings (0)")
    parser.add_argument("--join", default="strict", help="how context joins (strict)")
    parser.add_argument("--panel", action="store_true", help="one model of all symbols")
    for flag, meaning in (
        ("--source", "where a symbol's bars come from, like VIX=file:cboe; may be repeated"),
        ("--param", "of the estimator, like C=0.1; may be repeated"),
    ):
        parser.add_argument(flag, action="append", default=[], metavar="NAME=VALUE", help=meaning)


def _train(options: argparse.Namespace) -> None:
    asked = {name: value for name, value in vars(options).items() if name in NAMES}
    asked["parameters"] = values(options.param, "--param")
    asked["sources"] = pairs(options.source, "--source", upper=True) or None
    with open_by(load_settings()) as opened:
        symbols = options.symbols or _first_symbols(opened)
        for line in report(train_recipe(opened, recipe_of({**asked, "symbols": symbols}))):
            say(line)


def _first_symbols(opened: Lake) -> list[str]:
    found = opened.symbols()["symbol"].unique().sort().to_list()
    if not found:
        raise NothingToBuildError(opened.home)
    return found[:_DEFAULT_SYMBOLS]


def report(model: Model) -> list[str]:
    """What a user wants to know of a model that was just trained or found, in lines."""
    state = "trained" if model.fresh else "found, trained before on the same rows"
    return report_of(model.stored, model.path, state)


def report_of(stored: StoredModel, path: Path, state: str = "registered") -> list[str]:
    """What a user wants to know of a model, in lines.

    Args:
        path: Of its file.
        state: What was done with it just now.
    """
    params, metrics = stored.params, stored.metrics
    rows, test = params["rows"], metrics["test"]
    lines = [f"{stored.model_id} {stored.name}: {state}"]
    join = params["recipe"].get("join", "strict")
    lines += [
        _cost(one, "on the minute" if join == "strict" else join)
        for one in params["coverage"]
        if one["symbol"] != one.get("primary")  # a panel tells of its primaries too
    ]
    lines.append(
        f"trained on {rows['train']:,} rows to {params['train_end'][:16]}, "
        f"tested on {rows['test']:,} from {params['test_start'][:16]}, {rows['purged']} purged"
    )
    plain = "majority" if "majority" in metrics["baselines"] else "mean"
    lines += [
        _scores("out of sample", test),
        _scores(plain, metrics["baselines"][plain]),
        _scores("always up", metrics["baselines"]["always_up"]),
    ]
    if total := metrics.get("total"):
        lines += _total(total, plain)
    lines += _chosen(params, metrics)
    lines += [f"scikit-learn says: {said}" for said in metrics["warnings"]]
    return [*lines, *metrics.get("notes", []), f"file {path}"]


def _cost(one: Mapping[str, Any], how: str) -> str:
    """What a context symbol costs, and beside how many rows an older bar of it stands."""
    filled = f"; beside {one['filled']:,} stands an older bar" if one.get("filled") else ""
    return f"joining {one['symbol']} {how} costs {one['lost']:,} rows ({one['share']:.1%}){filled}"


def _total(total: dict[str, Any], plain: str) -> list[str]:
    return [
        f"all {total['tests']} tests together, {total['rows']:,} rows out of sample:",
        _scores("  models", total),
        _scores(f"  {plain}", total["dummy"]),
        _scores("  always up", total["always_up"]),
    ]


def _chosen(params: Mapping[str, Any], metrics: Mapping[str, Any]) -> list[str]:
    """What was searched, and how the paths of combined groups are spread."""
    lines = []
    if search := metrics.get("search"):
        settings = ", ".join(
            f"{name}={_short(value)}" for name, value in params["parameters"].items()
        )
        value = search["trials"][search["best"] - 1]["value"]
        lines.append(
            f"searched {len(search['trials'])} settings inside the training rows; the best by "
            f"{search['objective'].replace('_', ' ')}, {_shown(search['objective'], value)}: {settings}"
        )
    if (paths := metrics.get("paths")) and paths["scores"]:
        name = next(one for one in ("auc", "r2", *paths["spread"]) if one in paths["spread"])
        spread = paths["spread"][name]
        lines.append(
            f"{len(paths['scores'])} paths: {name.replace('_', ' ')} {_shown(name, spread['min'])} to "
            f"{_shown(name, spread['max'])}, {paths['better_than_dummy']:.0%} better than no model"
        )
    return lines


def _shown(key: str, value: float | None) -> str:
    if value is None:
        return "-"
    return format(value, ".4g" if key in {"mae", "rmse"} else ".4f")


def _short(value: Any) -> str:
    return format(value, ".4g") if isinstance(value, float) else str(value)


def _scores(name: str, found: dict[str, Any]) -> str:
    wanted: Sequence[str] = ("accuracy", "balanced_accuracy", "auc", "log_loss")
    if "mae" in found:
        wanted = NUMBERS
    values = (f"{key.replace('_', ' ')} {_shown(key, found[key])}" for key in wanted)
    return f"{name + ':':<15}{', '.join(values)}"


if __name__ == "__main__":
    sys.exit(run())
