"""What is asked for wrongly gets one sentence that says what to do, exit code 2 and no traceback."""

import json
from datetime import date, timedelta

import pytest

from tests.cli.conftest import is_one_sentence

KEYS = {"ALPACA_API_KEY_ID": "any", "ALPACA_API_SECRET_KEY": "any"}
TOMORROW = str(date.today() + timedelta(days=3))  # noqa: DTZ011 - days ahead in any zone


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("bars", "NOPE"), "barlake ingest NOPE"),
        (("bars", "../x"), "'../x' is not a ticker"),
        (("bars", "SPY", "--timeframe", "7min"), "Use one of 1min"),
        (("bars", "SPY", "--adjust", "sideways"), "raw"),
        (("bars", "SPY", "--start", "2024-11-05", "--end", "2024-11-04"), "Swap the two"),
        (("bars", "SPY", "--start", "2199-01-04"), "in the future"),
        (("coverage", "SPY", "--start", "2199-01-04"), "in the future"),
        (("bars", "SPY", "--start", "yesterday"), "2024-05-01"),
        (("bars", "SPY", "--start", "2024-11-05T09:30:00"), "zone"),
        (("bars", "SPY", "--source", "alpaca:sip"), "alpaca:sip"),
        (("bars", "SPY", "--format", "xlsx"), "xlsx"),
        (("bars", "SPY", "-o", "no/such/folder/spy.csv"), "no/such/folder"),
        (("bars", "SPY", "-o", "spy.txt"), "--format csv"),
        (("bars",), "barlake bars --help"),
        (("coverage", "NOPE"), "barlake ingest NOPE"),
        (("coverage", "../x"), "is not a ticker"),
        (("features", "build", "../x"), "is not a ticker"),
        (("features", "export", "SPY", "--format", "table"), "parquet"),
        (("jobs", "0123456789ab"), "barlake jobs"),
        (("features", "export", "SPY", "--set", "nope"), "The sets are "),
        (("jobs", "--state", "asleep"), "queued"),
        (
            ("jobs", "--kind", "silly"),
            "ingest, gaps, actions, instruments, features, train, simulate, upkeep, quality",
        ),
        (("jobs", "--symbol", "../x"), "'../x' is not a ticker"),
        (("bars", "SPY", "--json", "-o", "spy.csv"), "Choose one"),
        (("bars", "SPY", "--json", "--format", "csv"), "Choose one"),
        (("sql", "FROM bars", "--json", "--csv"), "Choose one"),
        (("nonsense",), "barlake --help"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_request_is_refused_in_one_sentence(quick, spy_home, arguments, words):
    answer = quick(*arguments, home=spy_home)

    assert is_one_sentence(answer), answer
    assert words in answer.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("../x",), "is not a ticker"),
        (("SPY", "../x"), "is not a ticker"),
        (("SPY", "--start", "2024-11-05", "--end", "2024-11-04"), "Swap the two"),
        (("SPY", "--start", TOMORROW), "in the future"),
        (("SPY", "--start", "2024-11-02", "--end", "2024-11-03"), "no session"),
        (("SPY", "--start", "05/01/2024"), "2024-05-01"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
@pytest.mark.parametrize("way", [(), ("--here",)], ids=["queued", "here"])
def test_a_wrong_ingest_queues_nothing(quick, arguments, words, way):
    answer = quick("ingest", *arguments, *way, env=KEYS)

    assert is_one_sentence(answer), answer
    assert words in answer.err
    assert json.loads(quick("jobs", "--json").out) == []


def test_an_ingest_without_keys_says_where_they_go(quick):
    answer = quick("ingest", "SPY")

    assert is_one_sentence(answer), answer
    assert "ALPACA_API_KEY_ID" in answer.err


@pytest.mark.parametrize(
    ("env", "way"),
    [({}, "barlake up"), ({"REDIS_URL": "redis://127.0.0.1:1/0"}, "unset REDIS_URL")],
    ids=["embedded", "redis"],
)
def test_an_ingest_without_a_broker_names_the_ways_on(barlake, env, way):
    answer = barlake("ingest", "SPY", env=KEYS | env)

    assert is_one_sentence(answer), answer
    assert way in answer.err
    assert "--here" in answer.err
    assert json.loads(barlake("jobs", "--json").out) == []


@pytest.mark.parametrize(
    "command", [("bars", "SPY"), ("coverage", "SPY"), ("sql", "FROM bars"), ("sql", "--init")]
)
def test_without_a_lake_reading_says_how_to_make_one(quick, command, tmp_path):
    answer = quick(*command)

    assert is_one_sentence(answer), answer
    assert "barlake ingest SYMBOL" in answer.err
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00garbage\x80", b"BARLAKE_API_PORT=many\n", b"ALPACA_FEED=\x81"]
)
@pytest.mark.parametrize("command", [("status",), ("bars", "SPY"), ("ingest", "SPY")], ids=" ".join)
def test_a_corrupt_env_file_is_named(quick, tmp_path, content, command):
    (tmp_path / ".env").write_bytes(content)

    answer = quick(*command)

    assert is_one_sentence(answer), answer
    assert ".env" in answer.err


def test_the_token_of_a_dead_service_is_answered_once(barlake, spy_home):
    answer = barlake(
        "bars", "SPY", "--limit", "1", home=spy_home, env={"IEX_TOKEN": "sk-123456789"}
    )

    assert answer.code == 0
    assert answer.err.count("ALPACA_FEED=iex") == 1
    assert "sk-123456789" not in answer.out + answer.err


def test_something_unexpected_is_one_sentence_and_a_log(barlake, spy_home, tmp_path):
    home = tmp_path / "broken"
    (home / "duckdb" / "lake.sqlite").mkdir(parents=True)  # nobody makes a folder of that name

    answer = barlake("bars", "SPY", home=home)

    assert answer.code == 1, answer
    assert len(answer.err.strip().splitlines()) == 1
    line = json.loads((home / "logs" / "cli.jsonl").read_text().splitlines()[-1])
    assert "Traceback" in line["traceback"]
    assert str(home / "logs" / "cli.jsonl") in answer.err


def test_debugging_shows_the_traceback(barlake, tmp_path):
    home = tmp_path / "broken"
    (home / "duckdb").mkdir(parents=True)
    (home / "duckdb" / "lake.sqlite").write_bytes(b"this is no catalog")

    assert "Traceback" in barlake("bars", "SPY", home=home, env={"BARLAKE_DEBUG": "1"}).err
