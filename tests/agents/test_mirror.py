"""What a mirror promises: upkeep keeps it as the lake is."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

import lake
from agents import upkeep
from lake.journal import Journal
from lake.settings import Settings
from tests.market import OPEN, bar, fetched


@pytest.fixture
def store(tmp_path):
    with lake.open(tmp_path / "home", create=True) as opened:
        opened.commit_bars(fetched(bar(0)))
        yield opened


def test_a_round_of_upkeep_brings_the_mirror_up_to_date(store, tmp_path):
    mirror = tmp_path / "mirror"
    planned = upkeep.plan(Settings(), datetime.now(UTC))
    with Journal.open(store.home) as journal:
        job, _ = journal.queue("upkeep", "", "", None, None, {})
        first = upkeep.run(store, journal, job, planned, mirror=mirror)
        store.commit_bars(fetched(bar(OPEN + timedelta(days=1)), bar(0, symbol="QQQ")))
        second = upkeep.run(store, journal, job, planned, mirror=mirror)
        third = upkeep.run(store, journal, job, planned, mirror=mirror)

    told = [round_["mirror"]["written"] for round_ in (first, second, third)]
    assert told == [1, 2, 0]
    files = sorted(str(file.relative_to(mirror)) for file in mirror.rglob("bars.parquet"))
    assert files == [
        "QQQ/dt=2024-11-04/bars.parquet",
        "SPY/dt=2024-11-04/bars.parquet",
        "SPY/dt=2024-11-05/bars.parquet",
    ]
    assert pl.read_parquet(f"{mirror}/*/*/bars.parquet", hive_partitioning=False).height == 3
