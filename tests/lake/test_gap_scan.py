"""What the gap scanner promises: every regular minute of a session is accounted for, with a reason where it is absent."""

from datetime import UTC, date, datetime, timedelta
from functools import cache

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lake
from lake import BAR_SCHEMA, Covered, Fetched, sessions
from lake.absences import CLASSES
from lake.gap_memory import store as keep
from lake.gap_scan import look, scan
from lake.halts import HALT_SCHEMA, commit_halts
from tests.market import OPEN, SOURCE, bar, fetched, session_covered

FIRST, LAST = date(2024, 10, 15), date(2024, 11, 29)
DAY = date(2024, 11, 12)
FETCHED_AT = datetime(2024, 12, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Clock:
    def __init__(self):
        self.now = FETCHED_AT

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def timed(store, clock):
    """The same lake, by a clock that stands still."""
    with lake.open(store.home, now=clock) as opened:
        yield opened


def at(day, hour, minute):
    """A time of day in New York, in UTC."""
    return sessions.midnight(day) + timedelta(hours=hour, minutes=minute)


@cache
def minutes_of(first=FIRST, last=LAST, every=1):
    return tuple(
        opening + index * MINUTE
        for opening, closing in sessions.schedule(first, last).select("open", "close").iter_rows()
        for index in range(0, int((closing - opening) / MINUTE), every)
    )


def answer(symbol, times, first=FIRST, last=LAST, source=SOURCE):
    """What a source answers about whole days: one bar a minute named."""
    values = dict.fromkeys(("open", "high", "low", "close", "vwap"), 100.0)
    bars = pl.DataFrame({"timestamp": times}, schema={"timestamp": BAR_SCHEMA["timestamp"]})
    rest = {"symbol": symbol, "volume": 100.0, "trade_count": 3, **values}
    frame = bars.with_columns(**{name: pl.lit(value) for name, value in rest.items()})
    span = Covered(symbol, sessions.midnight(first), sessions.midnight(last + timedelta(days=1)))
    return Fetched(source, frame.select(BAR_SCHEMA.names()).cast(BAR_SCHEMA), (span,))


def without(times, *holes):
    """Times but for some holes: start and number of minutes."""
    lost = {start + index * MINUTE for start, count in holes for index in range(count)}
    return [time for time in times if time not in lost]


def holes_of(found, *columns):
    return found.holes_told.select(*(columns or ("start", "end", "class"))).rows()


def scanned(opened, *symbols, **more):
    return {one.symbol: one for one in scan(opened, symbols, SOURCE, **more)}


def again(opened, clock, symbol, days, wait):
    """Days that are asked for again after a while, and are answered as before."""
    clock.now += wait
    opened_days = dict.fromkeys(days, True)
    (found,) = scan(opened, [symbol], SOURCE, answers={symbol: opened_days})
    keep(opened, [found.fresh(clock.now)])
    return found


def test_a_holiday_expects_nothing_and_a_half_day_its_own_minutes(timed):
    timed.commit_bars(answer("SPY", minutes_of()))

    counts = look(timed, "SPY", start="2024-11-26", end="2024-11-29").counts

    assert counts.select("session_date", "expected", "present").rows() == [
        (date(2024, 11, 26), 390, 390),
        (date(2024, 11, 27), 390, 390),
        (date(2024, 11, 29), 210, 210),
    ]


@pytest.mark.parametrize(
    ("days", "opens"),
    [
        ((date(2024, 11, 1), date(2024, 11, 4)), ("13:30", "14:30")),
        ((date(2024, 3, 8), date(2024, 3, 11)), ("14:30", "13:30")),
    ],
    ids=["autumn", "spring"],
)
def test_the_first_minute_of_a_session_follows_the_clocks_of_new_york(timed, days, opens):
    times = minutes_of(*days)
    timed.commit_bars(answer("SPY", without(times, *((at(day, 9, 30), 2) for day in days)), *days))

    found = look(timed, "SPY")

    assert [start.strftime("%H:%M") for start, _, _ in holes_of(found)] == [*opens]
    assert found.counts.select("expected", "unconfirmed").rows() == [(390, 2)] * 2


def test_minutes_nobody_fetched_are_not_fetched_whatever_lies_around_them(timed):
    days = (date(2024, 11, 4), date(2024, 11, 6))
    for day in days:
        timed.commit_bars(answer("SPY", minutes_of(day, day), day, day))

    found = look(timed, "SPY")

    fifth = date(2024, 11, 5)
    assert holes_of(found) == [(at(fifth, 9, 30), at(fifth, 16, 0), "not_fetched")]
    assert found.minutes["present"] == 2 * 390
    assert found.due(FETCHED_AT) == {fifth: False}


def test_a_live_bar_in_a_session_nobody_fetched_is_present(timed):
    timed.commit_bars(answer("SPY", minutes_of(DAY, DAY), DAY, DAY))
    next_day = date(2024, 11, 13)
    timed.commit_bars(fetched(bar(at(next_day, 10, 0))))

    found = look(timed, "SPY", start=DAY, end=next_day)

    assert found.minutes == dict.fromkeys(CLASSES, 0) | {
        "expected": 780,
        "present": 391,
        "not_fetched": 389,
    }


def test_an_absent_minute_is_unconfirmed_until_a_second_answer_minutes_later_lacks_it_too(
    timed, clock
):
    timed.commit_bars(answer("THIN", minutes_of(every=3)))
    first = look(timed, "THIN")
    keep(timed, [first.fresh(clock.now)])

    soon = again(timed, clock, "THIN", [DAY], timedelta(minutes=4))
    later = again(timed, clock, "THIN", [DAY], timedelta(minutes=5))

    assert first.minutes["unconfirmed"] == soon.minutes["unconfirmed"] > 5000
    counts = later.counts.filter(pl.col("session_date") == DAY)
    assert counts.select("present", "no_trade", "unconfirmed").rows() == [(130, 260, 0)]
    assert later.minutes["missing_at_provider"] == 0
    assert DAY not in later.due(clock.now + timedelta(days=400))


def test_a_hole_of_one_liquid_symbol_is_missing_at_the_provider_and_not_in_its_neighbours(
    timed, clock
):
    timed.commit_bars(answer("SPY", without(minutes_of(), (at(DAY, 11, 0), 20))))
    timed.commit_bars(answer("QQQ", minutes_of()))
    keep(timed, [one.fresh(clock.now) for one in scan(timed, ["SPY", "QQQ"], SOURCE)])

    found = again(timed, clock, "SPY", [DAY], timedelta(minutes=6))

    assert holes_of(found, "start", "end", "minutes", "class", "fetched", "asked") == [
        (at(DAY, 11, 0), at(DAY, 11, 20), 20, "missing_at_provider", 2, 1)
    ]
    assert look(timed, "QQQ").holes.is_empty()


def test_a_minute_that_all_liquid_symbols_lack_is_missing_at_the_provider(timed, clock):
    names = ("SPY", "QQQ", "DIA", "IWM", "TLT")
    for name in names:
        hole = (at(DAY, 11, 0), 1) if name != "TLT" else (at(DAY, 12, 0), 1)
        timed.commit_bars(answer(name, without(minutes_of(), hole)))
    keep(timed, [one.fresh(clock.now) for one in scan(timed, names, SOURCE)])

    for name in names:
        again(timed, clock, name, [DAY], timedelta(minutes=6))

    classes = {name: one.holes["class"].to_list() for name, one in scanned(timed, *names).items()}
    assert classes == {key: ["missing_at_provider"] for key in names} | {"TLT": ["no_trade"]}


def test_minutes_of_a_halt_are_halted_and_never_asked_for(timed, clock):
    timed.commit_bars(
        answer("SPY", without(minutes_of(), (at(DAY, 11, 0), 10), (at(DAY, 14, 0), 1)))
    )
    halt = [(SOURCE, "SPY", at(DAY, 10, 59) + timedelta(seconds=30), at(DAY, 11, 9), "LUDP")]
    commit_halts(timed, pl.DataFrame(halt, schema=HALT_SCHEMA, orient="row"))

    found = look(timed, "SPY")

    assert holes_of(found) == [
        (at(DAY, 11, 0), at(DAY, 11, 9), "halted"),
        (at(DAY, 11, 9), at(DAY, 11, 10), "unconfirmed"),
        (at(DAY, 14, 0), at(DAY, 14, 1), "unconfirmed"),
    ]


def test_a_halt_whose_end_nobody_told_is_over_with_the_next_bar(timed):
    timed.commit_bars(
        answer("SPY", without(minutes_of(), (at(DAY, 11, 0), 10), (at(DAY, 14, 0), 1)))
    )
    halt = [(SOURCE, "SPY", at(DAY, 11, 0), None, "T1")]
    commit_halts(timed, pl.DataFrame(halt, schema=HALT_SCHEMA, orient="row"))

    assert [name for *_, name in holes_of(look(timed, "SPY"))] == ["halted", "unconfirmed"]


def test_the_market_wide_halt_of_march_2020_is_one(timed):
    day = date(2020, 3, 18)
    halted = without(minutes_of(day, day), (at(day, 12, 57), 14))
    timed.commit_bars(answer("SPY", halted, day, day, source="alpaca:sip"))

    assert holes_of(look(timed, "SPY")) == [(at(day, 12, 57), at(day, 13, 11), "halted")]


def test_a_paper_is_expected_from_its_listing_to_its_delisting(timed):
    timed.commit_bars(answer("SPY", minutes_of(DAY, DAY)))
    lifespan = (DAY, DAY + timedelta(days=2))

    found = look(timed, "SPY", lifespan=lifespan)

    assert found.counts.select("session_date", "expected").rows() == [
        (DAY, 390),
        (DAY + timedelta(days=1), 390),
    ]


def test_without_dates_the_sessions_before_the_first_bar_are_not_the_providers_fault(timed, clock):
    listed = date(2024, 11, 8)
    timed.commit_bars(answer("NEW", minutes_of(first=listed)))
    keep(timed, [look(timed, "NEW").fresh(clock.now)])
    days = sessions.schedule(FIRST, LAST)["session_date"].to_list()

    found = again(timed, clock, "NEW", days, timedelta(minutes=6))

    assert found.minutes["missing_at_provider"] == 0
    assert found.minutes["no_trade"] == 18 * 390


def test_of_daily_bars_a_session_is_one_minute(timed, clock):
    days = sessions.schedule(FIRST, LAST)["session_date"].to_list()
    nights = [sessions.midnight(day) for day in days if day != DAY]
    timed.commit_bars(answer("SPY", nights), dataset="bars_daily")
    first = look(timed, "SPY", dataset="bars_daily")
    keep(timed, [first.fresh(clock.now)])
    clock.now += timedelta(hours=1)

    (found,) = scan(timed, ["SPY"], SOURCE, dataset="bars_daily", answers={"SPY": {DAY: True}})

    assert first.minutes == dict.fromkeys(CLASSES, 0) | {
        "expected": len(days),
        "present": len(days) - 1,
        "unconfirmed": 1,
    }
    assert holes_of(found, "session_date", "start", "end", "minutes", "class") == [
        (
            DAY,
            sessions.midnight(DAY),
            sessions.midnight(DAY + timedelta(days=1)),
            None,
            "missing_at_provider",
        )
    ]


def test_a_bar_that_comes_late_closes_its_hole(timed, clock):
    timed.commit_bars(answer("SPY", without(minutes_of(), (at(DAY, 11, 0), 20))))
    keep(timed, [look(timed, "SPY").fresh(clock.now)])
    clock.now += timedelta(minutes=6)
    timed.commit_bars(answer("SPY", without(minutes_of(DAY, DAY), (at(DAY, 11, 5), 1)), DAY, DAY))

    found = again(timed, clock, "SPY", [DAY], timedelta())

    assert holes_of(found) == [(at(DAY, 11, 5), at(DAY, 11, 6), "no_trade")]
    assert timed.sql("SELECT start, minutes, class FROM absences").rows() == [
        (at(DAY, 11, 5), 1, "no_trade")
    ]


def test_what_was_found_and_asked_is_kept_for_the_next_run_and_for_sql(timed, clock):
    timed.commit_bars(answer("SPY", without(minutes_of(), (at(DAY, 11, 0), 20))))
    keep(timed, [look(timed, "SPY").fresh(clock.now)])
    again(timed, clock, "SPY", [DAY], timedelta(minutes=6))

    with lake.open(timed.home, now=clock) as later:
        found = look(later, "SPY")
        assert holes_of(found, "class", "fetched", "asked", "asked_at") == [
            ("missing_at_provider", 2, 1, clock.now)
        ]
        assert later.sql("SELECT class, fetched, asked, asked_at FROM absences").rows() == holes_of(
            found, "class", "fetched", "asked", "asked_at"
        )
        complete = later.sql("FROM completeness WHERE session_date = '2024-11-12'").to_dicts()
        assert {
            name: complete[0][name] for name in ("expected", "present", "missing_at_provider")
        } == {
            "expected": 390,
            "present": 370,
            "missing_at_provider": 20,
        }


def test_a_scan_that_finds_nothing_new_writes_nothing(timed, clock):
    timed.commit_bars(answer("SPY", without(minutes_of(), (at(DAY, 11, 0), 20))))
    first = keep(timed, [look(timed, "SPY").fresh(clock.now)])
    snapshot = timed.snapshot()

    assert first == 33
    assert keep(timed, [look(timed, "SPY").fresh(clock.now)]) == 0
    assert timed.snapshot() == snapshot


def test_many_symbols_are_kept_in_one_commit(timed, clock):
    names = [f"S{number}" for number in range(12)]
    for name in names:
        timed.commit_bars(answer(name, minutes_of(DAY, DAY, every=2), DAY, DAY))
    snapshot = timed.snapshot()

    assert keep(timed, [one.fresh(clock.now) for one in scan(timed, names, SOURCE)]) == 12
    assert timed.snapshot() == snapshot + 1
    assert timed.sql("SELECT count(DISTINCT symbol), sum(minutes) FROM absences").row(0) == (
        12,
        12 * 195,
    )


def test_a_deleted_symbol_leaves_no_memory(timed, clock):
    from lake.upkeep import delete_symbol

    timed.commit_bars(answer("SPY", minutes_of(DAY, DAY, every=2), DAY, DAY))
    keep(timed, [look(timed, "SPY").fresh(clock.now)])

    assert delete_symbol(timed, "SPY")["scans"] == 1
    assert timed.sql("FROM gap_scans").is_empty()


def test_sessions_that_retention_took_leave_no_memory(timed, clock):
    from lake.upkeep import Plan, parse_rules, run

    times = minutes_of(DAY, date(2024, 11, 13), every=2)
    timed.commit_bars(answer("SPY", times, DAY, date(2024, 11, 13)))
    keep(timed, [look(timed, "SPY").fresh(clock.now)])
    clock.now = datetime(2025, 11, 13, 12, tzinfo=UTC)

    run(timed, Plan(clock.now, rules=parse_rules("bars_1m:1y"), only=("retire",)))

    assert timed.sql("SELECT session_date FROM gap_scans").rows() == [(date(2024, 11, 13),)]
    assert look(timed, "SPY").counts["session_date"].to_list() == [date(2024, 11, 13)]


@settings(max_examples=10)
@given(
    spans=st.lists(st.tuples(st.integers(0, 2100), st.integers(1, 900)), max_size=4),
    traded=st.sets(st.integers(0, 1900), max_size=40),
    low=st.integers(0, 1900),
    length=st.integers(1, 1900),
)
def test_the_classes_partition_the_expected_minutes_exactly(
    tmp_path_factory, empty_home, spans, traded, low, length
):
    """Whatever was fetched, traded and asked about: worked again with sets of minutes."""
    import shutil

    home = tmp_path_factory.mktemp("drawn") / "home"
    shutil.copytree(empty_home, home)
    covered = tuple(
        Covered("SPY", OPEN + start * MINUTE, OPEN + (start + count) * MINUTE)
        for start, count in spans
    )
    bars = [bar(minute) for minute in sorted(traded)]
    begin, end = OPEN + low * MINUTE, OPEN + (low + length) * MINUTE
    with lake.open(home, now=Clock()) as opened:
        opened.commit_bars(fetched(*bars, covered=(*covered, session_covered(date(2024, 11, 1)))))
        found = look(opened, "SPY", SOURCE, start=begin, end=end - timedelta(microseconds=1))
    regular = {
        time for time in minutes_of(date(2024, 11, 1), date(2024, 11, 6)) if begin <= time < end
    }
    present = {OPEN + minute * MINUTE for minute in traded} & regular
    answered = {
        time for time in regular - present if any(part.start <= time < part.end for part in covered)
    }
    told = found.minutes if found else dict.fromkeys(("expected", "present", *CLASSES), 0)

    assert told == dict.fromkeys(CLASSES, 0) | {
        "expected": len(regular),
        "present": len(present),
        "not_fetched": len(regular - present - answered),
        "unconfirmed": len(answered),
    }
    named = {
        start + index * MINUTE
        for start, end, name in (holes_of(found) if found else [])
        for index in range(int((end - start) / MINUTE))
        if name == "unconfirmed"
    }
    assert named == answered
