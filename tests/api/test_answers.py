"""What JSON from a frame promises: the same values, RFC 3339 times, null for what JSON cannot say."""

import math
from datetime import UTC, datetime

import orjson
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from app.api.answers import json_response, parsed_rows, rows

UTC_TIME = pl.Datetime("us", "UTC")


@given(st.lists(st.none() | st.floats()))
def test_numbers_come_back_to_the_bit_and_impossible_ones_as_null(values):
    said = orjson.loads(orjson.dumps(rows(pl.DataFrame({"x": values}, schema={"x": pl.Float64()}))))

    sayable = [v if v is not None and math.isfinite(v) else None for v in values]
    assert [row["x"] for row in said] == sayable


@given(
    st.lists(
        st.none() | st.datetimes(timezones=st.just(UTC)).filter(lambda t: 1700 < t.year < 2200)
    )
)
def test_times_come_back_and_end_with_z(values):
    said = [
        row["t"]
        for row in orjson.loads(
            orjson.dumps(rows(pl.DataFrame({"t": values}, schema={"t": UTC_TIME})))
        )
    ]

    assert [None if text is None else datetime.fromisoformat(text) for text in said] == values
    assert all(text is None or text.endswith("Z") for text in said)


@given(st.lists(st.text()))
def test_texts_come_back(values):
    said = orjson.loads(orjson.dumps(rows(pl.DataFrame({"s": values}, schema={"s": pl.String()}))))

    assert [row["s"] for row in said] == values


def test_a_frame_may_lie_inside_of_plain_values():
    answer = json_response({"n": 1, "rows": pl.DataFrame({"a": [1, 2]})})

    assert answer.body == b'{"n":1,"rows":[{"a":1},{"a":2}]}'


def test_an_empty_frame_is_an_empty_list():
    assert json_response({"rows": pl.DataFrame()}).body == b'{"rows":[]}'
    assert json_response({"rows": pl.DataFrame(schema={"a": pl.Int64()})}).body == b'{"rows":[]}'


def test_json_texts_become_what_they_say():
    frame = pl.DataFrame({"params": ['{"a": 1}', None, ""]})

    assert parsed_rows(frame, "params") == [
        {"params": {"a": 1}},
        {"params": None},
        {"params": None},
    ]


def test_a_score_that_is_no_number_is_null():
    facts = parsed_rows(pl.DataFrame({"metrics": ['{"sharpe": NaN}']}), "metrics")

    assert json_response(facts).body == b'[{"metrics":{"sharpe":null}}]'
