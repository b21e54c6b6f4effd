"""The report of a model, from its row in the registry alone."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from lake.models import StoredModel
from reporting import NONE, Column, Figure, Page, count, number, ratio, share
from training_service import plots
from training_service import report_facts as facts
from training_service.report_facts import RIVALS, SCORES, Facts

_MOST_NAMES = 20
_ABSENT = "This model does not store {what}: train it again with this version to see it."


def report(stored: StoredModel) -> Page:
    """The page of a model: what it is, what it is worth beside no model at all, what it looks at.

    What the row does not have is said in a sentence.
    """
    metrics, params = stored.metrics, stored.params
    page = Page(
        stored.name,
        f"Model {stored.model_id} · {stored.label} of {stored.primary_symbol}"
        + (f" with {', '.join(stored.context_symbols)}" if stored.context_symbols else "")
        + f" · tested {_day(params.get('test_start'))} to {_day(params.get('test_end'))}",
    )
    for warning in [*facts.beaten_by(metrics), *metrics.get("warnings", [])]:
        page.warning(warning)
    _key_figures(page, metrics)
    _scores(page, metrics)
    _folds(page, metrics)
    _paths(page, metrics)
    _search(page, metrics)
    page.heading("Where it errs")
    _calibration(page, metrics)
    _confusion(page, metrics)
    _residuals(page, metrics)
    page.heading("What it looks at")
    _importance(page, metrics)
    _drift(page, metrics)
    _provenance(page, stored)
    return page


def _key_figures(page: Page, metrics: Facts) -> None:
    test, rivals = metrics["test"], facts.baselines(metrics)
    shown = [name for name in facts.chief_scores(test) if test.get(name) is not None]
    cards = [
        Figure(
            f"{SCORES[name][0]} in the test",
            SCORES[name][1](test[name]),
            ", ".join(
                f"{rival} {SCORES[name][1](scores[name])}"
                for rival, scores in rivals.items()
                if scores.get(name) is not None
            ),
        )
        for name in shown
    ]
    trained = metrics.get("train") or {}
    page.figures(
        [
            *cards,
            Figure("Rows tested", count(test["rows"]), f"trained on {count(trained.get('rows'))}"),
        ]
    )
    if test.get("accuracy") is not None and test["rows"]:
        error = math.sqrt(test["accuracy"] * (1 - test["accuracy"]) / test["rows"])
        page.paragraph(
            f"Were the rows independent, chance would move the accuracy by {share(error)} (one "
            "standard error). Labels that overlap share their prices, so the true error is larger."
        )


def _scores(page: Page, metrics: Facts) -> None:
    page.heading("Scores")
    rows = {
        "Model, test": metrics["test"],
        "Model, its own training rows": metrics.get("train") or {},
        **{f"{name.capitalize()}, test": found for name, found in facts.baselines(metrics).items()},
    }
    known = [name for name in SCORES if any(one.get(name) is not None for one in rows.values())]
    page.table(
        ["", *(SCORES[name][0] for name in known)],
        [[title, *(_told(one, name) for name in known)] for title, one in rows.items()],
        "The test lies behind the training rows; scores in the training rows only tell how much was "
        "learnt by heart.",
    )


def _folds(page: Page, metrics: Facts) -> None:
    folds: Sequence[Facts] = metrics.get("folds") or []
    for note in metrics.get("notes") or []:
        page.paragraph(note)
    if not folds:
        page.paragraph("There are no folds: too few rows to train along them.")
        return
    columns = _fold_columns(folds)
    whole: Facts | None = metrics.get("total")
    rows = [
        [_day(one.get("test_start")), count(one.get("rows")), *_beside(one, columns)]
        for one in folds
    ]
    if whole:
        rows.append(["All tested rows", count(whole.get("rows")), *_beside(whole, columns)])
    titles = [SCORES[name][0] if rival is None else f"… {RIVALS[rival]}" for name, rival in columns]
    page.table(
        ["Test from", "Rows", *titles],
        rows,
        f"Each fold is a model of its own, tested on rows it has not seen.{_together(whole)}",
    )
    name = facts.chief_scores(folds[0])[0]
    title = SCORES[name][0]
    page.chart(
        f"{title} by fold",
        plots.fold_chart(folds, name, title.lower(), "%" if name == "accuracy" else ".4~g"),
        alt=f"{title} of {len(folds)} folds: "
        + ", ".join(SCORES[name][1](one.get(name)) for one in folds),
        caption="A model that is good at one time only is a model of that time.",
    )


def _together(whole: Facts | None) -> str:
    """How many tests the last row is made of; a row that was tested twice counts twice."""
    if not whole or not whole.get("tests"):
        return ""
    distinct, rows = whole.get("distinct_rows"), whole.get("rows")
    twice = f", {count(distinct)} of them different ones" if distinct != rows else ""
    return f" The last line is of {count(whole['tests'])} tests: {count(rows)} rows{twice}."


def _fold_columns(folds: Sequence[Facts]) -> list[tuple[str, str | None]]:
    """Scores, each with those of the rivals that have it."""
    return [
        (name, rival)
        for name in facts.chief_scores(folds[0])
        for rival in (None, *RIVALS)
        if any(_of(one, rival).get(name) is not None for one in folds)
        and (name != "auc" or rival is None)  # theirs is one half, always
    ]


def _beside(one: Facts, columns: Sequence[tuple[str, str | None]]) -> list[str | None]:
    return [_told(_of(one, rival), name) for name, rival in columns]


def _of(one: Facts, rival: str | None) -> Facts:
    return one if rival is None else one.get(rival) or {}


def _paths(page: Page, metrics: Facts) -> None:
    paths: Facts = metrics.get("paths") or {}
    spread: Facts = paths.get("spread") or {}
    if not spread:
        return
    page.table(
        ["Score over the paths", "Worst", "Lower quarter", "Middle", "Upper quarter", "Best"],
        [
            [SCORES[name][0], *(SCORES[name][1](one.get(at)) for at in _places(name))]
            for name, one in spread.items()
            if name in SCORES
        ],
        f"{count(paths.get('count'))} ways through all groups of the combinatorial split; "
        f"{share(paths.get('better_than_dummy'), 0)} of them beat the dummy's loss.",
    )


def _places(name: str) -> tuple[str, ...]:
    upward = ("min", "q25", "median", "q75", "max")
    return upward[::-1] if name in facts.LOSSES else upward


def _search(page: Page, metrics: Facts) -> None:
    found: Facts | None = metrics.get("search")
    if not found:
        return
    trials = facts.settings(found)
    names = [*dict.fromkeys(name for *_, chosen in trials for name in chosen)]
    title = facts.objective(found)
    best = trials[0]
    chosen = ", ".join(f"{name} {number(best[2].get(name))}" for name in names)
    page.paragraph(
        f"Its settings are those of trial {best[0]} of {count(len(trials))}: {chosen}. On folds inside "
        f"the training rows its {title.lower()} was {number(best[1])}; the first trial is what "
        "the estimator comes with."
    )
    page.table(
        ["Trial", title, *names],
        [
            [count(at), number(value), *(number(one.get(name)) for name in names)]
            for at, value, one in trials[:_MOST_NAMES]
        ],
        f"The best {min(len(trials), _MOST_NAMES)} of {count(len(trials))} trials of settings",
        folded=True,
    )


def _calibration(page: Page, metrics: Facts) -> None:
    found = facts.calibration(metrics)
    if not any(found.values()):
        if metrics["test"].get("log_loss") is not None:
            page.paragraph(_ABSENT.format(what="how well its chances are calibrated"))
        return
    page.chart(
        "Calibration",
        plots.agreement_chart(found, "chance that was said", "share that came true", ".0%"),
        alt="; ".join(
            f"said {share(one['said'], 1)}, came true {share(one['was'], 1)}, {name}"
            for name, bins in found.items()
            for one in bins
        ),
        caption="Rows of the test in bins of their chance. On the dashed line what was said came "
        "true as often; a line flatter than that is a model too sure of itself.",
    )


def _confusion(page: Page, metrics: Facts) -> None:
    found = facts.confusion(metrics)
    if found is None:
        if metrics["test"].get("accuracy") is not None:
            page.paragraph(_ABSENT.format(what="what it took for what"))
        return
    classes, counts = found
    page.table(
        ["Truth", *(f"said {one}" for one in classes), *(f"… {one}, share" for one in classes)],
        [
            [truth, *map(count, row), *(share(one / sum(row) if sum(row) else None) for one in row)]
            for truth, row in zip(classes, counts, strict=True)
        ],
        "Rows of the test by their true class and by what the model said; shares are of the row.",
    )


def _residuals(page: Page, metrics: Facts) -> None:
    bins, spread = facts.scatter(metrics), facts.quantiles(metrics)
    if not bins and not spread:
        if metrics["test"].get("rmse") is not None:
            page.paragraph(_ABSENT.format(what="its errors"))
        return
    if spread:
        page.table(
            ["Share of the rows below", "Error"],
            [[share(at, 0), number(error)] for at, error in spread],
            "Errors in the test, truth less estimate, in the label's unit.",
        )
    if bins:
        page.chart(
            "Truth against estimate",
            plots.agreement_chart({"model": bins}, "estimate, mean of a bin", "truth, mean", "~g"),
            alt="; ".join(f"said {number(one['said'])}, was {number(one['was'])}" for one in bins),
            caption="Rows of the test in bins of their estimate. Means hide how far single rows lie "
            "from them: the errors above do not.",
        )


def _importance(page: Page, metrics: Facts) -> None:
    found = facts.importance(metrics)
    if not found:
        page.paragraph(_ABSENT.format(what="which features matter to it"))
        return
    score = facts.score_shuffled(metrics)
    for title, rows in (("feature", found), ("group", facts.importance(metrics, "groups"))):
        if not rows:
            continue
        shown = rows[:_MOST_NAMES]
        page.chart(
            f"Permutation importance by {title}",
            plots.importance_chart(shown, f"{score} worse by, when shuffled"),
            alt="; ".join(f"{one['name']} {ratio(one['worse'], 5)}" for one in shown),
            caption=f"The first {len(shown)}, in the test. Features that say the same stand in for "
            "one another, so each of them looks unimportant; below 0 the model did better without.",
        )


def _drift(page: Page, metrics: Facts) -> None:
    found = facts.drift(metrics)
    if not found:
        page.paragraph(_ABSENT.format(what="how far its features have drifted"))
        return
    shown = found[:_MOST_NAMES]
    great = sum(one["psi"] > plots.GREAT_DRIFT for one in found)
    page.chart(
        "Drift of the features",
        plots.drift_chart(shown),
        alt="; ".join(f"{one['name']} {ratio(one['psi'], 3)}" for one in shown),
        caption=f"Test against training rows, the first {len(shown)}; {great} of {len(found)} stored "
        f"lie above {plots.GREAT_DRIFT}, usually read as great (dashed: {plots.SOME_DRIFT} and "
        f"{plots.GREAT_DRIFT}). Prices drift because they are prices: that by itself is no fault.",
    )


def _provenance(page: Page, stored: StoredModel) -> None:
    page.heading("Where it comes from")
    params = stored.params
    recipe: Facts = params.get("recipe") or {}
    rows: Facts = params.get("rows") or {}
    code: Facts = params.get("code") or {}
    told = {
        "Model": stored.model_id,
        "Registered (UTC)": None
        if stored.created_at is None
        else f"{stored.created_at:%Y-%m-%d %H:%M}",
        "Estimator": recipe.get("model"),
        "Label": stored.label,
        "Symbols": ", ".join(stored.symbols),
        "Sources": _pairs(params.get("sources")),
        "Features": f"{stored.feature_set}, {count(params.get('columns'))} columns",
        "Version of the set": stored.set_version,
        "Split": _pairs(recipe.get("split")),
        "Seed": number(recipe.get("seed")),
        "Trained (UTC)": f"{_minute(params.get('train_start'))} to {_minute(params.get('train_end'))}",
        "Tested (UTC)": f"{_minute(params.get('test_start'))} to {_minute(params.get('test_end'))}",
        "Rows": _pairs(rows),
        "Snapshot of the lake": str(stored.snapshot),
        "Hash of the rows": params.get("data_hash"),
        "Code": _pairs(code),
        "Libraries": _pairs(params.get("libraries")),
        "File": stored.path,
        "SHA-256 of the file": stored.file_hash,
    }
    page.table(
        [Column("", numeric=False), Column("", numeric=False)],
        [[name, value or None] for name, value in told.items()],
    )


def _told(scores: Mapping[str, Any], name: str) -> str | None:
    value = scores.get(name)
    return None if value is None else SCORES[name][1](value)


def _pairs(found: Facts | None) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {number(value)}" for name, value in (found or {}).items()
    )


def _day(moment: str | None) -> str:
    return NONE if moment is None else moment[:10]


def _minute(moment: str | None) -> str:
    return NONE if moment is None else moment[:16].replace("T", " ")
