"""What a round of the gap scanner promises, against a real server over loopback and a real lake."""

import json
import shutil
from datetime import UTC, date, datetime, timedelta

import pytest

import lake
from agents import backfill, gaps, missing
from agents.after_ingest import queue_scan
from agents.sources import ProviderBusyError
from agents.sources.alpaca import Account, AlpacaSource
from lake import sessions
from lake.journal import Journal, alerts
from sandbox.config import SandboxConfig
from sandbox.serve import running

NOW = datetime(2024, 11, 8, 22, 0, tzinfo=UTC)
SPAN = (date(2024, 10, 7), date(2024, 11, 8))
DAY = date(2024, 10, 30)
SOURCE = "sandbox:iex"
NAMES = ("SPY", "QQQ")


def at(hour, minute, day=DAY):
    """A time of day in New York, in UTC."""
    return sessions.midnight(day) + timedelta(hours=hour, minutes=minute)


#: The provider lacks twenty minutes of SPY for good, and ten of QQQ until the day after.
FAULTS = {
    "hole": {"symbols": ["SPY"], "start": at(11, 0).isoformat(), "end": at(11, 19).isoformat()},
    "late_bar": {
        "symbols": ["QQQ"],
        "start": at(12, 0).isoformat(),
        "end": at(12, 9).isoformat(),
        "at": (NOW + timedelta(hours=12)).isoformat(),
    },
}


class Provider:
    """The sandbox at a time, and what it was asked for."""

    def __init__(self, url):
        self.lines = []
        account = Account(SOURCE, "iex", url, url, "k", "s")
        self.source = AlpacaSource(account, lambda **line: self.lines.append(line))

    @property
    def asked(self):
        """What bars were asked for: symbols, and the first moment."""
        lines = [line for line in self.lines if line.get("path") == "v2/stocks/bars"]
        found = [(line["asked"]["symbols"], line["asked"]["start"]) for line in lines]
        self.lines.clear()
        return found


def serving(now, **more):
    return running(SandboxConfig(now=now, faults=json.dumps(FAULTS | more)))


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A lake that has fetched five weeks, with the provider's holes."""
    home = tmp_path_factory.mktemp("filled") / "home"
    with serving(NOW) as url, lake.open(home, create=True, now=lambda: NOW) as opened:
        for name in NAMES:
            backfill.run(opened, Provider(url).source, name, SPAN, now=NOW)
    return home


@pytest.fixture
def clock():
    return [NOW]


@pytest.fixture
def held(filled, tmp_path, clock):
    shutil.copytree(filled, tmp_path / "home")
    with lake.open(tmp_path / "home", now=lambda: clock[0]) as opened:
        yield opened


@pytest.fixture(scope="module")
def later():
    """The provider as it is months later: one hole stays."""
    with serving(NOW + timedelta(days=120)) as url:
        yield url


def round_at(held, clock, moment, source, **more):
    clock[0] = moment
    return gaps.run(held, source, now=moment, datasets=["bars_1m"], **more)


def absences(held):
    return held.sql(
        "SELECT symbol, minutes, class, fetched, asked FROM absences ORDER BY ALL"
    ).rows()


def test_what_comes_late_is_stored_and_what_never_comes_is_the_providers_fault(held, clock):
    with serving(NOW + timedelta(minutes=6)) as url:
        first = round_at(held, clock, NOW + timedelta(minutes=6), Provider(url).source)
        assert (first["asked"], first["new"]) == (2, 0)
        assert absences(held) == [
            ("QQQ", 10, "missing_at_provider", 2, 1),
            ("SPY", 20, "missing_at_provider", 2, 1),
        ]
    with serving(NOW + timedelta(days=2)) as url:
        second = round_at(held, clock, NOW + timedelta(days=2), Provider(url).source)
        assert (second["asked"], second["new"]) == (2, 10)

    assert absences(held) == [("SPY", 20, "missing_at_provider", 3, 2)]
    assert held.bars("QQQ", at(12, 0), at(12, 9), source=SOURCE).height == 10


def test_a_real_hole_is_asked_for_three_times_in_months_of_nights(held, clock, later):
    provider = Provider(later)
    nights = {}
    for night in (0, 1, 2, 7, 8, 9, 15, 30, 90):
        round_at(held, clock, NOW + timedelta(days=night, hours=10), provider.source)
        nights[night] = provider.asked

    assert {night for night, asked in nights.items() if asked} == {0, 1, 8}
    assert nights[0] == [("QQQ,SPY", "2024-10-30T04:00:00Z")]
    assert nights[1] == nights[8] == [("SPY", "2024-10-30T04:00:00Z")]
    assert absences(held) == [("SPY", 20, "missing_at_provider", 4, 3)]


def test_nothing_is_asked_for_within_minutes_of_the_first_answer(held, clock, later):
    provider = Provider(later)

    told = round_at(held, clock, NOW + timedelta(minutes=2), provider.source)

    assert provider.asked == []
    assert (told["asked"], told["unconfirmed"]) == (0, 30)


def ingest_again(held, clock, moment, source, home):
    """What an ingest of all sessions that are over for good, --again, and the scan after it do."""
    clock[0], span = moment, (SPAN[0], SPAN[1] - timedelta(days=1))
    with Journal.open(home, now=lambda: clock[0]) as journal:
        asked = {"symbols": [*NAMES], "again": True}
        job, _ = journal.queue("ingest", SOURCE, "", *span, asked)
        journal.claim(job.id, "one")
        counts = backfill.run(held, source, NAMES, span, now=moment, again=True)
        journal.finish(job.id, counts)
        clock[0] = moment + timedelta(minutes=3)
        scan = queue_scan(journal, job.id)
    return gaps.run(held, source, now=clock[0], **gaps.asked_by(scan))


def test_an_ingest_again_is_a_second_answer_if_it_comes_minutes_after_the_first(
    held, clock, tmp_path
):
    round_at(held, clock, NOW + timedelta(minutes=1), None)
    with serving(NOW + timedelta(hours=1)) as url:
        provider = Provider(url)
        ingest_again(held, clock, NOW + timedelta(minutes=3), provider.source, tmp_path)
        soon = absences(held)
        provider.asked  # noqa: B018 - forgets what the ingest asked for
        ingest_again(held, clock, NOW + timedelta(minutes=9), provider.source, tmp_path)
        asked, scans = provider.asked, held.sql("FROM gap_scans").height
        ingest_again(held, clock, NOW + timedelta(minutes=40), provider.source, tmp_path)

    assert soon == [("QQQ", 10, "unconfirmed", 1, 0), ("SPY", 20, "unconfirmed", 1, 0)]
    assert absences(held) == [
        ("QQQ", 10, "missing_at_provider", 2, 1),
        ("SPY", 20, "missing_at_provider", 2, 1),
    ]
    assert len(set(asked)) == 1  # the pages of the ingest, and no more
    assert held.sql("FROM gap_scans").height == scans  # a third answer says nothing new


def test_minutes_that_the_provider_lacks_are_an_alert_until_they_are_there(
    held, clock, later, tmp_path
):
    with Journal.open(tmp_path) as journal:
        with serving(NOW + timedelta(minutes=6)) as url:
            round_at(held, clock, NOW + timedelta(minutes=6), Provider(url).source)
        missing.judge(held, journal)
        raised = alerts.read(journal)
        missing.judge(held, journal, ["DIA"])
        assert alerts.read(journal) == raised  # nobody looked at them
        round_at(held, clock, NOW + timedelta(days=2), Provider(later).source)
        missing.judge(held, journal)
        left = alerts.read(journal)
        every = alerts.read(journal, over=True)

    assert sorted(alert.subject for alert in raised) == [f"{SOURCE} QQQ", f"{SOURCE} SPY"]
    assert [alert.subject for alert in left] == [f"{SOURCE} SPY"]
    assert len(every) == 2
    (spy,) = left
    assert (spy.facts["days"], spy.facts["minutes"]) == ([DAY.isoformat()], 20)
    assert f"lacks 20 regular minutes of {DAY}" in spy.message
    assert f"`barlake gaps SPY --start {DAY} --end {DAY}`" in spy.message


def test_a_second_round_at_once_asks_for_nothing_and_writes_nothing(held, clock, later):
    moment = NOW + timedelta(hours=1)
    round_at(held, clock, moment, Provider(later).source)
    snapshot, provider = held.snapshot(), Provider(later)

    again = round_at(held, clock, moment, provider.source)

    assert (again["asked"], again["sessions"], provider.asked) == (0, 0, [])
    assert held.snapshot() == snapshot


def test_sessions_that_were_never_fetched_are_fetched(held, clock, later):
    lost = date(2024, 10, 22)
    with held.writing() as transaction:
        run = transaction.connection
        run.execute("DELETE FROM coverage WHERE symbol = 'QQQ'")
        for first, last in (
            (SPAN[0], lost),
            (lost + timedelta(days=1), SPAN[1] + timedelta(days=1)),
        ):
            run.execute(
                "INSERT INTO coverage VALUES ('bars_1m', ?, 'QQQ', ?, ?, ?)",
                [SOURCE, sessions.midnight(first), sessions.midnight(last), NOW],
            )
        run.execute("DELETE FROM bars_1m WHERE symbol = 'QQQ' AND timestamp::DATE = ?", [lost])
    before = held.gaps("QQQ", source=SOURCE)

    round_at(held, clock, NOW + timedelta(minutes=1), Provider(later).source)

    assert before["session_date"].to_list() == [lost]
    assert held.gaps("QQQ", source=SOURCE).is_empty()
    assert held.absent("QQQ", lost, lost, SOURCE)["absent"].to_list() == [0]


def test_a_provider_that_refuses_is_not_asked_for_ever(held, clock):
    broken = {"reject_keys": {"paths": ["/v2/stocks/bars"]}}
    nights = {}
    with serving(NOW + timedelta(days=120), **broken) as url:
        provider = Provider(url)
        for night in (0, 1, 2, 8, 15, 90):
            moment = NOW + timedelta(days=night, hours=10)
            told = round_at(held, clock, moment, provider.source)
            nights[night] = (told["refused"], bool(provider.asked))

    assert nights == dict.fromkeys(nights, (0, False)) | dict.fromkeys((0, 1, 8), (2, True))
    assert absences(held) == [("QQQ", 10, "unconfirmed", 1, 3), ("SPY", 20, "unconfirmed", 1, 3)]


def test_a_provider_that_does_not_answer_fails_the_round_and_is_noted(held, clock, monkeypatch):
    monkeypatch.setattr("agents.sources.http.ATTEMPTS", 1)
    broken = {"http_500": {"paths": ["/v2/stocks/bars"]}}
    with serving(NOW + timedelta(days=120), **broken) as url, pytest.raises(ProviderBusyError):
        round_at(held, clock, NOW + timedelta(hours=1), Provider(url).source)

    assert {row[2:] for row in absences(held)} == {("unconfirmed", 1, 1)}


def test_without_keys_everything_is_named_and_nobody_asked(held, clock):
    told = round_at(held, clock, NOW + timedelta(days=1), None)

    assert (told["series"], told["asked"], told["unconfirmed"]) == (2, 0, 30)
    assert held.sql("SELECT sum(minutes) FROM absences").item() == 30


def test_another_sources_series_is_named_and_never_asked_for(held, clock, later):
    from tests.market import bar, fetched, session_covered

    held.commit_bars(fetched(bar(at(10, 0)), covered=(session_covered(DAY),), source="file:mine"))
    provider = Provider(later)

    told = round_at(held, clock, NOW + timedelta(days=1), provider.source)

    assert told["series"] == 3
    assert [symbols for symbols, _ in provider.asked] == ["QQQ,SPY"]
    rows = held.sql("SELECT DISTINCT class, asked FROM absences WHERE source = 'file:mine'").rows()
    assert rows == [("unconfirmed", 0)]


def test_a_daily_bar_that_was_lost_is_asked_for_too(held, clock, later):
    backfill.run(held, Provider(later).source, "SPY", SPAN, now=NOW, dataset="bars_daily")
    whole = held.bars("SPY", dataset="bars_daily", source=SOURCE)
    with held.writing() as transaction:  # as if the provider had had none of it
        transaction.connection.execute(
            "DELETE FROM bars_daily WHERE timestamp = ?", [sessions.midnight(DAY)]
        )
    clock[0] = NOW + timedelta(days=1)

    told = gaps.run(held, Provider(later).source, now=clock[0], datasets=["bars_daily"])

    assert (told["asked"], told["new"]) == (1, 1)
    assert (
        held.bars("SPY", dataset="bars_daily", source=SOURCE)
        .drop("flags")
        .equals(whole.drop("flags"))
    )
    assert absences(held) == []


def test_symbols_with_the_same_sessions_are_asked_for_together():
    days = [date(2024, 11, 4), date(2024, 11, 5), date(2024, 11, 20)]
    due = {name: dict.fromkeys(days, True) for name in ("SPY", "QQQ")}
    due["DIA"] = {days[0]: False}

    spans = gaps.plan(due)

    assert [(span.symbols, span.days, span.again) for span in spans] == [
        (("DIA",), (days[0],), False),
        (("QQQ", "SPY"), (days[0], days[1]), True),
        (("QQQ", "SPY"), (days[2],), True),
    ]


def test_a_round_asks_for_so_much_at_most_the_newest_first():
    days = [date(2024, 11, day) for day in (4, 5, 6, 7)]
    due = {"SPY": dict.fromkeys(days, True) | {days[0]: False}}

    spans = gaps.plan(due, most=2)

    assert [span.days for span in spans] == [(days[0],), (days[3],)]
