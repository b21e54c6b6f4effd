"""What the API says of lists, papers and calendars. Expected values are worked by hand."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

DAY = "2024-01-02"


def put(api, name="index", symbols=("SPY", "QQQ"), start=DAY):
    return api.put(f"/lists/{name}", json={"symbols": [*symbols], "from": start})


def test_a_list_is_put_shown_on_a_day_and_listed(empty_api):
    assert empty_api.get("/lists").json() == {"lists": []}
    first = put(empty_api).json()
    put(empty_api, symbols=["IBM"], start="2024-06-03")

    assert (first["on"], first["symbols"]) == (DAY, ["QQQ", "SPY"])
    told = empty_api.get("/lists/INDEX?on=2024-06-02").json()
    assert (told["name"], told["symbols"]) == ("index", ["QQQ", "SPY"])
    assert [(one["valid_from"], one["valid_to"], one["symbols"]) for one in told["states"]] == [
        (DAY, "2024-06-03", ["QQQ", "SPY"]),
        ("2024-06-03", None, ["IBM"]),
    ]
    assert empty_api.get("/lists/index").json()["symbols"] == ["IBM"]
    (line,) = empty_api.get("/lists").json()["lists"]
    assert (line["name"], line["members"], line["begins"], line["states"]) == ("index", 1, DAY, 2)


def test_what_was_known_before_an_edit_is_shown_as_of_then(empty_api):
    put(empty_api)
    told = empty_api.get("/lists/index").json()
    put(empty_api, symbols=["IBM"])

    then = told["states"][0]["recorded_at"]
    assert empty_api.get("/lists/index", params={"as_of": then}).json()["symbols"] == ["QQQ", "SPY"]
    assert empty_api.get("/lists/index").json()["symbols"] == ["IBM"]
    before = (datetime.now(UTC) - timedelta(days=3)).isoformat()
    assert empty_api.get("/lists/index", params={"as_of": before}).status_code == 404


def test_ingest_of_a_list_is_one_job_of_its_members_on_any_day_of_the_range(empty_api, queue):
    put(empty_api, symbols=["GONE", "SPY"])
    put(empty_api, symbols=["QQQ", "SPY"], start="2024-06-03")

    asked = {"list": "index", "start": "2024-05-01", "end": "2024-06-28"}
    answer = empty_api.post("/ingest", json=asked)
    later = empty_api.post("/ingest", json=asked | {"start": "2024-06-03", "symbols": ["IBM"]})

    assert answer.status_code == 202
    assert [job.symbols for job in queue.jobs] == [["GONE", "QQQ", "SPY"], ["IBM", "QQQ", "SPY"]]
    assert later.json()["params"]["symbols"] == ["IBM", "QQQ", "SPY"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("GET", "/lists/nope", None, 404, "barlake lists set nope"),
        ("GET", "/lists/no%20name", None, 422, "cannot name a list"),
        ("PUT", "/lists/index", {"symbols": ["../x"]}, 422, "not a ticker"),
        ("PUT", "/lists/index", {"symbols": []}, 422, "symbols"),
        ("PUT", "/lists/index", {"symbols": ["SPY"], "from": "soon"}, 422, "from"),
        ("POST", "/ingest", {"list": "nope"}, 404, "no list nope"),
        ("POST", "/ingest", {}, 422, "No symbols are named"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(empty_api, method, path, body, status, says):
    answer = empty_api.request(method, path, json=body)

    assert answer.status_code == status
    assert says in answer.json()["message"]


def test_a_range_before_a_list_is_refused_and_not_filled_with_todays_members(empty_api):
    put(empty_api, start="2024-06-03")

    answer = empty_api.post("/ingest", json={"list": "index", "start": DAY, "end": "2024-05-31"})

    assert answer.status_code == 404
    assert "begins on 2024-06-03" in answer.json()["message"]


def test_papers_and_the_calendar_are_empty_before_they_were_read(empty_api, api):
    for one in (empty_api, api):
        assert one.get("/instruments").json() == {"instruments": [], "more": False}
        assert one.get("/instruments/calendar").json() == {"compared_to": None, "differences": []}


def test_actions_are_shown_as_known_now_and_then(empty_api, make_settings, tmp_path):
    import lake
    from lake.actions import ACTION_SCHEMA, Answered

    source, day = make_settings(tmp_path).source, date(2024, 6, 10)
    row = ("1", "AAPL", "forward_split", day, day, 4.0, None, '{"new_rate": 4}')
    split = pl.DataFrame([row], schema=ACTION_SCHEMA, orient="row")
    with lake.open(tmp_path, create=True) as opened:
        opened.commit_actions(Answered(source, split, ("AAPL",), day, day))

    (told,) = empty_api.get("/actions?symbols=aapl").json()["actions"]
    assert (told["ex_date"], told["ratio"], told["details"]) == ("2024-06-10", 4.0, {"new_rate": 4})
    for other in ("symbols=SPY", "kind=cash_dividend", "as_of=2024-06-10", "source=other:x"):
        assert empty_api.get(f"/actions?{other}").json() == {"actions": [], "more": False}


def test_reading_them_is_a_job(empty_api, queue):
    assert empty_api.post("/instruments").status_code == 202
    assert empty_api.post("/actions", json={"whole": True}).status_code == 202
    again = empty_api.post("/actions", json={"whole": True}).json()

    assert [(job.kind, job.params) for job in queue.jobs] == [
        ("instruments", {}),
        ("actions", {"whole": True}),
    ]
    assert again["id"] == queue.jobs[1].id
    assert empty_api.get("/jobs?kind=actions").json()["jobs"][0]["id"] == again["id"]
