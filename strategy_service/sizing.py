"""How many shares a signal is worth. Whole shares only."""

from strategy_service.costs import Costs


def all_in(cash: float, price: float, costs: Costs) -> int:
    """As many whole shares as cash pays for, fees included; 0 if it does not pay for one.

    Args:
        cash: USD.
        price: USD per share that will be paid, slippage included; above 0.

    >>> all_in(1_000.0, 99.0, Costs(slippage_bps=0, fee_per_share=1.0))
    10
    """
    each = price + costs.fee(1, price)
    shares = max(int(cash // each), 0)
    while shares and shares * price + costs.fee(shares, price) > cash:
        shares -= 1  # the division and the product round differently
    return shares
