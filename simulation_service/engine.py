"""One door to both ways of simulating: the fast one where it knows how, otherwise the reference."""

from collections.abc import Sequence

from simulation_service import fast, reference
from simulation_service.market import Market, Mode
from simulation_service.returns import CurveError
from simulation_service.run import Run
from simulation_service.trading import Said, Trading

_YEAR_OF_BARS = 252.0 * 390.0


def run(
    markets: Sequence[Market],
    said: Sequence[Said],
    trading: Trading,
    cash: float,
    mode: Mode,
    *,
    bars_per_year: float = _YEAR_OF_BARS,
) -> Run:
    """Trade on signals in one or several markets with one purse.

    One market without risk rules takes some hundredths of a second for five years of minutes.
    Several markets, and risk rules, go the reference's way, which takes 10 to 20 microseconds a bar.

    Args:
        markets: Each symbol once, without an empty one; the first ones are served first.
        said: For each market what is said at the close of its bars.
        cash: USD at the beginning, above 0.
        bars_per_year: Bars that a volatility is carried over to a year by.

    Raises:
        CurveError: Markets and signals do not go together, or there is none.
    """
    names = [one.symbol for one in markets]
    if not markets or len(said) != len(markets) or len(set(names)) != len(names):
        raise CurveError("Give one market or more, each symbol once, and what is said for each.")
    for market, one in zip(markets, said, strict=True):
        one.check(market)
        if not len(market.close):
            raise CurveError(f"{market.symbol} has no bars. Leave it out, or fetch them.")
    if fast.can(markets, trading, mode):
        return fast.run(markets[0], said[0], trading, cash, mode, bars_per_year=bars_per_year)
    return reference.run(markets, said, trading, cash, mode, bars_per_year=bars_per_year)
