"""A broker and workers that a test starts and kills."""

import os
import signal
import time

from agents import tasks
from app.up.parts import beat_part, broker_part, worker_part
from app.up.supervisor import Supervisor


def wait_for(what, seconds=90.0):
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return found


class House:
    """A broker and workers that a test starts and kills."""

    def __init__(self, place, journal):
        self.place, self.journal = place, journal
        self.supervisor = Supervisor(lambda *_: None)

    def start(self, *names):
        parts = {"broker": broker_part(self.place), "beat": beat_part(self.place, self.journal)}
        parts |= {f"worker-{n}": worker_part(self.place, self.journal, n) for n in (1, 2)}
        others = [name for name in names if name != "broker"]
        for together in (["broker"] if "broker" in names else [], others):
            self.supervisor.start(parts[name] for name in together)
            self.supervisor.settle(lambda: False)

    def end(self):
        """Leave nothing behind; at once, for an orderly end is another test's subject."""
        self.supervisor.stop(hurry=lambda: True)

    def kill(self, name):
        (member,) = [m for m in self.supervisor.members if m.part.name == name]
        os.kill(member.pid, signal.SIGKILL)
        member.process.wait()
        self.supervisor.members.remove(member)

    def do(self, job):
        tasks.send(job)
        return wait_for(lambda: (now := self.journal.job(job.id)).is_finished and now)
