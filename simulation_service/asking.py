"""What a user asks to be simulated or searched, as plain JSON: from a command, over HTTP or in a job."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lake import Lake
from lake.errors import MissingError
from lake.models import StoredModel, model, models
from simulation_service.prepared import SimulationError, Terms
from simulation_service.preparing import check_walk, spoken_of
from simulation_service.search import Search, SearchResult, search
from simulation_service.simulation import SimulationResult, simulate, simulate_plan, simulate_walk
from simulation_service.spaces import space_of
from strategy_service.costs import Costs
from strategy_service.plans import Plan, plan_of, read_plan
from training_service.dataset import check_symbols

Progress = Callable[[str, float], None]

_WHAT = ("model_id", "strategy", "parameters", "plan", "symbols")
_TERMS = ("start", "end", "cash", "costs", "participation", "sources")
_WALK = ("retrain", "window")
_SEARCH = ("axes", "method", "trials", "seed", "folds", "window")
SIMULATION = (*_WHAT, *_TERMS, *_WALK, "mode")
SEARCH = ("strategy", "parameters", "plan", "symbols", *_TERMS, *_SEARCH)


class NoModelError(MissingError):
    """A lake without models."""

    def __str__(self) -> str:
        return "There is no model yet. Train one with `barlake train`."


def run_simulation(
    lk: Lake, asked: Mapping[str, Any], progress: Progress | None = None
) -> list[SimulationResult]:
    """Simulate what was asked for: a model, a model trained again as time goes on, or a plan.

    Args:
        asked: ``model_id`` (the newest model if neither it nor a strategy is named); with
            ``retrain`` (sessions) and ``window`` its recipe is trained again along the time;
            or ``strategy`` with ``parameters``, or a whole ``plan`` (a table, or its TOML), with
            ``symbols``; ``mode``; ``start``, ``end``, ``cash``, ``costs`` (a table of some of
            them), ``participation``, ``sources``.

    Raises:
        SimulationError: Something is not known, or does not go together.
        LakeError: As the functions of :mod:`simulation_service.simulation`.
    """
    told = _known(asked, SIMULATION, "simulation")
    terms, mode = terms_of(told), told.get("mode", "both")
    symbols = told.get("symbols", ())
    if plan := plan_asked(told):
        if "window" in told:
            problem = "window is for models, and a strategy is named. Leave one of them out."
            raise SimulationError(problem)
        return simulate_plan(lk, plan, symbols, mode, terms=terms)
    _check_model(told)
    model_id = told.get("model_id") or newest(lk)
    if "retrain" in told:
        _check_walk(model(lk, model_id), symbols)
        return simulate_walk(
            lk,
            model_id,
            mode,
            retrain=told["retrain"],
            window=told.get("window", "expanding"),
            terms=terms,
            progress=progress,
        )
    return simulate(lk, model_id, mode, symbols=symbols, terms=terms)


def check_simulation(lk: Lake, asked: Mapping[str, Any]) -> tuple[str, ...]:
    """Refuse at once what cannot be simulated, before anything is queued.

    Returns:
        The symbols it is about.

    Raises:
        SimulationError and others: As :func:`run_simulation`, as far as it can be known.
    """
    told = _known(asked, SIMULATION, "simulation")
    terms_of(told).modes(told.get("mode", "both"))
    if plan_asked(told):
        return _there(lk, told)
    _check_model(told)
    stored, symbols = model(lk, told.get("model_id") or newest(lk)), told.get("symbols", ())
    if "retrain" in told:
        return _check_walk(stored, symbols)
    return spoken_of(stored, symbols)


def _check_model(told: Mapping[str, Any]) -> None:
    """Refuse what would have no effect on a model."""
    if "sources" in told:
        problem = "A model reads the sources it was trained on. Leave sources out."
        raise SimulationError(problem)
    if "window" in told and "retrain" not in told:
        problem = (
            "A window is that of a model trained anew. Say after how many sessions with retrain."
        )
        raise SimulationError(problem)


def _check_walk(stored: StoredModel, symbols: Sequence[str]) -> tuple[str, ...]:
    """The one symbol of a model that is trained anew along the time."""
    check_walk(stored)
    return spoken_of(stored, symbols)


def check_search(lk: Lake, asked: Mapping[str, Any]) -> tuple[str, ...]:
    """Refuse at once what cannot be searched, before anything is queued.

    Returns:
        The symbols it is about.

    Raises:
        SimulationError and others: As :func:`run_search`, as far as it can be known.
    """
    _search_of(asked)
    return _there(lk, asked)


def _there(lk: Lake, asked: Mapping[str, Any]) -> tuple[str, ...]:
    if not asked.get("symbols"):
        problem = "Name the symbols whose bars are to be traded, like SPY."
        raise SimulationError(problem)
    names = check_symbols(asked["symbols"])
    sources = asked.get("sources") or {}
    for name in names:
        lk.source_of(name, sources.get(name))
    return names


def run_search(
    lk: Lake,
    asked: Mapping[str, Any],
    *,
    processes: int = 1,
    progress: Progress | None = None,
) -> SearchResult:
    """Search what was asked for.

    Args:
        asked: ``strategy`` with ``parameters`` or a ``plan``, ``symbols``, ``axes`` (texts like
            ``fast=5:50:5``), ``method``, ``trials``, ``seed``, ``folds``, ``window``, and the terms as
            :func:`run_simulation` takes them.

    Raises:
        SimulationError, SpaceError: Something is not known, or cannot be.
        LakeError: As :func:`simulation_service.search.search`.
    """
    wanted, terms = _search_of(asked)
    return search(lk, wanted, terms, processes=processes, progress=progress)


def _search_of(asked: Mapping[str, Any]) -> tuple[Search, Terms]:
    told = _known(asked, SEARCH, "search")
    plan, terms = plan_asked(told), terms_of(told)
    if plan is None:
        problem = "Name the strategy whose parameters are to be searched, like sma_cross."
        raise SimulationError(problem)
    space = space_of(plan, terms.costs, told.get("axes", ()))
    how = {name: told[name] for name in _SEARCH[1:] if name in told}
    return Search(space, tuple(told.get("symbols", ())), **how), terms


def terms_of(asked: Mapping[str, Any]) -> Terms:
    """Range, cash, costs and the rest.

    Raises:
        SimulationError, CostsError: Something cannot be.
    """
    costs = _costs(_known(asked.get("costs", {}), tuple(vars(Costs())), "table of costs"))
    told = {name: asked[name] for name in _TERMS if name in asked and name != "costs"}
    if told.get("participation", 0) > 1:
        problem = (
            "The participation is a share of a bar's volume, 0 to 1, and "
            f"{told['participation']:g} is more than all of it."
        )
        raise SimulationError(problem)
    return Terms(**told, costs=replace(Costs(), **costs))


def _costs(told: Mapping[str, Any]) -> dict[str, Any]:
    """Costs that are numbers; ``regulatory`` is yes or no.

    Raises:
        SimulationError: One is neither.
    """
    for name, value in told.items():
        if name == "regulatory":
            if value not in (0, 1):
                problem = f"regulatory is true or false, not {str(value)[:40]!r}."
                raise SimulationError(problem)
        elif isinstance(value, bool) or not isinstance(value, int | float):
            problem = f"{name} is a number, like {name}=2, not {str(value)[:40]!r}."
            raise SimulationError(problem)
    return {
        name: bool(value) if name == "regulatory" else float(value) for name, value in told.items()
    }


def plan_asked(asked: Mapping[str, Any]) -> Plan | None:
    """The plan that is named; None if none is.

    Raises:
        SimulationError: A strategy and a plan are named, one of them and a model, or parameters alone.
        PlanError, NoSuchNameError, ParameterError: It cannot be.
    """
    plan, name = asked.get("plan"), asked.get("strategy")
    told = [one for one in ("model_id", "retrain") if asked.get(one) is not None]
    if told and (plan is not None or name is not None):
        problem = f"{told[0]} is for models, and a strategy is named. Leave one of them out."
        raise SimulationError(problem)
    if plan is not None:
        if name is not None or "parameters" in asked:
            problem = "Give either a plan or a strategy with its parameters."
            raise SimulationError(problem)
        return read_plan(plan) if isinstance(plan, str) else plan_of(plan)
    if name is None:
        if "parameters" in asked:
            problem = "Parameters are those of a strategy: name it too."
            raise SimulationError(problem)
        return None
    return plan_of({"strategy": {"name": name, "parameters": asked.get("parameters", {})}})


def newest(lk: Lake) -> str:
    """The id of the model that was registered last.

    Raises:
        NoModelError: There is none.
    """
    found = models(lk)
    if found.is_empty():
        raise NoModelError
    return str(found["model_id"][0])


def _known(asked: Mapping[str, Any], names: Sequence[str], what: str) -> dict[str, Any]:
    """What is not None of it.

    Raises:
        SimulationError: A name is not known.
    """
    for name in asked:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            problem = f"A {what} has no {name[:40]!r}.{hint} It has {', '.join(names)}."
            raise SimulationError(problem)
    return {name: value for name, value in asked.items() if value is not None}
