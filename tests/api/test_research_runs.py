"""What training, simulating and searching over HTTP promises: asked for, worked on, read."""

from collections.abc import Iterator
from datetime import date
from functools import partial
from types import SimpleNamespace

import pytest

import lake
from agents import research
from agents.heartbeat import Pulse
from agents.work import perform
from app.api.main import create_app
from lake.simulations import equity, orders
from strategy_service.plans import read_plan
from tests.api.conftest import Queue, asked
from tests.feature_service.walks import put, random_walk

MODEL = {"symbols": ["spy", "QQQ"], "set": "momentum", "seed": 5, "test_share": 0.4}
PLAN = '[strategy]\nname = "sma_cross"\n[strategy.parameters]\nfast = 5\nslow = 30\n'
SEARCH = {"strategy": "sma_cross", "symbols": ["SPY"], "axes": ["fast=5,10", "slow=30,60"]}
WORK = {"train": research.train, "simulate": research.simulate}


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Iterator[SimpleNamespace]:
    """An API over three weeks of two symbols, and someone who works on its jobs."""
    home, queue = tmp_path_factory.mktemp("runs"), Queue()
    with lake.open(home, create=True) as opened:
        for seed, symbol in enumerate(("SPY", "QQQ")):
            put(opened, random_walk(symbol, date(2024, 6, 3), date(2024, 6, 24), seed=seed))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        settings = lake.settings.Settings(
            BARLAKE_HOME=home, ALPACA_API_KEY_ID="key-id", ALPACA_API_SECRET_KEY="secret-key"
        )
        app = create_app(settings, queue.send)
        house = app.state.house
        pulse = Pulse(house.journal, "worker", "worker")

        def done(path, body):
            """Ask, work on the job in this thread, and tell how it ended."""
            answer = client.post(path, json=body)
            assert answer.status_code == 202, answer.text
            name = answer.json()["id"]
            kind = house.journal.job(name).kind
            work = partial(WORK[kind], house.lake, house.journal)
            outcome = perform(house.journal, name, work, pulse=pulse)
            assert outcome.state == "done", outcome.text
            return house.journal.job(name)

        for client in asked(app):
            yield SimpleNamespace(client=client, queue=queue, house=house, done=done)


@pytest.fixture
def client(runs):
    runs.queue.jobs.clear()
    return runs.client


@pytest.fixture(scope="module")
def trained(runs):
    return runs.done("/models", MODEL).result["model_id"]


@pytest.fixture(scope="module")
def simulated(runs, trained):
    return runs.done("/simulations", {"mode": "both"}).result["simulations"]


@pytest.fixture(scope="module")
def searched(runs):
    return runs.done("/searches", SEARCH).result["search"]


def test_what_is_asked_for_is_a_job_and_asking_twice_is_the_same_one(client, runs):
    body = MODEL | {"seed": 99}
    first, again = client.post("/models", json=body), client.post("/models", json=body)

    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    assert first.headers["location"] == f"/jobs/{first.json()['id']}"
    (job,) = runs.queue.jobs
    assert (job.kind, job.symbol, job.params["symbols"]) == ("train", "SPY", ["SPY", "QQQ"])
    assert (job.params["set"], job.params["seed"]) == ("momentum", 99)
    seeds = [one["params"]["recipe"]["seed"] for one in client.get("/models").json()["models"]]
    assert 99 not in seeds  # nobody has worked on it


def test_a_trained_model_is_read_with_its_scores_its_tags_and_its_report(client, runs, trained):
    one = client.get(f"/models/{trained}").json()
    listed = client.get("/models").json()["models"]
    page = client.get(f"/models/{trained}/report")

    assert (one["label"], one["primary_symbol"], one["tags"]) == ("direction_15", "SPY", [])
    assert one["params"]["recipe"]["seed"] == 5
    assert 0 < one["metrics"]["test"]["accuracy"] < 1
    assert trained in [each["model_id"] for each in listed]
    assert page.headers["content-type"].startswith("text/html")
    assert trained in page.text
    assert "<h1" in page.text
    job = runs.house.journal.jobs(kind="train")[0]
    assert (job.state, job.done, job.total) == ("done", 1_000, 1_000)


def test_tags_are_put_told_and_taken(client, trained):
    path = f"/models/{trained}/tags"

    assert client.put(f"{path}/champion").json() == {"model_id": trained, "tags": ["champion"]}
    assert client.put(f"{path}/candidate").json()["tags"] == ["candidate", "champion"]
    assert client.get(f"/models/{trained}").json()["tags"] == ["candidate", "champion"]
    assert client.delete(f"{path}/candidate").json()["tags"] == ["champion"]
    assert client.put(f"{path}/best").status_code == 422
    assert client.put("/models/nope/tags/champion").status_code == 404


def test_models_are_compared_and_one_is_deleted(client, runs, trained):
    other = runs.done("/models", MODEL | {"seed": 6}).result["model_id"]
    rows = client.get(f"/models/compare?ids={trained},{other}").json()["models"]
    gone = client.delete(f"/models/{other}")

    assert [(row["model_id"], row["seed"]) for row in rows] == [(trained, "5"), (other, "6")]
    assert (gone.status_code, gone.content) == (204, b"")
    missing = client.get(f"/models/{other}")
    assert missing.status_code == 404
    assert "barlake models" in missing.json()["message"]
    assert client.delete(f"/models/{other}").status_code == 404
    assert client.get(f"/models/compare?ids={trained}").status_code == 422


def test_the_newest_model_is_simulated_both_ways_and_read_to_the_last_order(
    client, runs, trained, simulated
):
    facts = [client.get(f"/simulations/{one}").json() for one in simulated]
    listed = client.get("/simulations").json()["simulations"]

    assert [one["mode"] for one in facts] == ["as_specified", "realistic"]
    assert {one["model_id"] for one in facts} == {trained}
    assert set(simulated) <= {one["simulation_id"] for one in listed}
    with runs.house.lake.reading():
        curve, filled = (table(runs.house.lake, simulated[1]) for table in (equity, orders))
    rows = client.get(f"/simulations/{simulated[1]}/equity").json()["rows"]
    assert [row["equity"] for row in rows] == curve["equity"].to_list()
    assert rows[-1]["equity"] == pytest.approx(
        facts[1]["metrics"]["strategy"]["final_equity"], rel=1e-12
    )
    sold = client.get(f"/simulations/{simulated[1]}/orders").json()["rows"]
    assert [row["number"] for row in sold] == list(range(1, filled.height + 1))
    assert {row["side"] for row in sold} <= {"buy", "sell"}


def test_a_plan_is_simulated_from_its_toml_and_from_a_table_alike(runs):
    rest = {"symbols": ["SPY"], "mode": "realistic", "costs": {"slippage_bps": 2, "regulatory": 1}}
    text = runs.done("/simulations", {"plan": PLAN} | rest)
    table = runs.done("/simulations", {"plan": read_plan(PLAN).facts} | rest)

    (run,) = text.result["simulations"]
    assert table.result["simulations"] == [run]
    stored = runs.client.get(f"/simulations/{run}").json()
    assert (stored["symbol"], stored["params"]["slippage_bps"]) == ("SPY", 2.0)
    assert stored["params"]["regulatory"] is True
    assert stored["params"]["plan"]["strategy"]["parameters"]["fast"] == 5


def test_a_search_is_read_with_its_trials(client, runs, searched):
    one = client.get(f"/searches/{searched}").json()
    rows = client.get(f"/searches/{searched}/trials").json()["rows"]
    listed = client.get("/searches").json()["searches"]

    assert (one["strategy"], one["state"], one["metrics"]["tried"]) == ("sma_cross", "done", 4)
    assert [row["number"] for row in rows] == [1, 2, 3, 4]
    best = max(row["sharpe"] for row in rows if row["sharpe"] is not None)
    assert one["metrics"]["best"]["sharpe"] == best
    assert searched in [each["search_id"] for each in listed]
    again = runs.done("/searches", SEARCH | {"seed": 0})
    assert again.result == {"search": searched, "fresh": False}


def test_reports_are_pages_that_fetch_nothing(client, simulated, searched):
    for path in (f"/simulations/{simulated[1]}/report", f"/searches/{searched}/report"):
        page = client.get(path)

        assert page.status_code == 200, page.text
        assert page.headers["content-type"].startswith("text/html")
        assert "<h1" in page.text
        assert not any(mark in page.text for mark in ("<script src", "<link ", "@import"))


REFUSED = [
    ("/models", MODEL | {"model": "oracle"}, 422, "logistic"),
    ("/models", MODEL | {"model": "os:system"}, 422, "barlake train --model"),
    ("/models", MODEL | {"label": "directoin_15"}, 422, "direction_15"),
    ("/models", MODEL | {"set": "momentun"}, 422, "momentum"),
    ("/models", MODEL | {"symbols": ["NOPE"]}, 404, "barlake ingest NOPE"),
    ("/models", MODEL | {"symbols": []}, 422, "symbols"),
    ("/models", MODEL | {"test_share": 2}, 422, "between 0 and 1"),
    ("/models", MODEL | {"split": "walk-forward"}, 422, "split or test_share"),
    ("/models", MODEL | {"parameters": {"Q": 1}}, 422, "'Q'"),
    ("/models", MODEL | {"colour": "red"}, 422, "colour"),
    ("/models", MODEL | {"start": "2024-02-30"}, 422, "2024-02-30"),
    ("/simulations", {"model_id": "nope"}, 404, "barlake models"),
    ("/simulations", {"strategy": "sma_cros", "symbols": ["SPY"]}, 422, "sma_cross"),
    ("/simulations", {"strategy": "sma_cross"}, 422, "symbols"),
    ("/simulations", {"strategy": "sma_cross", "symbols": ["NOPE"]}, 404, "barlake ingest NOPE"),
    ("/simulations", {"plan": "strategy = [", "symbols": ["SPY"]}, 422, "TOML"),
    ("/simulations", {"plan": {"rule": 1}, "symbols": ["SPY"]}, 422, "'rule'"),
    ("/simulations", {"plan": PLAN, "strategy": "sma_cross", "symbols": ["SPY"]}, 422, "either"),
    ("/simulations", {"plan": PLAN, "symbols": ["SPY"], "retrain": 5}, 422, "retrain"),
    ("/simulations", {"costs": {"slippage_bps": -1}}, 422, "from 0"),
    ("/simulations", {"costs": {"slipage_bps": 1}}, 422, "slippage_bps"),
    ("/simulations", {"costs": {"regulatory": 7}}, 422, "true or false"),
    ("/simulations", {"cash": 0}, 422, "above 0"),
    ("/simulations", {"participation": 2}, 422, "0 to 1"),
    ("/simulations", {"mode": "fast"}, 422, "realistic"),
    ("/simulations", {"retrain": 0}, 422, "retrain"),
    ("/searches", SEARCH | {"axes": ["fats=1,2"]}, 422, "fast"),
    ("/searches", SEARCH | {"axes": []}, 422, "axes"),
    ("/searches", SEARCH | {"method": "magic"}, 422, "optuna"),
    ("/searches", SEARCH | {"window": "sliding"}, 422, "expanding"),
    ("/searches", {"symbols": ["SPY"], "axes": ["fast"]}, 422, "sma_cross"),
    ("/searches", SEARCH | {"symbols": ["NOPE"]}, 404, "barlake ingest NOPE"),
]


@pytest.mark.parametrize(("path", "body", "code", "words"), REFUSED)
def test_what_cannot_be_is_refused_at_once_in_a_sentence(
    client, runs, trained, path, body, code, words
):
    answer = client.post(path, json=body)

    assert (answer.status_code, runs.queue.jobs) == (code, []), answer.text
    assert words in answer.json()["message"]


@pytest.mark.parametrize("kind", ["simulations", "searches"])
def test_what_is_not_there_is_missing_with_all_that_hangs_on_it(client, kind):
    more = ("report", "equity", "orders") if kind == "simulations" else ("report", "trials")
    for path in ("", *(f"/{one}" for one in more)):
        answer = client.get(f"/{kind}/nope{path}")

        assert answer.status_code == 404
        assert f"barlake {kind}" in answer.json()["message"]


def test_an_empty_home_has_no_runs_and_says_how_to_begin(empty_api):
    for kind in ("models", "simulations", "searches"):
        assert empty_api.get(f"/{kind}").json() == {kind: []}
    for path, body in (("/models", MODEL), ("/simulations", {}), ("/searches", SEARCH)):
        answer = empty_api.post(path, json=body)
        assert answer.status_code == 404
        assert "barlake ingest" in answer.json()["message"]
