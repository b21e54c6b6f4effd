"""What `barlake bars` and `barlake coverage` show. Expected numbers are those of the fixture."""

import csv
import io
import json

import polars as pl
import pytest

ALL = 3 * 390 - 3


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_without_a_range_all_bars_are_counted_and_the_ends_shown(barlake, spy_home):
    answer = barlake("bars", "spy", home=spy_home)

    assert answer.code == 0, answer
    assert "2024-11-04T14:30:00Z" in answer.out
    assert "2024-11-07T20:59:00Z" in answer.out
    assert f"{ALL:,} bars of SPY (1min, alpaca:iex) in 3 sessions" in answer.out
    assert "…" in answer.out


def test_csv_has_every_bar_with_its_times_as_rfc_3339(barlake, spy_home):
    found = rows(barlake("bars", "SPY", "--format", "csv", home=spy_home).out)

    assert len(found) == ALL
    assert found[0]["timestamp"] == "2024-11-04T14:30:00Z"
    assert (found[0]["open"], found[0]["volume"]) == ("500.0", "100.0")
    assert found[-1]["session_date"] == "2024-11-07"


def test_dates_are_sessions_with_both_ends(barlake, spy_home):
    found = rows(
        barlake(
            "bars",
            "SPY",
            "--start",
            "2024-11-05",
            "--end",
            "2024-11-07",
            "--format",
            "csv",
            home=spy_home,
        ).out
    )

    assert len(found) == 2 * 390


def test_times_are_included_on_both_ends(barlake, spy_home):
    found = rows(
        barlake(
            "bars", "SPY", "--start", "2024-11-05T14:30:00Z", "--end", "2024-11-05T09:34:00-05:00", "--format", "csv",
            home=spy_home,
        ).out
    )  # fmt: skip

    assert [row["timestamp"][11:16] for row in found] == [
        "14:30",
        "14:31",
        "14:32",
        "14:33",
        "14:34",
    ]


def test_a_timeframe_rolls_up_within_the_session(barlake, spy_home):
    found = rows(
        barlake(
            "bars",
            "SPY",
            "--timeframe",
            "1h",
            "--end",
            "2024-11-04",
            "--format",
            "csv",
            home=spy_home,
        ).out
    )

    assert [row["timestamp"][11:16] for row in found] == [
        "14:30",
        "15:30",
        "16:30",
        "17:30",
        "18:30",
        "19:30",
        "20:30",
    ]
    assert float(found[0]["volume"]) == sum(
        100 + minute for minute in range(60) if minute not in (10, 11)
    )


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_file_gets_the_format_of_its_name_and_nothing_beside_it(
    barlake, spy_home, tmp_path, kind
):
    file = tmp_path / f"spy.{kind}"

    answer = barlake("bars", "SPY", "-o", str(file), home=spy_home)

    assert answer.code == 0, answer
    assert answer.out == ""
    frame = pl.read_parquet(file) if kind == "parquet" else pl.read_csv(file)
    assert frame.height == ALL
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [file.name]


def test_a_pipe_gets_parquet_as_it_is(barlake, spy_home):
    answer = barlake("bars", "SPY", "--format", "parquet", home=spy_home)

    assert pl.read_parquet(io.BytesIO(answer.raw)).height == ALL


def test_a_refused_request_leaves_the_old_file_alone(barlake, spy_home, tmp_path):
    file = tmp_path / "spy.csv"
    file.write_text("old")

    assert barlake("bars", "NOPE", "-o", str(file), home=spy_home).code == 2
    assert file.read_text() == "old"


def test_a_range_without_bars_is_no_error_and_says_where_to_look(barlake, spy_home):
    answer = barlake("bars", "SPY", "--start", "2024-11-06", "--end", "2024-11-06", home=spy_home)

    assert answer.code == 0
    assert "barlake coverage SPY" in answer.out


def test_json_has_the_bars_as_records(barlake, spy_home):
    found = json.loads(barlake("bars", "spy", "--limit", "2", "--json", home=spy_home).out)

    assert [bar["timestamp"] for bar in found] == ["2024-11-07T20:58:00Z", "2024-11-07T20:59:00Z"]
    assert (found[1]["symbol"], found[1]["volume"]) == ("SPY", 489.0)
    assert (found[1]["source"], found[1]["session_date"]) == ("alpaca:iex", "2024-11-07")


def test_coverage_tells_a_gap_from_an_absent_minute(barlake, spy_home):
    answer = barlake("coverage", "SPY", home=spy_home)

    assert answer.code == 0, answer
    assert (
        "Missing: 390 minutes. `barlake ingest SPY --start 2024-11-06 --end 2024-11-06`"
        in answer.out
    )
    assert "Absent: 3 minutes of 1 session." in answer.out


@pytest.mark.parametrize(
    ("start", "end", "first_days"),
    [
        ("2024-11-05", "2024-11-05", ["2024-11-04"]),
        ("2024-11-06", "2024-11-06", []),
        ("2024-11-06", "2024-11-07", ["2024-11-07"]),
        ("2024-11-06T04:59:00Z", "2024-11-07T05:00:00Z", ["2024-11-04", "2024-11-07"]),
    ],
)
def test_coverage_of_a_range_shows_the_intervals_that_touch_it(
    barlake, spy_home, start, end, first_days
):
    answer = barlake("coverage", "SPY", "--start", start, "--end", end, "--json", home=spy_home)

    found = json.loads(answer.out)
    assert [interval["start"][:10] for interval in found["intervals"]] == first_days


def test_coverage_as_json_has_all_three(barlake, spy_home):
    found = json.loads(barlake("coverage", "spy", "--json", home=spy_home).out)

    assert (found["symbol"], found["source"]) == ("SPY", "alpaca:iex")
    assert found["intervals"] == [
        {"start": "2024-11-04T05:00:00Z", "end": "2024-11-06T05:00:00Z"},
        {"start": "2024-11-07T05:00:00Z", "end": "2024-11-08T05:00:00Z"},
    ]
    assert [(gap["session_date"], gap["minutes"]) for gap in found["gaps"]] == [("2024-11-06", 390)]
    assert {day["session_date"]: day["absent"] for day in found["absent"]}["2024-11-04"] == 3
