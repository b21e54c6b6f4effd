"""Rules of retention: which bars are kept for how many years."""

import re
from calendar import isleap
from dataclasses import dataclass
from datetime import date

from lake.datasets import check_dataset
from lake.errors import LakeError, ProblemError
from lake.schema import check_symbol

_RULE = re.compile(r"([a-z0-9_]+)(?::([^:]+))?:([1-9]\d?)y")
_LEAP_DAY = (2, 29)


class RuleError(ProblemError):
    """A rule of retention that cannot be read."""


@dataclass(frozen=True)
class Rule:
    """Keep bars of a dataset for some years, and no longer.

    Attributes:
        dataset: Like ``bars_1m``.
        years: Bars of sessions that are older than this go.
        symbols: Whose bars; None for all that no other rule of the dataset names.
    """

    dataset: str
    years: int
    symbols: tuple[str, ...] | None = None

    def first_kept(self, today: date) -> date:
        """The oldest day that stays.

        >>> Rule("bars_1m", 4).first_kept(date(2024, 2, 29))
        datetime.date(2020, 2, 29)
        """
        year = today.year - self.years
        if (today.month, today.day) == _LEAP_DAY and not isleap(year):
            return date(year, 2, 28)
        return today.replace(year=year)


def parse_rules(text: str) -> tuple[Rule, ...]:
    """Rules as ``BARLAKE_RETENTION`` writes them, apart by semicolons.

    >>> parse_rules("bars_1m:10y; bars_1m:SPY,QQQ:20y")[1].symbols
    ('SPY', 'QQQ')

    Raises:
        RuleError: One of them is no rule; the sentence shows one.
    """
    return tuple(_parse(part.strip()) for part in text.split(";") if part.strip())


def years_of(rules: tuple[Rule, ...], dataset: str, symbol: str) -> Rule | None:
    """The rule for the bars of a symbol: one that names it before one for all, the longest of each."""
    held = [rule for rule in rules if rule.dataset == dataset]
    named = [rule for rule in held if rule.symbols is not None and symbol in rule.symbols]
    chosen = named or [rule for rule in held if rule.symbols is None]
    return max(chosen, key=lambda rule: rule.years, default=None)


def _parse(text: str) -> Rule:
    found = _RULE.fullmatch(text)
    try:
        if found is None:
            raise RuleError("It is not DATASET:YEARSy")
        names = found[2].split(",") if found[2] else None
        symbols = tuple(check_symbol(name) for name in names) if names else None
        return Rule(check_dataset(found[1]).name, int(found[3]), symbols)
    except LakeError as error:
        raise RuleError(
            f"{text[:60]!r} is no rule of retention: {str(error).rstrip('.')}. "
            "Write it like bars_1m:10y or bars_1m:SPY,QQQ:5y."
        ) from None
