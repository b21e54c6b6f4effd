"""What plain files of bars promise to other tools."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import lake
from lake.export import ExportBusyError, ExportFolderError, export, refresh_mirror
from lake.export import folder as folders
from tests.market import OPEN, SOURCE, bar, fetched, session_covered

DAYS = (date(2023, 12, 29), date(2024, 11, 4), date(2024, 11, 5))
OPENS = [
    datetime(2023, 12, 29, 14, 30, tzinfo=UTC),
    OPEN,
    OPEN + timedelta(days=1),
]


def fill(store: lake.Lake, *symbols: str, minutes: int = 5, price: float = 100.0) -> None:
    for symbol in symbols or ("SPY", "BRK.B"):
        bars = [
            bar(opening + timedelta(minutes=2 * minute), price + minute, symbol=symbol)
            for opening in OPENS
            for minute in range(minutes)
        ]
        store.commit_bars(fetched(*bars))


def files(root: Path) -> list[str]:
    return sorted(str(file.relative_to(root)) for file in root.rglob("bars.*"))


def test_the_default_is_a_file_for_each_symbol_and_session(store, tmp_path):
    fill(store)

    done = export(store, tmp_path / "out")

    assert files(tmp_path / "out") == [
        f"{symbol}/dt={day}/bars.parquet" for symbol in ("BRK.B", "SPY") for day in DAYS
    ]
    assert (done.written, done.unchanged, done.removed, done.bars) == (6, 0, 0, 30)
    found = pl.read_parquet(
        tmp_path / "out" / "SPY" / "dt=2024-11-04" / "bars.parquet", hive_partitioning=False
    )
    assert_frame_equal(found, store.bars("SPY", DAYS[1], DAYS[1]))


@pytest.mark.parametrize("layout", ["day", "year", "symbol"])
@pytest.mark.parametrize("names", ["bare", "hive"])
def test_duckdb_and_polars_read_every_layout(store, tmp_path, layout, names):
    fill(store)
    out = tmp_path / "out"
    export(store, out, layout=layout, names=names)
    pattern = f"{out}/**/*.parquet"
    expected = store.bars(["BRK.B", "SPY"])

    by_polars = pl.scan_parquet(pattern, hive_partitioning=True).select(lake.READ_COLUMNS).collect()
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        by_duckdb = connection.execute(
            f"""SELECT symbol, count(*), min(timestamp), sum("close") FROM read_parquet('{pattern}', hive_partitioning = true)
                GROUP BY symbol ORDER BY symbol"""
        ).fetchall()

    assert_frame_equal(by_polars.sort("symbol", "timestamp"), expected, check_dtypes=False)
    assert by_duckdb == [(name, 15, OPENS[0], 3 * 510.0) for name in ("BRK.B", "SPY")]


@pytest.mark.parametrize("layout", ["day", "year", "symbol"])
def test_csv_has_the_same_bars(store, tmp_path, layout):
    fill(store)
    export(store, tmp_path / "out", layout=layout, file_format="csv")

    found = pl.concat(
        pl.read_csv(file, try_parse_dates=True) for file in (tmp_path / "out").rglob("bars.csv")
    ).sort("symbol", "timestamp")

    expected = store.bars(["BRK.B", "SPY"])
    assert found.columns == expected.columns
    assert found["close"].to_list() == expected["close"].to_list()
    assert found["timestamp"].to_list() == expected["timestamp"].to_list()


@pytest.mark.parametrize("layout", ["day", "year", "symbol"])
@pytest.mark.parametrize("file_format", ["parquet", "csv"])
def test_a_repeat_writes_nothing(store, tmp_path, layout, file_format):
    fill(store)
    first = export(store, tmp_path / "out", layout=layout, file_format=file_format)
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "out").rglob("bars.*")}

    again = export(store, tmp_path / "out", verify=True)

    assert (again.written, again.removed, again.mended) == (0, 0, 0)
    assert again.unchanged == first.written == len(before)
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "out").rglob("bars.*")} == before


def test_a_correction_writes_its_session_alone(store, tmp_path):
    fill(store)
    export(store, tmp_path / "out")
    store.commit_bars(fetched(bar(OPEN, 222.0)))

    done = export(store, tmp_path / "out")

    assert (done.written, done.unchanged, done.bars) == (1, 5, 5)
    found = pl.read_parquet(
        tmp_path / "out" / "SPY" / "dt=2024-11-04" / "bars.parquet", hive_partitioning=False
    )
    assert_frame_equal(found, store.bars("SPY", DAYS[1], DAYS[1]))


def test_a_correction_taken_back_writes_nothing(store, tmp_path):
    fill(store)
    export(store, tmp_path / "out")
    store.commit_bars(fetched(bar(OPEN, 222.0)))
    store.commit_bars(fetched(bar(OPEN, 100.0)))

    assert export(store, tmp_path / "out").written == 0


def test_a_session_withdrawn_loses_its_file(store, tmp_path):
    fill(store)
    export(store, tmp_path / "out")
    store.commit_bars(fetched(covered=(session_covered(DAYS[1]),)))

    done = export(store, tmp_path / "out")

    assert done.removed == 1
    assert not (tmp_path / "out" / "SPY" / "dt=2024-11-04").exists()
    assert export(store, tmp_path / "out", verify=True).unchanged == 5


def test_new_sessions_and_symbols_are_added(store, tmp_path):
    fill(store, "SPY")
    export(store, tmp_path / "out")
    fill(store, "QQQ")
    store.commit_bars(fetched(bar(OPEN + timedelta(days=2), 5.0)))

    done = export(store, tmp_path / "out")

    assert (done.written, done.unchanged) == (4, 3)


def test_another_source_shown_replaces_the_files(store, tmp_path):
    fill(store, "SPY")
    export(store, tmp_path / "out")
    store.commit_bars(fetched(bar(OPEN, 7.0), source="alpaca:sip"))
    store.prefer_source("alpaca:sip")

    done = export(store, tmp_path / "out")

    assert files(tmp_path / "out") == ["SPY/dt=2024-11-04/bars.parquet"]
    assert (done.written, done.removed) == (1, 2)
    assert export(store, tmp_path / "out", ["SPY"], source=SOURCE).written == 3


def test_a_range_leaves_other_files_alone(store, tmp_path):
    fill(store, "SPY")

    one = export(store, tmp_path / "out", ["spy"], "2024-11-05", "2024-11-05")
    rest = export(store, tmp_path / "out", ["spy"], "2023-01-01", "2024-11-04")

    assert (one.written, rest.written, rest.removed) == (1, 2, 0)
    assert len(files(tmp_path / "out")) == 3


def test_a_year_that_the_range_touches_is_whole(store, tmp_path):
    fill(store, "SPY")

    export(store, tmp_path / "out", (), "2024-11-05", "2024-11-05", layout="year")

    assert files(tmp_path / "out") == ["SPY/year=2024/bars.parquet"]
    assert pl.scan_parquet(tmp_path / "out/SPY/year=2024/bars.parquet").select(pl.len()).collect().item() == 10  # fmt: skip


def test_a_file_deleted_or_cut_by_hand_is_written_again(store, tmp_path):
    fill(store, "SPY")
    export(store, tmp_path / "out")
    first, second, _ = sorted((tmp_path / "out").rglob("bars.parquet"))
    first.unlink()
    second.write_bytes(second.read_bytes()[:100])

    assert export(store, tmp_path / "out").written == 2
    assert export(store, tmp_path / "out", verify=True).mended == 0


@pytest.mark.parametrize("layout", ["day", "year", "symbol"])
@pytest.mark.parametrize("file_format", ["parquet", "csv"])
def test_verify_finds_and_mends_what_a_glance_does_not(store, tmp_path, layout, file_format):
    fill(store, "SPY")
    export(store, tmp_path / "out", layout=layout, file_format=file_format)
    file = next((tmp_path / "out").rglob("bars.*"))
    content = bytearray(file.read_bytes())
    where = content.index(b"SPY") if file_format == "csv" else 40
    content[where] ^= 1
    file.write_bytes(content)

    assert export(store, tmp_path / "out").written == 0
    assert export(store, tmp_path / "out", verify=True).mended == 1
    assert export(store, tmp_path / "out", verify=True).mended == 0


def test_a_symbol_the_lake_lost_goes_from_a_whole_export(store, tmp_path):
    fill(store)
    export(store, tmp_path / "out")
    with store.writing() as transaction:
        for table in ("bars_1m", "series", "changes"):
            transaction.connection.execute(f"DELETE FROM {table} WHERE symbol = 'SPY'")

    assert export(store, tmp_path / "out").removed == 3
    assert {file.split("/")[0] for file in files(tmp_path / "out")} == {"BRK.B"}
    assert not (tmp_path / "out" / "SPY").exists()


def test_bars_that_left_without_a_change_are_found_by_their_count(store, tmp_path):
    fill(store, "SPY")
    export(store, tmp_path / "out")
    with store.writing() as transaction:
        transaction.connection.execute(
            "DELETE FROM bars_1m WHERE timestamp < TIMESTAMPTZ '2024-01-01 00:00:00Z'"
        )

    done = export(store, tmp_path / "out")

    assert done.removed == 1
    assert files(tmp_path / "out") == [f"SPY/dt={day}/bars.parquet" for day in DAYS[1:]]


def test_a_folder_that_holds_something_else_is_refused(store, tmp_path):
    fill(store, "SPY")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")

    with pytest.raises(ExportFolderError, match=r"thesis\.txt.*Name an empty folder"):
        export(store, tmp_path / "out")

    assert [file.name for file in (tmp_path / "out").iterdir()] == ["thesis.txt"]
    with pytest.raises(ExportFolderError, match="is a file"):
        export(store, tmp_path / "out" / "thesis.txt")


def test_another_shape_is_refused_with_what_the_folder_has(store, tmp_path):
    fill(store, "SPY")
    export(store, tmp_path / "out", layout="year", names="hive")

    with pytest.raises(ExportFolderError, match="made with --layout year"):
        export(store, tmp_path / "out", layout="day")

    assert export(store, tmp_path / "out").unchanged == 2


def test_the_export_of_another_lake_is_refused(store, tmp_path):
    fill(store, "SPY")
    export(store, tmp_path / "out")
    note = tmp_path / "out" / ".barlake" / "export"
    note.write_text(json.dumps({**json.loads(note.read_text()), "lake": "another"}))

    with pytest.raises(ExportFolderError, match="another lake"):
        export(store, tmp_path / "out")
    note.write_text("{")
    with pytest.raises(ExportFolderError, match="cannot be read"):
        export(store, tmp_path / "out")


def test_a_symbol_that_is_not_there_and_a_time_are_refused(store, tmp_path):
    fill(store, "SPY")

    with pytest.raises(lake.BarsMissingError, match="barlake ingest MSFT"):
        export(store, tmp_path / "out", ["MSFT"])
    with pytest.raises(lake.InvalidError, match="whole sessions"):
        export(store, tmp_path / "out", (), "2024-11-04T14:30:00Z")
    with pytest.raises(lake.InvalidError, match="all of its history"):
        export(store, tmp_path / "sym", (), "2024-11-04", layout="symbol")
    with pytest.raises(lake.InvalidError, match="not a ticker"):
        export(store, tmp_path / "out", ["../SPY"])


def test_two_at_once_into_one_folder_are_refused(store, tmp_path):
    fill(store, "SPY")
    export(store, tmp_path / "out")

    with (
        folders.opened(tmp_path / "out", {}, folders_lake(tmp_path / "out")),
        pytest.raises(ExportBusyError, match="Ask again"),
    ):
        export(store, tmp_path / "out")


def folders_lake(root: Path) -> str:
    return str(json.loads((root / ".barlake" / "export").read_text())["lake"])


def test_a_mirror_follows_the_lake(store, tmp_path):
    fill(store, "SPY")

    assert refresh_mirror(store, None) is None
    assert refresh_mirror(store, tmp_path / "mirror").written == 3
    store.commit_bars(fetched(bar(OPEN + timedelta(days=2), 5.0)))
    assert refresh_mirror(store, tmp_path / "mirror").written == 1


def test_killed_midway_it_is_simply_repeated(store, tmp_path):
    opens = [OPEN + timedelta(days=day) for day in range(25)]
    for symbol in ("SPY", "QQQ"):
        store.commit_bars(fetched(*(bar(opening, symbol=symbol) for opening in opens)))
    out = tmp_path / "out"
    script = "import lake, sys; from lake.export import export; export(lake.open(sys.argv[1]), sys.argv[2])"
    for enough in (1, 30):
        started = subprocess.Popen([sys.executable, "-c", script, store.home, out])
        until = time.monotonic() + 60
        while started.poll() is None and time.monotonic() < until:
            if len(list(out.glob("*/*/bars.parquet"))) >= enough:
                os.kill(started.pid, signal.SIGKILL)
                break
        started.wait()

    store.commit_bars(fetched(covered=(session_covered(opens[3].date()),)))
    export(store, out)

    assert export(store, out, verify=True).mended == 0
    assert [file.name for file in out.rglob("*.part")] == []
    found = pl.read_parquet(f"{out}/*/*/bars.parquet", hive_partitioning=False)
    assert_frame_equal(found.sort("symbol", "timestamp"), store.bars(["QQQ", "SPY"]))
