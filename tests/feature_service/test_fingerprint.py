"""What a feature's hash covers: what changes values changes it, what does not leaves it alone."""

import linecache

import polars as pl
import pytest

from feature_service import catalog, fingerprint, registry, sets
from feature_service.fingerprint import code_hash

PLAIN = """
LIMIT = 3
def helper(x):
    return x + LIMIT
def calculate(x):
    return helper(x) * 2
"""


def hash_of(source: str, name: str = "calculate") -> str:
    """The code hash of a function in a module with this source."""
    filename = f"<{hash(source)}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    module: dict[str, object] = {"__name__": "feature_service.made_up"}
    exec(compile(source, filename, "exec"), module)
    return code_hash(module[name])  # type: ignore[arg-type]


def test_layout_comments_and_docstrings_do_not_count():
    dressed = PLAIN.replace(
        "    return helper(x) * 2", '    """Say."""\n    # why\n    return helper( x )*2'
    )

    assert hash_of(dressed) == hash_of(PLAIN)


@pytest.mark.parametrize(
    ("old", "new"),
    [("* 2", "* 3"), ("x + LIMIT", "x - LIMIT"), ("LIMIT = 3", "LIMIT = 4")],
    ids=["the function", "what it calls", "a constant"],
)
def test_a_change_of_logic_counts_wherever_it_is(old, new):
    assert hash_of(PLAIN.replace(old, new)) != hash_of(PLAIN)


def test_features_of_one_function_differ_by_their_parameters():
    features = catalog.features()

    assert features["sma_5"].hash != features["sma_20"].hash


def test_a_parent_counts(monkeypatch):
    child, parent = catalog.features()["bb_upper_20"], catalog.features()["sma_20"]
    before = child.hash
    monkeypatch.setitem(registry._BY_NAME, "sma_20", catalog.features()["sma_50"])

    assert parent.name in child.parents
    assert child.hash != before


def test_the_version_of_polars_counts(monkeypatch):
    before = catalog.features()["sma_5"].hash
    monkeypatch.setattr(pl, "__version__", "0.0.1")

    assert catalog.features()["sma_5"].hash != before


def test_every_hash_is_different():
    hashes = [feature.hash for feature in catalog.features().values()]

    assert len(set(hashes)) == len(hashes)


def test_sets_of_the_same_columns_over_other_hours_are_other_versions():
    assert sets.feature_set("core").version != sets.feature_set("core_all").version


def test_a_name_cannot_be_declared_twice():
    def another() -> pl.Expr:
        return pl.col("close")

    with pytest.raises(ValueError, match="sma_5 is declared twice"):
        registry.feature("sma_5", group="trend", unit="USD per share", source="here")(another)


def test_facts_in_another_order_are_the_same_facts():
    assert fingerprint.digest({"a": 1, "b": 2}) == fingerprint.digest({"b": 2, "a": 1})
