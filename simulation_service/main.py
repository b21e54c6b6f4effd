"""``python -m simulation_service.main [MODEL_ID]``: simulate a model, by default the newest."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from feature_service.door import answer, say
from lake import Lake
from lake.errors import MissingError
from lake.models import models
from lake.opening import open_by
from lake.settings import load_settings
from simulation_service.honesty.verdict import told
from simulation_service.simulation import MODES, SimulationResult, simulate
from strategy_service.costs import Costs

_USUAL = Costs()


class NoModelError(MissingError):
    """A lake without models."""

    def __str__(self) -> str:
        return "There is no model yet. Train one with `barlake train`."


def run(arguments: Sequence[str] | None = None) -> int:
    """Parse, simulate, print; 0, or 2 if something asked for cannot be."""
    options = _parser().parse_args(arguments)
    return answer(lambda: _simulate(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulation_service.main",
        description="Simulate a model on bars it has not seen, against buy and hold.",
    )
    parser.add_argument("model_id", nargs="?", help="the newest model without one")
    parser.add_argument("--mode", default="both", help=f"{', '.join(MODES)} (both)")
    parser.add_argument("--start", help="New York session date or time (the model's test start)")
    parser.add_argument("--end", help="New York session date or time (the newest)")
    parser.add_argument("--cash", type=float, default=100_000.0, help="USD (100000)")
    parser.add_argument("--slippage-bps", type=float, default=_USUAL.slippage_bps)
    parser.add_argument("--fee-per-share", type=float, default=_USUAL.fee_per_share, help="USD")
    parser.add_argument("--fee-percent", type=float, default=_USUAL.fee_percent)
    return parser


def _simulate(options: argparse.Namespace) -> None:
    costs = Costs(options.slippage_bps, options.fee_per_share, options.fee_percent)
    with open_by(load_settings()) as opened:
        results = simulate(
            opened,
            options.model_id or _newest(opened),
            options.mode,
            start=options.start,
            end=options.end,
            cash=options.cash,
            costs=costs,
        )
    for line in report(results):
        say(line)


def _newest(opened: Lake) -> str:
    found = models(opened)
    if found.is_empty():
        raise NoModelError
    return str(found["model_id"][0])


def report(results: Sequence[SimulationResult]) -> list[str]:
    """Both modes and buy and hold side by side, in lines."""
    lines = []
    for one in results:
        stored = one.stored
        state = "" if one.fresh else ", found"
        lines += [
            f"{stored.simulation_id} {stored.strategy} on {stored.symbol}, {one.mode}{state}",
            _figures(stored.strategy, one.metrics),
            _figures("buy and hold", one.benchmark),
            *([f"  {told(one.honesty)}"] if one.honesty else []),
        ]
    said = dict.fromkeys(warning for one in results for warning in one.warnings)
    lines += [f"note: {warning}" for warning in said]
    if results:
        stored = results[0].stored
        tried = results[0].trials
        lines.append(
            f"{stored.start:%Y-%m-%d %H:%M} to {stored.end:%Y-%m-%d %H:%M} UTC; "
            f"{tried} {'strategy was' if tried == 1 else 'strategies were'} tried on these bars: "
            "the more, the less the best of them says."
        )
    return lines


def _figures(name: str, found: Mapping[str, Any]) -> str:
    sharpe = "-" if found["sharpe"] is None else f"{found['sharpe']:.2f}"
    wins = "-" if found["win_rate"] is None else f"{found['win_rate']:.0%}"
    return (
        f"  {name:<20} return {found['total_return']:+.2%}, Sharpe {sharpe}, "
        f"drawdown {found['max_drawdown']:.2%}, {found['trades']:,} trades, {wins} won, "
        f"exposure {found['exposure']:.0%}, costs {found['costs']:,.2f} USD"
    )


if __name__ == "__main__":
    sys.exit(run())
