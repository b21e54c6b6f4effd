"""What training, simulating and searching as jobs promise: progress, and nothing half-registered."""

import os
import signal
import subprocess
import sys
from datetime import date
from functools import partial
from pathlib import Path

import pytest

import lake
from agents import research
from agents.heartbeat import Pulse
from agents.work import perform
from lake.journal import Journal, switches
from lake.models import models
from lake.searches import searches
from lake.simulations import simulations
from tests.agents.houses import wait_for
from tests.feature_service.walks import put, random_walk

RECIPE = {"symbols": ["SPY"], "set": "momentum", "test_share": 0.4}
LONG = RECIPE | {"test_share": None, "split": "combinatorial-purged:groups=6", "search": 50}
SEARCH = {"strategy": "sma_cross", "symbols": ["SPY"], "axes": ["fast=2:30:1"], "folds": 2}
ROOT = Path(__file__).parents[2]

#: A worker in a process of its own: claims the job and works on it until somebody ends it.
WORKER = """
import sys
from functools import partial
import lake
from agents import research
from agents.heartbeat import Pulse
from agents.work import perform
from lake.journal import Journal

home, job = sys.argv[1:]
with lake.open(home) as opened, Journal.open(home) as journal:
    work = partial(research.train, opened, journal)
    perform(journal, job, work, pulse=Pulse(journal, "other", "worker").start())
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("research")
    with lake.open(home, create=True) as opened:
        put(opened, random_walk("SPY", date(2024, 6, 3), date(2024, 6, 24)))
    return home


@pytest.fixture(scope="module")
def store(home):
    with lake.open(home) as opened:
        yield opened


@pytest.fixture(scope="module")
def journal(home):
    with Journal.open(home) as opened:
        yield opened


def worked(journal, kind, params, work, *, agent="worker"):
    """Queue a job, work on it here, and tell its outcome and what its progress was."""
    job, _ = journal.queue(kind, "", "SPY", None, None, params)
    told = []

    def run(claimed):
        follow, tell = journal.progress, []

        def noted(name, done, total, message="", **more):
            follow(name, done, total, message, **more)
            now = journal.job(name)
            tell.append((now.done, now.total, now.message))

        journal.progress = noted
        try:
            return work(claimed)
        finally:
            journal.progress = follow
            told.extend(tell)

    return perform(journal, job.id, run, pulse=Pulse(journal, agent, "worker")), told


def files(home):
    """What lies where models lie."""
    return sorted(path.name for path in (home / "models").glob("**/*") if path.is_file())


def test_a_model_is_trained_with_every_fold_told(store, journal, home):
    outcome, told = worked(journal, "train", RECIPE, partial(research.train, store, journal))

    assert outcome.state == "done", outcome.text
    result = journal.job(outcome.job_id).result
    assert result["fresh"] is True
    assert models(store)["model_id"].to_list() == [result["model_id"]]
    shares = [done for done, total, _ in told]
    assert shares == sorted(shares)
    assert {total for _, total, _ in told} == {1_000}
    assert told[-1] == (1_000, 1_000, "registered")
    assert len([message for *_, message in told if "fold" in message]) >= 3
    assert files(home) == [f"{result['model_id']}.{end}" for end in ("joblib", "json")]


def test_the_same_again_is_found_under_another_job(store, journal):
    first = journal.jobs(kind="train", state="done")[0].result["model_id"]
    outcome, told = worked(
        journal, "train", RECIPE | {"seed": 0}, partial(research.train, store, journal)
    )

    assert journal.job(outcome.job_id).result["model_id"] == first
    assert journal.job(outcome.job_id).result["fresh"] is False
    assert told[-1][2] == "found"


def test_a_simulation_and_a_search_are_told_and_enter_the_ledger(store, journal):
    work = partial(research.simulate, store, journal)
    run, told = worked(journal, "simulate", {"mode": "both"}, work)
    hunt, hunted = worked(journal, "simulate", {"search": SEARCH}, work)

    assert (run.state, hunt.state) == ("done", "done"), run.text + hunt.text
    ids = journal.job(run.job_id).result["simulations"]
    assert set(simulations(store)["simulation_id"]) == set(ids)
    assert told == [(0, 1_000, "simulating"), (1_000, 1_000, "in the ledger")]
    assert journal.job(hunt.job_id).result["search"] == searches(store)["search_id"][0]
    assert [done for done, *_ in hunted] == sorted(done for done, *_ in hunted)
    assert any("20 trials" in message for *_, message in hunted)
    assert any("walking forward" in message for *_, message in hunted)


def test_what_cannot_be_fails_the_job_in_a_sentence(store, journal):
    work = partial(research.train, store, journal)
    outcome, _ = worked(journal, "train", RECIPE | {"model": "oracle"}, work)

    assert outcome.state == "failed"
    assert "The models are" in journal.job(outcome.job_id).error


def test_a_worker_that_lost_its_job_lets_go_and_registers_nothing(store, journal, home):
    before = models(store).height, files(home)
    recipe = RECIPE | {"seed": 11, "model": "ridge"}

    def robbed(job):
        def tell(name, done, total, message="", **_):
            if "fold" in message:  # who holds it is thought dead, and it is given up
                journal.fail(name, "given up")
            Journal.progress(journal, name, done, total, message)

        journal.progress = tell
        try:
            return research.train(store, journal, job)
        finally:
            del journal.progress

    job, _ = journal.queue("train", "", "SPY", None, None, recipe)
    outcome = perform(journal, job.id, robbed, pulse=Pulse(journal, "worker", "worker"))

    assert outcome.state == "held"
    assert (models(store).height, files(home)) == before


def test_a_paused_search_goes_back_to_the_queue_and_is_no_failed_trial(store, journal):
    before = searches(store).height

    def paused(job):
        switches.turn(journal, "simulate", "stopped")
        return research.simulate(store, journal, job)

    job, _ = journal.queue("simulate", "", "SPY", None, None, {"search": SEARCH | {"folds": 3}})
    try:
        with pytest.raises(switches.AgentStoppedError):
            perform(journal, job.id, paused, pulse=Pulse(journal, "worker", "worker"))
    finally:
        switches.turn(journal, "simulate", "running")

    assert journal.job(job.id).state == "queued"
    assert searches(store).height == before


def test_a_worker_killed_in_the_middle_of_training_leaves_nothing_registered(store, journal, home):
    before = models(store).height, files(home), store.snapshot()
    job, _ = journal.queue("train", "", "SPY", None, None, LONG)
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(home), job.id],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: worker.poll() is not None or journal.job(job.id).done > 100)
        assert worker.poll() is None, "the worker ended before it could be killed"
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()

    assert journal.job(job.id).state == "running"  # its lease runs out, and another takes it up
    assert (models(store).height, files(home), store.snapshot()) == before
