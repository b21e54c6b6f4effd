"""What the lake knows of papers and their tickers. Expected values are worked by hand."""

import shutil
from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from uuid import uuid4

import duckdb
import orjson
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lake
from lake import instruments, known, papers, sessions
from lake.actions import ACTION_SCHEMA, Answered
from lake.calendars import DIFFERENCE_SCHEMA
from lake.carrying import carry
from lake.catalog import init_sql
from lake.papers import ASSET_SCHEMA, END_SCHEMA, INSTRUMENT_SCHEMA, RENAME_SCHEMA
from lake.presence import Lifespan
from tests.lake.test_layout import number
from tests.market import bar, fetched, session_covered

SOURCE = "sandbox:iex"
FIRST, SECOND, THIRD = date(2024, 11, 4), date(2024, 11, 5), date(2024, 11, 6)


def asset(name, symbol, status="active", **facts):
    usual = {
        "asset_class": "us_equity",
        "exchange": "NYSE",
        "calendar": "XNYS",
        "name": f"{name} Inc.",
    }
    return {"instrument_id": name, "symbol": symbol, "status": status} | usual | facts


def listed(*rows):
    return pl.DataFrame(list(rows), schema=ASSET_SCHEMA)


def renamed(*rows):
    return pl.DataFrame(list(rows), schema=RENAME_SCHEMA, orient="row")


def ended(*rows):
    return pl.DataFrame(list(rows), schema=END_SCHEMA, orient="row")


def told(assets, *, known=None, renames=(), ends=(), day=FIRST, before=None):
    held = INSTRUMENT_SCHEMA.to_frame() if known is None else known
    return papers.instruments(held, assets, renamed(*renames), ended(*ends), day=day, before=before)


def spans(frame):
    return frame.select("symbol", "instrument_id", "valid_from", "valid_to").rows()


def act(kind, symbol, day, **details):
    """A corporate action as a source reads it."""
    row = (
        f"{kind}-{symbol}-{day}",
        symbol,
        kind,
        day,
        day,
        None,
        None,
        orjson.dumps(details).decode(),
    )
    return pl.DataFrame([row], schema=ACTION_SCHEMA, orient="row")


def test_a_new_name_is_dated_by_its_action_though_no_list_ever_had_the_old_one():
    found = told(listed(asset("1", "META")), renames=[("FB", "META", date(2022, 6, 9))])

    assert spans(found) == [
        ("FB", "1", None, date(2022, 6, 9)),
        ("META", "1", date(2022, 6, 9), None),
    ]
    assert found["first_seen"].to_list() == [None, FIRST]


def test_a_ticker_is_used_again_by_another_company():
    found = told(
        listed(asset("1", "META"), asset("2", "FB")), renames=[("FB", "META", date(2022, 6, 9))]
    )

    assert spans(found) == [
        ("FB", "1", None, date(2022, 6, 9)),
        ("FB", "2", date(2022, 6, 9), None),
        ("META", "1", date(2022, 6, 9), None),
    ]


def test_a_new_name_that_only_the_list_tells_begins_on_the_day_of_the_list():
    first = told(listed(asset("1", "OLD")))
    second = told(listed(asset("1", "NEW")), known=first, day=SECOND, before=FIRST)

    assert spans(second) == [("NEW", "1", SECOND, None), ("OLD", "1", None, SECOND)]
    assert second.select("first_seen", "last_seen").rows() == [(SECOND, None), (FIRST, FIRST)]


def test_an_action_that_comes_late_mends_the_day_and_one_that_goes_takes_it_back():
    first = told(listed(asset("1", "OLD")))
    seen = told(listed(asset("1", "NEW")), known=first, day=THIRD, before=FIRST)
    late = told(
        listed(asset("1", "NEW")),
        known=seen,
        renames=[("OLD", "NEW", SECOND)],
        day=THIRD,
        before=THIRD,
    )
    gone = told(listed(asset("1", "NEW")), known=late, day=THIRD, before=THIRD)

    assert spans(late) == [("NEW", "1", SECOND, None), ("OLD", "1", None, SECOND)]
    assert gone.equals(seen)


def test_names_go_back_one_by_one_and_return():
    found = told(
        listed(asset("1", "AAA")),
        renames=[("AAA", "BBB", date(2020, 1, 2)), ("BBB", "AAA", date(2021, 1, 4))],
    )

    assert spans(found) == [
        ("AAA", "1", None, date(2020, 1, 2)),
        ("AAA", "1", date(2021, 1, 4), None),
        ("BBB", "1", date(2020, 1, 2), date(2021, 1, 4)),
    ]


def test_a_paper_that_appears_later_is_listed_on_that_day_and_one_that_ends_is_delisted():
    first = told(listed(asset("1", "ONE")))
    second = told(
        listed(asset("1", "ONE"), asset("2", "TWO")), known=first, day=SECOND, before=FIRST
    )
    third = told(
        listed(asset("1", "ONE", "inactive"), asset("2", "TWO")),
        known=second,
        day=THIRD,
        before=SECOND,
    )

    assert second.select("symbol", "listed", "valid_from").rows() == [
        ("ONE", None, None),
        ("TWO", SECOND, SECOND),
    ]
    assert third.select("symbol", "status", "delisted", "valid_to").rows() == [
        ("ONE", "inactive", THIRD, THIRD),
        ("TWO", "active", None, None),
    ]


def test_the_action_says_better_when_a_paper_ended():
    day = date(2024, 7, 1)
    found = told(listed(asset("1", "GONE", "inactive")), ends=[("GONE", day)])

    assert found.select("symbol", "delisted", "valid_to").rows() == [("GONE", day, day)]
    assert told(listed(asset("1", "GONE")), ends=[("GONE", day)])["delisted"].to_list() == [None]


def test_what_a_list_has_no_more_is_seen_last_on_the_day_before():
    first = told(listed(asset("1", "ONE"), asset("2", "TWO")))
    second = told(listed(asset("1", "ONE")), known=first, day=THIRD, before=FIRST)

    assert second.select("symbol", "last_seen").rows() == [("ONE", None), ("TWO", FIRST)]


def test_a_dead_paper_keeps_its_ticker_whatever_it_is_called_later():
    first = told(listed(asset("1", "ONE")))
    second = told(
        listed(asset("1", "037833AB1", "inactive")), known=first, day=SECOND, before=FIRST
    )

    assert second.select("symbol", "delisted", "last_seen").rows() == [("ONE", SECOND, None)]


def test_the_same_list_on_the_next_day_changes_nothing():
    first = told(listed(asset("1", "ONE"), asset("2", "TWO", "inactive")))

    assert told(
        listed(asset("1", "ONE"), asset("2", "TWO", "inactive")),
        known=first,
        day=SECOND,
        before=FIRST,
    ).equals(first)


TICKERS = st.sampled_from(["AA", "BB", "CC"])
DAYS = st.dates(date(2024, 1, 1), date(2024, 3, 1))
PAPERS = st.dictionaries(
    st.sampled_from("123456"),
    st.tuples(TICKERS, st.sampled_from(["active", "inactive"])),
    max_size=6,
)


@settings(max_examples=80, deadline=None)
@given(
    lists=st.lists(PAPERS, min_size=1, max_size=4),
    renames=st.lists(
        st.tuples(TICKERS, TICKERS, DAYS).filter(lambda one: one[0] != one[1]), max_size=6
    ),
    ends=st.dictionaries(TICKERS, DAYS, max_size=3),
)
def test_spans_of_one_ticker_never_overlap(lists, renames, ends):
    known = before = None
    for number_, held in enumerate(lists):
        day = date(2024, 1, 15) + timedelta(days=10 * number_)
        rows = [asset(name, symbol, status) for name, (symbol, status) in held.items()]
        known = told(
            listed(*rows),
            known=known,
            renames=renames,
            ends=[*ends.items()],
            day=day,
            before=before,
        )
        before = day
        assert_apart(known)


def assert_apart(known):
    for (symbol,), held_by in known.group_by("symbol"):
        rows = held_by.select("valid_from", "valid_to").rows()
        ends = [(low or date.min, high or date.max) for low, high in rows]
        for one, other in combinations([pair for pair in ends if pair[0] < pair[1]], 2):
            assert one[1] <= other[0] or other[1] <= one[0], (symbol, held_by)


def test_what_was_known_then_stays_known(timed):
    store, clock = timed
    assert instruments.commit_assets(store, SOURCE, listed(asset("1", "OLD")), FIRST) == 1
    before = instruments.instruments(store, SOURCE)
    clock[0] += timedelta(days=1)
    assert instruments.commit_assets(store, SOURCE, listed(asset("1", "OLD")), SECOND) == 0
    clock[0] += timedelta(days=1)
    store.commit_actions(
        Answered(
            SOURCE, act("name_change", "OLD", SECOND, new_symbol="NEW"), ("OLD",), FIRST, THIRD
        )
    )
    assert instruments.commit_assets(store, SOURCE, listed(asset("1", "NEW")), THIRD) == 3

    assert instruments.instruments(store, SOURCE, as_of="2024-11-05").equals(before)
    assert spans(instruments.instruments(store, SOURCE, ["OLD"])) == [
        ("NEW", "1", SECOND, None),
        ("OLD", "1", None, SECOND),
    ]
    on = instruments.instruments(store, SOURCE, on=FIRST)
    assert on["symbol"].to_list() == ["OLD"]
    assert [(one.old, one.new) for one in instruments.renames(store, SOURCE)] == [("OLD", "NEW")]
    meant = {"OLD": (FIRST, FIRST), "NEW": (THIRD, THIRD), "XXX": (FIRST, FIRST)}
    assert instruments.last_tickers(store, SOURCE, meant) == {
        "OLD": ["NEW"],
        "NEW": ["NEW"],
        "XXX": ["XXX"],
    }


def test_a_list_that_lost_most_of_its_papers_is_not_believed(store):
    many = [asset(str(n), f"S{n}") for n in range(10)]
    instruments.commit_assets(store, SOURCE, listed(*many), FIRST)

    assert instruments.commit_assets(store, SOURCE, listed(*many[:4]), SECOND) is None
    assert instruments.commit_assets(store, SOURCE, listed(), SECOND) is None
    assert instruments.instruments(store, SOURCE)["last_seen"].null_count() == 10


ROW = st.tuples(
    st.sampled_from([FIRST, SECOND]),
    st.sampled_from(["open", "close"]),
    st.none() | st.just("9:30"),
)
STATES = st.lists(st.lists(ROW, unique_by=lambda row: row[:2]), min_size=2, max_size=4)


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(states=STATES)
def test_what_was_known_at_any_time_is_what_was_told_last_before_it(timed, states):
    store, clock = timed
    source = f"provider-{uuid4()}"
    seen = []
    for rows in states:
        clock[0] += timedelta(hours=1)
        frame = pl.DataFrame([(*row, None) for row in rows], schema=DIFFERENCE_SCHEMA, orient="row")
        known.replace(store, "calendar_differences", DIFFERENCE_SCHEMA, source, frame)
        seen.append((clock[0] + timedelta(minutes=1), sorted(frame.rows(), key=str)))
    for moment, told_then in seen:
        with store.reading() as connection:
            held = known.rows(connection, "calendar_differences", DIFFERENCE_SCHEMA, source, moment)
        assert sorted(held.rows(), key=str) == told_then


@pytest.fixture
def timed(home):
    """A lake and its clock."""
    clock = [datetime(2024, 11, 4, 6, tzinfo=UTC)]
    with lake.open(home, now=lambda: clock[0]) as store:
        yield store, clock


def lifespan(store, *symbols) -> dict[str, Lifespan]:
    return instruments.lifespans(store, SOURCE, symbols)


def test_a_first_bar_tells_the_listing_where_the_weeks_before_it_were_fetched(store):
    first = sessions.midnight(date(2024, 10, 1))
    early = lake.Covered("LATE", first, sessions.midnight(SECOND))
    store.commit_bars(fetched(bar(0, symbol="LATE"), covered=(early,)))
    store.commit_bars(fetched(bar(0, symbol="SPY"), covered=(session_covered(FIRST),)))
    instruments.commit_assets(store, SOURCE, listed(asset("1", "LATE"), asset("2", "SPY")), THIRD)

    assert lifespan(store, "LATE", "SPY", "NOPE") == {"LATE": (FIRST, None), "SPY": (None, None)}
    assert store.gaps("LATE").is_empty()


def test_a_paper_that_is_not_traded_any_more_ended_with_its_last_bar_or_as_an_action_says(store):
    store.commit_bars(fetched(bar(0, symbol="GONE"), bar(0, symbol="SOLD")))
    store.commit_actions(
        Answered(SOURCE, act("cash_merger", "SOLD", THIRD), ("SOLD",), FIRST, THIRD)
    )
    dead = [asset("1", "GONE", "inactive"), asset("2", "SOLD", "inactive")]
    instruments.commit_assets(store, SOURCE, listed(*dead), date(2024, 12, 2))

    assert lifespan(store, "GONE", "SOLD") == {"GONE": (None, SECOND), "SOLD": (None, THIRD)}


def test_nothing_is_expected_of_an_old_ticker_after_the_change(store):
    store.commit_actions(
        Answered(
            SOURCE, act("name_change", "OLD", SECOND, new_symbol="NEW"), ("OLD",), FIRST, THIRD
        )
    )
    instruments.commit_assets(store, SOURCE, listed(asset("1", "NEW")), THIRD)

    assert lifespan(store, "OLD", "NEW") == {"OLD": (None, SECOND), "NEW": (None, None)}


def test_a_split_booked_under_the_old_ticker_adjusts_the_bars_under_the_new_one(store):
    """2 for 1 on the 5th, renamed on the 6th; each later change of the action is followed."""
    early, late = (sessions.schedule(day, day)["open"].item() for day in (FIRST, THIRD))
    store.commit_bars(fetched(bar(early, 100.0, symbol="NEW"), bar(late, 50.0, symbol="NEW")))
    split = act("forward_split", "OLD", SECOND).with_columns(ratio=pl.lit(2.0))
    change = act("name_change", "OLD", THIRD, new_symbol="NEW")
    store.commit_actions(Answered(SOURCE, pl.concat([split, change]), ("OLD",), FIRST, THIRD))
    instruments.commit_assets(store, SOURCE, listed(asset("1", "NEW")), THIRD)
    changes = instruments.renames(store, SOURCE)

    def adjusted():
        told = [store.bars("NEW", adjust="split", source=SOURCE)["close"].to_list()]
        told.append(store.sql("SELECT close FROM bars_adjusted('NEW', 'split')")["close"].to_list())
        return told

    assert adjusted() == [[100.0, 50.0]] * 2
    assert [carry(store, SOURCE, changes), carry(store, SOURCE, changes)] == [1, 0]
    assert adjusted() == [[50.0, 50.0]] * 2
    store.commit_actions(Answered(SOURCE, split.clear(), ("NEW",), FIRST, THIRD))
    assert adjusted() == [[50.0, 50.0]] * 2
    three = split.with_columns(ratio=pl.lit(4.0))
    store.commit_actions(Answered(SOURCE, pl.concat([three, change]), ("OLD",), FIRST, THIRD))
    assert carry(store, SOURCE, changes) == 1
    assert adjusted() == [[25.0, 50.0]] * 2
    store.commit_actions(Answered(SOURCE, change, ("OLD",), FIRST, THIRD))
    assert carry(store, SOURCE, changes) == 1
    assert adjusted() == [[100.0, 50.0]] * 2


@pytest.fixture
def home(empty_home, tmp_path):
    shutil.copytree(empty_home, tmp_path / "home")
    return tmp_path / "home"


def test_a_lake_of_layout_3_gets_the_tables_of_instruments_and_lists(home):
    connection = duckdb.connect()
    connection.execute(init_sql(home, read_only=False))
    for view in ("absences", "completeness", "list_members"):
        connection.execute(f"DROP VIEW {view}")
    for table in ("instruments", "symbol_lists", "calendar_differences", "reference_reads"):
        connection.execute(f"DROP TABLE {table}")
    connection.close()
    number(home, 3)

    with lake.open(home) as opened:
        assert instruments.commit_assets(opened, SOURCE, listed(asset("1", "SPY")), FIRST) == 1
        assert opened.sql("SELECT symbol FROM instruments").rows() == [("SPY",)]
        assert opened.sql("FROM list_members").is_empty()
        assert opened.sql("FROM calendar_differences").is_empty()
        assert opened.sql(
            'SELECT kind, "start", row_count, changed FROM reference_reads'
        ).rows() == [("assets", FIRST, 1, 1)]
