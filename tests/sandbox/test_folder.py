"""What serving a folder promises: the files' bars, as they are."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.config import SandboxConfig
from sandbox.errors import DataFolderError
from sandbox.folder import FolderMarket
from sandbox.server import create_app
from sandbox.times import day_of

OPEN = datetime(2024, 10, 14, 13, 30, tzinfo=UTC)


def minutes(count, start=OPEN, **columns):
    prices = {"open": 10.0, "high": 10.5, "low": 9.5, "close": 10.25, "volume": 1000}
    frame = pl.DataFrame({"timestamp": [start + timedelta(minutes=i) for i in range(count)]})
    return frame.with_columns(pl.lit("X").alias("symbol")).with_columns(
        pl.Series(k, v) if isinstance(v, list) else pl.lit(v).alias(k)
        for k, v in (prices | columns).items()
    )


@pytest.fixture
def folder(tmp_path):
    bars = tmp_path / "bars"
    bars.mkdir()
    days = [OPEN + timedelta(days=offset) for offset in range(4)]
    pl.concat([minutes(390, day) for day in days]).write_parquet(bars / "X.parquet")
    minutes(3, vwap=[10.1, None, 10.3], trade_count=[7, None, 9]).write_parquet(bars / "Y.parquet")
    pl.DataFrame(
        {
            "symbol": ["X", "X", "OTHER"],
            "ex_date": [date(2024, 10, 16), date(2024, 10, 17), date(2024, 10, 16)],
            "kind": ["split", "cash_dividend", "split"],
            "ratio": [0.5, None, 2.0],
            "amount": [None, 0.205, None],
        }
    ).write_parquet(tmp_path / "corporate_actions.parquet")
    return bars


def test_the_bars_of_the_files_are_served_on_both_feeds(folder, open_sandbox):
    client = open_sandbox(data=folder)
    sip = client.bars("X", "2024-10-14", "2024-10-17")

    assert len(sip) == 4 * 390
    assert sip == client.bars("X", "2024-10-14", "2024-10-17", feed="iex")
    assert sip[0]["t"] == "2024-10-14T13:30:00Z"
    assert [asset["symbol"] for asset in client.get("/v2/assets").json()] == ["X", "Y"]


def test_missing_vwap_and_count_are_derived_and_given_ones_kept(folder, open_sandbox):
    bars = open_sandbox(data=folder).bars("Y", "2024-10-14", "2024-10-14")

    typical = (10.0 + 10.5 + 9.5 + 10.25) / 4
    assert [bar["vw"] for bar in bars] == [10.1, pytest.approx(typical), 10.3]
    assert [bar["n"] for bar in bars] == [7, 10, 9]
    assert [bar["v"] for bar in bars] == [1000, 1000, 1000]


def test_a_split_above_the_folder_adjusts_its_bars(folder, open_sandbox):
    client = open_sandbox(data=folder, symbols=("X",))
    actions = client.get("/v1/corporate-actions", start="2024-01-01").json()["corporate_actions"]

    (split,), (dividend,) = actions["reverse_splits"], actions["cash_dividends"]
    assert (split["new_rate"], split["old_rate"], split["symbol"]) == (1, 2, "X")
    assert dividend["rate"] == 0.205
    bars = client.bars("X", "2024-10-14", "2024-10-17", adjustment="split", timeframe="1Day")
    assert [bar["c"] for bar in bars] == [20.5, 20.5, 10.25, 10.25]
    assert [bar["v"] for bar in bars] == [195_000, 195_000, 390_000, 390_000]
    both = client.bars("X", "2024-10-14", "2024-10-17", adjustment="all", timeframe="1Day")
    assert [bar["c"] for bar in both] == [20.09, 20.09, 10.045, 10.25]


@pytest.fixture
def days(folder):
    """Daily bars beside the minutes of X, and of D, which has no minutes."""
    place = folder.parent / "bars_1day"
    place.mkdir()
    frame = pl.DataFrame(
        {
            "timestamp": [datetime(2024, 10, day, 4, tzinfo=UTC) for day in (11, 14, 16)],
            "open": [10.0, 10.01, 10.02],
            "high": 10.6,
            "low": 9.4,
            "close": [10.3, 10.31, 10.32],
            "volume": [400_000, 400_001, 400_002],
        }
    )
    frame.write_parquet(place / "X.parquet")
    frame.write_parquet(place / "D.parquet")
    return place


def test_daily_bars_beside_the_folder_are_served_in_place_of_its_minutes(
    folder, days, open_sandbox
):
    client = open_sandbox(data=folder)
    served = client.bars("X", "2024-10-01", "2024-10-31", timeframe="1Day")

    assert [(bar["t"], bar["o"], bar["c"], bar["v"]) for bar in served] == [
        ("2024-10-11T04:00:00Z", 10.0, 10.3, 400_000),
        ("2024-10-14T04:00:00Z", 10.01, 10.31, 400_001),
        ("2024-10-16T04:00:00Z", 10.02, 10.32, 400_002),  # its file has no 15th and no 17th
    ]
    assert served == client.bars("D", "2024-10-01", "2024-10-31", timeframe="1Day")
    (week,) = client.bars("X", "2024-10-14", "2024-10-18", timeframe="1Week")
    assert (week["o"], week["c"], week["v"]) == (10.01, 10.32, 800_003)
    assert len(client.bars("X", "2024-10-14", "2024-10-17")) == 4 * 390


def test_a_symbol_with_days_alone_has_no_minutes_and_one_without_has_those_of_its_minutes(
    folder, days, open_sandbox
):
    client = open_sandbox(data=folder)

    assert client.bars("D", "2024-10-01", "2024-10-31") == []
    (day,) = client.bars("Y", "2024-10-01", "2024-10-31", timeframe="1Day")
    assert (day["o"], day["v"]) == (10.0, 3000)
    assert [asset["symbol"] for asset in client.get("/v2/assets").json()] == ["D", "X", "Y"]


def test_the_day_that_runs_is_made_of_its_minutes_whatever_its_file_has(folder, days, open_sandbox):
    client = open_sandbox(data=folder, now=OPEN + timedelta(minutes=10))

    (day,) = client.bars("X", "2024-10-14", "2024-10-14", timeframe="1Day")

    assert (day["o"], day["v"]) == (10.0, 10_000)


def test_the_folder_of_daily_bars_serves_them_when_it_is_named_itself(days, open_sandbox):
    served = open_sandbox(data=days).bars("D", "2024-10-01", "2024-10-31", timeframe="1Day")

    assert [bar["v"] for bar in served] == [400_000, 400_001, 400_002]


def test_chosen_symbols_alone_are_served(folder, open_sandbox):
    client = open_sandbox(data=folder, symbols=("Y",))

    assert client.bars("X", "2024-10-14", "2024-10-17") == []
    assert len(client.bars("Y", "2024-10-14", "2024-10-17")) == 3


def test_odd_bars_are_served_as_they_are(tmp_path, open_sandbox):
    odd = minutes(3, volume=[0, 1, 2], close=[99.0, 10.0, 10.0], high=[10.5, None, 10.5])
    odd.write_parquet(tmp_path / "ODD.parquet")
    bars = open_sandbox(data=tmp_path).bars("ODD", "2024-10-14", "2024-10-14")

    assert [bar["v"] for bar in bars] == [0, 1, 2]
    assert bars[0]["c"] == 99.0
    assert bars[1]["h"] is None


def test_rows_are_put_in_order_and_the_later_of_two_counts(tmp_path, open_sandbox):
    rows = minutes(4, open=[1.0, 2.0, 3.0, 4.0])
    pl.concat([rows[2:], rows[:2], rows[:1].with_columns(open=pl.lit(9.0))]).write_parquet(
        tmp_path / "X.parquet"
    )
    bars = open_sandbox(data=tmp_path).bars("X", "2024-10-14", "2024-10-14")

    assert [bar["o"] for bar in bars] == [9.0, 2.0, 3.0, 4.0]


def test_fractional_volume_and_naive_times_are_understood(tmp_path, open_sandbox):
    frame = minutes(2, volume=[1.5, 2.0]).with_columns(
        pl.col("timestamp").dt.replace_time_zone(None).dt.cast_time_unit("ms")
    )
    frame.write_parquet(tmp_path / "X.parquet")
    bars = open_sandbox(data=tmp_path).bars("X", "2024-10-14", "2024-10-14")

    assert [(bar["t"], bar["v"]) for bar in bars] == [
        ("2024-10-14T13:30:00Z", 1.5),
        ("2024-10-14T13:31:00Z", 2.0),
    ]


@given(
    offsets=st.sets(st.integers(0, 4000), min_size=1, max_size=60),
    first=st.integers(0, 4000),
    width=st.integers(0, 4000),
)
@settings(max_examples=40, deadline=None)
def test_what_is_written_comes_back(tmp_path_factory, offsets, first, width):
    from starlette.testclient import TestClient

    folder = tmp_path_factory.mktemp("bars")
    times = [OPEN + timedelta(minutes=offset) for offset in sorted(offsets)]
    frame = minutes(len(times)).with_columns(
        timestamp=pl.Series(times, dtype=pl.Datetime("us", "UTC")),
        close=pl.Series([10 + i / 100 for i in range(len(times))]),
    )
    frame.write_parquet(folder / "X.parquet")
    start, end = OPEN + timedelta(minutes=first), OPEN + timedelta(minutes=first + width)

    app = create_app(SandboxConfig(data=folder))
    with TestClient(app, headers={"Authorization": "Bearer token"}) as client:
        reply = client.get(
            "/v2/stocks/X/bars",
            params={
                "timeframe": "1Min",
                "start": start.isoformat(),
                "end": end.isoformat(),
                "limit": 10_000,
            },
        )
    served = [(bar["t"], bar["c"]) for bar in reply.json()["bars"] or []]
    inside = frame.filter(pl.col("timestamp").is_between(start, end))
    assert served == [
        (time.strftime("%Y-%m-%dT%H:%M:%SZ"), close)
        for time, close in inside.select("timestamp", "close").rows()
    ]


def test_the_days_of_a_folder_are_new_yorks(folder):
    market = FolderMarket(folder)

    assert market.days("X").tolist() == [day_of(date(2024, 10, 14)) + i for i in range(4)]
    assert len(market.days("NOPE")) == 0


def test_a_file_that_goes_bad_is_a_500_with_its_name(folder, open_sandbox):
    client = open_sandbox(data=folder)
    (folder / "Y.parquet").write_bytes(b"PAR1 no longer PAR1")

    reply = client.get("/v2/stocks/Y/bars", timeframe="1Min", start="2024-10-14")
    assert reply.status_code == 500
    assert "Y.parquet" in reply.json()["message"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "has no SYMBOL.parquet file"),
        (b"not Parquet", "is not readable Parquet"),
        (pl.DataFrame({"timestamp": [OPEN], "open": [1.0]}), "has no column close, high, low"),
        (minutes(1).with_columns(timestamp=pl.lit("noon")), "timestamps that are not times"),
    ],
)
def test_a_folder_that_cannot_be_served_is_one_sentence(tmp_path, content, says):
    if isinstance(content, bytes):
        (tmp_path / "X.parquet").write_bytes(content)
    elif content is not None:
        content.write_parquet(tmp_path / "X.parquet")

    with pytest.raises(DataFolderError, match=says):
        create_app(SandboxConfig(data=tmp_path))
