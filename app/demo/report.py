"""What the demo found, in a few short tables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

import lake
from app.cli.output import say, show_table
from app.demo.plan import Plan
from lake.features import builds
from lake.home import Home
from lake.journal import Job
from lake.models import StoredModel
from lake.models import model as stored_model
from lake.opening import open_by
from lake.settings import Settings
from lake.simulations import StoredSimulation, trials
from lake.simulations import simulation as stored_simulation

Ended = Mapping[str, list[Job]]


def report(settings: Settings, chosen: Plan, ended: Ended, *, seconds: float) -> None:
    """Print bars, gaps, features, scores, simulations, where it all lies and what to do next."""
    home, source = settings.home, settings.source
    with open_by(settings) as opened:
        say()
        _show_bars(opened, chosen, ended, source)
        model = stored_model(opened, _result(ended, "train")["model_id"])
        _show_model(model)
        names = _result(ended, "simulate")["simulations"]
        _show_simulations(opened, [stored_simulation(opened, name) for name in names])
        _show_places(opened, model, home)
    say(f"\nAll of it took {seconds:.0f} s. Run it again: nothing is fetched twice.")
    lasting = "" if home == chosen.base else f"BARLAKE_HOME={_short(home)} "
    page, api = (f"http://localhost:{port}" for port in (settings.ui_port, settings.api_port))
    say(f"Next: `{lasting}make up` shows these bars at {page} (API: {api}).")


def _result(ended: Ended, kind: str) -> dict[str, Any]:
    result = ended[kind][0].result
    return dict(result) if result else {}


def _show_bars(opened: lake.Lake, chosen: Plan, ended: Ended, source: str) -> None:
    fetched: dict[str, int] = {}
    for job in ended["ingest"]:
        fetched[job.symbol] = fetched.get(job.symbol, 0) + int((job.result or {}).get("new", 0))
    built = builds(opened).filter(pl.col("source") == source).sort("created_at")
    stored = opened.symbols().filter(pl.col("source") == source)
    bars = dict(stored.select("symbol", "bars").iter_rows())
    rows = [
        [
            symbol,
            bars.get(symbol, 0),
            fetched.get(symbol, 0),
            *_minutes(opened, chosen, symbol, source),
            *_size(built, symbol),
        ]
        for symbol in chosen.symbols
    ]
    columns = [
        "symbol",
        "bars",
        "new",
        "sessions",
        "gap minutes",
        "absent minutes",
        "feature rows",
        "features",
    ]
    show_table(columns, rows, title=f"Bars of {source} and features")
    say("Gap: never fetched. Absent: fetched, and nobody traded in that minute (regular hours).")


def _minutes(opened: lake.Lake, chosen: Plan, symbol: str, source: str) -> tuple[int, int, int]:
    """Sessions, minutes never fetched, and minutes fetched without a bar."""
    gaps = absent = sessions = 0
    for first, last in chosen.spans[symbol]:
        minutes = opened.absent(symbol, first, last, source)
        gaps += int(opened.gaps(symbol, first, last, source)["minutes"].sum())
        absent += int(minutes["absent"].sum())
        sessions += minutes.height
    return sessions, gaps, absent


def _size(built: pl.DataFrame, symbol: str) -> tuple[int, ...]:
    """Rows and columns of a symbol's newest features."""
    newest = built.filter(pl.col("symbol") == symbol).tail(1)
    return newest.select("row_count", "column_count").row(0) if newest.height else (0, 0)


def _show_model(model: StoredModel) -> None:
    context = " with context " + ", ".join(model.context_symbols) if model.context_symbols else ""
    parts = {
        "the model, out of sample": model.metrics["test"],
        "always the majority": model.metrics["baselines"]["majority"],
        "always up": model.metrics["baselines"]["always_up"],
        "the model, in training": model.metrics["train"],
    }
    names = ["rows", "accuracy", "balanced_accuracy", "auc", "log_loss"]
    rows = [[who, *(_rounded(found[name]) for name in names)] for who, found in parts.items()]
    title = f"Model {model.model_id}: {model.label} of {model.primary_symbol}{context}"
    show_table(
        ["who", "rows", "accuracy", "balanced accuracy", "AUC", "log loss"], rows, title=title
    )


def _show_simulations(opened: lake.Lake, found: list[StoredSimulation]) -> None:
    rows: list[list[object]] = []
    for run in found:
        rows += [
            [_words(run.mode), *_figures(run.metrics["strategy"])],
            ["  buy and hold", *_figures(run.metrics["benchmark"])],
        ]
    first = found[0]
    title = f"Simulated on {first.symbol}, {first.start.date()} to {first.end.date()}, which the model has not seen"
    show_table(
        ["mode", "return", "Sharpe", "drawdown", "trades", "exposure", "costs USD"],
        rows,
        title=title,
    )
    say("as specified: fills at the close that decided, for free; nobody can trade like that.")
    say("realistic: the next bar's open, with slippage and fees. Believe this one.")
    tried = trials(opened, first.symbol, first.start, first.end).count
    say(
        f"Strategies tried on these bars so far: {tried}. The more, the less the best one's Sharpe means."
    )
    for run in found:
        if shaken := run.metrics.get("sensitivity"):
            late, dear = (shaken[name]["total_return"] for name in ("delay", "doubled_costs"))
            say(f"{_words(run.mode)}, one bar later: {late:+.2%}; at doubled costs: {dear:+.2%}.")
    for warning in dict.fromkeys(line for run in found for line in run.metrics["warnings"]):
        say(f"Note: {warning}")


def _figures(found: Mapping[str, Any]) -> list[object]:
    sharpe = found["sharpe"]
    return [
        f"{found['total_return']:+.2%}",
        "-" if sharpe is None else f"{sharpe:.2f}",
        f"{found['max_drawdown']:.2%}",
        found["trades"],
        f"{found['exposure']:.0%}",
        f"{found['costs']:,.2f}",
    ]


def _show_places(opened: lake.Lake, model: StoredModel, home: Path) -> None:
    place = Home(home)
    rows = [
        ["bars, features, results", _short(place.parquet)],
        ["catalog (DuckLake)", f"{_short(place.catalog)} at snapshot {opened.snapshot()}"],
        ["the model", _short(home / model.path)],
        ["logs", _short(place.logs)],
    ]
    show_table(["what", "where"], rows)


def _short(path: Path) -> str:
    """Relative to where we stand, if it lies there."""
    full = path.resolve()
    return str(full.relative_to(Path.cwd())) if full.is_relative_to(Path.cwd()) else str(full)


def _rounded(value: Any) -> object:
    return "-" if value is None else f"{value:.4f}" if isinstance(value, float) else value


def _words(mode: str) -> str:
    return mode.replace("_", " ")
