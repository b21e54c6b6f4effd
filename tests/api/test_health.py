"""What /health promises: each part by name, and that an empty home is healthy."""

from app.api.main import create_app
from tests.api.conftest import asked


def states(answer):
    assert answer.status_code == 200
    body = answer.json()
    return body["status"], {name: body[name]["state"] for name in ("lake", "journal", "broker")}


def test_an_empty_home_is_healthy(empty_api):
    assert states(empty_api.get("/health")) == (
        "ok",
        {"lake": "empty", "journal": "ready", "broker": "ready"},
    )


def test_a_filled_home_is_healthy(api):
    assert states(api.get("/health")) == (
        "ok",
        {"lake": "ready", "journal": "ready", "broker": "ready"},
    )


def test_without_a_broker_it_says_so_and_no_secret(filled_home, make_settings):
    settings = make_settings(filled_home, REDIS_URL="redis://:hunter2@127.0.0.1:1/0")
    for api in asked(create_app(settings)):
        answer = api.get("/health")

    assert states(answer) == (
        "degraded",
        {"lake": "ready", "journal": "ready", "broker": "missing"},
    )
    assert "hunter2" not in answer.text
    assert str(filled_home) not in answer.text


def test_a_journal_that_does_not_open_is_named(tmp_path, make_settings, queue):
    (tmp_path / "file").touch()
    settings = make_settings(
        tmp_path, BARLAKE_JOURNAL_URL=f"sqlite:///{tmp_path}/file/journal.sqlite"
    )
    for api in asked(create_app(settings, queue.send)):
        status, parts = states(api.get("/health"))

    assert (status, parts["journal"], parts["lake"]) == ("degraded", "missing", "empty")
