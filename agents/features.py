"""The features agent: builds a feature set of one symbol over the bars that are there."""

from dataclasses import asdict
from typing import Any

from feature_service import build
from lake import Lake
from lake.journal import Job, Journal


def run(lake: Lake, journal: Journal, job: Job) -> dict[str, Any]:
    """Build the set that a job asks for; harmless to repeat: an unchanged build stays as it is.

    Args:
        job: Its symbol and source; ``params["set_name"]``, or ``params["set"]`` as the API says it,
            names the set, ``core`` by default.

    Returns:
        What was built, as plain JSON.

    Raises:
        LakeError: As :func:`feature_service.build.build`'s.
    """
    journal.progress(job.id, 0, 1, f"building features of {job.symbol}")
    name = job.params.get("set_name") or job.params.get("set") or "core"
    built = build.build(lake, job.symbol, name, job.source or None)
    journal.progress(job.id, 1, 1, "built" if built.fresh else "nothing new")
    return asdict(built)
