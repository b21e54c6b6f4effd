"""What switches, alerts, tallies and the outlook of a job promise."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from itertools import pairwise

import pytest

from lake.errors import InvalidError
from lake.journal import Journal, alerts, events, switches, tallies
from lake.journal.outlook import Outlook, outlook

# Switches


def test_what_nobody_has_switched_is_running(journal):
    assert {switch.state for switch in switches.all_of(journal)} == {"running"}
    assert switches.is_on(journal, "ingest")


def test_a_switch_is_kept_when_everything_is_started_anew(tmp_path, clock):
    with Journal.open(tmp_path, now=clock) as journal:
        switches.turn(journal, "ingest", "paused", "the provider asked")
    with Journal.open(tmp_path) as again:
        assert switches.state(again, "ingest") == "paused"
        (off,) = [one for one in switches.all_of(again) if one.state != "running"]
        assert (off.agent, off.reason, off.changed_at) == (
            "ingest", "the provider asked", clock.now,
        )  # fmt: skip
        switches.turn(again, "ingest", "running")
        assert switches.is_on(again, "ingest")


def test_a_kind_that_there_is_none_of_is_refused(journal):
    with pytest.raises(InvalidError, match="'teapot' is no kind of agent"):
        switches.turn(journal, "teapot", "paused")


def test_only_a_change_of_a_switch_is_an_event(journal):
    for state in ("paused", "paused", "running"):
        switches.turn(journal, "ingest", state)

    assert [event.what.state for event in events.read(journal, 0).events] == ["paused", "running"]


def test_a_stopped_agent_is_told_at_its_next_step_and_a_paused_one_goes_on(journal):
    job, _ = journal.queue("ingest", "sandbox:iex", "SPY")
    journal.claim(job.id, "worker")
    switches.turn(journal, "ingest", "paused")
    journal.progress(job.id, 1, 10)
    switches.turn(journal, "ingest", "stopped")
    with pytest.raises(switches.AgentStoppedError, match="barlake agents start ingest"):
        journal.progress(job.id, 2, 10)
    assert journal.job(job.id).done == 1


# Alerts


def test_an_alert_is_raised_once_however_many_see_it(tmp_path):
    def see(_):
        with Journal.open(tmp_path) as journal:
            return alerts.raise_alert(journal, "stalled", "worker-1", "It is silent.")

    with ThreadPoolExecutor(8) as many:
        raised = [alert for alert in many.map(see, range(16)) if alert]

    with Journal.open(tmp_path) as journal:
        assert alerts.read(journal) == raised
        assert [event.what.kind for event in events.read(journal, 0).events] == ["alert"]


def test_an_open_alert_takes_newer_facts_and_tells_nobody_again(journal):
    alerts.raise_alert(journal, "freshness", "s SPY", "25 hours", {"days": ["2024-04-30"]})
    again = alerts.raise_alert(journal, "freshness", "s SPY", "49 hours", {"days": ["2024-05-01"]})

    (alert,) = alerts.read(journal)
    assert again is None
    assert (alert.message, alert.facts) == ("49 hours", {"days": ["2024-05-01"]})


def test_an_alert_that_is_over_is_shown_on_request_and_can_be_raised_anew(journal, clock):
    first = alerts.raise_alert(journal, "stalled", "worker-1", "It is silent.")
    clock.move(minutes=5)
    ended = alerts.settle(journal, "stalled", "worker-1")
    assert (ended.number, ended.over_at) == (first.number, clock.now)
    assert alerts.settle(journal, "stalled", "worker-1") is None
    assert alerts.read(journal) == []
    assert alerts.read(journal, over=True) == [ended]
    second = alerts.raise_alert(journal, "stalled", "worker-1", "It is silent again.")
    assert second.number > first.number
    kinds = [event.what.kind for event in events.read(journal, 0).events]
    assert kinds == ["alert", "alert_over", "alert"]


def test_who_tells_the_webhook_takes_an_alert_alone_and_tries_again_later_and_later(journal, clock):
    alerts.raise_alert(journal, "stalled", "worker-1", "It is silent.")
    attempts = []
    for second in range(0, 4 * 3600, 30):
        found = [alerts.untold(journal) for _ in range(2)]
        assert found[1] == []
        attempts += [second] if found[0] else []
        clock.move(seconds=30)

    pauses = [after - before for before, after in pairwise(attempts)]
    assert pauses == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]


def test_an_alert_that_was_told_is_told_once_more_when_it_is_over(journal, clock):
    alerts.raise_alert(journal, "stalled", "worker-1", "It is silent.")
    alerts.told(journal, alerts.untold(journal))
    clock.move(hours=2)
    assert alerts.untold(journal) == []
    alerts.settle(journal, "stalled", "worker-1")
    (ended,) = alerts.untold(journal)
    assert not ended.is_open
    alerts.told(journal, [ended])
    clock.move(hours=2)
    assert alerts.untold(journal) == []


def test_old_alerts_are_forgotten_once_they_are_over(journal, clock):
    alerts.raise_alert(journal, "stalled", "old", "It is silent.")
    alerts.raise_alert(journal, "stalled", "open", "It is silent.")
    alerts.settle(journal, "stalled", "old")
    clock.move(days=31)
    journal.prune(older_than=timedelta(days=30))

    assert [alert.subject for alert in alerts.read(journal, over=True)] == ["open"]


# Tallies


def test_requests_are_counted_by_series_and_day(journal, clock):
    tallies.count(journal, "alpaca:iex", ["SPY", "QQQ"], 10, 1)
    tallies.count(journal, "alpaca:iex", ["SPY"], 5)
    clock.move(days=1)
    tallies.count(journal, "alpaca:iex", ["SPY"], 1, 1)

    assert tallies.every(journal) == {
        ("alpaca:iex", "SPY"): {date(2024, 5, 1): (15, 1), date(2024, 5, 2): (1, 1)},
        ("alpaca:iex", "QQQ"): {date(2024, 5, 1): (10, 1)},
    }
    assert tallies.read(journal, "alpaca:iex", "QQQ") == {date(2024, 5, 1): (10, 1)}


def test_requests_of_many_at_once_are_all_counted(tmp_path):
    def ask(_):
        with Journal.open(tmp_path) as journal:
            for _ in range(20):
                tallies.count(journal, "alpaca:iex", ["SPY"], 1)

    with ThreadPoolExecutor(4) as many:
        list(many.map(ask, range(4)))
    with Journal.open(tmp_path) as journal:
        days = tallies.read(journal, "alpaca:iex", "SPY")
    assert sum(requests for requests, _ in days.values()) == 80


# Outlook


def test_what_a_worker_tells_of_its_pace_is_shown_while_it_runs(journal, clock):
    job, _ = journal.queue("ingest", "sandbox:iex", "SPY")
    journal.claim(job.id, "worker")
    told = {"bars_per_second": 310000.0, "budget_left": 173, "seconds_left": 12.5, "symbol": "QQQ"}
    journal.progress(job.id, 1, 4, facts=told)
    journal.progress(job.id, 2, 4)

    assert outlook(journal.job(job.id), clock.now) == Outlook(50.0, 310000.0, 173, 12.5, "QQQ")
    journal.finish(job.id)
    assert outlook(journal.job(job.id), clock.now) == Outlook(100.0, None, None, None, "SPY")


def test_without_being_told_the_time_left_follows_from_what_is_done(journal, clock):
    job, _ = journal.queue("features", "", "SPY")
    journal.claim(job.id, "worker")
    assert outlook(journal.job(job.id), clock.now).seconds_left is None
    clock.move(seconds=30)
    journal.progress(job.id, 3, 12)

    found = outlook(journal.job(job.id), clock.now)
    assert (found.percent, found.seconds_left) == (25.0, 90.0)
