"""What `GET /gaps/{symbol}` promises."""

import pytest

from lake.absences import CLASSES

ABSENT = dict.fromkeys(CLASSES, 0)


def test_every_minute_is_counted_by_what_it_is_and_every_hole_has_its_class(api):
    told = api.get("/gaps/spy").json()

    assert (told["symbol"], told["source"], told["dataset"]) == ("SPY", "sandbox:iex", "bars_1m")
    assert told["minutes"] == {"expected": 1170, "present": 780} | ABSENT | {"not_fetched": 390}
    assert [row["session_date"] for row in told["sessions"]] == [
        "2024-11-04",
        "2024-11-05",
        "2024-11-06",
    ]
    assert told["holes"] == [
        {
            "session_date": "2024-11-05",
            "start": "2024-11-05T14:30:00Z",
            "end": "2024-11-05T21:00:00Z",
            "minutes": 390,
            "class": "not_fetched",
            "fetched": 0,
            "asked": 0,
            "asked_at": None,
        }
    ]
    assert told["more"] is False


def test_the_newest_holes_of_one_class_are_shown_and_the_others_told_of(api):
    told = api.get("/gaps/THIN", params={"class": "unconfirmed", "limit": 1}).json()

    assert told["minutes"]["unconfirmed"] == 389
    assert [(hole["start"], hole["minutes"]) for hole in told["holes"]] == [
        ("2024-11-04T14:36:00Z", 384)
    ]
    assert told["more"] is True
    assert api.get("/gaps/THIN?class=halted").json()["holes"] == []


def test_a_range_is_the_sessions_named(api):
    told = api.get("/gaps/SPY", params={"start": "2024-11-04", "end": "2024-11-04"}).json()

    assert told["minutes"] == {"expected": 390, "present": 390} | ABSENT


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("/gaps/NOPE", 404),
        ("/gaps/SPY?source=alpaca:sip", 404),
        ("/gaps/SPY?class=lost", 422),
        ("/gaps/SPY?start=2099-01-01", 422),
        ("/gaps/SPY?dataset=bars_9", 422),
        ("/gaps/SPY?limit=0", 422),
    ],
)
def test_what_cannot_be_answered_is_refused_with_a_sentence(api, query, status):
    answer = api.get(query)

    assert answer.status_code == status
    assert answer.json()["message"]


def test_before_the_first_ingest_the_symbol_is_missing(empty_api):
    assert empty_api.get("/gaps/SPY").status_code == 404


def test_a_round_is_queued_once_for_the_symbols_named(api, queue):
    first = api.post("/gaps", params={"symbols": "spy,QQQ"})
    again = api.post("/gaps", params={"symbols": "QQQ,SPY"})
    every = api.post("/gaps")

    assert [answer.status_code for answer in (first, again, every)] == [202] * 3
    assert first.json()["id"] == again.json()["id"] != every.json()["id"]
    assert [(job.kind, job.params) for job in queue.jobs] == [
        ("gaps", {"symbols": ["QQQ", "SPY"]}),
        ("gaps", {}),
    ]
    assert first.headers["location"] == f"/jobs/{first.json()['id']}"
    assert api.post("/gaps?symbols=..%2Fx").status_code == 422
