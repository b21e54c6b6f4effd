"""One job from claim to end, whoever asks for it: a Celery task or a command in this process."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from agents.heartbeat import Pulse
from lake.errors import LakeError, TransientError
from lake.journal import Job, Journal, LeaseLostError, switches
from lake.journal.parts import Piece
from lake.logs import log_context, logger

#: Does the work and returns plain JSON; or the parts that it is to be done in.
Run = Callable[[Job], dict[str, Any] | list[Piece]]

_LONGEST_ERROR = 500


@dataclass(frozen=True)
class Outcome:
    """What became of one attempt at a job.

    Attributes:
        state: ``done`` or ``failed`` for good; ``held``: a live worker has it; ``busy``: the world
            was not ready, and the job waits in the queue to be tried again; ``split``: it waits
            for its parts.
        text: Why it failed or must wait.
        parts: What has to be done next, where it was split.
        before: It was over before this attempt.
    """

    job_id: str
    state: Literal["done", "failed", "held", "busy", "split"]
    text: str = ""
    parts: tuple[Job, ...] = ()
    before: bool = False


def perform(
    journal: Journal, job_id: str, run: Run, *, pulse: Pulse, last: bool = False
) -> Outcome:
    """Claim a job, run it under its log context and heartbeat, and note how it ended.

    Safe to call twice for one job, from any process: only one works on it at a time, and what is
    finished is left alone. A process that is told to stop puts the job back into the queue.

    Args:
        pulse: The heartbeat of this agent; its name is the worker's.
        last: No attempt follows: a busy world fails the job.

    Raises:
        JobMissingError: There is no such job.
        JournalBusyError: The journal cannot be used, so nothing was begun or noted.
        AgentStoppedError: A user has paused or stopped this kind of agent. The job waits in the
            queue, and no attempt was used up.
    """
    _check_switch(journal, job_id)
    try:
        return _claimed(journal, job_id, run, pulse, last=last)
    except Exception:
        raise
    except BaseException:  # this process is told to stop, maybe just after it has claimed the job
        journal.release(job_id, "its worker was stopped; it will be taken up again")
        raise


def _claimed(journal: Journal, job_id: str, run: Run, pulse: Pulse, *, last: bool) -> Outcome:
    job = journal.claim(job_id, pulse.agent)
    if job is None:
        found = journal.job(job_id)
        ended: dict[str, Literal["done", "failed"]] = {"done": "done", "failed": "failed"}
        text, over = found.error or "", found.is_finished
        return Outcome(job_id, ended.get(found.state, "held"), text, before=over)
    context = {"job_id": job.id, "symbol": job.symbol or None, "trace_id": job.trace_id}
    with log_context(**context, stage=job.kind):
        pulse.work_on(job.id, job.symbol or None)
        try:
            return _run(journal, job, run, last=last)
        finally:
            pulse.work_on(None)


def _check_switch(journal: Journal, job_id: str) -> None:
    job = journal.job(job_id)
    state = switches.state(journal, job.kind)
    if state != "running" and not job.is_finished:
        raise switches.AgentStoppedError(job.kind, state)


def _run(journal: Journal, job: Job, run: Run, *, last: bool) -> Outcome:
    log = logger()
    log.info("began")
    try:
        return _note(journal, job, run(job))
    except LeaseLostError as error:
        log.warning("let go", reason=str(error))
        return Outcome(job.id, "held", str(error))
    except switches.AgentStoppedError as error:
        journal.release(job.id, str(error))
        log.warning("put back", reason=str(error))
        raise
    except TransientError as error:
        if not last:
            journal.release(job.id, str(error))
            log.warning("put back", reason=str(error))
            return Outcome(job.id, "busy", str(error))
        return _fail(journal, job, str(error))
    except LakeError as error:
        return _fail(journal, job, str(error))
    except Exception as error:  # the door of all work: it is logged and noted
        log.exception("broke")
        return _fail(journal, job, _briefly(error))


def _note(journal: Journal, job: Job, result: dict[str, Any] | list[Piece]) -> Outcome:
    if isinstance(result, list):
        parts = tuple(journal.split(job.id, result))
        logger().info("split", parts=len(parts))
        return Outcome(job.id, "split", parts=parts)
    journal.finish(job.id, result)
    logger().info("done", **{name: value for name, value in result.items() if _is_plain(value)})
    return Outcome(job.id, "done")


def _fail(journal: Journal, job: Job, text: str) -> Outcome:
    logger().error("failed", reason=text)
    try:
        journal.fail(job.id, text)
    except LeaseLostError as error:
        return Outcome(job.id, "held", str(error))
    return Outcome(job.id, "failed", text)


def _briefly(error: Exception) -> str:
    words = " ".join(str(error).split())[:_LONGEST_ERROR]
    return f"{type(error).__name__}: {words} (unexpected; the logs have the whole story)"


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float | bool)
