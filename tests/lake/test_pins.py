"""What pins promise: a name for a snapshot, which upkeep leaves alone."""

from datetime import UTC, datetime, timedelta

import pytest

from lake.pins import PinMissingError, PinNameError, PinTakenError, SnapshotMissingError
from lake.upkeep import Plan, run
from tests.market import bar, fetched


def test_the_newest_snapshot_is_pinned_without_a_number(store):
    store.commit_bars(fetched(bar(0)))
    newest = store.snapshot()

    assert store.pin("model 1") == newest
    assert store.pins().select("name", "snapshot").rows() == [("model 1", newest)]


def test_a_pin_stays_where_it_is_when_it_is_asked_for_again(store):
    first = store.pin("model 1")
    store.commit_bars(fetched(bar(0)))

    assert store.pin("model 1") == first
    assert store.pin("model 1", first) == first
    assert store.pins().height == 1


def test_a_name_is_not_taken_from_another_snapshot(store):
    first = store.pin("model 1")
    store.commit_bars(fetched(bar(0)))

    with pytest.raises(PinTakenError, match=f"holds snapshot {first} already"):
        store.pin("model 1", store.snapshot())


def test_a_snapshot_that_never_was_cannot_be_pinned(store):
    with pytest.raises(SnapshotMissingError, match="no snapshot 9999"):
        store.pin("model 1", 9999)
    assert store.pins().is_empty()


def test_a_snapshot_that_has_expired_cannot_be_pinned(store):
    store.commit_bars(fetched(bar(0)))
    old = store.snapshot()
    store.commit_bars(fetched(bar(1)))
    later = datetime.now(UTC) + timedelta(minutes=1)
    run(store, Plan(later, keep=timedelta(0), only=("expire",)))

    with pytest.raises(SnapshotMissingError, match="has expired"):
        store.pin("model 1", old)


@pytest.mark.parametrize("name", ["", "  ", "x" * 201])
def test_a_name_must_be_one(store, name):
    with pytest.raises(PinNameError, match="1 to 200 characters"):
        store.pin(name)


def test_an_unpinned_snapshot_expires(store):
    store.commit_bars(fetched(bar(0)))
    old = store.pin("model 1")
    store.commit_bars(fetched(bar(1)))
    plan = Plan(datetime.now(UTC) + timedelta(minutes=1), keep=timedelta(0), only=("expire",))
    known = "SELECT count(*) FROM ducklake_snapshots('lake') WHERE snapshot_id = ?"

    run(store, plan)
    assert store.sql(known, [old]).item() == 1
    assert store.unpin("model 1") == old
    run(store, plan)
    assert store.sql(known, [old]).item() == 0


def test_a_pin_that_is_not_there_cannot_be_taken_off(store):
    with pytest.raises(PinMissingError, match="FROM pins"):
        store.unpin("model 1")


def test_two_names_may_hold_one_snapshot(store):
    snapshot = store.pin("model 1")

    assert store.pin("model 2", snapshot) == snapshot
    assert store.unpin("model 1") == snapshot
    assert store.pins()["name"].to_list() == ["model 2"]
