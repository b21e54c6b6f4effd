"""From a model or a plan to what a simulation runs on. Reads the lake, and builds features that are missing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import polars as pl

from feature_service import engine, inputs
from feature_service.choosing import choose
from lake import Lake
from lake.models import StoredModel
from lake.sessions import Moment
from lake.timeframes import minutes_of
from simulation_service.hearing import CLOCK, heard, known_at, places, said_by, spoken
from simulation_service.loading import Loaded, load_market
from simulation_service.market import Market
from simulation_service.prepared import Prepared, SimulationError, Terms, in_year_to, warnings_of
from simulation_service.trading import Said, Trading, shared_alike
from simulation_service.trying import Ground
from strategy_service.needs import feature, widened
from strategy_service.plans import Plan
from strategy_service.sizing import AllIn
from strategy_service.strategies import ModelStrategy, signals_of_chances, signals_of_predictions
from training_service.asking import NAMES, recipe_of
from training_service.dataset import assemble, check_symbols
from training_service.training import Model
from training_service.walking import out_of_sample


@dataclass(frozen=True)
class _Heard:
    """One market with what was said there, and at how many bars nothing could be."""

    market: Market
    said: Said
    silent: int = 0
    warnings: tuple[str, ...] = ()


def of_model(lk: Lake, model: Model, symbols: Sequence[str], terms: Terms) -> Prepared:
    """A trained model on bars, by default those after its training.

    It buys where the model says up and sells where it does not, all in (several symbols share the
    purse alike), and holds at bars at which a context symbol has none.

    Args:
        symbols: As :func:`spoken_of` gives them.

    Raises:
        MarketMissingError, PricesError: There are no such bars, or nobody could trade at them.
        FeaturesDifferError and others: As for :func:`training_service.dataset.assemble`.
        PredictionError, StrategyBrokeError: The model says nothing to act on.
    """
    tested = datetime.fromisoformat(model.stored.params["test_start"])
    first = tested if terms.start is None else terms.start
    strategy = ModelStrategy(model)
    parts = [_model_on(lk, model, strategy, symbol, first, terms.end) for symbol in symbols]
    facts = {**strategy.facts, "file_hash": model.stored.file_hash}
    seen = _seen([one.market for one in parts], tested)
    trading = Trading(sizing=shared_alike(len(parts)))
    return _prepared(lk, strategy.name, facts, parts, trading, seen, model_id=model.model_id)


def spoken_of(stored: StoredModel, symbols: Sequence[str] = ()) -> tuple[str, ...]:
    """The symbols that a model foresees: one, or those of its panel; or those asked for among them.

    Raises:
        SimulationError: It foresees none of a name.
    """
    panel = bool(stored.params.get("recipe", {}).get("panel"))
    known = stored.symbols if panel else (stored.primary_symbol,)
    wanted = check_symbols(symbols) if symbols else known
    if other := [one for one in wanted if one not in known]:
        problem = (
            f"Model {stored.model_id} foresees {', '.join(known)} and not {', '.join(other)}. "
            "Train one that does."
        )
        raise SimulationError(problem)
    return tuple(wanted)


def of_plan(lk: Lake, plan: Plan, symbols: Sequence[str], terms: Terms) -> Prepared:
    """A plan on bars of some symbols. What it reads is computed over their whole history.

    Raises:
        BarsMissingError, MarketMissingError, PricesError: There are no such bars, or nobody could
            trade at them.
        StrategyBrokeError: The strategy raised.
    """
    parts = [_plan_on(lk, plan, symbol, terms) for symbol in symbols]
    facts = {"plan": plan.facts, "features": {one.name: one.hash for one in plan.features}}
    greedy = _greedy(plan, symbols)
    return _prepared(lk, plan.described, facts, parts, Trading.of(plan), greedy)


def of_walk(
    lk: Lake,
    stored: StoredModel,
    name: str,
    facts: Mapping[str, Any],
    terms: Terms,
    progress: Callable[[str, float], None] | None = None,
) -> Prepared:
    """A model's recipe, trained anew as time goes on: at each bar speaks one that knows the past alone.

    Args:
        facts: ``retrain`` (sessions) and ``window``, and what else decides what is said.

    Raises:
        SimulationError: The recipe is one of a panel.
        WalkError, TooFewRowsError and others: As :func:`training_service.walking.out_of_sample`.
    """
    sources, symbol = stored.params["sources"], stored.primary_symbol
    told = {key: value for key, value in stored.params["recipe"].items() if key in NAMES}
    check_walk(stored)
    begin = stored.params.get("learns_from")
    recipe = recipe_of(told | {"sources": sources, "start": begin})
    found = out_of_sample(
        lk,
        recipe,
        retrain=facts["retrain"],
        window=facts["window"],
        start=terms.start,
        end=terms.end,
        progress=progress,
    )
    rows = found.frame
    if recipe.classes == (0, 1):
        signals = signals_of_chances(name, rows["chance"].to_numpy())
    else:
        said = rows["prediction"].cast(pl.Float64).to_numpy()
        signals = signals_of_predictions(name, said, classes=recipe.classes)
    # To the end of the last session: the row of an hour or a day is known at its last minute.
    first, last = rows["timestamp"][0], rows["session_date"][-1]
    loaded = load_market(
        lk, symbol, sources[symbol], first, last if terms.end is None else terms.end
    )
    part = _heard_at(loaded, rows, signals, choose(lk, recipe.set_name).timeframe)
    all_facts = {**facts, "steps": found.facts["steps"], "predictions_hash": found.hash}
    return _prepared(lk, name, all_facts, [part], Trading(), [], model_id=stored.model_id)


def check_walk(stored: StoredModel) -> None:
    """Refuse a model whose recipe cannot be trained anew along the time.

    Raises:
        SimulationError: It is one of a panel.
    """
    if stored.params.get("recipe", {}).get("panel"):
        problem = (
            "A model of a panel is not trained anew along the time. Simulate it as it is, "
            "or train one of a single symbol."
        )
        raise SimulationError(problem)


def ground_of(
    lk: Lake, plan: Plan, symbols: Sequence[str], terms: Terms
) -> tuple[Ground, list[str]]:
    """Where plans like this one are tried, and what makes it worth less, in sentences.

    Raises:
        BarsMissingError, MarketMissingError, PricesError: As for :func:`of_plan`.
    """
    markets, bars = [], []
    warnings: list[str] = []
    for symbol in symbols:
        source = lk.source_of(symbol, terms.sources.get(symbol))
        loaded = load_market(lk, symbol, source, terms.start, terms.end)
        markets.append(loaded.market)
        warnings += loaded.warnings
        bars.append(_bars_of(lk, plan, symbol, source, terms.end))
    year = in_year_to(max(one.bars["session_date"][-1] for one in markets))
    ground = Ground(tuple(markets), tuple(bars), terms.cash, year)
    return ground, [*_greedy(plan, symbols), *warnings, *warnings_of(markets)]


def _greedy(plan: Plan, symbols: Sequence[str]) -> list[str]:
    if len(symbols) == 1 or not isinstance(plan.sizing, AllIn):
        return []
    warning = (
        "The sizing all_in gives the whole purse to the first symbol that is bought; "
        "the sizing fraction shares it."
    )
    return [warning]


def _prepared(
    lk: Lake,
    name: str,
    facts: Mapping[str, Any],
    parts: Sequence[_Heard],
    trading: Trading,
    more: Sequence[str],
    *,
    model_id: str | None = None,
) -> Prepared:
    markets = tuple(one.market for one in parts)
    bars, silent = sum(len(one.close) for one in markets), sum(one.silent for one in parts)
    quiet = []
    if silent:
        quiet.append(
            f"At {silent:,} of {bars:,} bars a context symbol has none; the position was held there."
        )
    told = [warning for one in parts for warning in one.warnings]
    return Prepared(
        name=name,
        facts=dict(facts),
        model_id=model_id,
        markets=markets,
        said=tuple(one.said for one in parts),
        trading=trading,
        snapshot=lk.snapshot(),
        warnings=(*more, *quiet, *told, *warnings_of(markets)),
    )


def _model_on(
    lk: Lake, model: Model, strategy: ModelStrategy, symbol: str, first: Moment, end: Moment
) -> _Heard:
    stored = model.stored
    recipe, sources = stored.params["recipe"], stored.params["sources"]
    panel = bool(recipe.get("panel"))
    loaded = load_market(lk, symbol, sources[symbol], first, end)
    rows = assemble(
        lk,
        (symbol,) if panel else stored.symbols,
        stored.feature_set,
        start=first,
        end=end,
        sources={symbol: sources[symbol]} if panel else sources,
        join=recipe.get("join", "strict"),
    ).frame
    signals = spoken(strategy, symbol, rows)
    if end is None:
        # Behind the last session the model speaks in, nothing but a held position would be shown.
        days = loaded.market.bars["session_date"]
        market = loaded.market.between(days[0], rows["session_date"][-1])
        loaded = replace(loaded, market=market)
    return _heard_at(loaded, rows, signals, choose(lk, stored.feature_set).timeframe)


def _heard_at(loaded: Loaded, rows: pl.DataFrame, signals: pl.DataFrame, timeframe: str) -> _Heard:
    at = known_at(loaded.market, rows, timeframe)
    silent = int((at < 0).sum()) if minutes_of(timeframe) == 1 else 0
    return _Heard(loaded.market, heard(signals, at), silent, loaded.warnings)


def _plan_on(lk: Lake, plan: Plan, symbol: str, terms: Terms) -> _Heard:
    source = lk.source_of(symbol, terms.sources.get(symbol))
    loaded = load_market(lk, symbol, source, terms.start, terms.end)
    bars = _bars_of(lk, plan, symbol, source, terms.end)
    rows = widened(bars, (*plan.features, feature(CLOCK)))
    said = said_by(plan, loaded.market, rows, places(loaded.market, rows["timestamp"]))
    return _Heard(loaded.market, said, warnings=loaded.warnings)


def _bars_of(lk: Lake, plan: Plan, symbol: str, source: str, end: Moment) -> pl.DataFrame:
    """The bars that a plan looks at, in today's shares: a symbol's history in regular hours."""
    read = (*plan.strategy.reads, *engine.inputs((*plan.features, feature(CLOCK))))
    columns = [name for name in inputs.BARS if name in read]
    return lk.bars(
        symbol, None, end, adjust="split", source=source, columns=columns, regular_only=True
    )


def _seen(markets: Sequence[Market], tested: datetime) -> list[str]:
    bars = sum(len(one.close) for one in markets)
    seen = sum(int((one.bars["timestamp"] < tested).sum()) for one in markets)
    if not seen:
        return []
    warning = (
        f"The model was trained on or beside {seen:,} of these {bars:,} bars, "
        "so the figures flatter: it had seen them."
    )
    return [warning]
