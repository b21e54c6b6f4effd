"""An audit finds what is not as its definitions give it, and says so in the build's metadata."""

import json

import duckdb
import polars as pl
import pytest

from feature_service import build, sets
from feature_service.audit import audit
from lake import Lake
from lake.features import FeaturesMissingError, latest_build

from .walks import SOURCE


def noted(store: Lake, build_id: str):
    params = store.sql("SELECT params FROM feature_builds WHERE build_id = ?", [build_id]).item()
    return json.loads(params)["audit"]


def test_what_was_built_is_clean_and_the_build_says_so(store):
    built = build.build(store, "SPY")

    verdict = audit(store, "SPY")

    assert verdict.clean
    assert verdict.intact
    assert verdict.rows > built.rows
    assert len(verdict.cuts) == 5
    assert noted(store, built.build_id)["clean"] is True


def test_an_audited_build_still_stands(store):
    first = build.build(store, "SPY")
    audit(store, "SPY")

    assert not build.build(store, "SPY").fresh
    version = sets.feature_set("core").version
    assert latest_build(store, "core", version, SOURCE, "SPY").build_id == first.build_id


def test_a_value_that_was_changed_in_its_file_is_found(store):
    built = build.build(store, "SPY")
    (path,) = store.home.glob("parquet/main/features_core_*/**/symbol=SPY/**/*.parquet")
    frame = pl.read_parquet(path)
    row = frame.height - 1
    value = (
        pl.when(pl.int_range(pl.len()) == row)
        .then(pl.col("rsi_14") + 1)
        .otherwise(pl.col("rsi_14"))
    )
    ids = duckdb.sql(
        f"SELECT name, field_id FROM parquet_schema('{path}') WHERE field_id IS NOT NULL"
    ).fetchall()
    changed = frame.with_columns(value.alias("rsi_14")).to_arrow()
    named = ", ".join(f'"{name}": {number}' for name, number in ids)
    duckdb.sql(f"COPY changed TO '{path}' (FORMAT parquet, FIELD_IDS {{{named}}})")

    verdict = audit(store, "SPY")

    assert not verdict.clean
    assert not verdict.intact
    assert list(verdict.differing) == ["rsi_14"]
    assert verdict.differing["rsi_14"]["first"] == frame["timestamp"][row].isoformat()
    assert noted(store, built.build_id)["differing"] == verdict.differing
    assert changed.num_rows == built.rows


def test_what_was_never_built_says_how_to_build_it(store):
    with pytest.raises(FeaturesMissingError, match="barlake features build SPY --set wide"):
        audit(store, "SPY", "wide")
