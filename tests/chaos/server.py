"""A process that has imported everything and used nothing, and forks a child for each trial.

Questions come as pickles on the standard input, answers go to the standard output; whatever the
children print goes to the standard error.
"""

import os
import pickle
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np  # noqa: F401 - imported here, so that no child has to
import pyarrow as pa  # noqa: F401

import agents.importing  # noqa: F401
import lake.backup
import lake.export
import lake.streaming
import lake.upkeep
import lake.verify  # noqa: F401
from tests.chaos import probe, tracing


class Killed(NamedTuple):
    """One kill: before which call (None: the work ended before), and what is broken then.

    ``unchanged`` says that the lake was left as it was before the work, row for row.
    """

    before: str | None
    unchanged: bool
    problem: str


_digests: dict[str, str] = {}


def prepare(name: str, folder: Path) -> tuple[int, str]:
    """Make the lake of a work and learn what it does; how many points it has, and a problem if any."""
    problem = _in_child("furnish", name, folder) or _in_child("learn", name, folder)
    if problem:
        return 0, problem
    root = folder / "counted"
    shutil.copytree(folder / "base", root)
    run = tracing.run(lambda: _call("work_on", name, root))
    problem = f"the work failed ({run.status})" if run.status else ""
    shutil.rmtree(root)
    if (folder / "base" / "home").exists():
        _digests[name] = probe.digest_of(folder / "base" / "home")
    return run.points, problem


def kill(name: str, folder: Path, point: int, thorough: bool) -> Killed:
    """Kill a work at one of its points and look at what it left.

    Args:
        thorough: Look at all of it also where the lake is as it was, do the work again, look again.
    """
    base, root = folder / "base", folder / f"killed{point}"
    shutil.copytree(base, root)
    run = tracing.run(lambda: _call("work_on", name, root), point)
    problem = f"the work failed ({run.status})" if run.status and not run.killed else ""
    unchanged = name in _digests and probe.as_before(base, root, _digests[name])
    if thorough or not unchanged:
        problem = problem or _in_child("check", name, folder, root, repeat=thorough)
    if not problem:
        shutil.rmtree(root)
    return Killed(run.killed, unchanged, problem)


def storm(delay: float, role: str, *arguments: Any) -> int:
    """Let a child do a role of the crowd, and kill it after a delay (seconds): 1 if it still lived."""
    child = os.fork()
    if child == 0:
        try:
            from tests.chaos import crowd

            {"write": crowd.write, "tidy": crowd.tidy}[role](*arguments)
        except BaseException:  # noqa: BLE001 - the child of a fork must never return into its caller
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return int(os.WIFSIGNALED(status))


def _call(function: str, *arguments: Any, **named: Any) -> None:
    from tests.chaos import trial  # which makes frames: after the fork only

    getattr(trial, function)(*arguments, **named)


def _in_child(function: str, *arguments: Any, **named: Any) -> str:
    """Call a function of the trial in a forked child: the words of its error, or nothing."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        problem = ""
        try:
            _call(function, *arguments, **named)
        except AssertionError as error:
            problem = str(error) or "?"
        except BaseException:  # noqa: BLE001 - it is told to the parent
            problem = traceback.format_exc()
        finally:
            os.write(write, problem.encode()[-30_000:])
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as told:
        problem = told.read().decode(errors="replace")
    _, status = os.waitpid(child, 0)
    return problem or (f"the checking process died ({status})" if status else "")


def main() -> None:
    """Answer questions until there are no more."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    calls: dict[str, Callable[..., Any]] = {"prepare": prepare, "kill": kill, "storm": storm}
    while True:
        try:
            name, *arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        answer = calls[name](*arguments)
        pickle.dump(tuple(answer) if isinstance(answer, tuple) else answer, answers)
        answers.flush()


if __name__ == "__main__":
    main()
