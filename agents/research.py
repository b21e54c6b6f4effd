"""The research agent: trains models, simulates and searches, as jobs say it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lake import Lake
from lake.journal import Job, Journal, LeaseLostError
from lake.journal.switches import AgentStoppedError

_STEPS = 1_000  # in which a share is told: progress is counted in whole steps


def train(lake: Lake, journal: Journal, job: Job) -> dict[str, Any]:
    """Train what a job asks for; harmless to repeat: the same rows and recipe find the model.

    Args:
        journal: Is told how far it is; where the job was taken from this worker, that ends it with
            nothing registered.
        job: Its params as :func:`training_service.asking.recipe_of` takes them; its symbol where
            they name none.

    Returns:
        ``model_id``, ``fresh`` and ``metrics``.

    Raises:
        LakeError: As :func:`training_service.training.train_recipe`.
    """
    from training_service.asking import recipe_of
    from training_service.training import train_recipe

    asked = {"symbols": [job.symbol], **job.params}
    tell = _progress(journal, job)
    with _letting_go():
        made = train_recipe(lake, recipe_of(asked), progress=tell)
        tell("registered" if made.fresh else "found", 1.0)
    return {"model_id": made.model_id, "fresh": made.fresh, "metrics": dict(made.metrics)}


def simulate(lake: Lake, journal: Journal, job: Job) -> dict[str, Any]:
    """Simulate, or search, what a job asks for; harmless to repeat: the same inputs find the runs.

    Args:
        job: Its params as :func:`simulation_service.asking.run_simulation` takes them, or with
            ``search`` as :func:`simulation_service.asking.run_search`.

    Returns:
        ``simulations`` (ids), or ``search`` (an id).

    Raises:
        LakeError: As those.
    """
    from simulation_service.asking import run_search, run_simulation

    tell = _progress(journal, job)
    with _letting_go():
        if "search" in job.params:
            # Alone in its process: a worker's child may not have children.
            found = run_search(lake, job.params["search"], progress=tell)
            tell("in the ledger", 1.0)
            return {"search": found.stored.search_id, "fresh": found.fresh}
        tell("simulating", 0.0)
        results = run_simulation(lake, job.params, tell)
        tell("in the ledger", 1.0)
        return {"simulations": [one.simulation_id for one in results]}


class _LetGo(Exception):  # noqa: N818 - no error: the work was taken away
    """The job is no longer this worker's, which is no failure of what it tries."""


@contextmanager
def _letting_go() -> Iterator[None]:
    """Past the ledgers, which would note any error of ours as one of the run."""
    try:
        yield
    except _LetGo as stop:
        raise stop.__cause__ or stop from None


def _progress(journal: Journal, job: Job) -> Callable[[str, float], None]:
    def tell(doing: str, share: float) -> None:
        try:
            journal.progress(job.id, round(share * _STEPS), _STEPS, doing)
        except (LeaseLostError, AgentStoppedError) as error:
            raise _LetGo from error

    return tell
