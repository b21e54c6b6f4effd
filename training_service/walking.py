"""Predictions along time, each by a model that has seen nothing but the past of its step."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from feature_service.fingerprint import digest
from lake import Lake, sessions
from lake.errors import InvalidError, ProblemError
from lake.features import content_hash
from lake.sessions import Moment
from training_service import labels, provenance
from training_service.dataset import Dataset
from training_service.fitting import Data, Fitted, Truth, Values, keys_of, matrix, take
from training_service.judging import TooFewRowsError, learnt
from training_service.model import splits_of
from training_service.progress import Progress, Tell
from training_service.purging import Rows
from training_service.recipe import Recipe
from training_service.split_walks import Kind
from training_service.training import check, dataset_of

#: Fewer rows than these teach nothing, whatever the model.
LEAST_ROWS = 50
_ROOMS = ("feature_service", "training_service")
_TIME = pl.Datetime("us", "UTC")


class WalkError(ProblemError):
    """A walk through time that cannot be."""


class StepRowsError(TooFewRowsError):
    """A step before which too few labels were known."""

    def __init__(self, symbols: Sequence[str], label: str, rows: int, session: str) -> None:
        InvalidError.__init__(self, tuple(symbols), label, rows, session)
        self.symbols, self.label, self.rows = tuple(symbols), label, rows
        self.session = session

    def __str__(self) -> str:
        return (
            f"Before {self.session} {' with '.join(self.symbols)} has {self.rows} rows whose "
            f"{self.label} is known, and a step of a walk learns from {LEAST_ROWS} or more. "
            "Begin later, let each model speak for more sessions, or widen the rolling window."
        )


@dataclass(frozen=True)
class Schedule:
    """When models are trained anew, in sessions.

    Attributes:
        retrain: How many sessions one model speaks for.
        window: ``expanding`` trains on everything before a step, ``rolling`` on the newest of it.
        length: How many sessions a rolling window has; None for as many as lie before the first
            step.
        first: The session or the moment from which on is predicted; None for the session after the
            first ``retrain`` ones.
    """

    retrain: int = 20
    window: Kind = "expanding"
    length: int | None = None
    first: Moment = None

    def __post_init__(self) -> None:
        if self.retrain < 1:
            problem = f"A model speaks for one session or more, not {self.retrain}."
            raise WalkError(problem)
        if self.window not in {"expanding", "rolling"}:
            problem = f"The window is expanding or rolling, not {str(self.window)[:40]!r}."
            raise WalkError(problem)
        if self.length is not None and (self.length < 1 or self.window == "expanding"):
            problem = "A length is one session or more, and of a rolling window alone."
            raise WalkError(problem)


@dataclass(frozen=True)
class OutOfSample:
    """Predictions that nobody could have made better by looking ahead.

    Attributes:
        frame: ``timestamp`` (the bar's opening, UTC), ``session_date``, ``symbol`` of a panel,
            ``prediction`` (the class or the number), ``chance`` of class 1 where the label is 0 or
            1, and ``trained_to``, the opening of the newest bar that a training label looked at;
            sorted. A row for each of the data set's from the first step on, with a label or not.
        facts: The recipe, the schedule, what it was computed from, and ``steps``: ``first_session``,
            ``last_session``, ``rows``, ``train_rows``, ``trained_from``, ``trained_to`` and, where
            they were searched, ``parameters`` of each.
        hash: Of the frame's values.
    """

    frame: pl.DataFrame
    facts: dict[str, Any]
    hash: str


def out_of_sample(
    lk: Lake,
    recipe: Recipe,
    *,
    retrain: int = 20,
    start: Moment = None,
    end: Moment = None,
    window: Kind = "expanding",
    length: int | None = None,
    progress: Tell | None = None,
) -> OutOfSample:
    """Walk through time, training a recipe anew every so many sessions.

    A step's model is fitted on rows whose label windows ended before the step's first bar, and on
    the columns that have a value in one of them. The recipe's ``split`` and ``walk`` do not matter
    here; its ``start`` is where learning begins.

    Args:
        lk: The lake.
        recipe: How each model is made.
        retrain: How many sessions one model speaks for.
        start: The session or the moment from which on is predicted; None for the session after the
            first ``retrain`` ones.
        end: Of the predictions, included; None for the recipe's end.
        window: ``expanding`` trains on everything before, ``rolling`` on the newest sessions of it.
        length: How many those are; None for as many as lie before the first step.
        progress: Told before each step; what it raises stops the walk.

    Raises:
        WalkError: The schedule cannot be, or nothing is left to predict.
        StepRowsError: A step's training rows are fewer than fifty.
        OneClassError: A step's training rows have one class only.
        InvalidError: As :func:`training_service.training.train_recipe`.
    """
    check(recipe)
    schedule = Schedule(retrain, window, length, start)
    told = Progress(progress)
    told.at("features and labels", 0)
    asked = recipe if end is None else replace(recipe, end=end)
    data = dataset_of(lk, asked)
    snapshot = lk.snapshot()  # not before: bars may come while features are built, and are learnt
    frame, steps = walk(data, asked, schedule, told.part(0.1, 1))
    facts = {
        "recipe": recipe.facts,
        "schedule": {"retrain": retrain, "window": window, "length": length},
        "steps": steps,
        "sources": data.sources,
        "splits": splits_of(lk, data.sources),
        "set_version": data.set_version,
        "snapshot": snapshot,
        "code": provenance.code_version(*_ROOMS),
        "libraries": provenance.libraries(),
    }
    return OutOfSample(frame, facts, _hash(frame))


def walk(
    data: Dataset, recipe: Recipe, schedule: Schedule, progress: Progress | None = None
) -> tuple[pl.DataFrame, list[dict[str, Any]]]:
    """The frame and the steps of a walk along a data set with labels.

    Raises:
        WalkError, StepRowsError, OneClassError: As :func:`out_of_sample`.
    """
    tell = progress or Progress()
    held = _Held.of(data, recipe)
    places = _steps(held, schedule)
    length = schedule.length or int(held.sessions[places[0][0]])
    frames, steps = [], []
    for number, (begin, stop) in enumerate(places):
        part = tell.part(number / len(places), (number + 1) / len(places))
        part.at(f"step {number + 1} of {len(places)}", 0)
        oldest = int(held.sessions[begin]) - length if schedule.window == "rolling" else 0
        rows = held.known_before(begin, oldest)
        if len(rows) < LEAST_ROWS:
            session = data.frame["session_date"][begin].isoformat()
            raise StepRowsError(recipe.symbols, recipe.label, len(rows), session)
        known = held.columns_known(rows)
        fitted = learnt(recipe, held.rows(rows, known), part)
        newest = int(held.ends[rows].max())
        asked = _columns(held.values[begin:stop], known)
        frames.append(_said(data, fitted, asked, slice(begin, stop), newest))
        steps.append(_facts(data.frame, fitted, (begin, stop), rows, newest))
    return pl.concat(frames), steps


@dataclass(frozen=True)
class _Held:
    """All rows as arrays; ``ends`` is -1 where there is no label."""

    values: Values
    truth: Truth
    begins: Rows
    ends: Rows
    sessions: Rows
    keys: pl.DataFrame

    @classmethod
    def of(cls, data: Dataset, recipe: Recipe) -> "_Held":
        frame = data.frame
        kind, empty = (pl.Int64, 0) if recipe.classes else (pl.Float64, 0.0)
        changes = frame["session_date"].ne_missing(frame["session_date"].shift(1)).to_numpy()
        numbers = np.cumsum(changes, dtype=np.int64)
        return cls(
            values=matrix(frame, data.columns),
            truth=frame[labels.VALUE].cast(kind).fill_null(empty).to_numpy(),
            begins=frame["timestamp"].dt.epoch("us").to_numpy(),
            ends=frame[labels.END].dt.epoch("us").fill_null(-1).to_numpy(),
            sessions=numbers - numbers[:1],
            keys=keys_of(frame),
        )

    def known_before(self, begin: int, oldest: int) -> Rows:
        """Rows whose label was known before a row's bar opened, from a session on.

        The last bar a label looks at opened a minute or more before, so it had closed by then.
        """
        before = slice(0, begin)
        known = (self.ends[before] >= 0) & (self.ends[before] < self.begins[begin])
        return np.flatnonzero(known & (self.sessions[before] >= oldest))

    def columns_known(self, chosen: Rows) -> Rows:
        """The columns that some of these rows have a value of.

        Of the others nothing can be learnt, and that a later row has one must not be known: how
        many columns there are changes what a forest draws.
        """
        first = np.isnan(self.values[chosen[0]])
        empty = [one for one in np.flatnonzero(first) if np.isnan(self.values[chosen, one]).all()]
        return np.setdiff1d(np.arange(len(first)), empty)

    def rows(self, chosen: Rows, columns: Rows) -> Data:
        values = _columns(take(self.values, chosen), columns)
        return Data(values, take(self.truth, chosen), self.keys[chosen])


def _columns(values: Values, columns: Rows) -> Values:
    """Some columns; the same values where these are all."""
    return values if len(columns) == values.shape[1] else values[:, columns]


def _steps(held: _Held, schedule: Schedule) -> list[tuple[int, int]]:
    """First rows and ends of steps; the first may begin inside a session."""
    count = int(held.sessions[-1]) + 1
    if schedule.first is None:
        begin = int(np.searchsorted(held.sessions, schedule.retrain))
    else:
        moment = sessions.window(schedule.first, None)[0]
        opening = pl.Series([moment], dtype=_TIME).dt.epoch("us")[0]
        begin = int(np.searchsorted(held.begins, opening))
    if begin >= len(held.sessions):
        problem = (
            f"There is nothing to predict: the rows have {count} sessions, and all come before the "
            "first step. Train anew more often, or begin earlier."
        )
        raise WalkError(problem)
    first = int(held.sessions[begin])
    edges = [
        int(np.searchsorted(held.sessions, one))
        for one in range(first + schedule.retrain, count, schedule.retrain)
    ]
    starts = [begin, *edges]
    return list(zip(starts, [*edges, len(held.sessions)], strict=True))


def _said(data: Dataset, fitted: Fitted, values: Values, rows: slice, newest: int) -> pl.DataFrame:
    keys = [name for name in ("timestamp", "session_date", "symbol") if name in data.frame.columns]
    outputs = fitted.outputs(values, "A model of the walk")
    classes = fitted.classes
    told: dict[str, Any] = {"prediction": outputs}
    if classes:
        at = outputs.argmax(axis=1) if classes != (0, 1) else outputs[:, 1] >= 0.5  # noqa: PLR2004
        told["prediction"] = np.asarray(classes, dtype=np.int64)[at.astype(np.int64)]
    if classes == (0, 1):
        told["chance"] = np.ascontiguousarray(outputs[:, 1])
    return (
        data.frame[rows]
        .select(keys)
        .with_columns(
            *(pl.Series(name, column) for name, column in told.items()),
            pl.lit(newest).cast(_TIME).alias("trained_to"),
        )
    )


def _facts(
    frame: pl.DataFrame, fitted: Fitted, step: tuple[int, int], rows: Rows, newest: int
) -> dict[str, Any]:
    begin, stop = step
    found = {
        "first_session": frame["session_date"][begin].isoformat(),
        "last_session": frame["session_date"][stop - 1].isoformat(),
        "rows": stop - begin,
        "train_rows": len(rows),
        "trained_from": frame["timestamp"][int(rows[0])].isoformat(),
        "trained_to": pl.Series([newest]).cast(_TIME)[0].isoformat(),
    }
    return found if fitted.search is None else {**found, "parameters": fitted.parameters}


def _hash(frame: pl.DataFrame) -> str:
    """Of every value, and of whose each row is."""
    whose = digest(frame["symbol"].to_list()) if "symbol" in frame.columns else ""
    return digest([content_hash(frame.drop("symbol", strict=False)), whose])
