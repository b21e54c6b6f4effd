"""What log lines promise: one form, every place, no secret, never an error."""

import json
import logging
import sqlite3
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.journal import Journal
from lake.logs import KEYS, Mask, close_logs, configure_logs, log_context, logger

SECRET = "PKTEST0123456789"


@pytest.fixture
def journal(tmp_path):
    with Journal.open(tmp_path) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _quiet():
    root = logging.getLogger()
    level = root.level
    yield
    close_logs()
    for handler in [h for h in root.handlers if type(h).__module__ == "lake.logs"]:
        root.removeHandler(handler)
    root.setLevel(level)


def lines(home, agent="api"):
    return [
        json.loads(line) for line in (home / "logs" / f"{agent}.jsonl").read_text().splitlines()
    ]


def test_every_line_has_the_same_keys_wherever_it_comes_from(tmp_path, capsys):
    configure_logs("api", home=tmp_path, journal=None)
    with log_context(job_id="abc", symbol="SPY", stage="commit", trace_id="t"):
        logger().info("ours", bars=390)
        logging.getLogger("celery.app").warning("theirs %s", 1)
    logger().error("alone")

    ours, theirs, alone = lines(tmp_path)
    assert list(ours)[: len(KEYS)] == list(KEYS)
    assert (ours["agent"], ours["message"], ours["bars"]) == ("api", "ours", 390)
    assert (theirs["message"], theirs["level"], theirs["job_id"]) == ("theirs 1", "warning", "abc")
    assert (theirs["symbol"], theirs["stage"], theirs["trace_id"]) == ("SPY", "commit", "t")
    assert set(KEYS) <= set(alone)
    assert alone["job_id"] is None
    assert ours["timestamp"].endswith("Z")
    assert [json.loads(line) for line in capsys.readouterr().err.splitlines()] == lines(tmp_path)


def test_stderr_can_be_left_alone(tmp_path, capsys):
    configure_logs("api", home=tmp_path, journal=None, stderr=False)
    logger().info("hello")

    assert capsys.readouterr().err == ""
    assert len(lines(tmp_path)) == 1


def test_lines_are_kept_in_the_journal(tmp_path, journal):
    configure_logs("worker-1@host", home=tmp_path, journal=journal, stderr=False)
    with log_context(job_id="abc"):
        logger().info("hello", stage="commit", bars=3)
    close_logs()

    (line,) = journal.logs(job_id="abc")
    assert (line["agent"], line["stage"], line["message"], line["bars"]) == (
        "worker-1@host",
        "commit",
        "hello",
        3,
    )


def test_a_traceback_is_part_of_its_line(tmp_path):
    configure_logs("api", home=tmp_path, journal=None, stderr=False)
    try:
        int("odd")
    except ValueError:
        logger().exception("broke")

    (line,) = lines(tmp_path)
    assert "ValueError: invalid literal" in line["exception"]


def test_no_secret_is_ever_written(tmp_path, journal, capsys):
    configure_logs("api", home=tmp_path, journal=journal, secrets=[SECRET])
    headers = {"APCA-API-KEY-ID": SECRET, "APCA-API-SECRET-KEY": "s3cr3t-value", "Accept": "json"}
    logger().info("asked", headers=headers, password="hunter2-value", api_key="k-value")
    logger().info("url redis://user:hunter2-value@host:6379/0 and token=t0ken-value", key="k-value")
    logging.getLogger("requests").warning("Authorization: Bearer b34rer-value key %s", SECRET)
    try:
        int(f"refused {SECRET} for secret_key='s3cr3t-value'")
    except ValueError:
        logger().exception("broke")
    close_logs()

    everything = (
        (tmp_path / "logs" / "api.jsonl").read_text()
        + capsys.readouterr().err
        + str(journal.logs())
    )
    hidden = [SECRET, "s3cr3t-value", "hunter2-value", "k-value", "t0ken-value", "b34rer-value"]
    assert [text for text in hidden if text in everything] == []
    assert "redis://user:***@host:6379/0" in everything
    assert '"Accept":"json"' in everything


@given(
    name=st.sampled_from(["key", "secret", "token", "password", "authorization", "ALPACA_API_KEY"]),
    value=st.text(min_size=1) | st.integers(min_value=2) | st.binary(min_size=1),
    depth=st.integers(0, 3),
)
def test_a_value_under_a_telling_name_is_masked_however_deep(name, value, depth):
    event = {name: value}
    for _ in range(depth):
        event = {"outer": [event]}

    masked = Mask()(None, "info", event)

    for _ in range(depth):
        masked = masked["outer"][0]
    assert masked == {name: "***"}


@given(st.dictionaries(st.sampled_from(["symbol", "bars", "stage", "monkeys"]), st.integers()))
def test_other_values_are_left_alone(event):
    assert Mask()(None, "info", dict(event)) == event


def test_a_locked_journal_neither_stops_nor_breaks_who_logs(tmp_path, journal):
    configure_logs("api", home=tmp_path, journal=journal, stderr=False)
    lock = sqlite3.connect(journal.file, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    begun = time.monotonic()
    for number in range(200):
        logger().info("line", number=number)
    assert time.monotonic() - begun < 2
    lock.execute("ROLLBACK")
    lock.close()
    for _ in range(100):
        if len(journal.logs(limit=500)) == 200:
            break
        time.sleep(0.1)

    assert [line["number"] for line in reversed(journal.logs(limit=500))] == list(range(200))


def test_a_journal_that_is_gone_does_not_break_who_logs(tmp_path, journal):
    configure_logs("api", home=tmp_path, journal=journal, stderr=False)
    with sqlite3.connect(journal.file) as connection:
        connection.execute("DROP TABLE logs")
    connection.close()
    logger().info("still here")
    close_logs()

    assert lines(tmp_path)[-1]["message"] == "still here"


def test_a_folder_that_cannot_be_written_does_not_break_who_logs(tmp_path, capsys):
    (tmp_path / "logs").write_text("a file in the way")
    configure_logs("api", home=tmp_path, journal=None)
    logger().info("still here", odd=object())

    assert "still here" in capsys.readouterr().err


def test_a_child_after_a_fork_logs_without_touching_its_parents_journal(tmp_path, journal):
    code = f"""
import os, time
from pathlib import Path
from lake.journal import Journal
from lake.logs import configure_logs, logger
home = Path({str(tmp_path)!r})
configure_logs("api", home=home, journal=Journal.open(home), stderr=False)
logger().info("parent")
child = os.fork()
logger().info("child" if child == 0 else "parent again")
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)

    kept = {line["message"] for line in journal.logs()}
    assert kept == {"parent", "parent again"}
    assert {line["message"] for line in lines(tmp_path)} == kept | {"child"}


def test_lines_of_several_processes_stay_whole(tmp_path):
    code = f"""
from pathlib import Path
from lake.logs import configure_logs, logger
configure_logs("many", home=Path({str(tmp_path)!r}), journal=None, stderr=False)
for number in range(300):
    logger().info("x" * 200, number=number)
"""
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]

    assert len(lines(tmp_path, "many")) == 900
    assert [file.name for file in (tmp_path / "logs").iterdir()] == ["many.jsonl"]
