"""The names, the order and the formats of a run's figures on a page."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reporting import NONE, change, count, money, number, ratio, share

Format = Callable[[Any], str]

#: Of :class:`simulation_service.metrics.Metrics`: what each is called, with its unit.
METRICS: Mapping[str, tuple[str, Format]] = {
    "total_return": ("Total return", change),
    "annual_return": ("Return of a year", change),
    "final_equity": ("Final equity (USD)", money),
    "sharpe": ("Sharpe, a year", ratio),
    "sortino": ("Sortino, a year", ratio),
    "calmar": ("Calmar", ratio),
    "volatility": ("Volatility of a year", share),
    "max_drawdown": ("Worst drawdown, bar by bar", share),
    "drawdown_sessions": ("… lasted (sessions)", count),
    "drawdown_start": ("… from the high of", number),
    "drawdown_trough": ("… lowest on", number),
    "drawdown_recovery": ("… made good on", number),
    "longest_drawdown_sessions": ("Longest drawdown (sessions)", count),
    "alpha": ("Alpha against buy and hold, a year", change),
    "beta": ("Beta", ratio),
    "correlation": ("Correlation", ratio),
    "trades": ("Buys", count),
    "round_trips": ("Round trips closed", count),
    "win_rate": ("… won", share),
    "average_win": ("Mean gain of those won (USD)", money),
    "average_loss": ("Mean loss of those lost (USD)", money),
    "profit_factor": ("Profits over losses", ratio),
    "expectancy": ("Mean profit of a round trip (USD)", money),
    "holding_bars": ("Held, mean (bars)", ratio),
    "holding_minutes": ("Held, mean (minutes, nights included)", ratio),
    "exposure": ("Bars with shares held", share),
    "turnover": ("Turnover, times the equity a year", ratio),
    "costs": ("Fees and slippage (USD)", money),
    "dividends": ("Dividends, received less paid (USD)", money),
    "borrow": ("Paid for borrowed shares (USD)", money),
    "sessions": ("Sessions", count),
    "bars": ("Bars", count),
}

#: Of :class:`simulation_service.honesty.verdict.Verdict`.
HONESTY: Mapping[str, tuple[str, Format]] = {
    "sharpe": ("Sharpe, a year", ratio),
    "error": ("Standard error, returns as they are", ratio),
    "error_if_normal": ("Standard error, were they normal", ratio),
    "low": ("Interval, from", ratio),
    "high": ("Interval, to", ratio),
    "bootstrap_low": ("Interval of the bootstrap, from", ratio),
    "bootstrap_high": ("Interval of the bootstrap, to", ratio),
    "total_return_low": ("Total return by the bootstrap, from", change),
    "total_return_high": ("Total return by the bootstrap, to", change),
    "confidence": ("Confidence of the intervals", lambda value: share(value, 0)),
    "probabilistic": ("Probabilistic Sharpe: chance of a true ratio above 0", share),
    "deflated": ("Deflated Sharpe: chance of one above the best by luck", share),
    "expected_maximum": ("Best ratio by luck of as many tries", ratio),
    "trials": ("Strategies tried on these bars", count),
    "variance_assumed": ("Spread of the tries' ratios was assumed", number),
    "minimum_sessions": ("Sessions until the ratio is surely above 0", count),
    "sessions": ("Sessions there are", count),
    "skewness": ("Skewness of the returns", ratio),
    "kurtosis": ("Kurtosis (normal: 3)", ratio),
}

#: Of :class:`simulation_service.honesty.random_entry.RandomEntry`.
RANDOM_ENTRY: Mapping[str, tuple[str, Format]] = {
    "total_return": ("Return of the trades' prices, without costs", change),
    "median": ("The same of the middle random run", change),
    "as_well": ("Random runs that did at least as well", share),
    "p_value": ("Chance of that by luck (p)", lambda value: ratio(value, 4)),
    "runs": ("Random runs", count),
}

#: Of :class:`simulation_service.honesty.overfitting.Overfitting`.
OVERFITTING: Mapping[str, tuple[str, Format]] = {
    "probability": ("Probability of backtest overfitting", share),
    "probability_of_loss": ("Splits in which the chosen one lost", share),
    "slope": ("Slope of the ratio unseen on the ratio chosen by", ratio),
    "sessions": ("Sessions", count),
    "blocks": ("Blocks", count),
}

#: Of :func:`simulation_service.trade_statistics.attribution`.
ATTRIBUTION: Mapping[str, tuple[str, Format]] = {
    "symbol": ("Symbol", number),
    "strategy": ("Strategy", number),
    "round_trips": ("Round trips", count),
    "win_rate": ("Won", share),
    "profit": ("Profit (USD)", money),
    "costs": ("Costs (USD)", money),
    "contribution": ("Of the cash at the beginning", change),
}

#: Of :class:`simulation_service.run.Counts`: what became of orders that were not simply filled.
COUNTS: Mapping[str, tuple[str, Format]] = {
    "cut": ("Cut to what the free cash paid for", count),
    "refused": ("Refused: the cash paid for nothing", count),
    "lapsed": ("Lapsed at a session's end, unfilled or in part", count),
    "withdrawn": ("Withdrawn before they were filled", count),
    "bounded": ("Decisions that risk rules cut or refused", count),
}

#: What doubled costs and a later fill are looked at in.
SENSITIVE = ("total_return", "sharpe", "max_drawdown", "trades", "costs", "final_equity")
_PLAIN = (str, int, float, type(None))


def rows(
    names: Mapping[str, tuple[str, Format]], columns: Sequence[Mapping[str, Any]]
) -> list[list[str]]:
    """A row a figure, a text a column: those with a name in its order, then what else is plain.

    A figure that no column has is left out; one that only some have is a dash in the others.
    """
    known = [name for name in names if any(name in one for one in columns)]
    others = {
        name: None
        for one in columns
        for name, value in one.items()
        if name not in names and isinstance(value, _PLAIN)
    }
    return [
        *(
            [names[name][0], *(_told(names[name][1], one, name) for one in columns)]
            for name in known
        ),
        *([spoken(name), *(number(one.get(name)) for one in columns)] for name in others),
    ]


def spoken(name: str) -> str:
    """A key as words: what nobody gave a name.

    >>> spoken("gross_exposure")
    'Gross exposure'
    """
    return name.replace("_", " ").capitalize()


def exact(value: object) -> str:
    """A parameter with all of its digits: one that is rounded cannot be run again.

    >>> exact(0.12345678), exact(100000.0), exact(1000), exact("atr"), exact(None) == NONE
    ('0.12345678', '100,000', '1,000', 'atr', True)
    """
    return f"{value:,.12g}" if isinstance(value, float) else number(value)


def param(value: Any) -> str:
    """What a run was made from, however deep, in one line.

    >>> param({"name": "sma_cross", "parameters": {"fast": 10, "slow": 50}})
    'name sma_cross, parameters (fast 10, slow 50)'
    """
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_inner(one)}" for name, one in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_inner, value))
    return exact(value)


def _inner(value: Any) -> str:
    if isinstance(value, (Mapping, list, tuple)):
        return f"({param(value)})" if value else NONE
    return exact(value)


def _told(as_text: Format, one: Mapping[str, Any], name: str) -> str:
    value = one.get(name)
    return number(value) if value is None else as_text(value)
