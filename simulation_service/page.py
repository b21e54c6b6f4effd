"""``python -m simulation_service.page``: writes ``docs/strategies.md``, as it is declared and as it trades.

And ``docs/strategies.svg``, the curves.
"""

import inspect
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from simulation_service import made_up, showing
from simulation_service.showing import Shown
from strategy_service.execution import EXECUTIONS
from strategy_service.parameters import Configured, Parameter
from strategy_service.risk import RISK_RULES
from strategy_service.rule import STRATEGIES, Rule
from strategy_service.sizing import SIZINGS

PAGE = Path(__file__).parents[1] / "docs" / "strategies.md"
DRAWING = PAGE.with_suffix(".svg")

_HEAD = """# Strategies, sizings, risk rules and execution

Written by `python -m simulation_service.page` from what they declare, and from simulations of a year that is
made up.

A **strategy** says at the close of each bar whether to buy, to sell or to hold, how sure it is
(strength, 0 to 1) and why. It sees the bar, those before it, and [features](feature-catalog.md) of
them; no later bar changes what it said. Buying means to own, selling to own nothing (or to be
short, if the execution says so). It repeats itself in each bar while its condition holds, for an order may lapse, and where
both conditions hold it sells. Where something it reads is not known yet (a window is not whole),
that makes no condition true.

A **sizing** turns the signal into a target, the shares to hold. A signal to buy sells nothing,
unless the sizing says that it trims. **Risk rules** pass, cut or refuse the target, one after the
other; they bound what is added to a position and never stand in the way of closing one. An
**execution** makes orders of it, and says what protects a position; [how orders are
filled](fills.md) is the [simulation](simulation.md)'s affair.

A **plan** names them. Parameters that it leaves out take their defaults, the sizing is `all_in`
where it names none, there are no risk rules but those it names, and orders are market orders.

```toml
[strategy]
name = "sma_cross"
[strategy.parameters]
fast = 20
slow = 50

[sizing]
name = "fraction"
[sizing.parameters]
most = 0.5

[[risk]]
name = "no_late_entry"
[risk.parameters]
minutes = 30

[execution]
name = "orders"
[execution.parameters]
stop_loss = 0.02
```

`strategy_service.plans.read_plan(text)` reads it and `Plan.toml` writes it.

A feature's window may have any width: `sma_37` is the catalog's `sma_20` with another parameter.
`strategy_service.needs.widened(bars, plan.features)` adds what a plan reads to bars that begin with
the symbol's history; `strategy.signals(rows)` says it of all rows, `strategy.signal(rows)` of the
newest.

A value outside its range is refused. The step is for searches and forms: values between are allowed.

**To add one**, copy a file of `strategy_service/rules/` (or a class of `sizing.py` or `risk.py`): a frozen
dataclass with declared parameters, its name in the decorator, its rationale and rules in the
docstring. The laws in `tests/strategy_service/test_laws.py` find it. Then run
`python -m simulation_service.page`.
"""
_SHOWN = """
## Strategies

**The bars of these results are made up.** No market made them: `simulation_service/made_up.py` did,
one year of minutes ({sessions} sessions, {bars:,} bars) from a fixed seed. What strategies bet on was put
in on purpose, one stretch after another: {stretches}.
So a result shows **how a strategy trades** (how often, for how long, what costs and a minute of delay do to it)
and **not what it earns**. Another seed gives other returns. For bars of a market use
`barlake simulate --strategy NAME --symbols SPY` ([simulation](simulation.md)).

Each has its usual parameters, which look at minutes and so trade far more often than anybody with
costs should; all in with {cash:,.0f} USD; no risk rules. *Realistic* fills at the next bar's open with
the usual costs, *one bar later* and *doubled costs* are the same shaken, *as specified* fills at the
deciding close without costs, which nobody can; buy and hold is realistic. Sharpe ratios are annual,
with the interval of 95 % confidence (Mertens 2002), which one year leaves wide. Return
and drawdown are shares of the cash and of the highest equity, *won* of the closed round trips,
exposure of the bars; trades and costs have two digits. [Metrics](metrics.md) defines them.

![equity of each strategy beside buy and hold, on made-up bars]({drawing})
"""
_RESULT = """| made-up bars | return | Sharpe (95 %) | drawdown | trades | won | exposure | costs, USD |
|---|---|---|---|---|---|---|---|"""
_TABLE = """| parameter | default | values | unit | what it decides |
|---|---|---|---|---|"""


def text() -> str:
    """The page."""
    parts = [_HEAD, _said_of_bars()]
    results = showing.shown()
    for name, one in STRATEGIES.all().items():
        parts += [*_section(name, one), *_reads(one), *_result(results[name])]
    parts.append("\n## Sizings\n")
    for name, sizing in SIZINGS.all().items():
        parts += _section(name, sizing)
    parts.append("\n## Risk rules\n")
    for name, rule in RISK_RULES.all().items():
        parts += _section(name, rule)
    parts.append("\n## Execution\n")
    for name, execution in EXECUTIONS.all().items():
        parts += _section(name, execution)
    return "\n".join(part.rstrip("\n") for part in parts) + "\n"


def _section(name: str, one: type[Configured]) -> Iterator[str]:
    yield f"\n### {one.title}: `{name}`\n"
    yield f"\n{inspect.getdoc(one)}\n"
    declared = one.declared()
    if declared:
        yield f"\n{_TABLE}"
        yield from (_row(each) for each in declared)
    else:
        yield "\nIt has no parameters."
    if one.source:
        yield f"\nSource: {one.source}."


def _reads(one: type[Rule]) -> Iterator[str]:
    usual = one()
    names = ", ".join(f"`{name}`" for name in (*usual.reads, *usual.needs))
    yield f"\nReads, as usual: {names}." if names else "\nReads nothing."


def _row(one: Parameter) -> str:
    if one.kind == "choice":
        values, default = ", ".join(one.choices), str(one.default)
    else:
        values = f"{one.low:,.10g} to {one.high:,.10g}, step {one.step:g}"
        default = f"{one.default:,g}"
    return f"| `{one.name}` | {default} | {values} | {one.unit} | {one.about} |"


def _said_of_bars() -> str:
    bars = made_up.year()
    return _SHOWN.format(
        sessions=bars["session_date"].n_unique(),
        bars=bars.height,
        stretches="; ".join(one.name for one in made_up.STRETCHES),
        cash=showing.CASH,
        drawing=DRAWING.name,
    )


def _result(ways: Mapping[str, Shown]) -> Iterator[str]:
    yield f"\n{_RESULT}"
    yield from (_figures(way, one) for way, one in ways.items())


def _figures(way: str, one: Shown) -> str:
    """A row, in so few digits that a processor's last bits do not show."""
    found = one.figures
    ratio = "-" if found["sharpe"] is None else _ratio(found["sharpe"])
    around = "" if one.interval is None else f" ({' to '.join(map(_ratio, one.interval))})"
    won = "-" if found["win_rate"] is None else f"{found['win_rate']:.0%}"
    return (
        f"| {way} | {_percent(found['total_return'])} | {ratio}{around} | {found['max_drawdown']:.0%} "
        f"| {_about(found['trades'])} | {won} | {found['exposure']:.0%} | {_about(found['costs'])} |"
    )


def _percent(share: float) -> str:
    whole = round(share * 100)
    return f"{whole:+d}%" if whole else "0%"


def _ratio(number: float) -> str:
    """With one digit, and without a sign of nothing.

    >>> _ratio(-0.04), _ratio(-1.26)
    ('0.0', '-1.3')
    """
    return f"{round(number, 1) + 0.0:.1f}"


def _about(number: float) -> str:
    """Two digits of it.

    >>> _about(1854), _about(7), _about(33073.2)
    ('1,900', '7', '33,000')
    """
    return f"{float(f'{number:.2g}'):,.0f}"


def main() -> int:
    """Write both."""
    PAGE.write_text(text(), encoding="utf-8")
    showing.draw(DRAWING)
    return 0


if __name__ == "__main__":
    sys.exit(main())
