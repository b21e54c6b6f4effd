"""What pinned runs promise: the same bars and the same plan give the same orders and figures, whatever changes."""

import pytest

from tests.simulation_service import golden

AGAIN = "If the change is meant, pin it anew: python -m tests.simulation_service.golden"


def check(found, pinned):
    assert found.keys() == pinned.keys(), AGAIN
    for name, facts in pinned.items():
        told = {key: value for key, value in facts.items() if not isinstance(value, float)}
        assert {key: found[name][key] for key in told} == told, f"{name}: {AGAIN}"
        for key in facts.keys() - told.keys():
            close = pytest.approx(facts[key], rel=1e-9, abs=1e-12)
            assert found[name][key] == close, f"{name}, {key}: {AGAIN}"


def test_runs_on_bars_made_here_are_those_that_were_pinned(tmp_path):
    with golden.made_lake(tmp_path / "home") as opened:
        check(golden.made_runs(opened), golden.pinned()["made"])


@pytest.mark.skipif(
    not golden.REAL.is_dir(), reason="the real bars of ../shared/data are not at hand"
)
def test_runs_on_real_bars_are_those_that_were_pinned(tmp_path):
    with golden.real_lake(tmp_path / "home") as opened:
        check(golden.real_runs(opened), golden.pinned()["real"])


def test_pinned_runs_trade_in_both_modes_through_a_split_and_a_dividend():
    """Or nothing would be held by them."""
    made = golden.pinned()["made"]

    assert {name.rpartition(", ")[2] for name in made} >= {"as_specified", "realistic"}
    assert all(run["trades"] > 0 for run in made.values() if "trades" in run)
    assert any(run.get("dividends") for run in made.values())
