"""Starts a command that must not outlive who asked for it, or one that must.

    launch.py tied PARENT SIGNAL COMMAND...   PARENT's death, even by kill -9, sends it SIGNAL
    launch.py free COMMAND...                 a session of its own, and nobody's child

Run by its path with ``python -I``: it needs nothing but the standard library, so it is quick. On
Linux the kernel keeps watch and the command takes this process's place; elsewhere this process
stays beside it and looks.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from types import FrameType

_PR_SET_PDEATHSIG = 1
_LOOK_EVERY = 0.5
_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)


def main(arguments: list[str]) -> int:
    """Run one of the two forms; returns only where the command does not take our place."""
    form, *rest = arguments
    if form == "free":
        return free(rest)
    parent, number, *command = rest
    return tied(int(parent), int(number), command)


def free(command: list[str]) -> int:
    """Let a command run on by itself."""
    if os.fork() == 0:
        os.setsid()
        os.execvp(command[0], command)  # noqa: S606 - the supervisor's own command
    return 0


def tied(parent: int, number: int, command: list[str]) -> int:
    """Run a command until it ends or the parent does."""
    if not sys.platform.startswith("linux"):
        return watch(parent, number, command)
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() == parent:  # else it died before we asked to be told
        os.execvp(command[0], command)  # noqa: S606 - the supervisor's own command
    return 1


def watch(parent: int, number: int, command: list[str]) -> int:
    """Stay beside a command; when the parent is gone, signal it, then kill it."""
    with subprocess.Popen(command) as process:  # noqa: S603 - the supervisor's own command

        def pass_on(received: int, _frame: FrameType | None) -> None:
            process.send_signal(received)

        for passed in _PASSED_ON:
            signal.signal(passed, pass_on)
        while process.poll() is None:
            if os.getppid() != parent:
                process.send_signal(number)
                time.sleep(_LOOK_EVERY * 4)
                process.kill()
            time.sleep(_LOOK_EVERY)
        return process.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
