"""The features agent: builds a feature set of one symbol, or brings all that were built up to date."""

from dataclasses import asdict
from typing import Any

from feature_service import build
from lake import InvalidError, Lake, MissingError
from lake.features import kept_sets
from lake.journal import Job, Journal


def run(lake: Lake, journal: Journal, job: Job) -> dict[str, Any]:
    """Build what a job asks for; harmless to repeat: an unchanged build stays as it is.

    Args:
        lake: Where bars come from and features go.
        journal: Is told how far it is.
        job: Its symbol and source; ``params["set_name"]``, or ``params["set"]`` as the API says it,
            names the set, ``core`` by default, and ``params["full"]`` asks for the whole history. With
            ``params["symbols"]`` each set that was ever built for one of them is gone on with;
            without any symbol, as the scheduler asks, each that was ever built.

    Returns:
        What was built, as plain JSON.

    Raises:
        LakeError: As :func:`feature_service.build.build`'s.
    """
    if "symbols" in job.params or not job.symbol:
        return _refresh(lake, journal, job)
    journal.progress(job.id, 0, 1, f"building features of {job.symbol}")
    name = job.params.get("set_name") or job.params.get("set") or "core"
    full = bool(job.params.get("full"))
    built = build.build(lake, job.symbol, name, job.source or None, full=full)
    journal.progress(job.id, 1, 1, "built" if built.fresh else "nothing new")
    facts = asdict(built)
    return facts | {"since": built.since.isoformat() if built.since else None}


def _refresh(lake: Lake, journal: Journal, job: Job) -> dict[str, Any]:
    """Each set of each symbol; one that cannot be built any more, as its set or its bars are gone, is left."""
    work = kept_sets(lake, job.source or None, job.params.get("symbols", ()))
    rebuilt, left = 0, dict[str, str]()
    for done, (source, symbol, name) in enumerate(work):
        journal.progress(job.id, done, len(work), f"building {name} of {symbol}")
        try:
            rebuilt += build.build(lake, symbol, name, source).fresh
        except (InvalidError, MissingError) as error:
            left[f"{symbol} {name}"] = str(error)
    journal.progress(job.id, len(work), len(work), "built" if rebuilt else "nothing new")
    return {"builds": len(work), "rebuilt": rebuilt, "left": left}
