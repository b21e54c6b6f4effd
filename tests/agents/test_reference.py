"""What is read beside bars on a schedule. Expected values are the sandbox's market, as its page tells.

NEWN was OLDN until 2024-09-03; GONE is bought on 2024-07-01; LATE begins on 2023-06-01. Dividends of
foreign companies F000 to F119, three a Wednesday since 2016: more than a page has.
"""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from agents import backfill, reference, tasks
from agents.heartbeat import Pulse
from agents.renaming import Renames
from agents.sources.alpaca import Account, AlpacaSource
from agents.work import perform
from agents.worker import Workshop
from app.up.place import Place
from lake import calendars, instruments, lists
from lake.journal import Journal, alerts
from lake.settings import load_settings
from sandbox.config import SandboxConfig
from sandbox.serve import running
from tests.agents.houses import House
from tests.market import bar, fetched

#: Two months after NEWN got its name.
NOW = datetime(2024, 11, 9, 2, 30, tzinfo=UTC)
TODAY = date(2024, 11, 8)
RENAMED = date(2024, 9, 3)
#: Sessions around it: the first two under the old name.
SPAN = (date(2024, 8, 29), date(2024, 9, 4))


@pytest.fixture(scope="module")
def url():
    with running(SandboxConfig(now=NOW)) as address:
        yield address


@pytest.fixture(scope="module")
def early_url():
    """A sandbox whose clock stands before the new name."""
    with running(SandboxConfig(now=datetime(2024, 9, 1, 12, tzinfo=UTC))) as address:
        yield address


@pytest.fixture
def books(tmp_path):
    with Journal.open(tmp_path / "journal") as opened:
        yield opened


def source(url):
    lines: list[dict[str, object]] = []
    made = AlpacaSource(
        Account("sandbox:sip", "sip", url, url, "k", "s"), lambda **line: lines.append(line)
    )
    made.lines = lines
    return made


def read(store, made, books, now=NOW, **more):
    return reference.read_instruments(store, made, books, now=now, **more)


def test_all_actions_come_however_many_pages_they_take(store, url):
    foreign = [f"F{number:03}" for number in range(120)]

    first = reference.read_actions(store, source(url), now=NOW, symbols=foreign, whole=True)
    again = reference.read_actions(store, source(url), now=NOW, symbols=foreign, whole=True)

    wednesdays = sum(
        1
        for n in range((TODAY - date(2016, 1, 4)).days + 1)
        if (date(2016, 1, 4) + timedelta(n)).weekday() == 2
    )
    assert first["found"] == first["changed"] == 3 * wednesdays > 1000
    assert (again["found"], again["changed"]) == (first["found"], 0)
    held = store.sql("SELECT count(*) FROM corporate_actions WHERE superseded_at IS NULL").item()
    assert held == first["found"]


def test_every_type_is_kept(store, url):
    tickers = [
        "FWDS",
        "REVS",
        "UNTU",
        "STKD",
        "PRNT",
        "SOLD",
        "MIXD",
        "REDM",
        "ZERO",
        "RGHT",
        "CALL",
        "CHPT",
        "GONE",
        "NEWN",
        "F001",
    ]

    reference.read_actions(store, source(url), now=NOW, symbols=tickers, whole=True)

    kinds = store.sql("SELECT DISTINCT kind FROM corporate_actions ORDER BY kind")["kind"]
    assert kinds.to_list() == sorted(
        ["forward_split", "reverse_split", "unit_split", "stock_dividend", "spin_off", "stock_merger",
         "stock_and_cash_merger", "redemption", "worthless_removal", "rights_distribution",
         "partial_call", "reorganization", "cash_merger", "name_change", "cash_dividend"]
    )  # fmt: skip


def test_a_round_is_about_all_series_and_reads_a_window_again_and_all_of_it_once_a_week(store, url):
    store.commit_bars(fetched(bar(0, symbol="IBM"), bar(0, symbol="SPLT"), source="sandbox:sip"))

    first = reference.read_actions(store, source(url), now=NOW)
    soon = reference.read_actions(store, source(url), now=NOW + timedelta(days=3))
    later = reference.read_actions(store, source(url), now=NOW + timedelta(days=8))

    assert (first["first"], first["last"]) == ("1990-01-02", "2024-12-08")
    assert (soon["first"], soon["last"]) == ("2024-08-13", "2024-12-11")
    assert later["first"] == "1990-01-02"
    assert first["changed"] == first["found"] > soon["found"] > 0
    assert later["found"] == first["found"] + soon["changed"] + later["changed"]
    assert reference.read_actions(store, source(url), now=NOW + timedelta(days=8))["changed"] == 0
    splits = store.sql(
        "SELECT symbol, ex_date, ratio FROM corporate_actions WHERE ratio IS NOT NULL"
    )
    assert splits.rows() == [("SPLT", date(2024, 10, 15), 4.0)]


def test_what_is_told_late_appears_in_a_later_round(store):
    """RGHT is processed on 2023-03-14 and told nine days later."""
    now = datetime(2023, 3, 17, 16, tzinfo=UTC)
    found = []
    for late in (timedelta(), timedelta(days=10)):
        with running(SandboxConfig(now=now + late)) as address:
            told = reference.read_actions(
                store, source(address), now=now + late, symbols=["RGHT"], whole=False
            )
            found.append((told["found"], told["changed"]))

    assert found == [(0, 0), (1, 1)]


def test_papers_have_ids_dated_tickers_and_an_end(store, url, books):
    made = source(url)
    reference.read_actions(store, made, now=NOW, symbols=["NEWN", "GONE"], whole=True)

    told = read(store, made, books)

    assert told["papers"] == 11
    held = instruments.instruments(store, "sandbox:sip", ["OLDN", "GONE", "SPY"])
    assert held.select("symbol", "valid_from", "valid_to", "status", "delisted").rows() == [
        ("GONE", None, date(2024, 7, 1), "inactive", date(2024, 7, 1)),
        ("NEWN", RENAMED, None, "active", None),
        ("OLDN", None, RENAMED, "active", None),
        ("SPY", None, None, "active", None),
    ]
    newn = held.filter(pl.col("symbol").is_in(["NEWN", "OLDN"]))
    assert newn["instrument_id"].n_unique() == 1
    assert held.filter(pl.col("symbol") == "SPY").select(
        "exchange", "asset_class", "calendar"
    ).rows() == [("ARCA", "us_equity", "XNYS")]
    assert read(store, source(url), books)["changed"] == 0


def test_the_asof_of_every_request_is_the_day_of_the_work_in_new_york(store, url):
    made = source(url)
    backfill.run(store, made, "NEWN", SPAN, now=NOW)

    asked = [line["asked"] for line in made.lines if line.get("path") == "v2/stocks/bars"]
    assert {one["asof"] for one in asked} == {"2024-11-08"}


def daily(store, symbol):
    return store.bars(symbol, source="sandbox:sip", dataset="bars_daily")["session_date"].to_list()


def sessions_of(store, symbol):
    found = store.bars(symbol, source="sandbox:sip", regular_only=True)["session_date"]
    return found.unique().sort().to_list()


WHOLE = [date(2024, 8, 29), date(2024, 8, 30), date(2024, 9, 3), date(2024, 9, 4)]


def test_a_renamed_paper_is_here_once_under_its_new_ticker(store, early_url, url, books):
    """OLDN was fetched while it was called so; its history comes under NEWN, and OLDN's copy goes."""
    then = datetime(2024, 9, 1, 12, tzinfo=UTC)
    for dataset in ("bars_1m", "bars_daily"):
        backfill.run(store, source(early_url), "OLDN", SPAN, now=then, dataset=dataset)
    before = store.bars("OLDN", source="sandbox:sip")
    assert sessions_of(store, "OLDN") == WHOLE[:2]
    made = source(url)
    for dataset in ("bars_1m", "bars_daily"):
        backfill.run(store, made, "NEWN", (RENAMED, SPAN[1]), now=NOW, dataset=dataset)
    known = store.sql("SELECT max(recorded_at) FROM bars_1m WHERE symbol = 'OLDN'").item()
    reference.read_actions(store, made, now=NOW)

    told = read(store, made, books)

    assert (told["renamed"], told["kept"]) == (1, 0)
    assert told["moved"] == before.height + 2
    assert sessions_of(store, "NEWN") == WHOLE
    assert store.bars("OLDN", source="sandbox:sip").is_empty()
    assert daily(store, "NEWN") == WHOLE
    assert store.bars("OLDN", source="sandbox:sip", as_of=known).equals(before)
    assert store.revisions("OLDN", source="sandbox:sip")["kind"].unique().to_list() == ["withdrawn"]
    both = store.sql(
        "SELECT count(*), count(DISTINCT timestamp) FROM bars WHERE symbol IN ('OLDN', 'NEWN')"
    )
    assert both.row(0)[0] == both.row(0)[1] == store.bars("NEWN", source="sandbox:sip").height
    assert read(store, source(url), books)["moved"] == 0


def test_what_was_fetched_before_the_provider_knew_the_new_ticker_is_fetched_again(
    store, url, books, monkeypatch
):
    """As of the day of the change itself NEWN has no history yet."""
    day = datetime(2024, 9, 3, 22, tzinfo=UTC)
    monkeypatch.setattr(store, "_now", lambda: day)
    monkeypatch.setattr(store._catalog, "_now", lambda: day)
    backfill.run(store, source(url), "NEWN", SPAN, now=day)
    assert sessions_of(store, "NEWN") == [RENAMED]
    reference.read_actions(store, source(url), now=day)
    assert read(store, source(url), books, now=day)["renamed"] == 0
    monkeypatch.setattr(store._catalog, "_now", lambda: NOW)

    assert read(store, source(url), books)["renamed"] == 1
    assert sessions_of(store, "NEWN") == WHOLE[:3]


def test_bars_that_the_new_ticker_lacks_stay_under_the_old_one_and_somebody_is_told(
    store, url, books
):
    from lake import Covered, sessions

    start = sessions.midnight(date(2024, 8, 29))
    odd = bar(datetime(2024, 8, 29, 14, 0, 0, tzinfo=UTC), 1.0, symbol="OLDN")
    covered = Covered("OLDN", start, start + timedelta(days=1))
    store.commit_bars(fetched(odd, covered=(covered,), source="sandbox:sip"))
    reference.read_actions(store, source(url), now=NOW)

    told = read(store, source(url), books)

    assert (told["moved"], told["kept"]) == (0, 1)
    (alert,) = alerts.read(books, kind="renames")
    assert alert.subject == "sandbox:sip OLDN"
    assert store.bars("OLDN", source="sandbox:sip").height == 1


def test_members_of_a_list_are_asked_for_by_their_newest_tickers(store, url, books):
    made = source(url)
    reference.read_actions(store, made, now=NOW, symbols=["NEWN"], whole=True)
    read(store, made, books)
    lists.set_list(store, "index", ["OLDN", "GONE"], date(2024, 1, 2))
    lists.set_list(store, "index", ["SPY"], date(2024, 10, 1))
    members = lists.members_between(store, "index", date(2024, 6, 3), TODAY)

    assert instruments.last_tickers(store, "sandbox:sip", members) == {
        "OLDN": ["NEWN"],
        "GONE": ["GONE"],
        "SPY": ["SPY"],
    }


def test_minutes_before_a_listing_and_after_an_end_are_not_expected(store, url, books):
    made = source(url)
    backfill.run(
        store, made, "LATE", (date(2023, 5, 1), date(2023, 6, 2)), now=NOW, dataset="bars_daily"
    )
    backfill.run(
        store, made, "GONE", (date(2024, 6, 27), date(2024, 7, 3)), now=NOW, dataset="bars_daily"
    )
    reference.read_actions(store, made, now=NOW)
    read(store, made, books)

    from lake.gap_scan import scan

    late, gone = scan(store, ["LATE", "GONE"], "sandbox:sip", dataset="bars_daily")
    assert late.counts["session_date"].to_list() == [date(2023, 6, 1), date(2023, 6, 2)]
    assert gone.counts["session_date"].to_list() == [date(2024, 6, 27), date(2024, 6, 28)]
    assert late.minutes["expected"] == late.minutes["present"] == 2


class Other:
    """The sandbox's source with a calendar of its own."""

    def __init__(self, made, calendar):
        self._made, self._calendar = made, calendar

    def calendar(self, start, end):
        theirs = self._made.calendar(start, end)
        return self._calendar(theirs)

    def __getattr__(self, name):
        return getattr(self._made, name)


def test_the_calendar_is_compared_and_a_difference_is_an_alert_until_it_is_gone(store, url, books):
    store.commit_bars(fetched(bar(0), source="sandbox:sip"))
    made = source(url)
    lines = []

    def compare(one):
        return reference.compare_calendar(
            store, one, books, today=TODAY, log=lambda **line: lines.append(line)
        )

    mourning = Other(
        made, lambda theirs: theirs.filter(pl.col("session_date") != date(2024, 11, 27))
    )
    assert compare(mourning) == 1
    (alert,) = alerts.read(books, kind="calendar")
    assert "2024-11-27 session" in alert.message
    assert "barlake instruments calendar" in alert.message
    assert lines[-1]["level"] == "warning"
    assert calendars.told_differences(store, "sandbox:sip")["ours"].to_list() == ["09:30-16:00"]
    assert compare(Other(made, lambda theirs: theirs.clear())) is None
    assert alerts.read(books, kind="calendar") == [alert]
    assert compare(made) == 0
    assert alerts.read(books, kind="calendar") == []


def test_a_list_of_papers_that_is_cut_is_not_believed_and_somebody_is_told(store, url, books):
    made = source(url)
    read(store, made, books)
    held = instruments.instruments(store, "sandbox:sip")

    class Cut(Other):
        def assets(self):
            return self._made.assets().head(2)

    told = read(store, Cut(made, lambda theirs: theirs), books)

    assert told["changed"] == 0
    assert instruments.instruments(store, "sandbox:sip").equals(held)
    assert [alert.kind for alert in alerts.read(books)] == ["instruments"]
    read(store, made, books)
    assert alerts.read(books) == []


def test_nothing_is_done_about_a_change_that_the_provider_may_not_know_yet(store, url, books):
    reference.read_actions(store, source(url), now=NOW, symbols=["NEWN"], whole=True)
    read(store, source(url), books)
    day = datetime(2024, 9, 4, 12, tzinfo=UTC)

    assert Renames(store, source(url), day, books).follow() == {
        "renamed": 0,
        "moved": 0,
        "kept": 0,
        "carried": 0,
    }


def test_one_ticker_that_the_provider_cannot_read_does_not_spoil_the_others(store, url):
    made = source(url)
    lines = []

    told = reference.read_actions(
        store,
        made,
        now=NOW,
        symbols=["SPLT", "no ticker", "IBM", "SPY"],
        whole=True,
        log=lambda **line: lines.append(line),
    )

    assert told["found"] == told["changed"] > 50
    assert [line["symbol"] for line in lines if line.get("level") == "warning"] == ["no ticker"]


def test_without_keys_the_nightly_jobs_have_nothing_to_do(place, journal, monkeypatch):
    monkeypatch.setenv("ALPACA_API_KEY_ID", "")
    shop = Workshop("tests")
    pulse = Pulse(journal, "tests", "worker")
    for kind in ("actions", "instruments"):
        job, _ = journal.queue(kind, "", "")
        assert perform(journal, job.id, shop.run, pulse=pulse).state == "done"
        assert journal.job(job.id).result["changed"] == 0
    assert not place.home.joinpath("duckdb", "lake.sqlite").exists()


def test_the_scheduler_asks_for_both_just_after_midnight_in_new_york_before_the_gaps(place):
    schedule = {
        entry["task"]: entry["schedule"] for entry in tasks.celery.conf.beat_schedule.values()
    }
    at = {
        kind: (min(schedule[kind].hour), min(schedule[kind].minute))
        for kind in ("actions", "instruments", "gaps")
    }

    assert (5, 0) < at["actions"] < at["instruments"] < at["gaps"]


def test_a_worker_does_both_jobs_by_the_clock_of_the_provider(place, url, journal, monkeypatch):
    monkeypatch.setenv("ALPACA_API_BASE_URL", url)
    monkeypatch.setenv("ALPACA_API_KEY_ID", "sandbox-key")
    monkeypatch.setenv("ALPACA_API_SECRET_KEY", "sandbox-secret")
    house = House(Place.of(load_settings()), journal)
    asked = {"symbols": ["SPLT"], "whole": True}
    try:
        house.start("broker", "worker-1")
        listed = house.do(journal.queue("instruments", "sandbox:iex", "")[0])
        booked = house.do(journal.queue("actions", "sandbox:iex", "", params=asked)[0])
    finally:
        house.end()

    assert (listed.error, listed.result["papers"], listed.result["calendar"]) == (None, 11, 0)
    assert (booked.error, booked.result["changed"]) == (None, 1)
    assert booked.result["last"] == "2024-12-08"
