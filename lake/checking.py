"""Checking bars before anything is compared or written: good ones, and impossible ones with their rule."""

from dataclasses import dataclass

import polars as pl

from lake.datasets import check_dataset
from lake.errors import BadBarsError
from lake.schema import BAR_FLAGS, BAR_SCHEMA

_KEY = ["symbol", "timestamp"]


@dataclass(frozen=True)
class Checked:
    """Bars after the check.

    Attributes:
        good: ``BAR_SCHEMA`` and ``flags``, one bar a minute, sorted by symbol and timestamp.
        bad: ``BAR_SCHEMA`` and ``rule``, what each breaks.
    """

    good: pl.DataFrame
    bad: pl.DataFrame


def check_bars(bars: pl.DataFrame, dataset: str) -> Checked:
    """Split bars into good ones, flagged and one a minute, and impossible ones with their rule.

    Raises:
        BadBarsError: Columns are missing or cannot be read as those of ``BAR_SCHEMA``.
    """
    try:
        frame = bars.select(BAR_SCHEMA.names()).cast(BAR_SCHEMA)
    except pl.exceptions.ColumnNotFoundError as error:
        missing = ", ".join(name for name in BAR_SCHEMA.names() if name not in bars.columns)
        raise BadBarsError(f"The bars have no column {missing}") from error
    except pl.exceptions.PolarsError as error:
        raise BadBarsError(f"The bars do not fit the schema ({error})") from error
    if frame["symbol"].null_count():
        raise BadBarsError("A bar has no symbol")
    rules = check_dataset(dataset).rules
    told = frame.select(
        keeps=pl.all_horizontal(keeps.fill_null(value=False) for keeps in rules.values()),
        flags=pl.sum_horizontal(
            pl.when(odd.fill_null(value=False)).then(bit).otherwise(0)
            for bit, (_, odd) in BAR_FLAGS.items()
        ).cast(pl.Int32),
    )
    keeps, flagged = told["keeps"], frame.hstack([told["flags"]])
    if keeps.all():
        return Checked(_one_a_minute(flagged), _bad(frame.clear(), rules))
    # Only then, so that a spoilt repetition does not push out the good bar of its minute.
    return Checked(_one_a_minute(flagged.filter(keeps)), _bad(frame.filter(~keeps), rules))


def _bad(bars: pl.DataFrame, rules: dict[str, pl.Expr]) -> pl.DataFrame:
    """Each with the first rule that it breaks."""
    if bars.is_empty():
        return bars.with_columns(rule=pl.lit(None, pl.String))
    rule = pl.coalesce(
        pl.when(~keeps.fill_null(value=False)).then(pl.lit(name)) for name, keeps in rules.items()
    )
    return bars.with_columns(rule=rule)


def _one_a_minute(bars: pl.DataFrame) -> pl.DataFrame:
    """The bars sorted by symbol and timestamp, of two with one key the last.

    What comes symbol after symbol, each in the order of time, as a provider's pages do, is only put
    together anew: that costs a tenth of sorting it.
    """
    symbol, time = pl.col("symbol"), pl.col("timestamp")
    begins = (symbol != symbol.shift()).fill_null(value=True)
    told = bars.select(
        stands=((time > time.shift()).fill_null(value=False) | begins).all(),
        starts=begins.arg_true().implode(),
    )
    starts = told["starts"][0].to_list()
    names = bars["symbol"].gather(starts).to_list()
    if not told["stands"][0] or len({*names}) < len(names) or bars["timestamp"].null_count():
        return bars.unique(_KEY, keep="last", maintain_order=True).sort(_KEY)
    if len(names) < 2:  # noqa: PLR2004 - nothing to put together
        return bars
    runs = sorted(zip(names, starts, [*starts[1:], bars.height], strict=True))
    return pl.concat([bars[start:end] for _, start, end in runs])
