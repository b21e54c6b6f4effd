"""Simulating a trained model on bars it has not seen, against buy and hold, into the ledger."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feature_service.fingerprint import digest
from lake import Lake, sessions
from lake.errors import LakeError, ProblemError, TransientError
from lake.features import content_hash
from lake.sessions import Moment
from lake.simulations import (
    EQUITY,
    ORDERS,
    StoredSimulation,
    find_simulation,
    store_simulation,
    trials,
)
from simulation_service import engine
from simulation_service.honesty.verdict import judge
from simulation_service.market import COLUMNS, Market, Mode, as_specified, realistic
from simulation_service.metrics import equity_at_session_ends, measure, session_ends
from simulation_service.run import Run
from simulation_service.trading import Said, Trading
from strategy_service.costs import Costs
from strategy_service.signals import Direction
from strategy_service.strategies import BuyAndHold, ModelStrategy, Strategy
from training_service import training
from training_service.dataset import assemble
from training_service.provenance import code_version
from training_service.training import Model

MODES = ("as_specified", "realistic", "both")
_ROOMS = ("strategy_service", "simulation_service")
_FEW_SESSIONS = 20
_YEAR = timedelta(days=365)


class SimulationError(ProblemError):
    """A simulation that cannot be."""


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
    start: Moment = None,
    end: Moment = None,
    cash: float = 100_000.0,
    costs: Costs | None = None,
) -> list[SimulationResult]:
    """Trade a model's signals through the bars after its training end, in the order of time.

    It buys whole shares for all its cash where the model says 1 and it is flat, sells everything
    where the model says 0, and holds otherwise; so it does at bars at which a context symbol has
    none. Bars are those of the regular hours, split-adjusted; positions are kept overnight. Shares
    held at the end count at the last close. The same inputs again find the run that is there.

    Args:
        mode: ``as_specified`` (fills at the same bar's close, no costs), ``realistic`` (fills at
            the open of the session's next bar, with costs) or ``both``, in that order.
        start: A New York session date, or a time with its zone; None for the model's test start.
            Earlier than that runs with a warning: the model has seen those bars.
        end: As ``start``, both included; None for the newest session with bars of all symbols.
        cash: USD at the beginning.
        costs: Of the realistic mode; None for the defaults of :class:`Costs`.

    Raises:
        ModelMissingError, ArtifactMissingError, StrangerError, FeaturesDifferError: The model
            cannot be used. Nothing was noted.
        SimulationError: The mode or the cash cannot be. Nothing was noted.
        LakeError: The run failed; it is in the ledger with the reason.
        GateBusyError: Another process held the commit gate too long; ask again.
    """
    modes = _modes(mode, costs)
    if not (math.isfinite(cash) and cash > 0):
        problem = f"The cash to begin with must be above 0 USD, was {cash:g}."
        raise SimulationError(problem)
    model = training.load(lk, model_id)
    first = _test_start(model) if start is None else start
    asked = _Asked(model, ModelStrategy(model), sessions.window(first, end), cash)
    try:
        prepared = _prepare(lk, asked, first, end)
        return [_simulate(lk, asked, prepared, each) for each in modes]
    except TransientError:
        raise
    except LakeError as error:
        for each in modes:
            _note_failure(lk, asked, each, error)
        raise


@dataclass(frozen=True)
class _Asked:
    model: Model
    strategy: Strategy
    window: tuple[datetime | None, datetime | None]
    cash: float


@dataclass(frozen=True)
class _Prepared:
    """Bars and what the strategy says at each of them."""

    market: Market
    directions: NDArray[np.int8]
    sessions_per_year: int
    snapshot: int
    warnings: tuple[str, ...]

    @property
    def start(self) -> datetime:
        first: datetime = self.market.bars["timestamp"][0]
        return first

    @property
    def end(self) -> datetime:
        last: datetime = self.market.bars["timestamp"][-1]
        return last


def _modes(mode: str, costs: Costs | None) -> list[Mode]:
    if mode not in MODES:
        problem = f"There is no mode {mode[:40]!r}. The modes are {', '.join(MODES)}."
        raise SimulationError(problem)
    both = [as_specified(), realistic(costs)]
    return both if mode == "both" else [each for each in both if each.name == mode]


def _test_start(model: Model) -> datetime:
    return datetime.fromisoformat(model.stored.params["test_start"])


def _prepare(lk: Lake, asked: _Asked, start: Moment, end: Moment) -> _Prepared:
    stored, snapshot = asked.model.stored, lk.snapshot()
    sources: dict[str, str] = stored.params["sources"]
    symbol = stored.primary_symbol
    bars = lk.bars(
        symbol,
        start,
        end,
        adjust="split",
        source=sources[symbol],
        columns=COLUMNS,
        regular_only=True,
    )
    if bars.is_empty():
        problem = (
            f"{symbol} has no bars of regular hours in that range, so nothing can be simulated."
        )
        raise SimulationError(problem)
    rows = assemble(
        lk, stored.symbols, stored.feature_set, start=start, end=end, sources=sources
    ).frame
    if end is None:
        # Behind the last session the model speaks in, nothing but a held position would be shown.
        bars = bars.filter(pl.col("session_date") <= rows["session_date"][-1])
    market = Market.of(symbol, bars)
    said = rows.select("timestamp").with_columns(asked.strategy.signals(rows)["direction"])
    heard = bars.join(said, on="timestamp", how="left", maintain_order="left")["direction"]
    last: date = bars["session_date"][-1]
    return _Prepared(
        market=market,
        directions=heard.fill_null(int(Direction.HOLD)).to_numpy(),
        sessions_per_year=sessions.schedule(last - _YEAR, last).height,
        snapshot=snapshot,
        warnings=tuple(_warnings(asked.model, bars, heard.null_count())),
    )


def _warnings(model: Model, bars: pl.DataFrame, silent: int) -> list[str]:
    found = []
    seen = bars.filter(pl.col("timestamp") < _test_start(model)).height
    if seen:
        found.append(
            f"The model was trained on or beside {seen:,} of these {bars.height:,} bars, "
            "so the figures flatter: it had seen them."
        )
    if silent:
        found.append(
            f"At {silent:,} of {bars.height:,} bars a context symbol has none; "
            "the position was held there."
        )
    days = bars["session_date"].unique()
    expected = sessions.schedule(bars["session_date"][0], bars["session_date"][-1]).height
    if expected > len(days):
        found.append(
            f"{expected - len(days):,} of {expected:,} sessions have no bars; "
            "a return across them counts as one session's."
        )
    if len(days) < _FEW_SESSIONS:
        found.append(f"A Sharpe ratio of {len(days)} sessions says next to nothing.")
    return found


def _simulate(lk: Lake, asked: _Asked, prepared: _Prepared, mode: Mode) -> SimulationResult:
    times = prepared.market.bars.select("timestamp", "session_date")
    facts = {
        **asked.strategy.facts,
        **mode.facts,
        "cash": asked.cash,
        "file_hash": asked.model.stored.file_hash,
        "market_hash": prepared.market.content_hash,
        "signals_hash": content_hash(times.with_columns(direction=prepared.directions)),
        "code": code_version(*_ROOMS),
    }
    simulation_id = digest(facts)[:12]
    stored = standing = find_simulation(lk, simulation_id)
    if stored is None or stored.state == "failed":
        stored = _run(lk, asked, prepared, mode, facts, simulation_id)
    tried = trials(lk, stored.symbol, stored.start, stored.end).count
    return SimulationResult(stored, tried, fresh=stored is not standing)


def _run(
    lk: Lake,
    asked: _Asked,
    prepared: _Prepared,
    mode: Mode,
    facts: Mapping[str, Any],
    simulation_id: str,
) -> StoredSimulation:
    market = prepared.market
    hold = BuyAndHold().signals(market.bars)["direction"].to_numpy()
    own = engine.run([market], [Said(prepared.directions)], Trading(), asked.cash, mode)
    benchmark = engine.run([market], [Said(hold)], Trading(), asked.cash, mode)
    warnings = list(prepared.warnings)
    if not len(benchmark.orders):
        warnings.append(f"The cash of {asked.cash:,.2f} USD never paid for one share.")
    year = prepared.sessions_per_year
    new = StoredSimulation(
        simulation_id=simulation_id,
        strategy=asked.strategy.name,
        model_id=asked.model.model_id,
        symbol=market.symbol,
        mode=mode.name,
        start=prepared.start,
        end=prepared.end,
        snapshot=prepared.snapshot,
        params={**facts, "sessions_per_year": year},
        metrics={
            "strategy": measure(
                own, market.session, year, benchmark=benchmark, bars=market.bars
            ).facts,
            "benchmark": measure(benchmark, market.session, year, bars=market.bars).facts,
            "honesty": _honesty(lk, asked, prepared, own),
            "warnings": warnings,
        },
        orders_hash=own.orders_hash,
        state="done",
    )
    return store_simulation(lk, new, _curve(market, own, benchmark), _orders(market, own))


def _honesty(lk: Lake, asked: _Asked, prepared: _Prepared, own: Run) -> dict[str, Any] | None:
    """What the Sharpe ratio is worth, this strategy counted among those tried on these bars."""
    name, start, end = asked.strategy.name, prepared.start, prepared.end
    tried = trials(lk, prepared.market.symbol, start, end, beside=name).count + 1
    daily = equity_at_session_ends(own, prepared.market.session)
    if daily.min() <= 0:
        return None
    found = judge(daily[1:] / daily[:-1] - 1, prepared.sessions_per_year, trials=tried)
    return None if found is None else found.facts


def _curve(market: Market, own: Run, benchmark: Run) -> pl.DataFrame:
    """A value for the last bar of each session: enough to draw, few enough to keep."""
    ends = session_ends(market.session)
    times = market.bars["timestamp"].gather(ends)
    values = {"timestamp": times, "equity": own.equity[ends], "benchmark": benchmark.equity[ends]}
    return pl.DataFrame(values).cast(EQUITY)


def _orders(market: Market, own: Run) -> pl.DataFrame:
    times, orders = market.bars["timestamp"], own.orders
    rows = {
        "number": range(1, len(orders) + 1),
        "decided_at": times.gather(orders.decided),
        "filled_at": times.gather(orders.filled),
        "side": pl.Series([one.side for one in orders], dtype=pl.String),
        "shares": orders.shares,
        "price": orders.price,
        "costs": orders.costs,
        "symbol": market.symbol,
        "purpose": [one.purpose for one in orders],
    }
    return pl.DataFrame(rows).cast(ORDERS)


def _note_failure(lk: Lake, asked: _Asked, mode: Mode, error: LakeError) -> None:
    start, end = asked.window
    facts = {**asked.strategy.facts, **mode.facts, "cash": asked.cash, "asked": [start, end]}
    snapshot, stored = lk.snapshot(), asked.model.stored
    from_moment = start or _test_start(asked.model)
    failed = StoredSimulation(
        simulation_id=digest({**facts, "snapshot": snapshot, "error": str(error)})[:12],
        strategy=asked.strategy.name,
        model_id=asked.model.model_id,
        symbol=stored.primary_symbol,
        mode=mode.name,
        start=from_moment,
        end=end or from_moment,
        snapshot=snapshot,
        params={**facts, "asked": [str(start), str(end)]},
        metrics={},
        orders_hash="",
        state="failed",
        error=str(error),
    )
    store_simulation(lk, failed, pl.DataFrame(schema=EQUITY), pl.DataFrame(schema=ORDERS))
