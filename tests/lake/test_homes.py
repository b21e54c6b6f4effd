"""What a new lake promises where another one begins, is or was."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import lake
from lake.home import HomeError
from lake.upkeep import Plan, run
from lake.verify import verify
from tests.market import bar, fetched

CREATE = """
import sys, lake
from tests.market import bar, fetched
with lake.open(sys.argv[1], create=True) as store:
    store.commit_bars(fetched(bar(int(sys.argv[2]))))
"""


def test_processes_that_make_a_lake_at_once_make_one(tmp_path):
    home = tmp_path / "home"
    root = Path(__file__).parents[2]
    makers = [
        subprocess.Popen([sys.executable, "-c", CREATE, home, str(minute)], cwd=root)
        for minute in range(3)
    ]

    assert [maker.wait() for maker in makers] == [0, 0, 0]
    with lake.open(home) as store:
        assert store.bars("SPY").height == 3
        assert verify(store).findings == ()


@pytest.mark.parametrize("inside", ["parquet", "parquet/main/mine", "duckdb", "models/x"])
def test_no_lake_is_made_in_the_folders_of_another(store, inside):
    store.commit_bars(fetched(bar(0)))

    with pytest.raises(HomeError, match="lies inside the lake of"):
        lake.open(store.home / inside, create=True)
    assert verify(store).findings == ()


def test_a_lake_beside_the_folders_of_another_is_a_lake_of_its_own(store):
    store.commit_bars(fetched(bar(0)))
    with lake.open(store.home / "other", create=True) as other:
        other.commit_bars(fetched(bar(0, 7.0), bar(1)))
        run(store, Plan(datetime.now(UTC), orphans_kept=timedelta(0), replaced_kept=timedelta(0)))
        assert (store.bars("SPY").height, other.bars("SPY").height) == (1, 2)
        assert verify(other).findings == ()


def test_no_lake_is_made_over_the_data_of_a_lost_catalog(store):
    store.commit_bars(fetched(bar(0)))
    store.close()
    kept = store.place.catalog.rename(store.home.parent / "kept")

    with pytest.raises(HomeError, match="no catalog that knows them"):
        lake.open(store.home, create=True)
    assert list(store.place.catalog.parent.glob("lake.sqlite*")) == []
    kept.rename(store.place.catalog)
    assert store.bars("SPY").height == 1
