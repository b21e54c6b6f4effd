"""``python -m simulation_service.main [MODEL_ID]``: simulate a model or a strategy against buy and hold."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from feature_service.door import answer, say, values
from lake.opening import open_by
from lake.settings import load_settings
from simulation_service.asking import run_simulation
from simulation_service.honesty.verdict import told
from simulation_service.prepared import MODES
from simulation_service.simulation import SimulationResult


def run(arguments: Sequence[str] | None = None) -> int:
    """Parse, simulate, print; 0, or 2 if something asked for cannot be."""
    options = _parser().parse_args(arguments)
    return answer(lambda: _simulate(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulation_service.main",
        description="Simulate a model on bars it has not seen, or a strategy, against buy and hold.",
    )
    parser.add_argument("model_id", nargs="?", help="the newest model without one")
    parser.add_argument("--strategy", help="a rule instead of a model, like sma_cross")
    parser.add_argument("--symbols", nargs="+", metavar="SYMBOL", help="of a rule: whose bars")
    parser.add_argument(
        "--param", action="append", default=[], metavar="NAME=VALUE", help="of the rule"
    )
    parser.add_argument("--retrain", type=int, help="train the model anew every so many sessions")
    parser.add_argument("--mode", default="both", help=f"{', '.join(MODES)} (both)")
    parser.add_argument("--start", help="New York session date or time (the model's test start)")
    parser.add_argument("--end", help="New York session date or time (the newest)")
    parser.add_argument("--cash", type=float, default=100_000.0, help="USD (100000)")
    parser.add_argument("--slippage-bps", type=float)
    parser.add_argument("--fee-per-share", type=float, help="USD")
    parser.add_argument("--fee-percent", type=float)
    return parser


def _simulate(options: argparse.Namespace) -> None:
    names = ("slippage_bps", "fee_per_share", "fee_percent")
    costs = {name: value for name in names if (value := getattr(options, name)) is not None}
    kept = ("model_id", "strategy", "symbols", "retrain", "mode", "start", "end", "cash")
    asked = {name: getattr(options, name) for name in kept}
    with open_by(load_settings()) as opened:
        results = run_simulation(
            opened,
            asked
            | {"costs": costs or None, "parameters": values(options.param, "--param") or None},
        )
    for line in report(results):
        say(line)


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
