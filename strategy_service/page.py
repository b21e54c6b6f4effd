"""``python -m strategy_service.page``: writes ``docs/strategies.md``, all of it as it is declared."""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

from strategy_service.execution import EXECUTIONS
from strategy_service.parameters import Configured, Parameter
from strategy_service.risk import RISK_RULES
from strategy_service.rule import STRATEGIES, Rule
from strategy_service.sizing import SIZINGS

PAGE = Path(__file__).parents[1] / "docs" / "strategies.md"

_HEAD = """# Strategies, sizings, risk rules and execution

Written by `python -m strategy_service.page` from what they declare.

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
filled](fills.md) is the simulation's affair.

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
`python -m strategy_service.page`.
"""
_TABLE = """| parameter | default | values | unit | what it decides |
|---|---|---|---|---|"""


def text() -> str:
    """The page."""
    parts = [_HEAD, "\n## Strategies\n"]
    for name, one in STRATEGIES.all().items():
        parts += [*_section(name, one), *_reads(one)]
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


def main() -> int:
    """Write it."""
    PAGE.write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
