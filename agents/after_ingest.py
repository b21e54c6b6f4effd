"""After an ingest: what it brought is looked through for gaps, by the gap agent and in its own time.

An ingest that committed anything is followed by a job ``gaps`` of its symbols and sessions. It names
what is absent and asks for what is due, as every round; after an ingest ``again``, whose answer counts
as one more, and after one that failed it only names. Feature sets that were built for any of its
symbols are brought up to date by a job ``features``.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from lake.errors import LakeError
from lake.features import kept_sets
from lake.journal import Job, Journal, switches
from lake.logs import logger

if TYPE_CHECKING:
    from agents.worker import Workshop
    from lake import Lake


def follow(
    journal: Journal, job_id: str, send: Callable[[Job], None], lake: "Callable[[], Lake]"
) -> None:
    """Queue and send what follows a job, which stays as it ended whatever becomes of that.

    What is lost here, the nightly rounds find.
    """
    for queue in (queue_scan, partial(queue_refresh, lake=lake)):
        try:
            job = queue(journal, job_id)
            if job is not None:
                send(job)
        except LakeError as error:
            logger(stage="after").warning("a job does not follow an ingest yet", reason=str(error))


def queue_refresh(journal: Journal, job_id: str, lake: "Callable[[], Lake]") -> Job | None:
    """Queue the builds that follow a job; harmless to repeat.

    Returns:
        The job, if it is new; None where nothing follows, or an equal one waits already.

    Raises:
        LakeError: The journal's or the lake's. Nothing was queued.
    """
    job = journal.job(job_id)
    params = _params(job, journal.parts_of(job_id))
    if (
        params is None
        or params["datasets"] != ["bars_1m"]
        or not switches.is_on(journal, "features")
    ):
        return None
    built = sorted({symbol for _, symbol, _ in kept_sets(lake(), job.source, job.symbols)})
    if not built:
        return None
    queue = partial(journal.queue, "features", job.source, job.symbol, job.first, job.last)
    refresh, new = queue({"symbols": built})
    if refresh.state == "running":
        refresh, new = queue({"symbols": built, "after": job.id})
    return refresh if new else None


def name_here(journal: Journal, job_id: str, shop: "Workshop") -> None:
    """Name what is absent of what a job brought, in this process; nobody is asked for anything."""
    from agents import gaps, missing  # they need polars

    job = journal.job(job_id)
    params = _params(job, journal.parts_of(job_id))
    if params is None or not switches.is_on(journal, "gaps"):
        return
    try:
        asked = gaps.asked_by(replace(job, params=params | {"ask": False}))
        gaps.run(shop.lake(), shop.source, now=journal.now, **asked)
        missing.judge(shop.lake(), journal, params["symbols"])
    except LakeError as error:
        logger(stage="gaps").warning("an ingest was not scanned for gaps", reason=str(error))
    except Exception:  # noqa: BLE001 - the bars are stored, and the ingest is done
        logger(stage="gaps").exception("broke")


def queue_scan(journal: Journal, job_id: str) -> Job | None:
    """Queue the scan that follows a job; harmless to repeat.

    Returns:
        The job, if it is new; None where nothing follows, or an equal one waits already.

    Raises:
        JobMissingError, JournalBusyError: As the journal's. Nothing was queued.
    """
    job = journal.job(job_id)
    params = _params(job, journal.parts_of(job_id))
    if params is None or not switches.is_on(journal, "gaps"):
        return None
    queue = partial(journal.queue, "gaps", job.source, job.symbol, job.first, job.last)
    scan, new = queue(params)
    if scan.state == "running":  # it may have read before this ingest was over
        scan, new = queue(params | {"after": job.id})
    return scan if new else None


def _params(job: Job, parts: Sequence[Job]) -> dict[str, Any] | None:
    """What the scan after a job is about; None where there is nothing to look through."""
    whole = job.kind == "ingest" and job.parent is None and job.is_finished
    if not whole or not any((one.result or {}).get("commits") for one in (job, *parts)):
        return None
    params: dict[str, Any] = {
        "symbols": job.symbols,
        "datasets": [job.params.get("dataset", "bars_1m")],
        "only": job.source,
    }
    if job.state == "failed":  # the provider was asked just now
        return params | {"ask": False}
    if job.params.get("again") and job.started_at is not None:
        return params | {"answered_at": job.started_at.isoformat()}
    return params
