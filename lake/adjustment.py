"""Prices and volumes adjusted for corporate actions: pure functions of raw bars and actions.

What each adjustment applies, with which factor and in which order, is in docs/adjustment.md.
"""

from datetime import date, timedelta

import polars as pl

from lake.errors import InvalidError, MissingError

ADJUSTMENTS = ("raw", "split", "dividend", "all")
#: Kinds of actions that change the number of shares: prices and volumes are rescaled.
SPLITS = ("forward_split", "reverse_split", "split", "stock_dividend")
DIVIDENDS = ("cash_dividend",)
#: Kinds that hand out another security: worth what it trades at.
SPIN_OFFS = ("spin_off", "rights_distribution")
APPLIED: dict[str, tuple[str, ...]] = {
    "raw": (),
    "split": SPLITS,
    "dividend": DIVIDENDS,
    "all": (*SPLITS, *DIVIDENDS, *SPIN_OFFS),
}
PRICES = ("open", "high", "low", "close", "vwap")
_VALUES = ("ratio", "amount", "prior_close", "ex_close")
_WEEK = timedelta(days=7)


class AdjustmentError(InvalidError):
    """An adjustment that does not exist."""

    def __init__(self, adjust: str) -> None:
        super().__init__(adjust)
        self.adjust = adjust

    def __str__(self) -> str:
        return f"{self.adjust[:40]!r} is not an adjustment. Use one of {', '.join(ADJUSTMENTS)}."


class FactorMissingError(MissingError):
    """An action whose factor cannot be computed, though older bars were asked for."""

    def __init__(self, symbol: str, ex_date: date, kind: str) -> None:
        super().__init__(symbol, ex_date, kind)
        self.symbol, self.ex_date, self.kind = symbol, ex_date, kind

    def __str__(self) -> str:
        what = f"The {self.kind.replace('_', ' ')} of {self.symbol} on {self.ex_date}"
        if self.kind in SPLITS:
            return f"{what} has no ratio above 0. Ask for raw prices, or for later sessions."
        later = "ask for adjust='split', or for later sessions"
        if self.kind in SPIN_OFFS:
            return (
                f"{what} has no value yet: that day's close of {self.symbol} or of what was handed out is "
                f"not in the lake. Fetch both with `barlake ingest`, {later}."
            )
        return (
            f"{what} cannot be taken out of older prices: a smaller amount in USD or the close before it is not "
            f"in the lake. Fetch it with `barlake ingest {self.symbol} --start {self.ex_date - _WEEK} "
            f"--end {self.ex_date}`, {later}."
        )


def check_adjustment(adjust: str) -> str:
    """The adjustment itself.

    Raises:
        AdjustmentError: There is no such adjustment.
    """
    if adjust not in APPLIED:
        raise AdjustmentError(adjust)
    return adjust


def adjusted(bars: pl.DataFrame, actions: pl.DataFrame, adjust: str) -> pl.DataFrame:
    """The bars with prices and volumes in the shares and the money of the newest session.

    The newest bars stay as they are; a bar of session d is rescaled by every action with an ex date
    after d. Bars of several sessions (a week) must be made of adjusted bars.

    Args:
        bars: One or many symbols in any order: ``symbol``, ``session_date`` and any of the prices
            (USD) and ``volume`` (shares). Nulls stay null.
        actions: Those that count, as :func:`lake.actions.known_actions` gives them.
        adjust: One of ``ADJUSTMENTS``.

    Returns:
        The same rows and columns in the same order.

    Raises:
        AdjustmentError: There is no such adjustment.
        FactorMissingError: An action that some of the bars come before has no factor: better no
            price than a wrong one.
    """
    steps = factors(actions, adjust)
    if steps.is_empty() or bars.is_empty():
        return bars
    new = bars["symbol"].ne_missing(bars["symbol"].shift()) | bars["session_date"].ne_missing(
        bars["session_date"].shift()
    )
    runs = _steps_of(bars.select("symbol", "session_date").filter(new), steps)
    if runs["divisor"].is_nan().any():
        raise _missing(runs, steps, actions, adjust)
    run = new.cum_sum() - 1
    scaled = []
    if (runs["divisor"] != 1.0).any():
        divisor = runs["divisor"].gather(run)
        scaled += [pl.col(name) / divisor for name in PRICES if name in bars.columns]
    if "volume" in bars.columns and (runs["shares"] != 1.0).any():
        scaled.append(pl.col("volume") * runs["shares"].gather(run))
    return bars.with_columns(scaled)


def factors(actions: pl.DataFrame, adjust: str) -> pl.DataFrame:
    """What older prices are divided by and older volumes multiplied with, a row an ex date.

    Args:
        actions: As for :func:`adjusted`; a column of values that no kind needs may be absent.
        adjust: One of ``ADJUSTMENTS``.

    Returns:
        ``symbol``, ``ex_date``, ``divisor``, ``shares``, sorted by symbol and ex date: for sessions
        before the ex date and not before an earlier one. Both are products over this and all later
        actions; NaN where one of those has no factor.

    Raises:
        AdjustmentError: There is no such adjustment.
    """
    counted = actions.filter(pl.col("kind").is_in(APPLIED[check_adjustment(adjust)]))
    absent = [pl.lit(None, pl.Float64).alias(name) for name in _VALUES if name not in counted]
    amount = pl.col("amount").fill_null(float("nan"))
    days = (
        counted.with_columns(*absent)
        .group_by("symbol", "ex_date")
        .agg(
            shares=pl.col("ratio").fill_null(float("nan")).filter(_any_of(SPLITS)).product(),
            cash=amount.filter(_any_of(DIVIDENDS)).sum(),
            parted=amount.filter(_any_of(SPIN_OFFS)).sum(),
            prior_close=pl.col("prior_close").filter(_any_of(DIVIDENDS)).max(),
            ex_close=pl.col("ex_close").filter(_any_of(SPIN_OFFS)).max(),
        )
    )
    kept = _share(pl.col("cash"), 1 - pl.col("cash") / pl.col("prior_close"))
    left = _share(pl.col("parted"), pl.col("ex_close") / (pl.col("ex_close") + pl.col("parted")))
    shares = _where(pl.col("shares").is_between(0, float("inf"), closed="none"), pl.col("shares"))
    return (
        days.sort("symbol", "ex_date", descending=[False, True])
        .select("symbol", "ex_date", divisor=shares / (kept * left), shares=shares)
        .with_columns(pl.col("divisor", "shares").cum_prod().over("symbol"))
        .reverse()
        .sort("symbol", maintain_order=True)
    )


def _any_of(kinds: tuple[str, ...]) -> pl.Expr:
    return pl.col("kind").is_in(kinds)


def _share(paid: pl.Expr, rest: pl.Expr) -> pl.Expr:
    """The part of a price that stays when something is paid out; NaN where it cannot be told."""
    possible = (paid > 0) & rest.is_between(0, 1, closed="right")
    return pl.when(paid == 0).then(1.0).otherwise(_where(possible, rest))


def _where(holds: pl.Expr, value: pl.Expr) -> pl.Expr:
    return pl.when(holds.fill_null(value=False)).then(value).otherwise(float("nan"))


def _steps_of(runs: pl.DataFrame, steps: pl.DataFrame) -> pl.DataFrame:
    """For each run of bars of one session the step that holds for it; 1.0 after the last action."""
    joined = (
        runs.with_row_index("run")
        .sort("session_date")
        .join_asof(
            steps.sort("ex_date"),
            left_on="session_date",
            right_on="ex_date",
            by="symbol",
            strategy="forward",
            allow_exact_matches=False,
            check_sortedness=False,
        )
    )
    return joined.sort("run").with_columns(pl.col("divisor", "shares").fill_null(1.0))


def _missing(
    runs: pl.DataFrame, steps: pl.DataFrame, actions: pl.DataFrame, adjust: str
) -> FactorMissingError:
    """The newest action without a factor, of the first symbol that would need it."""
    symbol = runs.filter(pl.col("divisor").is_nan())["symbol"][0]
    broken = steps.filter((pl.col("symbol") == symbol) & pl.col("divisor").is_nan())
    day = broken["ex_date"][-1]
    wanted = _any_of(APPLIED[adjust])
    rows = actions.filter((pl.col("symbol") == symbol) & (pl.col("ex_date") == day) & wanted)
    alone = [rows[at] for at in range(rows.height)]
    blamed = [row for row in alone if factors(row, adjust)["divisor"].is_nan().any()]
    return FactorMissingError(symbol, day, (blamed or alone)[0]["kind"].item())
