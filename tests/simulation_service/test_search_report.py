"""What the report of a search promises: the stored figures, what they are worth, and doubts that are loud."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lake
from lake.searches import TRIALS, StoredSearch, search, search_trials, store_search
from reporting import NONE, html, png
from reporting.drawing import NARROW, WIDE, drawn
from reporting.page import Chart
from simulation_service import search_facts as facts
from simulation_service.honesty.overfitting import overfitting
from simulation_service.honesty.verdict import judge
from simulation_service.search_report import report
from tests.reporting.reading import Read, fetched

FAST, SLOW, STOPS, KINDS = (5, 10, 15, 20), (20, 50, 100), (0.01, 0.025), ("close", "open")


def of_trials(rows) -> pl.DataFrame:
    """A frame of trials from (values, sharpe)."""
    return pl.DataFrame(
        [
            (at, "sma", json.dumps(values), ratio, 0.1, -0.2, 9)
            for at, (values, ratio) in enumerate(rows, start=1)
        ],
        schema=TRIALS,
        orient="row",
    )


def the_search() -> tuple[StoredSearch, pl.DataFrame]:
    """48 trials of noise over 160 sessions, judged by the house's own means."""
    grid = [
        {"fast": fast, "slow": slow, "execution.stop_loss": stop, "kind": kind}
        for fast, slow, stop, kind in product(FAST, SLOW, STOPS, KINDS)
    ]
    returns = np.random.default_rng(7).normal(0.0002, 0.01, (160, len(grid)))
    ratios = returns.mean(axis=0) / returns.std(axis=0, ddof=1) * np.sqrt(252)
    best = int(np.argmax(ratios))
    tried = of_trials(zip(grid, ratios.tolist(), strict=True))
    found = overfitting(returns, 8)
    counts, edges = np.histogram(found.logits, bins=20)
    fold = {
        "from": "2024-03-01", "to": "2024-04-30", "chosen_on": ["2024-01-02", "2024-02-29"],
        "values": grid[3], "sharpe_before": 2.5, "sharpe": -0.75, "total_return": -0.0123,
        "trades": 11,
    }  # fmt: skip
    later = fold | {"from": "2024-05-01", "to": "2024-06-28", "sharpe": None, "trades": 1_000}
    metrics = {
        "tried": len(grid), "failed": 2, "left_out": 6, "sessions": 160,
        "best": {
            "number": best + 1, "values": grid[best], "sharpe": ratios[best],
            "total_return": 0.2345, "max_drawdown": -0.0678, "trades": 1234,
            "plan": '[strategy]\nname = "sma_cross"\n\n[sizing]\nname = "all_in"',
        },
        "honesty": judge(returns[:, best], 252, trials=51, sharpes=ratios).facts,
        "overfitting": {
            "probability": found.probability, "probability_of_loss": found.probability_of_loss,
            "slope": found.slope, "intercept": found.intercept, "sessions": found.sessions,
            "blocks": found.blocks,
            "logits": {"counts": counts.tolist(), "edges": edges.tolist()},
        },
        "walk_forward": {
            "folds": [fold, later], "sessions": 80, "sharpe": -0.25, "total_return": -0.031,
            "max_drawdown": -0.0456,
        },
        "warnings": ["3 bars of SPY are missing."],
    }  # fmt: skip
    stored = StoredSearch(
        search_id="abc123",
        strategy="sma_cross",
        symbol="SPY+QQQ",
        mode="realistic",
        start=datetime(2024, 1, 2, 14, 30, tzinfo=UTC),
        end=datetime(2024, 8, 20, 19, 59, tzinfo=UTC),
        snapshot=17,
        params={
            "plan": {
                "strategy": {"name": "sma_cross", "parameters": {"fast": 1, "slow": 2, "band": 0.5}},
                "sizing": {"name": "all_in", "parameters": {}},
                "risk": [{"name": "daily_loss", "parameters": {"most": 0.03}}],
                "execution": {"name": "market", "parameters": {"stop_loss": 0.5}},
            },
            "costs": {"slippage_bps": 1.0, "fee_percent": 0.0},
            "axes": {
                "fast": FAST, "slow": [*range(20, 120)], "execution.stop_loss": STOPS, "kind": KINDS,
            },
            "symbols": ["SPY", "QQQ"], "method": "random", "trials": 48, "seed": 5, "folds": 4,
            "window": "expanding", "cash": 100_000.0, "participation": 0.1,
            "market_hash": {"SPY": "aa11", "QQQ": "bb22"}, "code": {"sources": "cc33"},
        },
        metrics=metrics,
        state="done",
    )  # fmt: skip
    return stored, tried


@pytest.fixture(scope="module")
def found():
    return the_search()


def changed(stored, **metrics):
    return replace(stored, metrics={**stored.metrics, **metrics})


def read_of(stored, tried) -> Read:
    read = Read(html(report(stored, tried)))
    assert fetched(read) == []
    assert read.open == []
    return read


@pytest.fixture(scope="module")
def read(found) -> Read:
    return read_of(*found)


def chart(page, title) -> Chart:
    return next(one for one in page.pieces if isinstance(one, Chart) and one.title == title)


def test_key_figures_are_the_stored_ones(found, read):
    metrics = found[0].metrics
    honesty = metrics["honesty"]

    shown = read.figures
    assert shown["Best Sharpe, a year"] == f"{metrics['best']['sharpe']:.2f}"
    assert f"95% between {honesty['low']:.2f} and {honesty['high']:.2f}" in read.text
    assert shown["Deflated Sharpe"] == f"{honesty['deflated']:.1%}"
    assert shown["Probability of overfitting"] == f"{metrics['overfitting']['probability']:.1%}"
    assert shown["Sharpe, walking forward"] == "-0.25"
    assert shown["Return of the best trial"] == "+23.45%"
    assert shown["Worst drawdown of it"] == "-6.78%"
    assert shown["Entries of it"] == "1,234"
    assert shown["Trials"] == "48"
    assert "2 of them failed, 6 do not go together" in read.text


def test_the_head_says_what_was_searched(read):
    assert read.titles[0] == "Search over sma_cross on SPY+QQQ"
    assert read.row("Symbols") == ["SPY, QQQ"]
    assert read.row("Range (UTC)") == ["2024-01-02 14:30 to 2024-08-20 19:59"]
    assert read.row("Method") == ["random, 48 trials"]
    assert read.row("Tried: fast") == ["5, 10, 15, 20"]
    assert read.row("Tried: slow") == ["20 to 119, 100 values"]
    assert read.row("Tried: kind") == ["close, open"]
    assert read.row("Costs") == ["slippage_bps 1, fee_percent 0"]


def test_what_was_not_searched_is_told_without_what_was(read):
    assert read.row("Strategy") == ["sma_cross band 0.5"]
    assert read.row("Execution") == ["market"]
    assert read.row("Risk") == ["daily_loss most 0.03"]


def test_the_best_twenty_trials_stand_in_order(found, read):
    rows = read.table("Trial", "fast", "slow", "execution.stop_loss", "kind", "Sharpe")

    order = sorted(found[1].to_dicts(), key=lambda one: -one["sharpe"])[:20]
    assert [row[0] for row in rows] == [str(one["number"]) for one in order]
    first = json.loads(order[0]["params"])
    assert rows[0][1:] == [
        str(first["fast"]), str(first["slow"]), str(first["execution.stop_loss"]), first["kind"],
        f"{order[0]['sharpe']:.2f}", "+10.00%", "-20.00%", "9",
    ]  # fmt: skip


def test_trials_without_a_ratio_are_last_and_equal_ones_in_the_order_they_were_made(found):
    tried = of_trials([({"a": 1}, None), ({"a": 2}, 1.0), ({"a": 3}, 2.0), ({"a": 4}, 1.0)])

    rows = read_of(found[0], tried).table("Trial", "a", "Sharpe")
    assert [row[:3] for row in rows] == [
        ["3", "3", "2.00"],
        ["2", "2", "1.00"],
        ["4", "4", "1.00"],
        ["1", "1", NONE],
    ]


def test_the_plan_of_the_best_trial_can_be_copied(read):
    assert ["[strategy]"] in read.table(read_title(read))
    assert ['name = "all_in"'] in read.table(read_title(read))


def read_title(read) -> str:
    return next(table[0][0] for table in read.tables if ["[strategy]"] in table)


def test_ratios_are_drawn_with_the_best_and_the_best_of_luck_marked(found):
    stored, tried = found
    piece = chart(report(stored, tried), "Sharpe ratios of all trials")
    honesty = stored.metrics["honesty"]

    svg = drawn(piece.chart, WIDE, name="x")
    assert f">best trial: {tried['sharpe'].max():.2f}</text>" in svg
    lucky = f"{honesty['expected_maximum']:.2f}"
    assert f">best of 51 without skill: {lucky}</text>" in svg
    assert f"expected at {lucky}" in piece.caption
    alone = chart(report(changed(stored, honesty=None), tried), piece.title)
    assert "without skill" not in drawn(alone.chart, WIDE, name="x")


def test_trials_without_a_ratio_are_counted_beside_the_plot(found):
    tried = of_trials([({"a": 1}, None), ({"a": 2}, 1.0), ({"a": 3}, 2.0)])

    assert "1 more have no ratio" in read_of(found[0], tried).said


# Maps over the axes


def test_the_map_is_over_the_two_axes_with_the_most_values_and_names_the_others(found):
    stored, tried = found
    piece = chart(report(stored, tried), "Sharpe ratio over fast and slow")

    assert "Each is the best over execution.stop_loss and kind" in piece.caption
    svg = drawn(piece.chart, WIDE, name="x")
    rows = [(json.loads(one["params"]), one["sharpe"]) for one in tried.to_dicts()]
    for fast, slow in product(FAST, SLOW):
        best = max(ratio for at, ratio in rows if (at["fast"], at["slow"]) == (fast, slow))
        assert f">{best:.2f}</text>".replace("-", "\N{MINUS SIGN}") in svg


def test_one_axis_is_a_line_and_none_is_a_sentence(found):
    one = of_trials([({"fast": at, "kind": "a", "slow": 7}, at / 2) for at in range(5)])
    none = of_trials([({"kind": at, "slow": 7}, 1.0) for at in ("a", "b")])

    page = report(found[0], one)
    piece = chart(page, "Sharpe ratio over fast")
    assert piece.alt == "5 points, the highest 2.00 at fast 4"
    assert "the best over" not in piece.caption
    assert ">fast</text>" in drawn(piece.chart, NARROW, name="x")
    read = read_of(found[0], none)
    assert "No axis of numbers has more than one value" in read.said
    assert not [one for one in read.headings if one.startswith("Sharpe ratio over")]


cells = st.lists(
    st.tuples(
        st.sampled_from([1, 2, 3, 0.5]), st.sampled_from([7, 8]), st.none() | st.floats(-5, 5)
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=50)
@given(cells)
def test_each_point_of_a_map_is_the_best_of_its_trials(rows):
    found = facts.surface(
        of_trials([({"a": a, "b": b}, ratio) for a, b, ratio in rows]), ["a", "b"]
    )

    slow: dict = {}
    for a, b, ratio in rows:
        slow.setdefault((float(a), float(b)), []).append(ratio)
    wanted = {
        at: max((one for one in told if one is not None), default=None) for at, told in slow.items()
    }
    assert {(float(a), float(b)): ratio for a, b, ratio in found.iter_rows()} == wanted


@settings(max_examples=80)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200))
def test_bins_hold_every_ratio_once(values):
    found = facts.histogram(np.array(values))

    assert found["rows"].sum() == len(values)
    assert found.height <= 60
    width = found["high"][0] - found["low"][0]
    assert found["low"][0] <= min(values) + width * 1e-6
    assert found["high"][-1] >= max(values) - width * 1e-6


def test_a_best_trial_at_the_end_of_an_axis_is_pointed_at():
    values = [{"fast": at, "two": at % 2, "kind": "a"} for at in (5, 10, 15)]

    assert facts.at_an_end(values, values[2]) == ["fast"]
    assert facts.at_an_end(values, values[1]) == []


# Doubts


def loud(found, **metrics) -> str:
    stored, tried = found
    calm = {
        "overfitting": {**stored.metrics["overfitting"], "probability": 0.1},
        "honesty": {**stored.metrics["honesty"], "deflated": 0.99},
        "walk_forward": {**stored.metrics["walk_forward"], "sharpe": 0.5},
        "warnings": [],
    }
    parts = {
        name: value if isinstance(value, list) else {**calm.get(name, {}), **value}
        for name, value in (calm | metrics).items()
    }
    return "\n".join(report(changed(stored, **parts), tried).warnings)


@pytest.mark.parametrize(
    ("name", "key", "quiet", "doubtful", "said"),
    [
        ("overfitting", "probability", 0.4999, 0.5, "probability of overfitting is 50.00%"),
        ("honesty", "deflated", 0.95, 0.9499, "deflated Sharpe ratio is 94.99%, below 95%"),
        (
            "walk_forward",
            "sharpe",
            0.01,
            0.0,
            "by the past alone the strategy had a Sharpe ratio of",
        ),
    ],
)
def test_each_doubt_is_loud_from_its_limit_on(found, name, key, quiet, doubtful, said):
    assert loud(found, **{name: {key: quiet}}) == ""
    assert loud(found, **{name: {key: None}}) == ""
    assert said in loud(found, **{name: {key: doubtful}})


def test_what_the_search_itself_warned_of_is_loud(read):
    assert "Warning. 3 bars of SPY are missing." in read.warnings


def test_a_best_trial_that_lost_is_not_doubted_for_losing_in_walking_forward(found):
    best = {**found[0].metrics["best"], "sharpe": -0.5}

    assert loud(found, best=best, walk_forward={"sharpe": -1.0}) == ""


def test_a_search_that_failed_says_why_and_nothing_else(found):
    failed = replace(found[0], state="failed", error="All 48 trials failed.", metrics={})
    page = report(failed, found[1].clear())

    assert page.warnings == ["The search failed: All 48 trials failed."]
    assert len(page.pieces) == 1
    assert png(page).startswith(b"\x89PNG\r\n\x1a\n")


# What was not computed


def test_what_is_not_known_is_said_with_its_reason(found):
    stored, _ = found
    bare = changed(
        stored,
        best=None,
        honesty=None,
        overfitting=None,
        overfitting_problem="Overfitting needs two trials or more.",
        walk_forward=None,
        left_out=None,
    )
    read = read_of(bare, of_trials([({"fast": 5}, None)]))

    assert "No trial has a Sharpe ratio" in read.warnings[0]
    for sentence in (
        "There is no probability of overfitting. Overfitting needs two trials or more.",
        "Nothing can be said: no trial has a ratio",
        "there are too few sessions for the blocks asked for",
    ):
        assert sentence in read.said, sentence
    names = ("Best Sharpe, a year", "Deflated Sharpe", "Probability of overfitting",
             "Sharpe, walking forward")  # fmt: skip
    assert [read.figures[name] for name in names] == [NONE] * 4


def test_a_search_without_blocks_says_that_none_were_asked_for(found):
    stored = changed(found[0], walk_forward=None)
    read = read_of(replace(stored, params={**stored.params, "folds": 0}), found[1])

    assert "asked for no blocks" in read.said


# Luck, walking forward, provenance


def test_overfitting_is_told_in_figures_and_drawn(found, read):
    metrics = found[0].metrics["overfitting"]
    piece = chart(report(*found), "Where the best of one half stood in the other")

    assert read.row("Probability of backtest overfitting") == [f"{metrics['probability']:.2%}"]
    assert "halved in 70 ways" in piece.caption  # 8! / (4!)²
    assert ">worse than the middle</text>" in drawn(piece.chart, WIDE, name="x")


def test_blocks_are_told_with_what_they_were_chosen_by_and_all_together(read):
    rows = read.table("Traded from", "to", "Chosen on", "fast", "slow")

    assert rows[0] == [
        "2024-03-01", "2024-04-30", "2024-01-02 to 2024-02-29", "5", "20", "0.025", "open", "2.50",
        "-0.75", "-1.23%", "11",
    ]  # fmt: skip
    assert rows[1][-3:] == [NONE, "-1.23%", "1,000"]
    assert rows[2] == ["All blocks", "80 sessions", *[NONE] * 6, "-0.25", "-3.10%", "1,011"]
    assert "In 2 of 4 blocks nothing could be chosen or traded; they count as cash" in read.said
    assert "session end to session end: -4.56%" in read.said


def test_a_search_says_what_it_was_made_from(read):
    assert read.row("Search") == ["abc123"]
    assert read.row("Snapshot of the lake") == ["17"]
    assert read.row("Seed") == ["5"]
    assert read.row("Market hash") == ["SPY aa11, QQQ bb22"]
    assert read.row("Code") == ["sources cc33"]
    assert read.row("Participation") == ["0.1"]


def test_a_search_from_the_ledger_has_the_same_page(found, tmp_path, read):
    with lake.open(tmp_path, create=True) as lk:
        store_search(lk, *found)
        again = read_of(search(lk, "abc123"), search_trials(lk, "abc123"))

    assert again.figures == read.figures
    assert again.warnings == read.warnings
    assert again.row("Noted (UTC)") != [NONE]


def test_names_like_scripts_run_nothing(found):
    evil = replace(found[0], strategy="<script>alert(1)</script>")
    tried = of_trials([({"<b>": at, "<i>": at % 2}, 1.0) for at in range(3)])

    read = read_of(evil, tried)
    assert read.titles[0] == "Search over <script>alert(1)</script> on SPY+QQQ"
    assert not {"script", "b", "i"} & read.tags


def test_the_picture_of_a_search_opens(found):
    assert png(report(*found)).startswith(b"\x89PNG\r\n\x1a\n")
