"""What `barlake lists`, `barlake instruments` and `barlake ingest --list` do, over real HTTP to the sandbox."""

import json
from datetime import UTC, datetime

import pytest

import lake
from sandbox.config import SandboxConfig
from sandbox.serve import running
from tests.cli.conftest import is_one_sentence

NOW = datetime(2024, 11, 9, 2, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def keys():
    with running(SandboxConfig(now=NOW)) as url:
        yield {
            "ALPACA_API_KEY_ID": "k",
            "ALPACA_API_SECRET_KEY": "s",
            "ALPACA_DATA_URL": url,
            "ALPACA_API_BASE_URL": url,
            "ALPACA_FEED": "sip",
        }


def days():
    """Today in New York, by the provider's clock or by ours."""
    return {
        str(moment.astimezone(lake.sessions.NEW_YORK).date()) for moment in (NOW, datetime.now(UTC))
    }


def test_a_list_is_set_from_a_file_shown_and_listed(quick, tmp_path):
    file = tmp_path / "symbols.txt"
    file.write_text("SPY qqq # two\nIBM\n")

    made = quick("lists", "set", "Index", "--file", str(file), "--from", "2024-01-02")
    again = quick("lists", "set", "index", "SPY", "QQQ", "IBM", "--from", "2024-01-02")
    quick("lists", "set", "index", "SPY", "--from", "2024-06-03")
    shown = quick("lists", "show", "index", "--on", "2024-05-31")
    told = json.loads(quick("lists", "show", "index", "--on", "2024-06-03", "--json").out)
    every = json.loads(quick("lists", "--json").out)

    assert made.out == "index has 3 symbols from 2024-01-02 on.\n"
    assert again.err == "It was so already.\n"
    assert "index on 2024-05-31: 3 symbols.\n  IBM QQQ SPY\n" in shown.out
    assert (told["symbols"], [one["valid_to"] for one in told["states"]]) == (
        ["SPY"],
        ["2024-06-03", None],
    )
    assert [(one["name"], one["members"]) for one in every] == [("index", 1)]
    assert every == json.loads(quick("lists", "show", "--json").out)


def test_without_a_lake_there_are_no_lists(quick):
    assert quick("lists").out.startswith("There are no lists.")
    assert json.loads(quick("lists", "--json").out) == []
    assert "There is no list index." in quick("ingest", "--list", "index").err


@pytest.mark.parametrize(
    "arguments",
    [
        ("lists", "set", "no name", "SPY"),
        ("lists", "set", "index"),
        ("lists", "set", "index", "SPY", "--from", "soon"),
        ("lists", "set", "index", "--file", "nowhere.txt"),
        ("lists", "show", "index"),
        ("ingest", "--list", "index"),
        ("instruments", "show"),
        ("instruments", "fetch"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(quick, arguments):
    assert is_one_sentence(quick(*arguments))


def test_a_list_is_ingested_and_its_papers_read_here(quick, keys):
    """OLDN is called NEWN since 2024-09-03: the list still has the name that it was set with."""
    quick("lists", "set", "index", "OLDN", "SPY", "--from", "2024-08-01")
    quick("lists", "set", "index", "IBM", "--from", "2024-10-31")
    span = ("--start", "2024-08-29", "--end", "2024-09-04", "--dataset", "bars_daily", "--here")

    first = quick("ingest", "SPY", "NEWN", *span, env=keys)
    read = quick("instruments", "fetch", "--whole", env=keys)
    listed = quick("ingest", "--list", "index", *span, "--again", "--json", env=keys)
    shown = quick("instruments", "show", "oldn", "--json", env=keys)
    on = quick("instruments", "show", "OLDN", "--on", "2024-09-02", env=keys)
    calendar = quick("instruments", "calendar", env=keys)
    actions = quick("instruments", "actions", "oldn", "--json", env=keys)

    assert first.code == read.code == 0, (first, read)
    assert "11 papers listed, 12 rows of them news; 0 differences of the calendar" in read.out
    (job,) = json.loads(listed.out)
    assert job["params"]["symbols"] == ["NEWN", "SPY"]
    assert job["result"]["asof"] in days()
    assert [
        (row["symbol"], row["valid_from"], row["valid_to"]) for row in json.loads(shown.out)
    ] == [
        ("NEWN", "2024-09-03", None),
        ("OLDN", None, "2024-09-03"),
    ]
    (change,) = json.loads(actions.out)
    assert (change["kind"], change["ex_date"]) == ("name_change", "2024-09-03")
    assert "OLDN" in on.out
    assert "NEWN" not in on.out.replace("NEWN of the sandbox", "")
    assert calendar.out.startswith("The provider's calendar is ours, up to ")


def test_the_asof_of_a_job_in_parts_is_one_for_all_and_kept_with_each(quick, keys, tmp_path):
    span = ("--start", "2023-12-27", "--end", "2024-01-03", "--here", "--json")

    (job,) = json.loads(quick("ingest", "SPY", "IBM", *span, env=keys).out)

    from lake.journal import Journal

    with Journal.open(tmp_path / "home") as journal:
        parts = journal.parts_of(job["id"])
    assert len(parts) == 2
    assert {part.params["asof"] for part in parts} == {job["result"]["asof"]}
    assert job["result"]["asof"] in days()
