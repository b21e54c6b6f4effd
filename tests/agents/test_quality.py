"""What quality promises: counts that can be worked out by hand, thresholds, and alerts that end."""

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

import lake
from agents import quality
from lake import BAR_SCHEMA, Covered, Fetched, sessions
from lake import quality as measuring
from lake.journal import Journal, alerts, tallies
from lake.journal import quality as kept
from tests.market import bar, frame

SOURCE = "sandbox:iex"
#: Friday evening; the sessions of the week are over.
NOW = datetime(2024, 11, 8, 22, 0, tzinfo=UTC)
WEEK = [date(2024, 11, day) for day in (4, 5, 6, 7, 8)]


@pytest.fixture
def clock():
    return [NOW]


@pytest.fixture
def journal(tmp_path, clock):
    with Journal.open(tmp_path / "journal", now=lambda: clock[0]) as opened:
        yield opened


@pytest.fixture
def lake_at(empty, tmp_path, clock):
    """A lake whose clock the test moves."""
    shutil.copytree(empty, tmp_path / "home")
    with lake.open(tmp_path / "home", now=lambda: clock[0]) as opened:
        yield opened


def opening(day):
    return sessions.schedule(day, day)["open"].item()


def minutes(day, count=390, *, symbol="SPY", first=0, **odd):
    """A fetch of some minutes of a session from a first one on, each with a bar."""
    begin = opening(day) + timedelta(minutes=first)
    end = begin + timedelta(minutes=count)
    times = pl.datetime_range(begin, end, "1m", closed="left", time_zone="UTC", eager=True)
    one = frame(bar(begin, symbol=symbol, **odd)).drop("timestamp")
    bars = pl.DataFrame({"timestamp": times}).join(one, how="cross").select(*BAR_SCHEMA)
    return Fetched(SOURCE, bars, (Covered(symbol, begin, end),))


def days(found, measure):
    return [getattr(one, measure) for one in found]


def kinds(journal):
    return sorted(alert.kind for alert in alerts.read(journal))


def test_a_session_is_complete_when_all_its_minutes_were_fetched_with_or_without_bars(
    lake_at, journal
):
    for day in WEEK[:4]:
        lake_at.commit_bars(minutes(day))
    quiet = minutes(WEEK[4])
    lake_at.commit_bars(Fetched(SOURCE, quiet.bars.head(100), quiet.covered))

    found = quality.refresh(lake_at, journal)

    assert [one.day for one in found] == WEEK
    assert days(found, "completeness") == [1.0] * 5
    assert days(found, "bars") == [390, 390, 390, 390, 100]
    assert days(found, "hours_behind") == [None] * 4 + [0.0]
    assert {one.breaches for one in found} == {()}
    assert kinds(journal) == []


def test_minutes_that_were_not_fetched_raise_an_alert_until_they_are(lake_at, journal):
    for day in WEEK[:4]:
        lake_at.commit_bars(minutes(day))
    lake_at.commit_bars(minutes(WEEK[2], 300))  # again: changes nothing
    lake_at.commit_bars(minutes(WEEK[4], 39))
    lake_at.commit_bars(minutes(WEEK[4], 39, first=351))

    found = quality.refresh(lake_at, journal)

    assert found[-1].completeness == 0.2
    (alert,) = alerts.read(journal)
    assert (alert.kind, alert.subject) == ("completeness", f"{SOURCE} SPY")
    assert alert.facts["days"] == ["2024-11-08"]
    assert "only 20.0%" in alert.message
    assert "`barlake ingest SPY --start 2024-11-08 --end 2024-11-08`" in alert.message

    lake_at.commit_bars(minutes(WEEK[4], 312, first=39))
    quality.refresh(lake_at, journal)
    assert alerts.read(journal) == []


def test_an_old_day_stays_in_its_alert_until_it_is_mended(lake_at, journal, clock):
    for day in WEEK:
        lake_at.commit_bars(minutes(day, 390 if day != WEEK[0] else 100))
    quality.refresh(lake_at, journal)
    clock[0] = datetime(2024, 11, 23, 12, 0, tzinfo=UTC)
    for day in sessions.schedule(date(2024, 11, 11), date(2024, 11, 22))["session_date"]:
        lake_at.commit_bars(minutes(day))
    quality.refresh(lake_at, journal)
    (alert,) = alerts.read(journal)
    assert alert.facts["days"] == ["2024-11-04"]

    lake_at.commit_bars(minutes(WEEK[0]))
    quality.refresh(lake_at, journal)
    assert alerts.read(journal) == []


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        ("2024-11-08T22:00:00Z", 0.0),  # Friday after the close
        ("2024-11-11T14:00:00Z", 0.0),  # Monday before the open
        ("2024-11-11T15:30:00Z", 1.0),  # an hour after it
        ("2024-11-12T14:30:00Z", 24.0),
        ("2024-11-12T15:30:00Z", 25.0),
    ],
)
def test_a_series_falls_behind_while_minutes_that_could_be_there_are_not(lake_at, now, hours):
    for day in WEEK:
        lake_at.commit_bars(minutes(day))

    reached = measuring.newest_bar(lake_at, "SPY", SOURCE)

    assert measuring.Hours(lake_at).behind(reached, datetime.fromisoformat(now)) == hours


def test_a_series_that_is_more_than_a_day_behind_raises_an_alert_until_it_is_not(
    lake_at, journal, clock
):
    for day in WEEK:
        lake_at.commit_bars(minutes(day))
    clock[0] = datetime(2024, 11, 12, 22, 0, tzinfo=UTC)
    found = quality.refresh(lake_at, journal)
    assert found[-1].hours_behind == 31.5
    assert kinds(journal) == ["completeness", "freshness"]

    for day in (date(2024, 11, 11), date(2024, 11, 12)):
        lake_at.commit_bars(minutes(day))
    quality.refresh(lake_at, journal)
    assert kinds(journal) == []


def test_a_piece_of_history_is_never_blamed_for_its_age(lake_at, journal, clock):
    clock[0] = datetime(2025, 6, 2, 12, 0, tzinfo=UTC)
    for day in WEEK:
        lake_at.commit_bars(minutes(day))

    found = quality.refresh(lake_at, journal)

    assert [one.day for one in found] == WEEK
    assert set(days(found, "hours_behind")) == {None}
    assert kinds(journal) == []
    clock[0] += timedelta(hours=24)
    quality.refresh(lake_at, journal)  # looks again at what was committed just before it looked
    assert quality.refresh(lake_at, journal) == []


def test_bars_that_break_a_rule_raise_an_alert(lake_at, journal):
    for day in WEEK:
        lake_at.commit_bars(minutes(day))
    lake_at.commit_bars(minutes(WEEK[4], 5, first=400, high=1.0, low=2.0))

    found = quality.refresh(lake_at, journal)

    assert (found[-1].bars, found[-1].quarantined) == (390, 5)
    assert found[-1].passed == 390 / 395
    (alert,) = alerts.read(journal)
    assert alert.kind == "checks"
    assert "only 98.7%" in alert.message


@pytest.mark.parametrize(("failures", "raised"), [(1, []), (2, ["errors"])])
def test_requests_that_fail_too_often_raise_an_alert(lake_at, journal, failures, raised):
    for day in WEEK:
        lake_at.commit_bars(minutes(day))
    tallies.count(journal, SOURCE, ["SPY"], 100, failures)

    found = quality.refresh(lake_at, journal)

    assert (found[-1].requests, found[-1].failures) == (100, failures)
    assert kinds(journal) == raised


def test_requests_for_history_are_judged_on_the_date_they_were_made(lake_at, journal, clock):
    clock[0] = datetime(2025, 6, 1, 12, 0, tzinfo=UTC)  # a Sunday
    lake_at.commit_bars(minutes(WEEK[0]))
    tallies.count(journal, SOURCE, ["SPY"], 10, 5)

    found = quality.refresh(lake_at, journal)

    assert [(one.day, one.completeness, one.error_rate) for one in found] == [
        (WEEK[0], 1.0, None),
        (date(2025, 6, 1), None, 0.5),
    ]
    (newest,) = kept.newest(journal)
    assert (newest.day, newest.completeness, newest.error_rate) == (WEEK[0], 1.0, 0.5)
    (alert,) = alerts.read(journal)
    assert "50.0% of the requests of 2025-06-01 failed" in alert.message

    clock[0] += timedelta(days=7)
    tallies.count(journal, SOURCE, ["SPY"], 10)
    quality.refresh(lake_at, journal)
    assert kinds(journal) == []


def test_a_series_that_was_only_asked_for_in_vain_is_judged_too(lake_at, journal):
    tallies.count(journal, SOURCE, ["NOPE"], 3, 3)

    (one,) = quality.refresh(lake_at, journal)

    assert (one.symbol, one.completeness, one.error_rate) == ("NOPE", None, 1.0)
    assert kinds(journal) == ["errors"]
    assert kept.newest(journal) == [one]


def test_requests_of_a_session_that_is_not_over_are_kept_when_it_is(lake_at, journal, clock):
    for day in WEEK[:4]:
        lake_at.commit_bars(minutes(day))
    clock[0] = datetime(2024, 11, 8, 15, 30, tzinfo=UTC)
    tallies.count(journal, SOURCE, ["SPY"], 10)
    quality.refresh(lake_at, journal)
    clock[0] = NOW
    lake_at.commit_bars(minutes(WEEK[4]))

    found = quality.refresh(lake_at, journal)

    assert (found[-1].day, found[-1].completeness, found[-1].requests) == (WEEK[4], 1.0, 10)


def test_it_is_kept_and_only_what_is_new_is_computed_again(lake_at, journal, clock):
    clock[0] = datetime(2025, 6, 2, 12, 0, tzinfo=UTC)
    for day in WEEK[:2]:
        lake_at.commit_bars(minutes(day, symbol="QQQ"))
    first = quality.refresh(lake_at, journal)
    assert kept.of_series(journal, "QQQ") == first
    assert kept.of_series(journal, "QQQ", last=WEEK[0]) == first[:1]
    assert kept.of_series(journal, "SPY") == []

    clock[0] += timedelta(hours=1)
    assert quality.refresh(lake_at, journal) == [
        replace(one, computed_at=clock[0]) for one in first
    ]
    clock[0] += timedelta(hours=1)
    lake_at.commit_bars(minutes(WEEK[3], symbol="QQQ"))
    assert [one.day for one in quality.refresh(lake_at, journal)] == [WEEK[3]]
    assert [one.day for one in kept.of_series(journal, "QQQ")] == [*WEEK[:2], WEEK[3]]
    assert [one.day for one in kept.newest(journal)] == [WEEK[3]]


def test_a_range_is_computed_on_demand_also_where_nothing_was_fetched(lake_at, journal):
    lake_at.commit_bars(minutes(WEEK[0]))

    found = quality.compute(lake_at, journal, "SPY", SOURCE, WEEK[0], WEEK[2])

    assert days(found, "completeness") == [1.0, 0.0, 0.0]


def test_a_session_that_is_not_over_is_not_judged(lake_at, journal, clock):
    for day in WEEK[:4]:
        lake_at.commit_bars(minutes(day))
    clock[0] = datetime(2024, 11, 8, 15, 30, tzinfo=UTC)

    found = quality.refresh(lake_at, journal)

    assert [one.day for one in found] == WEEK[:4]
    assert kinds(journal) == []
