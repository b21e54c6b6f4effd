"""What bars of files promise on their way into the lake."""

import os
import shutil
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import lake
from agents.importing import SourceNameError, check_source, import_files, look
from agents.sources.files import FileBarsError, Form, batches
from lake.errors import SymbolError
from lake.export import export
from lake.room import DiskLowError
from tests.market import OPEN, bar, bars, fetched, frame

NEW_YORK = Form(zone="America/New_York", symbol="SPY")


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def csv(tmp_path: Path, *times: str, header: str = "time,open,high,low,close,volume") -> Path:
    rows = [f"{time},1,2,0.5,1.5,100" for time in times]
    return written(tmp_path / "bars.csv", "\n".join([header, *rows]) + "\n")


def times(file: Path, form: Form) -> list[datetime]:
    return pl.concat(batches(file, form))["timestamp"].to_list()


@given(
    parts=st.lists(bars(most=25), min_size=1, max_size=2),
    layout=st.sampled_from(["day", "year", "symbol"]),
    file_format=st.sampled_from(["parquet", "csv"]),
    most=st.integers(1, 40),
)
@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_what_was_exported_is_imported_again(
    empty, tmp_path_factory, parts, layout, file_format, most
):
    place = tmp_path_factory.mktemp("trip")
    for name in ("one", "two"):
        shutil.copytree(empty, place / name)
    with lake.open(place / "one") as one, lake.open(place / "two") as two:
        for symbol, part in zip(("SPY", "BRK.B"), parts, strict=False):
            one.commit_bars(fetched(*part.with_columns(symbol=pl.lit(symbol)).to_dicts()))
        export(one, place / "out", layout=layout, file_format=file_format)

        done = import_files(two, [place / "out"], "trip", Form(), complete=True, rows=most)

        names = one.symbols()["symbol"].to_list()
        assert_frame_equal(two.bars(names).drop("source"), one.bars(names).drop("source"))
        assert done.new == done.read == one.bars(names).height
        again = import_files(two, [place / "out"], "trip", Form(), complete=True)
        assert (again.new, again.corrected, again.withdrawn) == (0, 0, 0)
        assert again.unchanged == done.new


@pytest.mark.parametrize(
    ("time", "zone"),
    [
        ("2024-11-04T14:30:00Z", None),
        ("2024-11-04 14:30:00+00:00", None),
        ("2024-11-04T09:30:00-05:00", None),
        ("2024-11-04T09:30-05:00", None),
        ("2024-11-04 09:30:00", "America/New_York"),
        ("2024-11-04 09:30", "America/New_York"),
        ("2024-11-04T14:30:00.000", "UTC"),
        ("1730730600", None),
        ("1730730600000", None),
        ("1730730600000000", None),
        ("1730730600000000000", None),
    ],
)
def test_a_time_is_read_however_it_is_written(tmp_path, time, zone):
    assert times(csv(tmp_path, time), Form(zone=zone, symbol="SPY")) == [OPEN]


@pytest.mark.parametrize("unit", ["ns", "us", "ms"])
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", None])
def test_a_time_of_parquet_is_read_whatever_its_type(tmp_path, unit, zone):
    local = OPEN if zone else datetime(2024, 11, 4, 9, 30)  # noqa: DTZ001
    data = frame(bar(0)).with_columns(
        timestamp=pl.Series([local]).dt.convert_time_zone(zone).cast(pl.Datetime(unit, zone))
        if zone
        else pl.Series([local]).cast(pl.Datetime(unit))
    )
    data.write_parquet(tmp_path / "bars.parquet")

    assert times(tmp_path / "bars.parquet", Form(zone="America/New_York")) == [OPEN]


def test_times_with_and_without_a_zone_mix(tmp_path):
    file = csv(tmp_path, "2024-11-04 09:30:00", "2024-11-04T14:31:00Z")

    assert times(file, NEW_YORK) == [OPEN, OPEN + timedelta(minutes=1)]


def test_seconds_are_milliseconds_where_it_is_said(tmp_path):
    file = csv(tmp_path, "99999999999")

    assert times(file, Form(symbol="SPY", unit="ms"))[0].year == 1973


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2024-11-04 09:30:00", r"do not say their zone.*--zone America/New_York"),
        ("2024-11-04", r"dates alone.*--dataset bars_daily"),
        ("20241104", "is no time"),
        ("yesterday", "'yesterday'.* is no time"),
        ("", "is no time"),
        ("100000000000000000000", "is no time"),
    ],
)
def test_a_time_that_cannot_be_told_refuses_the_file(tmp_path, text, said):
    with pytest.raises(FileBarsError, match=said):
        times(csv(tmp_path, text), Form(symbol="SPY"))


@pytest.mark.parametrize("time", ["2024-03-10 02:30:00", "2024-11-03 01:30:00"])
def test_a_time_the_clocks_skip_or_tell_twice_refuses_the_file(tmp_path, time):
    with pytest.raises(FileBarsError, match=r"1 times.*clocks of America/New_York.*in UTC"):
        times(csv(tmp_path, "2024-11-04 09:30:00", time), NEW_YORK)


def test_alpacas_short_names_and_polygons_are_known(tmp_path):
    short = written(tmp_path / "a.csv", "ticker,t,o,h,l,c,v,n,vw\nspy,2024-11-04T14:30:00Z,1,2,0.5,1.5,100,7,1.2\n")  # fmt: skip
    flat = written(tmp_path / "p.csv", "ticker,volume,open,close,high,low,window_start,transactions\n"
        "SPY,100,1,1.5,2,0.5,1730730600000000000,7\n")  # fmt: skip
    expected = frame(bar(0, open=1.0, high=2.0, low=0.5, close=1.5, trade_count=7, vwap=1.2))

    assert_frame_equal(pl.concat(batches(short, Form())), expected)
    assert_frame_equal(
        pl.concat(batches(flat, Form())),
        expected.with_columns(vwap=pl.lit(None, pl.Float64)),
    )


def test_a_mapping_comes_before_usual_names(tmp_path):
    file = csv(tmp_path, "2024-11-04T14:30:00Z", header="When,First,high,low,close,volume")

    (found,) = batches(file, Form({"When": "timestamp", "First": "open"}, symbol="SPY"))

    assert found["open"].to_list() == [1.0]


@pytest.mark.parametrize(
    ("header", "form", "said"),
    [
        ("time,open,high,low,Last,volume", NEW_YORK, r"lacks close; its columns are time, open, high, low, Last.*--map"),
        ("time,date,high,low,close,volume", NEW_YORK, r"several columns that could be timestamp: time, date.*--map"),
        ("time,open,high,low,close,volume", Form(), r"no column of symbols.*--symbol SPY"),
        ("time,open,high,low,close,volume", Form({"Last": "close"}), "has no column Last; it has time"),
        ("time,ticker,high,low,close,volume", NEW_YORK, "Leave out --symbol"),
    ],
)  # fmt: skip
def test_columns_that_are_not_there_are_named(tmp_path, header, form, said):
    with pytest.raises(FileBarsError, match=said):
        times(csv(tmp_path, "2024-11-04 09:30:00", header=header), form)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"columns": {"a": "price"}}, "no column price of ours"),
        ({"zone": "Mars/Olympus"}, "no time zone"),
        ({"zone": "../../etc"}, "no time zone"),
        ({"unit": "h"}, "no unit"),
    ],
)
def test_a_form_that_cannot_be_is_refused(form, said):
    with pytest.raises(FileBarsError, match=said):
        Form(**form)


@pytest.mark.parametrize(
    "content",
    [b"", b"PAR1 but no more", b"\x00\x01\x02\x03", b"\xff\xfe,\xff\n1,2\n", b"time,open\n1,2,3\n"],
)
def test_a_file_that_cannot_be_read_is_one_sentence(store, tmp_path, content):
    (tmp_path / "bars.csv").write_bytes(content)

    with pytest.raises(FileBarsError) as caught:
        import_files(store, [tmp_path / "bars.csv"], "mine", NEW_YORK)

    assert "\n" not in str(caught.value)
    assert str(tmp_path / "bars.csv") in str(caught.value)
    assert list(store.place.run.glob("import-*")) == []


def test_a_wrong_row_at_the_end_commits_nothing(store, tmp_path):
    file = csv(tmp_path, *(f"2024-11-04 10:{minute:02}:00" for minute in range(60)), "nonsense")
    before = store.snapshot()

    with pytest.raises(FileBarsError, match="nonsense"):
        import_files(store, [file], "mine", NEW_YORK, rows=10)

    assert store.snapshot() == before


def test_what_a_killed_import_left_is_swept_a_day_later(store, tmp_path):
    run = store.place.run
    for name, age in (("import-old", 2 * 86_400), ("import-new", 60)):
        (run / name).mkdir(parents=True)
        (run / name / "read.parquet").write_bytes(b"x")
        os.utime(run / name, (time.time() - age,) * 2)

    import_files(store, [csv(tmp_path, "2024-11-04 09:30")], "mine", NEW_YORK)

    assert [left.name for left in run.glob("import-*")] == ["import-new"]


def test_impossible_bars_are_quarantined_and_a_dry_run_says_so(store, tmp_path):
    file = written(
        tmp_path / "bars.csv",
        "time,open,high,low,close,volume\n2024-11-04 09:30,1,2,3,1,5\n2024-11-04 09:31,1,2,1,n/a,5\n"
        "2024-11-04 09:32,1,2,1,1,5\n",
    )

    dry = look([file], "mine", NEW_YORK)
    before = store.symbols().height
    done = import_files(store, [file], "mine", NEW_YORK)

    assert before == 0
    assert dry.rules == {"low is not above high": 1, "prices are finite": 1}
    assert (dry.read, dry.quarantined, done.new, done.quarantined) == (3, 2, 1, 2)
    assert store.bars("SPY")["source"].to_list() == ["file:mine"]


def test_of_two_bars_of_a_minute_the_last_wins_over_files(store, tmp_path):
    frame(bar(0, 1.0), bar(0, 2.0)).write_parquet(tmp_path / "a.parquet")
    frame(bar(0, 3.0)).write_parquet(tmp_path / "b.parquet")

    import_files(store, [tmp_path / "a.parquet", tmp_path / "b.parquet"], "mine", Form())

    assert store.bars("SPY")["close"].to_list() == [3.0]


def test_nothing_counts_as_fetched_unless_it_is_complete(store, tmp_path):
    frame(bar(0), bar(OPEN + timedelta(days=2))).write_parquet(tmp_path / "a.parquet")

    import_files(store, [tmp_path / "a.parquet"], "mine", Form())
    assert store.coverage("SPY").is_empty()
    import_files(store, [tmp_path / "a.parquet"], "mine", Form(), complete=True, rows=1)

    assert store.coverage("SPY").rows() == [
        (datetime(2024, 11, 4, 5, tzinfo=UTC), datetime(2024, 11, 7, 5, tzinfo=UTC))
    ]


def test_a_complete_file_withdraws_what_it_lacks_and_no_more(store, tmp_path):
    all_of_it = [bar(OPEN + timedelta(days=day), symbol=name) for name in ("QQQ", "SPY") for day in range(4)]  # fmt: skip
    frame(*all_of_it).write_parquet(tmp_path / "a.parquet")
    import_files(store, [tmp_path / "a.parquet"], "mine", Form(), complete=True)
    less = [one for one in all_of_it if one["timestamp"] != OPEN + timedelta(days=1)]
    frame(*less).write_parquet(tmp_path / "a.parquet")

    done = import_files(store, [tmp_path / "a.parquet"], "mine", Form(), complete=True, rows=1)

    assert (done.withdrawn, done.unchanged, done.commits) == (2, 6, 6)


def test_a_file_never_fills_another_sources_coverage(store, tmp_path):
    for name in ("alpaca:iex", "Alpaca", "a b", "", "file:", "../x"):
        with pytest.raises(SourceNameError, match="file:kaggle"):
            check_source(name)

    assert check_source("alpaca") == "file:alpaca"


def test_a_symbol_that_is_no_ticker_is_refused(store, tmp_path):
    frame(bar(0, symbol="a'; drop")).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(SymbolError):
        import_files(store, [tmp_path / "a.parquet"], "mine", Form())


def test_daily_bars_of_dates_are_midnight_in_new_york(store, tmp_path):
    file = csv(tmp_path, "2024-07-01", "2024-11-04")
    form = Form(symbol="SPY", daily=True)

    done = import_files(store, [file], "mine", form, dataset="bars_daily")

    assert (done.new, done.quarantined, done.first) == (2, 0, date(2024, 7, 1))
    found = store.sql("SELECT timestamp FROM bars_daily ORDER BY timestamp")["timestamp"]
    assert found.to_list() == [
        datetime(2024, 7, 1, 4, tzinfo=UTC),
        datetime(2024, 11, 4, 5, tzinfo=UTC),
    ]


@pytest.mark.parametrize("dataset", ["bars_1m", "bars_daily"])
def test_a_full_disk_refuses_a_file_of_any_dataset(store, tmp_path, dataset):
    frame(bar(datetime(2024, 11, 4, 5, tzinfo=UTC))).write_parquet(tmp_path / "a.parquet")

    with lake.open(store.home, floor=1e18) as careful, pytest.raises(DiskLowError):
        import_files(careful, [tmp_path / "a.parquet"], "mine", Form(), dataset=dataset)
    assert store.sql(f"FROM {dataset}").is_empty()


def test_a_complete_file_of_days_covers_days_alone(store, tmp_path):
    file = csv(tmp_path, "2024-10-31", "2024-11-04")
    form = Form(symbol="SPY", daily=True)

    import_files(store, [file], "mine", form, dataset="bars_daily", complete=True)

    assert store.gaps("SPY", dataset="bars_daily").is_empty()
    absent = store.absent("SPY", dataset="bars_daily").filter(pl.col("absent") > 0)
    assert absent["session_date"].to_list() == [date(2024, 11, 1)]
    assert store.covered("SPY", "file:mine") == []


def test_a_lake_that_cannot_go_on_says_what_was_committed(store, tmp_path):
    days = [bar(OPEN + timedelta(days=day)) for day in range(3)]
    frame(*days).write_parquet(tmp_path / "a.parquet")

    def stop(done: int, _: int) -> None:
        if done == 2:
            store.close()
            store.place.catalog.rename(store.place.catalog.with_suffix(".away"))

    with pytest.raises(lake.TransientError, match=r"Stopped after 2 of 3 bars.*Repeat"):
        import_files(store, [tmp_path / "a.parquet"], "mine", Form(), rows=1, tell=stop)
