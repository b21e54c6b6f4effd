"""Simulating models and plans against buy and hold, into the ledger of trials."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import polars as pl

from feature_service.fingerprint import digest
from lake import Lake, sessions
from lake.errors import LakeError, TransientError
from lake.models import model as registered_model
from lake.simulations import (
    EQUITY,
    ORDERS,
    StoredSimulation,
    find_simulation,
    store_simulation,
    trials,
)
from simulation_service import preparing
from simulation_service.market import Mode
from simulation_service.outcome import outcome
from simulation_service.prepared import MODES, Prepared, SimulationError, Terms
from strategy_service.plans import Plan
from training_service import training
from training_service.dataset import check_symbols
from training_service.provenance import code_version

__all__ = [
    "MODES",
    "SimulationError",
    "SimulationResult",
    "Terms",
    "simulate",
    "simulate_plan",
    "simulate_walk",
]

_ROOMS = ("strategy_service", "simulation_service")


@dataclass(frozen=True)
class SimulationResult:
    """One run, beside buy and hold of the same bars in the same mode.

    Attributes:
        stored: Its row in the ledger.
        trials: Strategies tried on these bars so far, this one among them.
        fresh: Whether this call ran it; False if it was found.
    """

    stored: StoredSimulation
    trials: int
    fresh: bool

    @property
    def simulation_id(self) -> str:
        """Its id."""
        return self.stored.simulation_id

    @property
    def mode(self) -> str:
        """``as_specified`` or ``realistic``."""
        return self.stored.mode

    @property
    def metrics(self) -> Mapping[str, Any]:
        """The strategy's figures; see :class:`simulation_service.metrics.Metrics`."""
        found: Mapping[str, Any] = self.stored.metrics["strategy"]
        return found

    @property
    def benchmark(self) -> Mapping[str, Any]:
        """The same figures of buy and hold."""
        found: Mapping[str, Any] = self.stored.metrics["benchmark"]
        return found

    @property
    def honesty(self) -> Mapping[str, Any] | None:
        """What its Sharpe ratio is worth: :class:`simulation_service.honesty.verdict.Verdict`, as of the run."""
        found: Mapping[str, Any] | None = self.stored.metrics.get("honesty")
        return found

    @property
    def warnings(self) -> Sequence[str]:
        """What makes the figures worth less than they look, in sentences."""
        found: Sequence[str] = self.stored.metrics["warnings"]
        return found


def simulate(
    lk: Lake,
    model_id: str,
    mode: str = "both",
    *,
    symbols: Sequence[str] = (),
    terms: Terms | None = None,
) -> list[SimulationResult]:
    """Trade a model's signals through the bars after its training end, in the order of time.

    It buys whole shares for all its cash where the model says up and it is flat, sells everything
    where it says otherwise, and holds at bars at which a context symbol has none. Bars are those of
    the regular hours; prices are those of the day, splits and dividends come to what is held.
    Positions are kept overnight and count at the last close in the end. The same inputs again find
    the run that is there.

    Args:
        mode: ``as_specified`` (fills at the same bar's close, no costs), ``realistic`` (fills at
            the open of the session's next bar, with costs) or ``both``, in that order.
        symbols: Of a model of a panel: which of its symbols; all if none is named.
        terms: Range, cash and costs. Without a start it begins at the model's test start; earlier
            runs with a warning, for the model has seen those bars.

    Raises:
        ModelMissingError, ArtifactMissingError, StrangerError, FeaturesDifferError: The model
            cannot be used. Nothing was noted.
        SimulationError: The mode or a symbol cannot be. Nothing was noted.
        LakeError: The run failed; it is in the ledger with the reason. A mode that runs is there
            all the same.
        GateBusyError: Another process held the commit gate too long; ask again.
    """
    on = terms or Terms()
    modes = on.modes(mode)
    model = training.load(lk, model_id)
    names = preparing.spoken_of(model.stored, symbols)
    asked = _Asked(
        f"model {model_id}",
        {"strategy": "model", "model_id": model_id},
        names,
        datetime.fromisoformat(model.stored.params["test_start"]),
        model_id,
    )
    return _all(lk, asked, on, modes, lambda: preparing.of_model(lk, model, names, on))


def simulate_plan(
    lk: Lake,
    plan: Plan,
    symbols: Sequence[str],
    mode: str = "both",
    *,
    terms: Terms | None = None,
) -> list[SimulationResult]:
    """Trade a plan on bars of one or several symbols that share a purse; as :func:`simulate`.

    As specified, a plan trades all in at the deciding close, without its risk rules and exits.

    Raises:
        SimulationError, SymbolsError: The mode or the symbols cannot be. Nothing was noted.
        LakeError: The run failed; it is in the ledger with the reason.
        GateBusyError: Another process held the commit gate too long; ask again.
    """
    on = terms or Terms()
    modes, names = on.modes(mode), check_symbols(symbols)
    asked = _Asked(plan.described, {"plan": plan.facts}, names, None, None)
    return _all(lk, asked, on, modes, lambda: preparing.of_plan(lk, plan, names, on))


def simulate_walk(
    lk: Lake,
    model_id: str,
    mode: str = "both",
    *,
    retrain: int = 20,
    window: Literal["expanding", "rolling"] = "expanding",
    terms: Terms | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> list[SimulationResult]:
    """Trade a model's recipe, trained anew every so many sessions on what came before; as :func:`simulate`.

    At each bar speaks a model that has seen nothing but the past.

    Args:
        retrain: Sessions from one training to the next.
        window: Whether each training takes all sessions before (``expanding``) or as many as the first.
        terms: Without a start it begins as soon as there is enough to learn from.
        progress: Takes what is being done and how much of it is, 0 to 1.

    Raises:
        ModelMissingError: There is no such model. Nothing was noted.
        SimulationError: The mode cannot be. Nothing was noted.
        LakeError: The run failed; it is in the ledger with the reason.
        GateBusyError: Another process held the commit gate too long; ask again.
    """
    on = terms or Terms()
    modes = on.modes(mode)
    stored = registered_model(lk, model_id)
    recipe = stored.params["recipe"]
    # Another recipe is another trial: the model's name alone has neither its features nor its seed.
    whose = f"{stored.name} (recipe {digest(recipe)[:8]})"
    name = f"{whose}, trained anew every {retrain} sessions, {window}"
    facts = {"recipe": recipe, "retrain": retrain, "window": window}
    asked = _Asked(name, facts, (stored.primary_symbol,), None, model_id)
    return _all(
        lk,
        asked,
        on,
        modes,
        lambda: preparing.of_walk(lk, stored, name, facts, on, progress),
    )


@dataclass(frozen=True)
class _Asked:
    """What is noted of a run that fails."""

    name: str
    facts: Mapping[str, Any]
    symbols: Sequence[str]
    usual_start: datetime | None
    model_id: str | None


def _all(
    lk: Lake,
    asked: _Asked,
    terms: Terms,
    modes: Sequence[Mode],
    prepare: Callable[[], Prepared],
) -> list[SimulationResult]:
    try:
        prepared = prepare()
    except TransientError:
        raise
    except LakeError as error:
        for each in modes:
            _note_failure(lk, asked, terms, each, error)
        raise
    found: list[SimulationResult] = []
    failed: list[LakeError] = []
    for each in modes:  # what fails in one mode may well run in the other
        try:
            found.append(_simulate(lk, prepared, terms.cash, each))
        except TransientError:
            raise
        except LakeError as error:
            _note_failure(lk, asked, terms, each, error)
            failed.append(error)
    if failed:
        raise failed[0]
    return found


def _simulate(lk: Lake, prepared: Prepared, cash: float, mode: Mode) -> SimulationResult:
    facts = {
        **prepared.facts,
        **mode.facts,
        "cash": cash,
        **prepared.hashes,
        "code": code_version(*_ROOMS),
    }
    simulation_id = digest(facts)[:12]
    stored = standing = find_simulation(lk, simulation_id)
    if stored is None or stored.state == "failed":
        stored = _run(lk, prepared, cash, mode, facts, simulation_id)
    tried = trials(lk, stored.symbol, stored.start, stored.end)
    return SimulationResult(stored, tried.count, fresh=stored is not standing)


def _run(
    lk: Lake,
    prepared: Prepared,
    cash: float,
    mode: Mode,
    facts: Mapping[str, Any],
    simulation_id: str,
) -> StoredSimulation:
    found = outcome(lk, prepared, cash, mode)
    new = StoredSimulation(
        simulation_id=simulation_id,
        strategy=prepared.name,
        model_id=prepared.model_id,
        symbol=prepared.symbol,
        mode=mode.name,
        start=prepared.start,
        end=prepared.end,
        snapshot=prepared.snapshot,
        params={**facts, "sessions_per_year": prepared.sessions_per_year},
        metrics=found.metrics,
        orders_hash=found.orders_hash,
        state="done",
    )
    return store_simulation(lk, new, found.curve, found.orders)


def _note_failure(lk: Lake, asked: _Asked, terms: Terms, mode: Mode, error: LakeError) -> None:
    start, end = sessions.window(terms.start, terms.end)
    range_asked = [str(start), str(end)]
    facts = {**asked.facts, **mode.facts, "cash": terms.cash, "asked": range_asked}
    snapshot = lk.snapshot()
    from_moment = start or asked.usual_start or lk.now
    failed = StoredSimulation(
        simulation_id=digest({**facts, "snapshot": snapshot, "error": str(error)})[:12],
        strategy=asked.name,
        model_id=asked.model_id,
        symbol="+".join(asked.symbols),
        mode=mode.name,
        start=from_moment,
        end=end or from_moment,
        snapshot=snapshot,
        params=facts,
        metrics={},
        orders_hash="",
        state="failed",
        error=str(error),
    )
    store_simulation(lk, failed, pl.DataFrame(schema=EQUITY), pl.DataFrame(schema=ORDERS))
