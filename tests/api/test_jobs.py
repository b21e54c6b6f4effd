"""What operating over HTTP promises: queue once, watch, find agents and logs."""

import pytest

from lake.journal import Journal
from tests.api.samples import SOURCE


def test_an_ingest_is_accepted_with_its_job(empty_api, queue):
    answer = empty_api.post("/ingest/spy?start=2024-11-04&end=2024-11-06")

    job = answer.json()
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/jobs/{job['id']}"
    assert (job["kind"], job["symbol"], job["state"]) == ("ingest", "SPY", "queued")
    assert (job["first"], job["last"]) == ("2024-11-04", "2024-11-06")
    assert [sent.id for sent in queue.jobs] == [job["id"]]


def test_dates_may_come_in_the_body(empty_api):
    job = empty_api.post("/ingest/SPY", json={"start": "2024-11-04", "end": "2024-11-06"}).json()

    assert (job["first"], job["last"]) == ("2024-11-04", "2024-11-06")


def test_daily_bars_are_asked_for_in_the_query_or_in_the_body_and_are_a_job_apart(empty_api, queue):
    minutes = empty_api.post("/ingest/SPY").json()
    body = empty_api.post("/ingest/SPY", json={"dataset": "bars_daily"}).json()
    query = empty_api.post("/ingest/SPY?dataset=bars_daily").json()
    again = empty_api.post("/ingest/SPY?dataset=bars_daily", json={"again": True}).json()

    assert [job["params"] for job in (minutes, body, again)] == [
        {},
        {"dataset": "bars_daily"},
        {"dataset": "bars_daily", "again": True},
    ]
    assert query["id"] == body["id"]
    assert len(queue.jobs) == 3


@pytest.mark.parametrize(
    ("query", "body", "words"),
    [
        ("?dataset=bars_1w", {}, "'bars_1w' is not a dataset"),
        ("?dataset=bars_1m", {"dataset": "bars_daily"}, "Say it once"),
        ("", {"datasets": "bars_daily"}, "datasets"),
    ],
)
def test_a_dataset_that_cannot_be_is_refused_and_nothing_is_queued(
    empty_api, queue, query, body, words
):
    answer = empty_api.post(f"/ingest/SPY{query}", json=body)

    assert answer.status_code == 422
    assert words in answer.json()["message"]
    assert queue.jobs == []


def test_without_dates_it_is_the_last_history(empty_api):
    job = empty_api.post("/ingest/SPY").json()

    assert int(job["last"][:4]) - int(job["first"][:4]) == 2


def test_what_is_queued_already_is_the_same_job(empty_api, queue):
    jobs = [empty_api.post("/ingest/SPY").json()["id"] for _ in range(3)]

    assert len(set(jobs)) == 1
    assert len(queue.jobs) == 1


def test_what_is_running_already_is_the_same_job(empty_api, queue, tmp_path):
    first = empty_api.post("/ingest/SPY").json()
    with Journal.open(tmp_path) as journal:
        journal.claim(first["id"], "worker")

    again = empty_api.post("/ingest/SPY").json()

    assert (again["id"], again["state"]) == (first["id"], "running")


def test_a_job_tells_how_far_it_is(empty_api, tmp_path):
    job_id = empty_api.post("/ingest/SPY").json()["id"]
    with Journal.open(tmp_path) as journal:
        journal.claim(job_id, "worker")
        journal.progress(job_id, 3, 10, "2024-11-04")

    job = empty_api.get(f"/jobs/{job_id}").json()

    assert (job["state"], job["done"], job["total"], job["message"]) == (
        "running",
        3,
        10,
        "2024-11-04",
    )


def test_jobs_come_newest_first_and_can_be_filtered(empty_api):
    made = [empty_api.post(f"/ingest/{symbol}").json()["id"] for symbol in ("SPY", "QQQ", "IWM")]

    def ids(query):
        return [job["id"] for job in empty_api.get(f"/jobs{query}").json()["jobs"]]

    assert ids("") == made[::-1]
    assert ids("?limit=2") == made[:0:-1]
    assert ids("?symbol=qqq") == [made[1]]
    assert ids("?kind=features") == []
    assert ids("?state=queued&kind=ingest") == made[::-1]


@pytest.mark.parametrize(
    ("query", "words"), [("kind=silly", "'upkeep'"), ("symbol=../x", "ticker")]
)
def test_jobs_of_no_kind_or_symbol_there_is_are_refused(empty_api, query, words):
    answer = empty_api.get(f"/jobs?{query}")

    assert answer.status_code == 422
    assert words in answer.json()["message"]


def test_what_a_job_came_to_is_told_by_the_job_alone(empty_api, tmp_path):
    job_id = empty_api.post("/ingest/SPY").json()["id"]
    with Journal.open(tmp_path) as journal:
        journal.claim(job_id, "worker")
        journal.finish(job_id, {"new": 390})

    (listed,) = empty_api.get("/jobs").json()["jobs"]

    assert "result" not in listed
    assert empty_api.get(f"/jobs/{job_id}").json() == {**listed, "result": {"new": 390}}


def test_features_are_rebuilt_by_a_job(api, queue):
    answer = api.post("/features/SPY/rebuild")

    assert answer.status_code == 202
    job = answer.json()
    assert (job["kind"], job["source"], job["symbol"]) == ("features", SOURCE, "SPY")
    assert [sent.id for sent in queue.jobs] == [job["id"]]


@pytest.mark.parametrize(
    "path", ["/features/NOPE/rebuild", "/features/SPY/rebuild?source=alpaca:sip"]
)
def test_features_of_what_is_not_there_are_not_queued(api, queue, path):
    assert api.post(path).status_code == 404
    assert queue.jobs == []


def test_agents_tell_their_state(empty_api, tmp_path):
    assert empty_api.get("/agents").json()["agents"] == []
    with Journal.open(tmp_path) as journal:
        journal.beat("worker-1", "worker", "idle", {"queue": "barlake"})
        journal.beat("live", "live", "error", {"problem": "The keys were refused."})

    live, agent = empty_api.get("/agents").json()["agents"]

    assert (live["problem"], agent["problem"]) == ("The keys were refused.", None)
    assert (agent["name"], agent["state"], agent["stalled"]) == ("worker-1", "idle", False)
    assert 0 <= agent["age"] < 60
    assert agent["detail"] == {"queue": "barlake"}


def test_logs_come_newest_first_and_can_be_filtered(empty_api, tmp_path):
    with Journal.open(tmp_path) as journal:
        journal.log("one", agent="worker-1", level="info")
        journal.log("two", agent="worker-1", level="error", symbol="SPY")
        journal.log("three", agent="beat", level="info")

    def messages(query):
        return [line["message"] for line in empty_api.get(f"/logs{query}").json()["logs"]]

    assert messages("") == ["three", "two", "one"]
    assert messages("?agent=worker-1&limit=1") == ["two"]
    assert messages("?level=error") == ["two"]


def test_a_request_is_one_log_line_with_its_id(empty_api, tmp_path):
    import orjson

    with empty_api:
        request_id = empty_api.get("/jobs?limit=0").headers["X-Request-ID"]
        empty_api.get("/symbols")

    lines = [
        orjson.loads(line) for line in (tmp_path / "logs" / "api.jsonl").read_bytes().splitlines()
    ]
    (line,) = [line for line in lines if line["trace_id"] == request_id]
    assert (line["agent"], line["stage"], line["status"]) == ("api", "http", 422)
    assert line["message"] == "GET /jobs 422"
