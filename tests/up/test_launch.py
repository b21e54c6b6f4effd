"""What a launched command promises when its starter dies, on systems whose kernel does not tell."""

import signal
import subprocess
import sys
from pathlib import Path

from app.up import launch
from lake.journal.processes import started
from tests.up.conftest import wait_for

#: Starts a watched sleep in the portable form, tells its pid, and waits.
STARTER = """
import os, subprocess, sys, time
watcher = (
    "import sys; sys.path.insert(0, {folder!r}); import launch;"
    "sys.exit(launch.watch(int(sys.argv[1]), 15, sys.argv[2:]))"
)
sleeper = "import os, time; print(os.getpid(), flush=True); time.sleep({seconds})"
command = [sys.executable, "-c", watcher, str(os.getpid()), sys.executable, "-c", sleeper]
process = subprocess.Popen(command)
sys.exit(process.wait())
"""


def start(seconds):
    code = STARTER.format(folder=str(Path(launch.__file__).parent), seconds=seconds)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    return process, int(process.stdout.readline())


def test_the_command_ends_when_its_starter_is_killed():
    starter, sleeper = start(60)
    assert started(sleeper)
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    wait_for(lambda: started(sleeper) is None)
    starter.stdout.close()


def test_the_command_ends_by_itself_with_its_own_code():
    starter, sleeper = start(0.1)
    assert starter.wait(60) == 0
    assert started(sleeper) is None
    starter.stdout.close()
