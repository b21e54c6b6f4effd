"""What watching over HTTP promises: events that are followed, agents that are switched, alerts, quality."""

import threading

import httpx2
import pytest

from lake.journal import Journal, alerts, events, switches
from lake.journal.events import Switched
from tests.api import servers
from tests.api.samples import DAYS, SOURCE


@pytest.fixture
def journal(tmp_path):
    with Journal.open(tmp_path) as opened:
        yield opened


def switched(*numbers):
    return [Switched("ingest", "paused", str(number)) for number in numbers]


def reasons(answer):
    return [event["reason"] for event in answer["events"]]


# Events


def test_events_are_followed_by_a_number(empty_api, journal):
    assert empty_api.get("/events").json() == {"events": [], "next": 0}
    events.tell(journal, *switched(1, 2, 3))

    newest = empty_api.get("/events?limit=2").json()
    first = empty_api.get("/events?after=0&limit=2").json()
    second = empty_api.get(f"/events?after={first['next']}&limit=2").json()

    assert (reasons(newest), reasons(first), reasons(second)) == (["2", "3"], ["1", "2"], ["3"])
    assert empty_api.get(f"/events?after={second['next']}").json()["events"] == []
    event = first["events"][0]
    assert (event["number"], event["kind"], event["agent"]) == (1, "switch", "ingest")
    assert event["at"].endswith("Z")


def test_a_job_that_is_queued_over_http_is_an_event(empty_api, journal):
    job = empty_api.post("/ingest/SPY").json()
    empty_api.post("/agents/ingest/pause")

    found = empty_api.get("/events?after=0&kind=job&kind=alert").json()

    (event,) = found["events"]
    assert (event["job_id"], event["state"], event["symbol"]) == (job["id"], "queued", "SPY")
    assert found["next"] == 2


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        ("after=7", 422, "There is no event 7"),
        ("kind=silly", 422, "'job'"),
        ("after=0&wait=31", 422, "30"),
        ("after=-1", 422, "0"),
    ],
)
def test_what_cannot_be_followed_is_refused(empty_api, journal, query, code, words):
    answer = empty_api.get(f"/events?{query}")

    assert answer.status_code == code
    assert words in answer.json()["message"]


def test_who_was_away_too_long_is_told_with_404(empty_api, journal):
    from datetime import timedelta

    events.tell(journal, *switched(1, 2), at=journal.now - timedelta(days=40))
    events.tell(journal, *switched(3))
    journal.prune(older_than=timedelta(days=30))

    answer = empty_api.get("/events?after=1")

    assert answer.status_code == 404
    assert "the oldest left is 3" in answer.json()["message"]


def test_a_request_waits_for_the_next_event_and_many_do_so_at_once(tmp_path):
    folder, home = tmp_path / "api", tmp_path / "home"
    folder.mkdir()
    waiting = 60  # more than the threads of a server
    with (
        servers.api(home, folder, REDIS_URL="redis://127.0.0.1:1/0") as base,
        Journal.open(home) as journal,
    ):
        events.tell(journal, *switched(1))
        answers = []

        def wait():
            url = f"{base}/events?after=1&wait=30"
            answers.append(httpx2.get(url, timeout=60).json())

        readers = [threading.Thread(target=wait) for _ in range(waiting)]
        for reader in readers:
            reader.start()
        assert httpx2.get(f"{base}/health", timeout=30).status_code == 200  # others are served
        assert answers == []
        events.tell(journal, *switched(2))
        for reader in readers:
            reader.join(60)
        late = httpx2.get(f"{base}/events?after=2&wait=0.3", timeout=30).json()

    assert [reasons(answer) for answer in answers] == [["2"]] * waiting
    assert late == {"events": [], "next": 2}


# Switches


def test_a_kind_of_agent_is_paused_stopped_and_started(empty_api, journal):
    paused = empty_api.post("/agents/ingest/pause?reason=maintenance").json()
    assert (paused["agent"], paused["state"], paused["reason"]) == (
        "ingest", "paused", "maintenance",
    )  # fmt: skip
    shown = {one["agent"]: one for one in empty_api.get("/agents").json()["switches"]}
    assert shown["ingest"]["reason"] == "maintenance"
    assert shown["features"]["state"] == "running"
    assert empty_api.post("/agents/ingest/stop").json()["state"] == "stopped"
    assert switches.state(journal, "ingest") == "stopped"
    assert empty_api.post("/agents/ingest/start").json()["state"] == "running"


def test_what_waited_is_sent_when_its_agent_is_started(empty_api, queue):
    job = empty_api.post("/ingest/SPY").json()
    empty_api.post("/agents/ingest/pause")
    queue.jobs.clear()

    started = empty_api.post("/agents/ingest/start").json()

    assert started["sent"] == 1
    assert [sent.id for sent in queue.jobs] == [job["id"]]


def test_no_such_agent_is_a_sentence(empty_api):
    answer = empty_api.post("/agents/teapot/pause")

    assert answer.status_code == 422
    assert "'teapot' is no kind of agent. Use one of ingest" in answer.json()["message"]


# Alerts


def test_alerts_are_shown_while_they_are_open_and_on_request_afterwards(empty_api, journal):
    alerts.raise_alert(journal, "stalled", "worker-1", "It is silent.", {"pid": 7})
    (shown,) = empty_api.get("/alerts").json()["alerts"]
    assert (shown["kind"], shown["subject"], shown["facts"]) == ("stalled", "worker-1", {"pid": 7})
    assert empty_api.get("/agents").json()["alerts"] == [shown]
    alerts.settle(journal, "stalled", "worker-1")

    assert empty_api.get("/alerts").json() == {"alerts": []}
    (over,) = empty_api.get("/alerts?over=true&kind=stalled").json()["alerts"]
    assert over["over_at"] is not None


# Quality


def test_quality_is_queued_once_and_read_when_it_is_computed(api, queue, filled_home):
    import lake
    from agents import quality

    first = api.post("/quality")
    again = api.post("/quality")
    assert first.status_code == 202
    assert (first.json()["kind"], again.json()["id"]) == ("quality", first.json()["id"])
    assert [job.id for job in queue.jobs] == [first.json()["id"]]
    with lake.open(filled_home) as store, Journal.open(filled_home) as opened:
        quality.refresh(store, opened)

    newest = api.get("/quality").json()["quality"]
    spy = api.get(f"/quality?symbol=spy&source={SOURCE}&start={DAYS[0]}").json()["quality"]

    assert [one["symbol"] for one in newest] == ["SPY", "THIN"]
    assert [(one["day"], one["completeness"], one["bars"]) for one in spy] == [
        (str(DAYS[0]), 1.0, 390),
        (str(DAYS[2]), 1.0, 390),
    ]
    assert spy[0]["breaches"] == []


# The outlook of a job


def test_a_job_tells_how_it_goes(empty_api, journal):
    job_id = empty_api.post("/ingest/SPY").json()["id"]
    journal.claim(job_id, "worker")
    facts = {"bars_per_second": 310000, "budget_left": 173, "symbol": "QQQ", "seconds_left": 12.5}
    journal.progress(job_id, 3, 12, "2024-11-04", facts=facts)

    job = empty_api.get(f"/jobs/{job_id}").json()

    assert job["outlook"] == {"percent": 25.0, **facts}
    assert "rates" not in job
    (listed,) = empty_api.get("/jobs").json()["jobs"]
    assert listed["outlook"] == job["outlook"]
