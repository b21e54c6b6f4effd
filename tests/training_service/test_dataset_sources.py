"""What a data set promises of symbols from other sources: an index from a file beside bars of a provider."""

from datetime import date

import polars as pl
import pytest

from agents.importing import import_files
from agents.sources.files import Form
from feature_service import build
from feature_service.choosing import choose
from lake import BarsMissingError
from tests.feature_service.walks import SOURCE, put, random_walk
from training_service import labels
from training_service.dataset import assemble
from training_service.joining import put_together
from training_service.parts import Series, read

FIRST, LAST = date(2024, 6, 24), date(2024, 7, 8)
COLUMNS = ("timestamp", "open", "high", "low", "close", "volume")


@pytest.fixture
def index(store, tmp_path):
    """VIX from a file, as an index comes: without a volume."""
    bars = random_walk("VIX", FIRST, LAST, seed=9, absent=0.1).with_columns(volume=pl.lit(0.0))
    bars.select(COLUMNS).write_csv(tmp_path / "vix.csv")
    import_files(store, [tmp_path / "vix.csv"], "cboe", Form(symbol="VIX"))
    return bars


def test_an_index_from_a_file_stands_beside_a_providers_bars(store, index):
    data = assemble(store, ["SPY", "VIX"], "core", sources={"vix": "file:cboe"})

    assert data.sources == {"SPY": SOURCE, "VIX": "file:cboe"}
    closes = dict(zip(index["timestamp"], index["close"], strict=True))
    assert data.frame["close_VIX"].to_list() == [closes[at] for at in data.frame["timestamp"]]
    spy = set(store.bars("SPY", regular_only=True)["timestamp"])
    assert data.frame["timestamp"].to_list() == sorted(spy & {*closes})


def test_the_source_that_is_named_wins_over_the_one_that_bars_show(store, tmp_path):
    other = random_walk("QQQ", FIRST, LAST, seed=10)
    other.select(COLUMNS).write_csv(tmp_path / "qqq.csv")
    import_files(store, [tmp_path / "qqq.csv"], "archive", Form(symbol="QQQ"))
    store.prefer_source(SOURCE)

    shown, named = (
        assemble(store, ["SPY", "QQQ"], "core", sources=sources)
        for sources in (None, {"QQQ": "file:archive"})
    )

    assert shown.sources["QQQ"] == SOURCE
    assert named.sources["QQQ"] == "file:archive"
    closes = dict(zip(other["timestamp"], other["close"], strict=True))
    assert named.frame["close_QQQ"].to_list() == [closes[at] for at in named.frame["timestamp"]]


def test_columns_without_a_value_are_told_and_not_shown_to_a_model(store, index):
    """What is made of volume is null for an index; no value of it could ever be learnt from."""
    data = assemble(store, ["SPY", "VIX"], "core", sources={"VIX": "file:cboe"})

    report = data.coverage.row(0, named=True)["empty_columns"]
    nothing = [name for name in data.frame.columns if data.frame[name].is_null().all()]
    assert [name for name in nothing if name.endswith("_VIX")] == report
    assert report
    assert {*nothing} == {*data.empty}
    assert not {*nothing} & {*data.columns}
    # Another range may have values there: who predicts finds every column.
    assert {*report} <= {*data.frame.columns}


def test_a_source_without_the_symbol_is_a_sentence(store, index):
    with pytest.raises(BarsMissingError):
        assemble(store, ["SPY", "QQQ"], "core", sources={"QQQ": "file:cboe"})


def test_bars_that_come_after_the_features_were_built_make_no_rows_of_their_own(store):
    built = build.build(store, "SPY", "core")
    before = store.bars("SPY", regular_only=True)
    put(store, random_walk("SPY", date(2024, 7, 9), date(2024, 7, 9), seed=11))

    part = read(Series(store, choose(store, "core"), built), labels.find("direction_1"))

    assert part.own["timestamp"].to_list() == before["timestamp"].to_list()
    assert part.own["close"].to_list() == before["close"].to_list()
    assert part.own["label"][-1] is None
    assert part.features.height == before.height


def test_a_copy_of_rows_is_there_when_the_rows_are_in_a_result(store):
    part = read(Series(store, choose(store, "core"), build.build(store, "SPY", "core")))
    kept = part.copy()

    put_together(part, [], [])

    assert kept.columns == ["close", *choose(store, "core").columns]
