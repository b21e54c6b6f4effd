"""What a model's report promises: the stored scores beside no model at all, and no hole without a word."""

import shutil
from dataclasses import replace

import pytest

import lake
from lake.models import StoredModel
from reporting import html, png
from tests.reporting.reading import Read, fetched
from training_service import report_facts
from training_service.report import report
from training_service.training import train

FACTS = {
    "calibration": {
        "1": [
            {"chance": 0.31, "share": 0.42, "rows": 700},
            {"chance": 0.62, "share": 0.55, "rows": 300},
        ]
    },
    "confusion": {"classes": [0, 1], "rows": [[30, 10], [25, 35]]},
    "residuals": {"mean": 0, "std": 1, "quantiles": [[0.05, -1.5], [0.5, 0.25], [0.95, 1.75]]},
    "scatter": [
        {"prediction": 0.1, "truth": 0.2, "rows": 9},
        {"prediction": 0.3, "truth": 0.1, "rows": 8},
    ],
    "importance": {
        "score": "log_loss",
        "features": [{"name": "close", "worse": 0.01}, {"name": "rsi_14", "worse": 0.002}],
        "groups": [{"name": "momentum", "worse": 0.003}],
    },
    "drift": [{"feature": "close", "psi": 1.25, "drift": "great"}, {"feature": "rsi_14", "psi": 0.03}],
}  # fmt: skip


@pytest.fixture(scope="module")
def stored(built_home, tmp_path_factory) -> StoredModel:
    home = tmp_path_factory.mktemp("reports") / "home"
    shutil.copytree(built_home, home)
    with lake.open(home) as opened:
        return train(opened, ["SPY", "QQQ"], label="direction_1").stored


def scored(stored, **metrics) -> StoredModel:
    return replace(stored, metrics={**stored.metrics, **metrics})


def read_of(stored) -> Read:
    read = Read(html(report(stored)))
    assert fetched(read) == []
    assert read.open == []
    return read


def test_every_score_is_the_stored_one_beside_no_model_at_all(stored):
    read = read_of(stored)

    rows = {
        "Model, test": stored.metrics["test"],
        "Model, its own training rows": stored.metrics["train"],
        "Majority, test": stored.metrics["baselines"]["majority"],
        "Always up, test": stored.metrics["baselines"]["always_up"],
    }
    titles = [
        "",
        "Accuracy",
        "Balanced accuracy",
        "Log loss",
        "AUC",
        "Truly up",
        "Said to be up",
        "Rows",
    ]
    shown = {row[0]: row[1:] for row in read.table(*titles)}
    for title, one in rows.items():
        loss = "\N{EN DASH}" if one["log_loss"] is None else f"{one['log_loss']:.4f}"
        assert shown[title] == [
            f"{one['accuracy']:.2%}", f"{one['balanced_accuracy']:.2%}", loss, f"{one['auc']:.4f}",
            f"{one['up_share']:.2%}", f"{one['predicted_up_share']:.2%}", f"{one['rows']:,}",
        ]  # fmt: skip
    assert read.figures["Accuracy in the test"] == f"{rows['Model, test']['accuracy']:.2%}"


def test_every_fold_is_told_with_its_own_rivals_and_all_of_them_together(stored):
    folds = [
        {**one, "dummy": {"accuracy": 0.5111, "log_loss": 0.6931}, "always_up": {"accuracy": 0.4777}}
        for one in stored.metrics["folds"]
    ]  # fmt: skip
    total = {**folds[0], "rows": 4321, "tests": 5, "distinct_rows": 4000}
    read = read_of(scored(stored, folds=folds, total=total))

    table = read.table("Test from", "Rows", "Accuracy", "… dummy", "… always up", "Log loss")
    wanted = [
        [
            first, f"{one['rows']:,}", f"{one['accuracy']:.2%}", "51.11%", "47.77%",
            f"{one['log_loss']:.4f}", "0.6931", f"{one['auc']:.4f}",
        ]
        for first, one in [*((one["test_start"][:10], one) for one in folds), ("All tested rows", total)]
    ]  # fmt: skip
    assert table == wanted
    assert "Accuracy by fold" in read.headings
    assert "The last line is of 5 tests: 4,321 rows, 4,000 of them different ones." in read.said


def test_a_model_says_where_it_came_from(stored):
    read = read_of(stored)

    assert read.titles[0] == stored.name
    assert read.row("Model") == [stored.model_id]
    assert read.row("SHA-256 of the file") == [stored.file_hash]
    assert read.row("Symbols") == ["SPY, QQQ"]
    assert read.row("Snapshot of the lake") == [str(stored.snapshot)]
    assert stored.params["train_end"][:16].replace("T", " ") in read.row("Trained (UTC)")[0]


def test_what_a_model_does_not_store_is_said_in_a_sentence(stored):
    said = read_of(scored(stored, evaluation={}, folds=[])).said

    for what in ("calibrated", "what it took for what", "features matter", "features have drifted"):
        assert what in said, what
    assert "There are no folds" in said
    assert said.count("train it again with this version") == 4


def test_facts_of_the_evaluation_are_told(stored):
    page = report(scored(stored, evaluation=FACTS))
    read = Read(html(page))

    assert read.table("Truth", "said 0", "said 1") == [
        ["0", "30", "10", "75.00%", "25.00%"],
        ["1", "25", "35", "41.67%", "58.33%"],
    ]
    assert read.table("Share of the rows below") == [
        ["5%", "-1.5"],
        ["50%", "0.25"],
        ["95%", "1.75"],
    ]
    alts = {value for name, value in read.attributes if name == "aria-label"}
    assert "said 31.0%, came true 42.0%, class 1; said 62.0%, came true 55.0%, class 1" in alts
    assert "said 0.1, was 0.2; said 0.3, was 0.1" in alts
    assert "close 0.01000; rsi_14 0.00200" in alts
    assert "close 1.250; rsi_14 0.030" in alts
    assert "1 of 2 stored lie above 0.25" in read.said
    assert "momentum 0.00300" in alts
    assert "log loss worse by, when shuffled" in html(page)
    assert read.open == []
    assert png(page).startswith(b"\x89PNG\r\n\x1a\n")


def test_a_model_of_numbers_has_its_own_scores(stored):
    of_numbers = {"rows": 100, "rmse": 0.0123, "rank_correlation": 0.05, "sign_accuracy": 0.52,
                  "mae": 0.01, "r2": -0.001, "accuracy": None, "log_loss": None}  # fmt: skip
    mean = {**of_numbers, "rmse": 0.0122, "rank_correlation": None, "r2": 0.0}
    read = read_of(
        replace(
            stored,
            metrics={
                "test": of_numbers,
                "train": of_numbers,
                "baselines": {"mean": mean, "always_up": {"rows": 100, "sign_accuracy": 0.51}},
                "folds": [{"test_start": "2024-07-01T13:30:00+00:00", **of_numbers, "dummy": mean}],
            },
        )
    )

    assert read.figures["Root mean square error in the test"] == "0.0123"
    assert read.row("2024-07-01")[:3] == ["100", "0.0123", "0.0122"]
    assert read.warnings[0] == (
        "Warning. In the test the model is no better than mean: "
        "root mean square error 0.0123 against 0.0122."
    )
    assert "does not store its errors" in read.said


def test_small_errors_keep_their_digits():
    metrics = {"test": {"rmse": 0.0013134}, "baselines": {"mean": {"rmse": 0.0013119}}}

    (said,) = report_facts.beaten_by(metrics)
    assert said.endswith("root mean square error 0.001313 against 0.001312.")


def test_a_model_no_better_than_none_is_warned_of_and_a_better_one_is_not():
    good = {"accuracy": 0.6, "log_loss": 0.6, "auc": 0.6}
    dummy = {"accuracy": 0.5, "log_loss": 0.69, "auc": 0.5}
    losing = {**good, "log_loss": 0.69, "accuracy": 0.49}

    assert report_facts.beaten_by({"test": good, "baselines": {"majority": dummy}}) == []
    assert report_facts.beaten_by({"test": losing, "baselines": {"always_up": dummy}}) == [
        "In the test the model is no better than always up: accuracy 49.00% against 50.00%.",
        "In the test the model is no better than always up: log loss 0.6900 against 0.6900.",
    ]


def test_what_scikit_learn_had_to_say_is_loud(stored):
    read = read_of(scored(stored, warnings=["lbfgs failed to converge"]))

    assert "Warning. lbfgs failed to converge" in read.warnings


def test_paths_of_a_combinatorial_split_are_told_from_the_worst_to_the_best(stored):
    spread = {"min": 0.1, "q25": 0.2, "median": 0.3, "q75": 0.4, "max": 0.5, "mean": 0.3}
    paths = {"count": 5, "spread": {"auc": spread, "log_loss": spread}, "better_than_dummy": 0.8}
    read = read_of(scored(stored, paths=paths))

    rows = read.table("Score over the paths")
    assert rows[0] == ["AUC", "0.1000", "0.2000", "0.3000", "0.4000", "0.5000"]
    assert rows[1] == ["Log loss", "0.5000", "0.4000", "0.3000", "0.2000", "0.1000"]
    assert "5 ways through all groups of the combinatorial split; 80% of them" in read.said


def test_what_training_had_to_leave_out_is_said(stored):
    note = "The training rows of fold 2 of 5 have one class only, so it was left out."

    assert note in read_of(scored(stored, notes=[note])).paragraphs


def test_searched_settings_are_told_the_best_first(stored):
    trials = [
        {"parameters": {"max_depth": 3, "l2": 0.5}, "value": 0.6931},
        {"parameters": {"max_depth": 7, "l2": 1.5}, "value": 0.6912},
        {"parameters": {"max_depth": 2, "l2": 0.0}, "value": 1.7976931348623157e308},
    ]
    read = read_of(scored(stored, search={"objective": "log_loss", "trials": trials, "best": 2}))

    assert "Its settings are those of trial 2 of 3: max_depth 7, l2 1.5." in read.said
    assert "its log loss was 0.6912" in read.said
    assert read.table("Trial", "Log loss", "max_depth", "l2") == [
        ["2", "0.6912", "7", "1.5"],
        ["1", "0.6931", "3", "0.5"],
        ["3", "1.798e+308", "2", "0"],
    ]
    rates = {"objective": "error_rate", "trials": trials[:1], "best": 1}
    assert "its 1 less balanced accuracy was 0.6931" in read_of(scored(stored, search=rates)).said


def test_a_model_named_like_a_script_runs_nothing(stored):
    read = read_of(replace(stored, name="<script>alert(1)</script>"))

    assert read.titles[0] == "<script>alert(1)</script>"
    assert "script" not in read.tags
