"""Searching a plan's parameters: every trial in the ledger, and what the best of them is worth."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import orjson
import polars as pl

from feature_service.fingerprint import digest
from lake import Lake, sessions
from lake.errors import LakeError, TransientError
from lake.features import content_hash
from lake.searches import TRIALS, StoredSearch, find_search, store_search
from lake.simulations import Trials
from lake.simulations import trials as known_trials
from simulation_service.drawdowns import max_drawdown
from simulation_service.honesty.overfitting import overfitting
from simulation_service.honesty.verdict import judge
from simulation_service.market import Floats, realistic
from simulation_service.prepared import SimulationError, Terms
from simulation_service.preparing import ground_of
from simulation_service.proposing import METHODS, Method, ask, proposed
from simulation_service.returns import CurveError, sharpe
from simulation_service.spaces import Space, Values, check_trials
from simulation_service.trying import Ground, Tried, attempt_in_processes
from training_service.dataset import check_symbols
from training_service.provenance import code_version

__all__ = ["METHODS", "Search", "SearchResult", "search"]

#: Takes what is being done and how much of it is, 0 to 1. What it raises ends the search.
Progress = Callable[[str, float], None]

_ROOMS = ("feature_service", "strategy_service", "simulation_service")
_MOST_BLOCKS, _LEAST_BLOCK = 16, 4
_LEAST_FOLD = 5
_MOST_TOLD = 20
_MOST_FOLDS = 50
_KNEW = (
    "Optuna chose its trials by their results on the whole range, so the probability of overfitting "
    "is a rough hint and no evidence; a grid or random draws give one that means what it says."
)
_ENOUGH = 10  # ratios from which the trials' spread is theirs and not assumed


@dataclass(frozen=True)
class Search:
    """What is searched, and how.

    Attributes:
        symbols: Whose bars; several share one purse.
        method: ``grid`` (all of it), ``random`` or ``optuna`` (the TPE sampler).
        trials: How many, of the last two.
        seed: The same one makes the same trials.
        folds: Blocks of sessions in which what was best before is run; 0 for none.
        window: Whether ``expanding`` (all sessions before) or ``rolling`` (as many as before the
            first block) choose.

    Raises:
        SimulationError, SpaceError, SymbolsError: Something of it cannot be.
    """

    space: Space
    symbols: tuple[str, ...]
    method: Method = "grid"
    trials: int = 100
    seed: int = 0
    folds: int = 4
    window: Literal["expanding", "rolling"] = "expanding"

    def __post_init__(self) -> None:
        object.__setattr__(self, "symbols", check_symbols(self.symbols))
        check_trials(self.trials)
        for value, known, what in (
            (self.method, METHODS, "method"),
            (self.window, ("expanding", "rolling"), "window"),
        ):
            if value not in known:
                problem = f"There is no {what} {value[:40]!r}. Use one of {', '.join(known)}."
                raise SimulationError(problem)
        if not 0 <= self.folds <= _MOST_FOLDS:
            problem = f"A search has 0 to {_MOST_FOLDS} folds, not {self.folds}."
            raise SimulationError(problem)

    @property
    def facts(self) -> dict[str, Any]:
        """All of it as JSON."""
        drawn = {} if self.method == "grid" else {"trials": self.trials, "seed": self.seed}
        return {
            **self.space.facts,
            "symbols": list(self.symbols),
            "method": self.method,
            **drawn,
            "folds": self.folds,
            "window": self.window,
        }


@dataclass(frozen=True)
class SearchResult:
    """A search in the ledger.

    Attributes:
        stored: Its row.
        fresh: Whether this call made it; False if it was found.
    """

    stored: StoredSearch
    fresh: bool


def search(
    lk: Lake,
    asked: Search,
    terms: Terms | None = None,
    *,
    processes: int = 1,
    progress: Progress | None = None,
) -> SearchResult:
    """Try many parameters of a plan on the same bars, in the realistic mode.

    Every trial enters the ledger and counts from then on. Beside the best one stand its deflated
    Sharpe ratio, the probability that choosing it was overfitting (CSCV over all trials, see
    docs/search.md) and what choosing by the past alone would have brought: walk-forward, each block of
    sessions traded by what was best before it, from a flat position. The same inputs again find the
    search that is there.

    Args:
        terms: Range, cash, participation and sources; the space has the costs.
        processes: Over which trials are spread.

    Raises:
        SimulationError: The terms have other costs than the space. Nothing was noted.
        LakeError: The search failed; it is in the ledger with the reason.
        GateBusyError: Another process held the commit gate too long; ask again.
    """
    on = terms or Terms(costs=asked.space.costs)
    if on.costs != asked.space.costs:
        problem = (
            "The terms have other costs than the space. Give them to both, or to the space alone."
        )
        raise SimulationError(problem)
    tell = progress or (lambda *_: None)
    try:
        ground, warnings = ground_of(lk, asked.space.plan, asked.symbols, on)
        facts = {
            **asked.facts,
            "cash": on.cash,
            "participation": on.participation,
            "market_hash": [one.content_hash for one in ground.markets],
            # What came before the range decides what is said at its beginning.
            "bars_hash": [content_hash(one) for one in ground.bars],
            "code": code_version(*_ROOMS),
        }
        search_id = digest(facts)[:12]
        standing = find_search(lk, search_id)
        if standing is not None and standing.state == "done":
            return SearchResult(standing, fresh=False)
        hunt = _Hunt(asked, on, ground, processes, tell)
        tried = hunt.whole()
        stored = _stored(lk, hunt, tried, search_id, facts, warnings)
    except TransientError:
        raise
    except LakeError as error:
        _note_failure(lk, asked, on, error)
        raise
    return SearchResult(stored, fresh=True)


#: Trials with what they came to, in the order in which they were made.
Made = list[tuple[Values, Tried]]


@dataclass(frozen=True)
class _Hunt:
    asked: Search
    terms: Terms
    ground: Ground
    processes: int
    tell: Progress

    def whole(self) -> Made:
        """All trials over the whole range."""
        return self.over(self.ground, "trying", 0.0, 0.8)

    def over(self, ground: Ground, doing: str, begin: float, end: float) -> Made:
        """The trials of the method over some sessions."""
        made: Made = []
        total = self.asked.trials
        if self.asked.method == "optuna":

            def scores(values: Sequence[Values]) -> list[float | None]:
                found = list(self.run(ground, values))
                made.extend(zip(values, found, strict=True))
                self.tell(
                    f"{doing}, {len(made):,} trials", begin + (end - begin) * len(made) / total
                )
                return [one.sharpe for one in found]

            ask(self.asked.space, total, self.asked.seed, scores)
            return made
        values = proposed(self.asked.space, self.asked.method, total, self.asked.seed)
        for one, found in zip(values, self.run(ground, values), strict=True):
            made.append((one, found))
            if len(made) % 20 == 0:
                share = len(made) / len(values)
                self.tell(f"{doing}, {len(made):,} trials", begin + (end - begin) * share)
        return made

    def run(self, ground: Ground, values: Sequence[Values]) -> Iterator[Tried]:
        """Some trials over some sessions."""
        trials = []
        for one in values:
            plan, costs = self.asked.space.at(one)
            trials.append((plan, realistic(costs, participation=self.terms.participation)))
        return attempt_in_processes(ground, trials, self.processes)

    def forward(self, tried: Made) -> dict[str, Any] | None:
        """What choosing by the past alone would have brought; None where there are too few sessions."""
        days, folds = self.ground.days, self.asked.folds
        if not folds or len(days) // (folds + 1) < _LEAST_FOLD:
            return None
        cuts = [round(len(days) * at / (folds + 1)) for at in range(folds + 2)]
        cash, found, parts = self.ground.cash, [], []
        for number, (cut, last) in enumerate(pairwise(cuts[1:])):
            first = 0 if self.asked.window == "expanding" else cut - cuts[1]
            share = 0.8 + 0.2 * number / folds
            self.tell(f"walking forward, {number + 1} of {folds}", share)
            best = self._best_before(tried, first, cut, share)
            if best is None or cash <= 0:  # nothing to choose by, or nothing left to trade with
                parts.append(np.zeros(last - cut))
                continue
            values, inside = best
            block = self.ground.between(days[cut], days[last - 1], cash=cash)
            (one,) = self.run(block, [values])
            parts.append(one.returns)
            cash *= max(float(np.prod(1 + one.returns)), 0.0)
            found.append(
                {
                    "from": str(days[cut]),
                    "to": str(days[last - 1]),
                    "chosen_on": [str(days[first]), str(days[cut - 1])],
                    "values": values,
                    "sharpe_before": inside,
                    "sharpe": one.sharpe,
                    "total_return": one.total_return,
                    "trades": one.trades,
                }
            )
        if not found:
            return None
        returns = np.concatenate(parts)
        curve = np.append(1.0, np.cumprod(1 + returns))
        year = self.ground.sessions_per_year
        return {
            "folds": found,
            "sessions": len(returns),
            "sharpe": sharpe(curve, year),
            "total_return": float(curve[-1] - 1),
            "max_drawdown": max_drawdown(curve),
        }

    def _best_before(
        self, tried: Made, first: int, cut: int, share: float
    ) -> tuple[Values, float] | None:
        """The values with the best Sharpe ratio in some sessions, from those sessions alone."""
        if self.asked.method == "optuna":  # its trials over the whole range know what came later
            days = self.ground.days
            tried = self.over(
                self.ground.between(days[first], days[cut - 1]), "walking forward", share, share
            )
            first, cut = 0, len(self.ground.days)
        ratios = [(_ratio(one.returns[first:cut], self.ground), values) for values, one in tried]
        known = [(ratio, values) for ratio, values in ratios if ratio is not None]
        if not known:
            return None
        ratio, values = max(known, key=lambda one: one[0])
        return values, ratio


def _ratio(returns: Floats, ground: Ground) -> float | None:
    return sharpe(np.append(1.0, np.cumprod(1 + returns)), ground.sessions_per_year)


def _stored(
    lk: Lake,
    hunt: _Hunt,
    tried: Made,
    search_id: str,
    facts: dict[str, Any],
    warnings: Sequence[str],
) -> StoredSearch:
    if not tried:
        problem = "No combination of these values goes together, so there is nothing to try."
        raise SimulationError(problem)
    asked, ground = hunt.asked, hunt.ground
    failed = [one.problem for _, one in tried if one.problem]
    if len(failed) == len(tried):
        problem = f"All {len(tried):,} trials failed; the first said: {failed[0]}"
        raise SimulationError(problem)
    starts = [one.bars["timestamp"][0] for one in ground.markets]
    ends = [one.bars["timestamp"][-1] for one in ground.markets]
    names = [asked.space.at(values)[0].described for values, _ in tried]
    new = StoredSearch(
        search_id=search_id,
        strategy=asked.space.plan.strategy.key,
        symbol="+".join(asked.symbols),
        mode="realistic",
        start=min(starts),
        end=max(ends),
        snapshot=lk.snapshot(),
        params=facts,
        metrics={},
        state="done",
    )
    before = known_trials(lk, new.symbol, new.start, new.end, beside=set(names))
    knew = [_KNEW] if asked.method == "optuna" else []
    metrics = {
        "tried": len(tried),
        "failed": len(failed),
        "left_out": asked.space.size - len(tried) if asked.method == "grid" else None,
        "sessions": len(ground.days),
        "best": _best(asked, tried),
        "honesty": _honesty(ground, tried, names, before),
        **_overfitting(tried),
        "walk_forward": hunt.forward(tried),
        "warnings": [*knew, *warnings, *dict.fromkeys(failed)][:_MOST_TOLD],
    }
    return store_search(lk, replace(new, metrics=metrics), _table(tried, names))


def _best(asked: Search, tried: Made) -> dict[str, Any] | None:
    """The trial with the highest Sharpe ratio, the first of equals; None if none has one."""
    place = _best_place(tried)
    if place is None:
        return None
    values, one = tried[place]
    plan, _ = asked.space.at(values)
    return {
        "number": place + 1,
        "values": values,
        "sharpe": one.sharpe,
        "total_return": one.total_return,
        "max_drawdown": one.max_drawdown,
        "trades": one.trades,
        "plan": plan.toml,
    }


def _best_place(tried: Made) -> int | None:
    ratios = [-np.inf if one.sharpe is None else one.sharpe for _, one in tried]
    place = int(np.argmax(ratios))
    return place if np.isfinite(ratios[place]) else None


def _honesty(
    ground: Ground, tried: Made, names: Sequence[str], before: Trials
) -> dict[str, Any] | None:
    """What the best Sharpe ratio is worth: chosen from all these, and from what was tried before."""
    place = _best_place(tried)
    if place is None:
        return None
    ratios = [one.sharpe for _, one in tried if one.sharpe is not None] + [*before.sharpes]
    found = judge(
        tried[place][1].returns,
        ground.sessions_per_year,
        trials=len(set(names)) + before.count,
        sharpes=np.array(ratios) if len(ratios) >= _ENOUGH else None,
    )
    return None if found is None else found.facts


def _overfitting(tried: Made) -> dict[str, Any]:
    """``overfitting`` as JSON, or None and ``overfitting_problem``: why there is none."""
    table = np.column_stack([one.returns for _, one in tried])
    blocks = min(_MOST_BLOCKS, len(table) // _LEAST_BLOCK // 2 * 2)
    try:
        found = overfitting(table, max(blocks, 2))
    except CurveError as error:
        return {"overfitting": None, "overfitting_problem": str(error)}
    counts, edges = np.histogram(found.logits, bins=20)
    return {
        "overfitting": {
            "probability": found.probability,
            "probability_of_loss": found.probability_of_loss,
            "slope": found.slope,
            "intercept": found.intercept,
            "sessions": found.sessions,
            "blocks": found.blocks,
            "logits": {"counts": counts.tolist(), "edges": edges.tolist()},
        }
    }


def _table(tried: Made, names: Sequence[str]) -> pl.DataFrame:
    rows = [
        (
            number,
            name,
            orjson.dumps(values, option=orjson.OPT_SORT_KEYS).decode(),
            one.sharpe,
            one.total_return,
            one.max_drawdown,
            one.trades,
        )
        for number, ((values, one), name) in enumerate(zip(tried, names, strict=True), start=1)
    ]
    return pl.DataFrame(rows, schema=TRIALS, orient="row")


def _note_failure(lk: Lake, asked: Search, terms: Terms, error: LakeError) -> None:
    start, end = sessions.window(terms.start, terms.end)
    now = lk.now
    facts = {**asked.facts, "cash": terms.cash, "asked": [str(start), str(end)]}
    snapshot = lk.snapshot()
    failed = StoredSearch(
        search_id=digest({**facts, "snapshot": snapshot, "error": str(error)})[:12],
        strategy=asked.space.plan.strategy.key,
        symbol="+".join(asked.symbols),
        mode="realistic",
        start=start or now,
        end=end or start or now,
        snapshot=snapshot,
        params=facts,
        metrics={},
        state="failed",
        error=str(error),
    )
    store_search(lk, failed, pl.DataFrame(schema=TRIALS))
