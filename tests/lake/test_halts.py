"""What the table of halts promises."""

from datetime import timedelta

import polars as pl
import pytest

from lake.errors import SymbolError
from lake.halts import HALT_SCHEMA, HaltError, commit_halts, halts_of
from tests.market import OPEN

END = OPEN + timedelta(minutes=5)


def halts(*rows):
    return pl.DataFrame(list(rows), schema=HALT_SCHEMA, orient="row")


def test_a_halt_that_has_ended_is_told_again_with_its_end(store):
    assert commit_halts(store, halts(("alpaca:sip", "SPY", OPEN, None, "LUDP"))) == 1
    assert halts_of(store, "alpaca:sip", ["SPY"])["SPY"][-1] == (OPEN, None)

    assert commit_halts(store, halts(("alpaca:sip", "SPY", OPEN, END, "LUDP"))) == 1

    assert halts_of(store, "alpaca:sip", ["SPY"])["SPY"][-1] == (OPEN, END)
    assert store.sql("FROM halts").height == 2, "what was known when stays"


def test_the_same_halts_again_change_nothing(store):
    rows = halts(("alpaca:sip", "SPY", OPEN, END, None), ("alpaca:sip", "QQQ", OPEN, None, "T1"))
    commit_halts(store, rows)
    snapshot = store.snapshot()

    assert commit_halts(store, rows) == 0
    assert store.snapshot() == snapshot


def test_a_halt_holds_for_every_feed_of_its_provider_and_no_other_one(store):
    commit_halts(store, halts(("sandbox:sip", "SPY", OPEN, END, "T1")))

    assert halts_of(store, "sandbox:iex", ["SPY"]) == {"SPY": [(OPEN, END)]}
    assert (OPEN, END) not in halts_of(store, "alpaca:sip", ["SPY"])["SPY"]
    assert halts_of(store, "sandbox:iex", ["QQQ"]) == {"QQQ": []}


@pytest.mark.parametrize(
    ("row", "error"),
    [
        (("alpaca:sip", "SPY", END, OPEN, "T1"), HaltError),
        (("alpaca:sip", "../x", OPEN, END, "T1"), SymbolError),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_of_it_written(store, row, error):
    with pytest.raises(error):
        commit_halts(store, halts(("alpaca:sip", "SPY", OPEN, END, "T1"), row))

    assert store.sql("FROM halts").is_empty()
