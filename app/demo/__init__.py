"""``make demo``: from nothing to a simulated model, through every room, without a key.

The sandbox serves bars, real workers fetch them through a real broker with alpaca-py, and the
results lie in the lake as any others would. Run again, it finds its work done.
"""

import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from app.cli.jobs import raise_failures, watch
from app.cli.output import say
from app.demo.plan import Plan, plan
from app.demo.report import report
from app.demo.staff import staff
from lake.journal import Job, Journal
from lake.models import model as stored_model
from lake.opening import open_by
from lake.settings import Settings, load_settings
from sandbox.config import SandboxConfig
from sandbox.serve import running

FEATURE_SET = "core"
LABEL = "direction_15"
MODEL = "logistic"


def run() -> None:
    """Do all of it and print what came out.

    Raises:
        LakeError: Something cannot be done; the sentence says what to do.
    """
    began = time.monotonic()
    chosen = plan(load_settings().home)
    with running(SandboxConfig(data=chosen.data)) as url:
        settings = _settings(chosen, url)
        say(
            f"A sandbox speaks Alpaca's protocol at {url}, over {chosen.data or 'bars it makes up'}."
        )
        with Journal.open(settings.journal_url or settings.home) as journal:
            with staff(settings, journal, say):
                ended = _work(journal, settings, chosen)
            report(settings, chosen, ended, seconds=time.monotonic() - began)


def _settings(chosen: Plan, url: str) -> Settings:
    """The settings of a sandbox at a URL, for this process and for its workers."""
    os.environ.update(
        {
            "BARLAKE_HOME": str(chosen.home),
            "BARLAKE_SOURCE_NAME": "sandbox",
            "ALPACA_API_BASE_URL": url,
            "ALPACA_DATA_URL": url,
            "ALPACA_STREAM_URL": url.replace("http", "ws", 1),
            "ALPACA_FEED": "iex",
            "ALPACA_API_KEY_ID": "sandbox",
            "ALPACA_API_SECRET_KEY": "sandbox",
        }
    )
    settings = load_settings()
    settings.home.mkdir(parents=True, exist_ok=True)
    return settings


def _work(journal: Journal, settings: Settings, chosen: Plan) -> dict[str, list[Job]]:
    """Queue one kind of work after the other and wait for each."""
    from agents.queueing import queue_ingest
    from agents.tasks import send

    now = datetime.now(UTC)
    say(f"Queueing the backfill of {', '.join(chosen.symbols)} ...")
    fetching = [
        queue_ingest(journal, settings, symbol, first, last, now=now, send=send)[0]
        for symbol, spans in chosen.spans.items()
        for first, last in spans
    ]
    ended = {"ingest": _wait(journal, fetching)}

    def queue(kind: str, symbol: str, params: dict[str, Any]) -> Job:
        job, new = journal.queue(kind, settings.source, symbol, None, None, params)
        if new:
            send(job)
        return job

    say(f"Building the feature set {FEATURE_SET} ...")
    building = [queue("features", symbol, {"set_name": FEATURE_SET}) for symbol in chosen.symbols]
    ended["features"] = _wait(journal, building)
    primary_and_context = list(chosen.symbols[:2])
    say(f"Training on {' with context '.join(primary_and_context)} ...")
    asked = {
        "symbols": primary_and_context,
        "set_name": FEATURE_SET,
        "label": LABEL,
        "model": MODEL,
    }
    ended["train"] = _wait(journal, [queue("train", chosen.symbols[0], asked)])
    say("Simulating it walk-forward, as specified and realistic ...")
    unseen = _unseen(settings, ended["train"][0])
    simulating = queue("simulate", chosen.symbols[0], {**unseen, "mode": "both"})
    ended["simulate"] = _wait(journal, [simulating])
    return ended


def _unseen(settings: Settings, trained: Job) -> dict[str, str]:
    """The model, and the bars it was tested on and has not seen."""
    model_id = str((trained.result or {})["model_id"])
    with open_by(settings) as opened:
        born = stored_model(opened, model_id).params
    return {"model_id": model_id, "start": born["test_start"], "end": born["test_end"]}


def _wait(journal: Journal, jobs: Sequence[Job]) -> list[Job]:
    ended = watch(journal, [job.id for job in jobs])
    raise_failures(ended)
    return ended
