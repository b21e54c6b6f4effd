"""What reading a page of bars promises: cut at its commas or read as JSON, it says the same."""

import json

import orjson
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from agents.sources.alpaca_bars import FIELDS, bars_of, loads
from lake import BAR_SCHEMA

BAR = {"c": 1.5, "h": 2, "l": 1e-7, "n": 3, "o": 1.25, "t": "2024-03-08T14:30:00Z", "v": 0, "vw": 1}

numbers = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-9, 2**62))
odd = st.one_of(st.none(), st.booleans(), st.text('ab:,{}[]" \\', max_size=5), st.just([{}]))
times = st.datetimes().map(lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ"))
bars = st.fixed_dictionaries(
    {name: times if name == "t" else numbers for name in "chlnotv"} | {"vw": numbers}
)
spoilt = st.tuples(bars, st.sampled_from([*FIELDS, "x"]), odd).map(lambda t: t[0] | {t[1]: t[2]})
short = st.tuples(bars, st.sampled_from([*FIELDS])).map(
    lambda t: {name: value for name, value in t[0].items() if name != t[1]}
)
pages = st.dictionaries(
    st.sampled_from(["AAPL", "BRK.B", "QQQ", "a]}"]),
    st.lists(st.one_of(bars, bars, bars, spoilt, short), max_size=4),
    max_size=3,
)


def both(page, dumps):
    body = dumps({"bars": page, "next_page_token": "MTA="})
    answer = loads(body)
    found = answer.pop("bars")
    assert answer == {"next_page_token": "MTA="}
    plain = isinstance(found, pl.DataFrame)
    return (found if plain else bars_of(found)), bars_of(orjson.loads(body)["bars"]), plain


@given(page=pages, spaced=st.booleans())
@example(page={"AAPL": [BAR, BAR], "QQQ": [BAR]}, spaced=False)
@example(page={"AAPL": [BAR, {**dict(reversed(BAR.items()))}]}, spaced=False)
@example(page={"AAPL": [BAR], "QQQ": []}, spaced=False)
@example(page={"AAPL": [BAR, {**BAR, "t": '2024-03-08T14:30:00Z"},{"'}]}, spaced=False)
def test_whatever_comes_both_ways_of_reading_say_the_same(page, spaced):
    dumps = (lambda page: json.dumps(page).encode()) if spaced else orjson.dumps
    found, expected, _ = both(page, dumps)
    assert found.schema == BAR_SCHEMA
    assert_frame_equal(found, expected)


@pytest.mark.parametrize("order", [[*BAR], [*FIELDS]])
def test_a_page_as_alpaca_sends_it_is_cut_at_its_commas(order):
    bar = {name: BAR[name] for name in order}
    found, expected, plain = both({"AAPL": [bar, bar], "BRK.B": [bar]}, orjson.dumps)

    assert plain
    assert_frame_equal(found, expected)
    assert found["symbol"].to_list() == ["AAPL", "AAPL", "BRK.B"]
    assert found["low"].to_list() == [1e-7] * 3


@given(length=st.integers(0, 300))
def test_a_page_that_is_cut_off_is_no_answer(length):
    body = orjson.dumps({"bars": {"AAPL": [BAR, BAR, BAR]}, "next_page_token": None})
    with pytest.raises(json.JSONDecodeError):
        loads(body[: min(length, len(body) - 1)])
