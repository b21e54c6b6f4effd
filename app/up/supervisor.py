"""Starts parts, watches over them, starts them again when they die, and stops them all."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.up import launch
from app.up.parts import Part
from lake.errors import LakeError

State = Literal["starting", "ready", "waiting", "stopping", "stopped"]

_LOOK_EVERY = 0.1
_LONGEST_PAUSE = 30.0
_STEADY = 60.0  # who lived this long starts again at once
_LOG_LIMIT = 64 * 1024 * 1024

#: Seconds for an orderly end, for a worker's cold one after that, and for the broker's.
_ORDERLY, _COLD, _LAST = 4.0, 2.0, 2.0


class PartFailedError(LakeError):
    """A part of the house did not start."""

    def __init__(self, name: str, reason: str, log: Path, said: str) -> None:
        super().__init__(name, reason, str(log), said)
        self.name, self.reason, self.log, self.said = name, reason, str(log), said

    def __str__(self) -> str:
        said = f" It said last: {self.said}" if self.said else ""
        return f"{self.name} did not start: {self.reason}. Its log is {self.log}.{said}"


@dataclass
class Member:
    """A part and the process that runs it now."""

    part: Part
    process: subprocess.Popen[bytes] | None = None
    state: State = "stopped"
    began: float = 0.0
    deaths: int = 0
    due: float = 0.0

    @property
    def pid(self) -> int | None:
        """The process id; None while it does not run."""
        return self.process.pid if self.process is not None else None


#: Told whenever a part changes: the part's member, and a few words.
Tell = Callable[[Member, str], None]


class Supervisor:
    """Parts of one home. Use it from one thread only: a part dies with the thread that began it."""

    def __init__(self, tell: Tell) -> None:
        self.members: list[Member] = []
        self._tell = tell

    def start(self, parts: Iterable[Part]) -> None:
        """Start parts at once; ``settle`` waits for them."""
        for part in parts:
            member = Member(part)
            self.members.append(member)
            self._begin(member)

    def settle(self, stop: Callable[[], bool]) -> None:
        """Wait until all parts are ready, or until ``stop`` says so.

        Raises:
            PartFailedError: One ended, or took too long. The others still run: stop them.
        """
        while not stop() and (starting := self._those("starting")):
            for member in starting:
                self._check_start(member)
            time.sleep(_LOOK_EVERY)

    def look(self) -> None:
        """See how the parts are; start again who died, with growing pauses."""
        now = time.monotonic()
        for member in self.members:
            if member.process is not None and member.process.poll() is not None:
                self._bury(member, now)
            if member.state == "waiting" and now >= member.due:
                self._begin(member)
            elif member.state == "starting" and member.part.ready():
                self._change(member, "ready", "ready again" if member.deaths else "ready")

    def stop(self, hurry: Callable[[], bool] = lambda: False) -> None:
        """Stop all parts, within ten seconds, the broker last; no process is left.

        Args:
            hurry: Asked all the while; once true, everything is killed.
        """
        brokers = [member for member in self.members if member.part.name == "broker"]
        others = [member for member in self.members if member not in brokers]
        self._signal(others, [member.part.end_signal for member in others])
        self._wait(others, _ORDERLY, hurry)
        self._signal(others, [signal.SIGQUIT] * len(others))
        self._wait(others, _COLD, hurry)
        self._kill(others)
        self._signal(brokers, [member.part.end_signal for member in brokers])
        self._wait(brokers, _LAST, hurry)
        self._kill(brokers)

    def _begin(self, member: Member) -> None:
        part = member.part
        if part.log.exists() and part.log.stat().st_size > _LOG_LIMIT:
            part.log.replace(part.log.with_suffix(".1.log"))
        tied = ("tied", str(os.getpid()), str(int(part.orphan_signal)))
        with part.log.open("ab") as log:
            member.process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-I", launch.__file__, *tied, *part.command],
                env=dict(part.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        member.began = time.monotonic()
        self._change(member, "starting", "starting")

    def _check_start(self, member: Member) -> None:
        process = member.process
        if process is None:
            return
        if process.poll() is not None:
            raise self._failure(member, f"it ended with code {process.returncode}")
        if member.part.ready():
            self._change(member, "ready", "ready")
        elif time.monotonic() - member.began > member.part.patience:
            raise self._failure(member, f"it was not ready after {member.part.patience:g} s")

    def _bury(self, member: Member, now: float) -> None:
        code = member.process.returncode if member.process is not None else None
        self._kill([member])
        member.deaths = 0 if now - member.began > _STEADY else member.deaths + 1
        pause = min(2.0 ** (member.deaths - 1), _LONGEST_PAUSE) if member.deaths else 0.0
        member.due = now + pause
        self._change(member, "waiting", f"ended with code {code}, starts again in {pause:g} s")

    def _failure(self, member: Member, reason: str) -> PartFailedError:
        return PartFailedError(member.part.name, reason, member.part.log, _last_line(member.part))

    def _signal(self, members: Sequence[Member], signals: Sequence[signal.Signals]) -> None:
        for member, number in zip(members, signals, strict=True):
            if member.process is not None and member.process.poll() is None:
                if member.state != "stopping":
                    self._change(member, "stopping", "stopping")
                with suppress(ProcessLookupError):
                    # Only the head of the group: it ends its own children in good order.
                    os.kill(member.process.pid, number)

    def _wait(self, members: Sequence[Member], seconds: float, hurry: Callable[[], bool]) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not hurry():
            if all(
                member.process is None or member.process.poll() is not None for member in members
            ):
                return
            time.sleep(_LOOK_EVERY / 2)

    def _kill(self, members: Sequence[Member]) -> None:
        for member in members:
            if member.process is None:
                continue
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(member.process.pid, signal.SIGKILL)
            member.process.wait()
            member.process = None
            self._change(member, "stopped", "stopped")

    def _those(self, state: State) -> list[Member]:
        return [member for member in self.members if member.state == state]

    def _change(self, member: Member, state: State, words: str) -> None:
        member.state = state
        self._tell(member, words)


def _last_line(part: Part) -> str:
    try:
        lines = part.log.read_text(errors="replace").split("\n")[-50:]
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")[:300]
