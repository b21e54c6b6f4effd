"""What named lists promise: dated, and nothing that was known is ever forgotten."""

import shutil
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lake
from lake import lists
from lake.errors import SymbolError
from lake.lists import EmptyListError, ListMissingError, ListNameError, MembersMissingError

JANUARY, JUNE, DECEMBER = date(2024, 1, 2), date(2024, 6, 3), date(2024, 12, 2)


def test_members_hold_from_their_day_until_the_next_one(store):
    assert lists.set_list(store, "Index", ["spy", "QQQ", "QQQ"], JANUARY)
    lists.set_list(store, "index", ["QQQ", "IBM"], JUNE)

    assert lists.members(store, "index", on=JANUARY) == ["QQQ", "SPY"]
    assert lists.members(store, "index", on=date(2024, 6, 2)) == ["QQQ", "SPY"]
    assert lists.members(store, "INDEX", on=JUNE) == ["IBM", "QQQ"]
    assert lists.members(store, "index", on=date(2023, 12, 29)) == []
    assert lists.states(store, "index").select("valid_from", "valid_to").rows() == [
        (JANUARY, JUNE),
        (JUNE, None),
    ]
    assert lists.lists(store).select(
        "name", "members", "begins", "valid_from", "states"
    ).rows() == [("index", 2, JANUARY, JUNE, 2)]


def test_whoever_left_during_a_range_belongs_to_it(store):
    lists.set_list(store, "index", ["GONE", "SPY"], JANUARY)
    lists.set_list(store, "index", ["NEW", "SPY"], JUNE)

    assert lists.members_between(store, "index", date(2024, 5, 1), DECEMBER) == {
        "GONE": (date(2024, 5, 1), date(2024, 6, 2)),
        "SPY": (date(2024, 5, 1), DECEMBER),
        "NEW": (JUNE, DECEMBER),
    }
    assert [*lists.members_between(store, "index", JUNE, DECEMBER)] == ["NEW", "SPY"]


def test_sql_users_see_members_with_their_days(store):
    lists.set_list(store, "index", ["SPY"], JANUARY)
    lists.set_list(store, "index", ["QQQ"], JANUARY)
    lists.set_list(store, "index", ["IBM"], JUNE)

    found = store.sql("SELECT symbol, valid_from, valid_to FROM list_members ORDER BY ALL")
    assert found.rows() == [("IBM", JUNE, None), ("QQQ", JANUARY, JUNE)]


def test_the_same_again_is_no_news(store):
    assert lists.set_list(store, "index", ["SPY", "QQQ"], JANUARY)
    before = store.snapshot()

    assert not lists.set_list(store, "index", ["QQQ", "SPY"], JANUARY)
    assert store.snapshot() == before


@pytest.mark.parametrize(
    ("name", "symbols", "error"),
    [
        ("../up", ["SPY"], ListNameError),
        ("", ["SPY"], ListNameError),
        ("index", [], EmptyListError),
        ("index", ["not a ticker"], SymbolError),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(store, name, symbols, error):
    with pytest.raises(error):
        lists.set_list(store, name, symbols, JANUARY)

    assert lists.lists(store).is_empty()


def test_a_list_that_is_not_there_and_a_range_before_its_beginning_say_what_to_do(store):
    lists.set_list(store, "index", ["SPY"], JUNE)

    with pytest.raises(
        ListMissingError, match=r"There is no list other\. .*`barlake lists set other"
    ):
        lists.members(store, "other", on=JUNE)
    with pytest.raises(
        MembersMissingError,
        match=r"begins on 2024-06-03\. `barlake lists set index .* --from 2024-01-02",
    ):
        lists.members_between(store, "index", JANUARY, date(2024, 5, 31))


DAYS = st.sampled_from([JANUARY, JUNE, DECEMBER])
MEMBERS = st.sets(st.sampled_from(["AAPL", "IBM", "QQQ", "SPY"]), min_size=1)


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(edits=st.lists(st.tuples(DAYS, MEMBERS), min_size=2, max_size=5))
def test_what_was_known_of_a_list_never_changes_by_later_edits(timed, edits):
    store, clock = timed
    name = f"index-{uuid4()}"
    truth: dict[date, list[str]] = {}
    seen = []
    for day, members in edits:
        clock[0] += timedelta(hours=1)
        lists.set_list(store, name, sorted(members), day)
        truth[day] = sorted(members)
        seen.append((clock[0] + timedelta(minutes=1), dict(truth)))
    for moment, known in seen:
        for probe in (JANUARY, JUNE, DECEMBER):
            begun = [day for day in known if day <= probe]
            expected = known[max(begun)] if begun else []
            assert lists.members(store, name, on=probe, as_of=moment) == expected


@pytest.fixture
def timed(empty_home, tmp_path):
    """A lake and its clock."""
    shutil.copytree(empty_home, tmp_path / "home")
    clock = [datetime(2025, 1, 2, tzinfo=UTC)]
    with lake.open(tmp_path / "home", now=lambda: clock[0]) as store:
        yield store, clock
