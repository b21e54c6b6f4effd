"""Which features agree with somebody else's arithmetic: each ``test_oracles*.py`` says so here."""

from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from feature_service import catalog, engine

_COVERED: set[str] = set()


def covers(names: Iterable[str]) -> None:
    """Say that the tests of a file compare these features with an oracle; called at its import."""
    _COVERED.update(names)


def covered() -> set[str]:
    """The features that the files of oracles beside this one compare."""
    for file in Path(__file__).parent.glob("test_oracles*.py"):
        import_module(f"{__package__}.{file.stem}")
    return set(_COVERED)


def values(bars: pl.DataFrame, name: str) -> np.ndarray:
    """A feature's column, NaN for null."""
    wide = engine.compute(bars.lazy(), [catalog.features()[name]]).collect()
    return wide[name].fill_null(np.nan).to_numpy()


def agree_with_sql(
    bars: pl.DataFrame, expressions: Mapping[str, str], view: str, tolerance: float = 1e-6
) -> None:
    """Compare features with SQL expressions over a view of the bars.

    Args:
        bars: Of one symbol.
        expressions: By the feature's name.
        view: A query over ``just_bars``; the expressions see its rows as ``a`` (and as ``bars``).
        tolerance: Relative, and absolute.
    """
    found = engine.compute(bars.lazy(), [catalog.features()[name] for name in expressions])
    columns = ", ".join(f"{expression} AS {name}" for name, expression in expressions.items())
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.register("just_bars", bars)
        con.execute(f"CREATE TABLE bars AS {view}")
        expected = con.execute(f"SELECT {columns} FROM bars a ORDER BY timestamp").pl()

    wide = found.collect()
    for name in expressions:
        np.testing.assert_allclose(
            wide[name].fill_null(np.nan).to_numpy(),
            expected[name].cast(pl.Float64).fill_null(np.nan).to_numpy(),
            rtol=tolerance,
            atol=tolerance,
            err_msg=name,
        )
