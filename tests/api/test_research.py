"""What reading features, models and simulations over HTTP promises."""

import shutil
from datetime import UTC, datetime

import polars as pl
import pytest

import lake
from app.api.main import create_app
from feature_service import build, sets
from lake.models import StoredModel, insert_model
from lake.simulations import StoredSimulation, store_simulation
from tests.api.conftest import asked
from tests.api.samples import MINUTES

THEN, LATER = datetime(2024, 11, 4, tzinfo=UTC), datetime(2024, 11, 6, tzinfo=UTC)


@pytest.fixture(scope="module")
def built_home(filled_home, tmp_path_factory):
    home = tmp_path_factory.mktemp("built") / "home"
    shutil.copytree(filled_home, home)
    with lake.open(home) as opened:
        build.build(opened, "SPY")
        with opened.writing() as transaction:
            insert_model(transaction, model())
        none = (pl.DataFrame(schema=EQUITY), pl.DataFrame(schema=ORDERS))
        store_simulation(opened, simulation(), *none)
    return home


@pytest.fixture
def research(built_home, make_settings, queue):
    yield from asked(create_app(make_settings(built_home), queue.send))


EQUITY = {"timestamp": pl.Datetime("us", "UTC"), "equity": pl.Float64, "benchmark": pl.Float64}
ORDERS = {
    "number": pl.Int32,
    "decided_at": pl.Datetime("us", "UTC"),
    "filled_at": pl.Datetime("us", "UTC"),
    "side": pl.String,
    "shares": pl.Float64,
    "price": pl.Float64,
    "costs": pl.Float64,
}


def model():
    origin = {
        "label": "direction_15",
        "feature_set": "core",
        "set_version": "a" * 64,
        "snapshot": 3,
    }
    scores = {"params": {"seed": 0}, "metrics": {"accuracy": 0.5, "gain": float("nan")}}
    return StoredModel(
        "m1",
        "logistic",
        "SPY",
        ("QQQ",),
        **origin,
        **scores,
        path="models/m1.joblib",
        file_hash="b" * 64,
    )


def simulation():
    scores = {"params": {"fee": 0.1}, "metrics": {"sharpe": float("nan")}, "orders_hash": "c" * 64}
    return StoredSimulation(
        "s1", "threshold", "m1", "SPY", "realistic", THEN, LATER, 3, **scores, state="done"
    )


def test_the_latest_feature_rows_come_oldest_first(research):
    answer = research.get("/features/SPY?limit=3").json()

    assert (answer["symbol"], answer["set"]) == ("SPY", "core")
    assert [row["timestamp"][11:] for row in answer["features"]] == [
        "20:57:00Z",
        "20:58:00Z",
        "20:59:00Z",
    ]
    assert set(answer["features"][0]) == {"timestamp", "session_date", *built_columns()}


def built_columns():
    return set(sets.feature_set("core").columns)


def test_features_can_be_chosen_by_column_and_range(research):
    name = min(built_columns())
    rows = research.get(
        f"/features/SPY?columns={name}&start=2024-11-04&end=2024-11-04&limit=50000"
    ).json()["features"]

    assert len(rows) == MINUTES
    assert set(rows[0]) == {"timestamp", "session_date", name}
    assert rows[0]["timestamp"] == "2024-11-04T14:30:00Z"


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("/features/THIN", 404, "THIN"),
        ("/features/SPY?set=nonsense", 422, "The sets are "),
        ("/features/SPY?set=core_all", 404, "features build"),
        ("/features/SPY?set=..%2Fx", 422, "feature set"),
        ("/features/SPY?columns=nonsense", 422, "nonsense"),
        ("/features/SPY?limit=0", 422, "limit"),
    ],
)
def test_features_that_are_not_there_are_a_sentence(research, path, code, words):
    answer = research.get(path)

    assert answer.status_code == code
    assert words in answer.json()["message"]


def test_a_set_that_does_not_exist_is_not_queued(research, queue):
    answer = research.post("/features/SPY/rebuild?set=nonsense")

    assert answer.status_code == 422
    assert "core" in answer.json()["message"]
    assert queue.jobs == []


def test_models_come_with_where_they_are_from(research):
    (facts,) = research.get("/models").json()["models"]

    assert (facts["model_id"], facts["primary_symbol"], facts["context_symbols"]) == (
        "m1",
        "SPY",
        ["QQQ"],
    )
    assert facts["params"] == {"seed": 0}
    assert facts["metrics"] == {"accuracy": 0.5, "gain": None}


def test_simulations_come_with_their_numbers(research):
    (facts,) = research.get("/simulations").json()["simulations"]

    assert (facts["simulation_id"], facts["mode"], facts["state"]) == ("s1", "realistic", "done")
    assert (facts["start"], facts["end"]) == ("2024-11-04T00:00:00Z", "2024-11-06T00:00:00Z")
    assert facts["metrics"] == {"sharpe": None}
