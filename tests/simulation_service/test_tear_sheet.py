"""What a tear sheet promises: the stored figures, as stored; what is missing is said; nothing is fetched."""

import math
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache

import numpy as np
import polars as pl
import pytest

import lake
from lake.models import models
from lake.simulations import (
    EQUITY,
    ORDERS,
    SimulationMissingError,
    equity,
    simulations,
    store_simulation,
)
from reporting import NONE, html, png
from reporting.colours import AGAINST, GREY, OWN
from reporting.drawing import WIDE, drawn
from simulation_service import tear_curves as curves
from simulation_service.loading import MarketMissingError
from simulation_service.plots import PlotError, counted, heat_map, parted_chart
from simulation_service.simulation import Terms, simulate
from simulation_service.tear_sheet import TearSheetError, tear_sheet
from tests.reporting.reading import Read, fetched

SHARES = ("volatility", "max_drawdown", "win_rate", "exposure")
CHANGES = ("total_return", "annual_return", "alpha")
DECIMALS = (
    "sharpe", "sortino", "calmar", "final_equity", "beta", "correlation", "average_win",
    "average_loss", "profit_factor", "expectancy", "holding_bars", "holding_minutes", "turnover",
    "costs", "dividends", "borrow",
)  # fmt: skip
COUNTS = (
    "trades",
    "round_trips",
    "sessions",
    "bars",
    "drawdown_sessions",
    "longest_drawdown_sessions",
)


def told(name, value):
    """The oracle: how each figure is to be read."""
    if value is None:
        return NONE
    if name in SHARES:
        return f"{value:,.2%}"
    if name in CHANGES:
        return f"{value:+,.2%}"
    return f"{value:,.2f}" if name in DECIMALS else f"{value:,}" if name in COUNTS else str(value)


@pytest.fixture(scope="module")
def store(trained_home, tmp_path_factory):
    """One for all tests: they only add runs."""
    home = tmp_path_factory.mktemp("sheets") / "home"
    shutil.copytree(trained_home, home)
    with lake.open(home) as opened:
        yield opened


@pytest.fixture(scope="module")
def runs(store):
    return simulate(store, models(store)["model_id"].item())


@pytest.fixture(scope="module")
def long_run(store, runs):
    """A run of 150 sessions with every optional fact, by hand; its strategy has an evil name."""
    return grown(store, runs[1].stored)


def grown(store, real, **changes):
    moments = [datetime(2024, 1, 2, 20, 59, tzinfo=UTC) + timedelta(days=at) for at in range(150)]
    draw = np.random.default_rng(3)
    paths = 100_000 * np.cumprod(1 + draw.normal(0.001, 0.01, (150, 2)), axis=0)
    frame = pl.DataFrame({"timestamp": moments, "equity": paths[:, 0], "benchmark": paths[:, 1]})
    rows = {
        "round_trips": 3, "win_rate": 0.5, "profit": 1234.5, "costs": 6.7, "contribution": 0.0123,
    }  # fmt: skip
    metrics = {
        **real.metrics,
        "sensitivity": {
            "delay": {**real.metrics["strategy"], "total_return": -0.0321},
            "doubled_costs": {**real.metrics["strategy"], "total_return": -0.0654},
        },
        "random_entry": {
            "total_return": 0.1, "median": 0.05, "as_well": 0.25, "p_value": 0.2508, "runs": 1000,
            "seed": 0,
        },
        "overfitting": {
            "probability": 0.375, "probability_of_loss": 0.44, "slope": -0.5, "blocks": 16,
            "sessions": 144, "intercept": 0.1,
        },
        "monthly": [
            {"year": 2024, "month": 1, "return": 0.0111, "benchmark": -0.0222, "sessions": 21,
             "expected": 21, "partial": False},
            {"year": 2024, "month": 3, "return": None, "benchmark": 0.5, "sessions": 4,
             "expected": 20, "partial": True},
        ],
        "profits": {"counts": [2, 0, 5], "edges": [-250.0, -50.0, 150.0, 350.0], "round_trips": 7},
        "exposure": [0.5, 1.5, *[None] * 147, 1.0],
        "counts": {"cut": 3, "refused": 1, "lapsed": 0, "withdrawn": 1234, "bounded": 8},
        "by_symbol": [{"symbol": "SPY", **rows}, {"symbol": "QQQ", **rows, "win_rate": None}],
        "by_strategy": [{"strategy": "<b>x</b>", **rows}],
    }  # fmt: skip
    new = replace(
        real,
        **(
            {"simulation_id": "evil", "strategy": "<script>alert(1)</script>", "metrics": metrics}
            | changes
        ),
    )
    return store_simulation(store, new, frame.cast(EQUITY), pl.DataFrame(schema=ORDERS))


@cache
def read_of(store, *ids) -> Read:
    read = Read(html(tear_sheet(store, ids)))
    assert fetched(read) == []
    assert read.open == []
    return read


# Pages


def test_every_figure_of_both_modes_is_the_stored_one(store, runs):
    read = read_of(store, *(one.simulation_id for one in runs))

    specified, real = runs
    columns = [real.metrics, real.benchmark, specified.metrics, specified.benchmark]
    table = read.table("", "Realistic", "Buy and hold, realistic", "As specified")
    names = {"Total return": "total_return", "Sharpe, a year": "sharpe", "… won": "win_rate",
             "Fees and slippage (USD)": "costs", "… lowest on": "drawdown_trough"}  # fmt: skip
    shown = {row[0]: row[1:] for row in table}
    for title, name in names.items():
        assert shown[title] == [told(name, one[name]) for one in columns], title
    expected = sorted(tuple(told(name, one[name]) for one in columns) for name in real.metrics)
    assert sorted(tuple(row[1:]) for row in table) == expected


def test_what_the_sharpe_ratio_is_worth_stands_beside_it(store, runs):
    (real,) = runs[1:]
    read = read_of(store, real.simulation_id)

    honesty = real.honesty
    card = read.figures["Sharpe, a year"]
    assert card == f"{real.metrics['sharpe']:,.2f}"
    assert f"95% between {honesty['low']:,.2f} and {honesty['high']:,.2f}" in read.text
    assert read.row("Interval of the bootstrap, from") == [f"{honesty['bootstrap_low']:,.2f}"]
    assert read.figures["Chance of a true Sharpe above 0"] == f"{honesty['probabilistic']:.1%}"
    assert read.figures["… above the best by luck"] == f"{honesty['deflated']:.1%}"


def test_every_warning_of_the_run_is_loud(store, runs):
    read = read_of(store, runs[1].simulation_id)

    assert read.warnings == [f"Warning. {one}" for one in runs[1].warnings]
    assert "A Sharpe ratio of 3 sessions says next to nothing." in read.said


def test_fills_that_nobody_can_have_are_warned_of_when_they_stand_alone(store, runs):
    alone = tear_sheet(store, [runs[0].simulation_id])
    beside = tear_sheet(store, [one.simulation_id for one in runs])

    assert any("cannot be had" in one for one in alone.warnings)
    assert not any("cannot be had" in one for one in beside.warnings)


def test_what_a_run_does_not_store_is_said_in_a_sentence(store, runs):
    kept = ("strategy", "benchmark", "honesty", "warnings")
    bare = {name: runs[1].stored.metrics[name] for name in kept}
    frame = equity(store, runs[1].simulation_id)
    old = replace(runs[1].stored, simulation_id="old", metrics=bare)
    store_simulation(store, old, frame, pl.DataFrame(schema=ORDERS))
    said = read_of(store, "old").said

    for sentence in (
        "A rolling Sharpe ratio needs 63 sessions",
        "not repeated with a delay",
        "not held against the same trades at random moments",
        "no probability of overfitting",
        "Profit by symbol is not stored",
        "How the profits of its round trips are spread is not stored",
        "What was held at each session's end is not stored",
    ):
        assert sentence in said, sentence


def test_everything_a_run_stores_is_shown(store, long_run):
    read = read_of(store, long_run.simulation_id)

    assert read.row("Probability of backtest overfitting") == ["37.50%"]
    assert read.row("Random runs that did at least as well") == ["25.00%"]
    total = f"{long_run.metrics['strategy']['total_return']:+.2%}"
    again = read.table("Realistic", "As it is", "Decided one bar later", "Twice the costs")
    assert again[0] == ["Total return", total, "-3.21%", "-6.54%"]
    assert read.row("SPY") == ["3", "50.00%", "1,234.50", "6.70", "+1.23%"]
    assert read.row("QQQ") == ["3", NONE, "1,234.50", "6.70", "+1.23%"]
    assert read.row("<b>x</b>") == ["3", "50.00%", "1,234.50", "6.70", "+1.23%"]
    assert read.row("Jan 2024") == ["+1.11%", "-2.22%", "+3.33%", "21 of 21"]
    assert read.row("Mar 2024") == [NONE, "+50.00%", NONE, "4 of 20"]
    assert "has not all of their sessions: Mar 2024." in read.said
    assert read.row("Cut to what the free cash paid for") == ["3"]
    assert read.row("Withdrawn before they were filled") == ["1,234"]
    assert "Sharpe ratio of 63 sessions in a row" in read.headings


def test_profits_and_exposure_are_drawn_as_they_are_stored(store, long_run):
    read = read_of(store, long_run.simulation_id)
    alts = [value for name, value in read.attributes if name == "aria-label"]

    assert {"Profits of round trips", "Exposure"} <= set(read.headings)
    (profits,) = {one for one in alts if "round trips between" in one}
    assert profits.startswith("7 round trips between -250.00 and 350.00 USD")
    assert "Held at session ends: 100.00% of the equity in the mean, 150.00% at most" in alts


def test_exposure_of_another_length_than_the_curve_is_not_drawn(store, long_run):
    metrics = {**long_run.metrics, "exposure": [0.5, 0.6]}
    grown(store, long_run, simulation_id="short", metrics=metrics)
    read = read_of(store, "short")

    assert "stored for 2 of 150 session ends" in read.said
    assert "Exposure" not in read.headings


def test_a_run_says_what_it_was_made_from(store, runs):
    read, stored = read_of(store, runs[1].simulation_id), runs[1].stored

    assert read.row("Simulation") == [stored.simulation_id]
    assert read.row("Snapshot of the lake") == [str(stored.snapshot)]
    assert read.row("Market hash") == stored.params["market_hash"]
    assert stored.params["code"]["sources"] in read.row("Code")[0]
    assert read.row("Cash") == ["100,000"]


def test_a_strategy_named_like_a_script_runs_nothing(store, long_run):
    read = read_of(store, long_run.simulation_id)

    assert read.titles[0] == "<script>alert(1)</script> on SPY"
    assert "script" not in read.tags


def test_months_are_told_from_the_curve_where_the_run_has_none(store, runs):
    read = read_of(store, runs[1].simulation_id)

    curve = equity(store, runs[1].simulation_id)
    june = curve.filter(pl.col("timestamp").dt.month() == 6)["equity"]
    start = june[-1] if len(june) else 100_000.0
    assert read.row("Jul 2024")[0] == f"{curve['equity'][-1] / start - 1:+.2%}"
    assert read.row("Jul 2024")[-1].endswith(" of 22")  # the 4th is a holiday


def test_a_run_that_failed_says_why(store):
    with pytest.raises(MarketMissingError) as failed:
        simulate(
            store, models(store)["model_id"].item(), "realistic", terms=Terms(start="2025-01-02")
        )
    listed = simulations(store).filter(pl.col("state") == "failed")
    read = read_of(store, listed["simulation_id"].item())

    assert read.warnings == [f"Warning. The realistic run failed: {failed.value}"]
    assert read.row("State") == ["failed"]


def test_a_run_without_a_trade_or_a_ratio_has_a_page(store, runs):
    real = runs[1].stored
    idle = dict.fromkeys(real.metrics["strategy"]) | {
        "total_return": 0.0, "max_drawdown": 0.0, "exposure": 0.0, "costs": 0.0, "round_trips": 0,
    }  # fmt: skip
    none = {"counts": [], "edges": [], "round_trips": 0}
    metrics = {
        "strategy": idle, "benchmark": idle, "honesty": None, "warnings": [], "profits": none,
    }  # fmt: skip
    grown(store, real, simulation_id="idle", metrics=metrics)

    read = read_of(store, "idle")
    assert read.figures["Sharpe, a year"] == NONE
    assert "fewer than two returns" in read.said
    assert "No round trip was closed" in read.said
    assert not read.warnings


def test_a_run_without_a_curve_has_a_page(store, runs):
    new = replace(runs[1].stored, simulation_id="bare")
    store_simulation(store, new, pl.DataFrame(schema=EQUITY), pl.DataFrame(schema=ORDERS))

    assert "There is nothing to draw" in read_of(store, "bare").said


def test_the_picture_of_a_tear_sheet_opens(store, long_run):
    assert png(tear_sheet(store, [long_run.simulation_id])).startswith(b"\x89PNG\r\n\x1a\n")


def test_runs_that_are_not_the_modes_of_one_strategy_are_refused(store, runs, long_run):
    with pytest.raises(TearSheetError, match="not the modes of one strategy"):
        tear_sheet(store, [runs[0].simulation_id, long_run.simulation_id])
    with pytest.raises(TearSheetError, match="one run at least"):
        tear_sheet(store, [])
    with pytest.raises(SimulationMissingError):
        tear_sheet(store, ["nobody"])


# Curves


def test_rolling_ratios_and_drawdowns_agree_with_the_slow_way():
    daily = 100 * np.cumprod(1 + np.random.default_rng(1).normal(0, 0.01, 100))
    returns = pl.Series(daily).pct_change().drop_nulls()

    rolling = curves.rolling_sharpe(daily, 252, 20)
    slow = returns.rolling_mean(20) / returns.rolling_std(20) * math.sqrt(252)
    assert rolling == pytest.approx(slow.drop_nulls().to_numpy())
    highest = pl.Series(daily).cum_max()
    assert curves.underwater(daily) == pytest.approx((daily / highest.to_numpy() - 1)[1:])
    assert curves.rolling_sharpe(daily[:20], 252, 20) is None
    assert np.isnan(curves.rolling_sharpe(np.full(30, 5.0), 252, 20)).all()


def test_the_band_of_chance_is_four_in_a_quarter_of_a_year():
    assert curves.chance_band(252) == pytest.approx(1.96 * 2, abs=1e-3)  # √(252 / 63) = 2


# Heat maps


def grid(**changes):
    return pl.DataFrame(
        {"fast": [5, 5, 10], "slow": [20, 50, 20], "sharpe": [1.5, -0.5, None]} | changes
    )


def test_a_heat_map_has_each_value_in_its_cell_and_a_dash_for_none():
    svg = drawn(heat_map(grid(), "fast", "slow", "sharpe"), WIDE, name="x")

    for text in ("1.5", "\N{MINUS SIGN}0.5", NONE, "fast", "slow"):
        assert f">{text}</text>" in svg


@pytest.mark.parametrize(("fast", "numbers"), [(12, True), (13, False)])
def test_a_heat_map_too_wide_for_numbers_has_a_legend(fast, numbers):
    frame = pl.DataFrame({"fast": range(fast), "slow": [1] * fast, "sharpe": [0.125] * fast})
    svg = drawn(heat_map(frame, "fast", "slow", "sharpe", text=".3f"), WIDE, name="x")

    assert (svg.count(">0.125</text>") == fast) == numbers
    assert (">sharpe</text>" in svg) != numbers


def test_a_value_that_is_missing_takes_no_row_from_a_wide_map():
    rows = [(fast, slow, None if slow == 7 else 1.0) for fast in range(20) for slow in (6, 7)]
    frame = pl.DataFrame(rows, schema=["fast", "slow", "sharpe"], orient="row")
    svg = drawn(heat_map(frame, "fast", "slow", "sharpe"), WIDE, name="x")

    assert ">7</text>" in svg
    assert svg.count(f">{NONE}</text>") == 20


def test_values_of_an_axis_stand_in_order_even_where_one_has_no_number():
    rows = [(fast, slow, None if fast == 3 or slow == 8 else 1.0)
            for fast in (10, 3, 2) for slow in (9, 8, 7)]  # fmt: skip
    frame = pl.DataFrame(rows, schema=["fast", "slow", "sharpe"], orient="row")
    chart = heat_map(frame, "fast", "slow", "sharpe").to_dict(validate=False)

    for layer in chart["layer"]:
        assert layer["encoding"]["x"]["scale"]["domain"] == [2, 3, 10]
        assert layer["encoding"]["y"]["scale"]["domain"] == [7, 8, 9]
    svg = drawn(heat_map(frame, "fast", "slow", "sharpe"), WIDE, name="x")
    assert svg.index(">2</text>") < svg.index(">3</text>") < svg.index(">10</text>")
    assert svg.index(">7</text>") < svg.index(">8</text>") < svg.index(">9</text>")


def test_profits_are_coloured_by_the_side_of_zero_they_lie_on():
    bins = counted([1, 2, 4], [-10.0, -5.0, 5.0, 10.0])
    svg = drawn(
        parted_chart(bins, "USD", "trips", names=("loss", "around 0", "gain")), WIDE, name="x"
    )

    assert bins["rows"].to_list() == [1, 2, 4]
    for text in ("loss", "around 0", "gain"):
        assert f">{text}</text>" in svg
    for colour in (AGAINST, GREY, OWN):
        assert svg.count(f'fill="{colour}"') == 2, "a bar and its place in the legend"


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (grid().drop("slow"), "lacks slow"),
        (grid().clear(), "at least one row"),
        (pl.concat([grid(), grid()]), "fast 5 with slow 20 is there twice"),
    ],
)
def test_a_heat_map_that_cannot_be_drawn_says_why(frame, said):
    with pytest.raises(PlotError, match=said):
        heat_map(frame, "fast", "slow", "sharpe")


def test_sessions_are_those_of_new_york():
    late = pl.DataFrame({"timestamp": [datetime(2024, 1, 3, 0, 30, tzinfo=UTC)]})

    assert curves.days(late).to_list() == [date(2024, 1, 2)]
