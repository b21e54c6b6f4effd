"""When the live agent listens, by which clock, and that it is the only one."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from agents.live.clock import MarketClock
from agents.live.hours import hours
from agents.live.lease import Lease, connect
from agents.live.pulse import LivePulse, named
from lake.journal import Journal
from tests.agents.living import valkey, wait_for

HERE = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
THERE = datetime(2024, 11, 4, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "is_on", "until"),
    [
        ("2024-11-04T08:54:59Z", False, "2024-11-04T08:55:00Z"),  # 04:00 in New York is 09:00
        ("2024-11-04T08:55:00Z", True, "2024-11-05T01:04:00Z"),
        ("2024-11-05T01:03:59Z", True, "2024-11-05T01:04:00Z"),
        ("2024-11-05T01:04:00Z", False, "2024-11-05T08:55:00Z"),
        ("2024-07-02T20:00:00Z", True, "2024-07-03T00:04:00Z"),  # summer
        ("2024-07-03T20:00:00Z", True, "2024-07-03T21:04:00Z"),  # a half day ends at 17:00
        ("2024-07-04T15:00:00Z", False, "2024-07-05T07:55:00Z"),  # a holiday
        ("2024-11-02T15:00:00Z", False, "2024-11-04T08:55:00Z"),  # a Saturday; clocks change
    ],
)
def test_it_listens_in_extended_hours_by_the_calendar(now, is_on, until):
    found = hours(datetime.fromisoformat(now))

    assert (found.is_on, found.until) == (is_on, datetime.fromisoformat(until))
    assert hours(datetime.fromisoformat(now), always=True).is_on


class Ticks:
    """A provider's clock and ours, that a test moves."""

    def __init__(self, there, pace):
        self.seconds, self.there, self.pace = 0.0, there, pace
        self.clock = MarketClock(self.told, self.here, lambda: self.seconds)

    def told(self):
        return self.there and self.there + timedelta(seconds=self.seconds * self.pace)

    def here(self):
        return HERE + timedelta(seconds=self.seconds)


def test_a_provider_that_agrees_or_does_not_say_leaves_this_machines_clock():
    for there in (HERE + timedelta(seconds=1), None):
        ticks = Ticks(there, 1.0)
        ticks.clock.look()
        ticks.seconds = 100.0
        assert ticks.clock() == ticks.clock.surely() == ticks.here()


def test_a_provider_with_another_present_is_followed_at_its_pace():
    ticks = Ticks(THERE, 60.0)
    ticks.clock.look()
    ticks.seconds = 1.0
    ticks.clock.look()
    ticks.seconds = 5.0

    assert ticks.clock() == THERE + timedelta(seconds=300)
    assert not ticks.clock.agrees


def test_what_is_sure_is_never_ahead_of_the_provider():
    ticks = Ticks(THERE, 60.0)
    assert ticks.clock.surely() == THERE  # before anybody has looked
    ticks.seconds = 1.0
    ticks.clock.look()
    ticks.pace, ticks.there = 0.0, THERE + timedelta(seconds=60)  # it stops
    ticks.seconds = 30.0

    assert ticks.clock() > ticks.told()
    assert ticks.clock.surely() == ticks.told()


def test_a_lease_has_one_holder_and_passes_on_when_nobody_renews_it():
    with valkey() as url:
        first, second = (Lease(connect(url), "here", life=1.0) for _ in range(2))
        assert (first.take(), second.take(), first.take()) == (True, False, True)
        assert Lease(connect(url), "elsewhere").take()
        first.release()
        assert (second.take(), first.take()) == (True, False)
        assert wait_for(first.take)
        first.release()
    assert not first.take()  # no broker answers


def test_a_holder_goes_on_while_no_broker_answers(monkeypatch):
    monkeypatch.setattr("agents.live.lease.RENEWED_EVERY", 0.01)
    stop = threading.Event()
    with valkey() as url:
        lease = Lease(connect(url), "here")
        assert lease.take()
    keeping = threading.Thread(target=lease.keep, args=(stop,))
    keeping.start()
    failed = threading.Event()
    monkeypatch.setattr(lease, "_renew", lambda renew=lease._renew: (renew(), failed.set()))
    assert failed.wait(60)
    stop.set()
    keeping.join(60)
    assert lease.is_held


def test_each_live_agent_has_a_name_and_a_dead_ones_is_free(tmp_path):
    with Journal.open(tmp_path) as journal:
        with named(journal, tmp_path) as first, named(journal, tmp_path) as second:
            assert first.startswith("live@")
            assert second.startswith("live-2@")
        with named(journal, tmp_path) as again:
            assert again == first
            beating = LivePulse(journal, again)
            beating.start()
        with named(journal, tmp_path) as other:
            assert other == second
        beating.stop()
