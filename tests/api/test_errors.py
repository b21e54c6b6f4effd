"""What a bad request gets: the right code, one sentence that says what to do, no traceback."""

import logging

import pytest

from app.api.main import create_app
from lake.errors import BrokerMissingError
from tests.api.conftest import asked

TOMORROWS = "2999-01-01"


def said(answer, code):
    assert answer.status_code == code, answer.text
    body = answer.json()
    assert set(body) == {"error", "message", "request_id"}
    assert body["request_id"] == answer.headers["X-Request-ID"]
    assert "Traceback" not in answer.text
    assert body["message"].rstrip("`")[-1:] in ".`", body
    return body["message"]


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("/bars/NOPE", 404, "barlake ingest NOPE"),
        ("/coverage/NOPE", 404, "barlake ingest NOPE"),
        ("/bars/SPY?source=alpaca:sip", 404, "alpaca:sip"),
        ("/bars/..%2Fx", 422, "is not a ticker"),
        ("/bars/%2e%2e%2f%2e%2e%2fetc%2fpasswd", 422, "is not a ticker"),
        ("/bars/SPY%00", 422, "is not a ticker"),
        ("/bars/SPY';DROP TABLE bars_1m", 422, "is not a ticker"),
        ("/bars/" + "A" * 500, 422, "is not a ticker"),
        ("/coverage/..%2Fx", 422, "is not a ticker"),
        ("/features/..%2Fx", 422, "is not a ticker"),
        ("/bars/SPY?timeframe=7min", 422, "1min, 2min"),
        ("/bars/SPY?adjust=maybe", 422, "adjust"),
        ("/bars/SPY?limit=0", 422, "limit"),
        ("/bars/SPY?limit=99999999999", 422, "limit"),
        ("/bars/SPY?limit=many", 422, "limit"),
        ("/bars/SPY?limt=5", 422, "'limt' does not exist"),
        ("/bars/SPY?columns=close,nonsense", 422, "nonsense"),
        ("/bars/SPY?start=yesterday", 422, "2024-05-01"),
        ("/bars/SPY?start=2024-02-30", 422, "2024-02-30"),
        ("/bars/SPY?start=2024-11-04T09:30:00", 422, "zone"),
        ("/bars/SPY?start=2024-11-06&end=2024-11-04", 422, "Swap"),
        ("/coverage/SPY?start=2024-11-06&end=2024-11-04", 422, "Swap"),
        (f"/bars/SPY?start={TOMORROWS}", 422, "future"),
        (f"/bars/SPY?start={TOMORROWS}T00:00:00Z", 422, "future"),
        ("/jobs/nope", 404, "nope"),
        ("/jobs?state=lost", 422, "state"),
        ("/jobs?limit=0", 422, "limit"),
        ("/logs?level=loud", 422, "level"),
        ("/features/SPY", 404, "features"),
        ("/nothing/here", 404, "/docs"),
        ("/..%2f..%2fetc/passwd", 404, "/docs"),
    ],
)
def test_a_bad_question_gets_one_sentence(api, path, code, words):
    assert words in said(api.get(path), code)


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/ingest/..%2Fx", None, "is not a ticker"),
        ("/ingest/SPY?start=2024-05-02&end=2024-05-01", None, "Swap"),
        (f"/ingest/SPY?start={TOMORROWS}", None, "future"),
        (f"/ingest/SPY?end={TOMORROWS}", None, "future"),
        ("/ingest/SPY?start=2024-05-04&end=2024-05-05", None, "no session"),
        ("/ingest/SPY?start=soon", None, "2024-05-01"),
        ("/ingest/SPY?strat=2024-05-01", None, "'strat' does not exist"),
        ("/ingest/SPY", {"start": "2024-05-02", "end": "2024-05-01"}, "Swap"),
        ("/ingest/SPY", {"begin": "2024-05-02"}, "'begin' does not exist"),
        ("/ingest/SPY", ["2024-05-02"], "JSON object"),
        ("/ingest/SPY?start=2024-05-01", {"start": "2024-05-02"}, "Say it once"),
    ],
)
def test_a_bad_order_gets_one_sentence_and_queues_nothing(api, queue, path, body, words):
    assert words in said(api.post(path, json=body), 422)
    assert queue.jobs == []


def test_a_body_that_is_not_json_gets_one_sentence(api):
    headers = {"Content-Type": "application/json"}

    assert "not JSON" in said(api.post("/ingest/SPY", content=b"{start", headers=headers), 422)
    assert "Content-Type" in said(api.post("/ingest/SPY", data={"start": "2024-05-01"}), 422)


def test_a_huge_body_is_refused(api):
    answer = api.post(
        "/ingest/SPY",
        content=b'"' + b"x" * (2 << 20) + b'"',
        headers={"Content-Type": "application/json"},
    )

    said(answer, 413)


def test_the_wrong_method_names_the_right_one(api):
    assert "use GET" in said(api.delete("/bars/SPY"), 405)


def test_without_keys_nothing_is_queued(tmp_path, make_settings, queue):
    settings = make_settings(tmp_path, ALPACA_API_KEY_ID="", ALPACA_API_SECRET_KEY="")
    for api in asked(create_app(settings, queue.send)):
        assert "ALPACA_API_KEY_ID" in said(api.post("/ingest/SPY"), 422)
        assert api.get("/jobs").json() == {"jobs": []}


@pytest.mark.parametrize("path", ["/ingest/SPY", "/features/SPY/rebuild"])
def test_without_a_broker_nothing_is_queued(filled_home, make_settings, path):
    settings = make_settings(filled_home, REDIS_URL="redis://:hunter2@127.0.0.1:1/0")
    for api in asked(create_app(settings)):
        before = api.get("/jobs").json()
        answer = api.post(path)

        assert "REDIS_URL" in said(answer, 503)
        assert answer.headers["Retry-After"]
        assert "hunter2" not in answer.text
        assert api.get("/jobs").json() == before
        assert api.get("/bars/SPY?limit=1").status_code == 200


def test_a_broker_that_dies_between_gets_one_sentence(tmp_path, make_settings):
    def refuse(job):
        raise BrokerMissingError("redis://localhost")

    for api in asked(create_app(make_settings(tmp_path), refuse)):
        assert "No broker answers" in said(api.post("/ingest/SPY"), 503)


def test_what_nobody_expected_is_in_the_log_and_not_in_the_answer(api, monkeypatch, caplog):
    def fail(_):
        raise RuntimeError("password of the database")

    monkeypatch.setattr("lake.Lake.symbols", fail)
    with caplog.at_level(logging.ERROR):
        answer = api.get("/symbols")

    message = said(answer, 500)
    assert "password" not in answer.text
    assert answer.headers["X-Request-ID"] in message
