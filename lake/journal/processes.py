"""Who a process is, so that others can tell its death from its silence.

A process id alone is used again by the system; with the time its process started it is not.
"""

import os
import socket
import subprocess
from functools import lru_cache
from pathlib import Path


def identity(pid: int | None = None) -> str:
    """This process (or another of this machine) as ``machine/pid/start``, unique for good.

    The machine is its name, its boot and its process namespace: containers that share a host name
    do not share process ids. A process that is gone has the start ``gone``.
    """
    number = os.getpid() if pid is None else pid
    return f"{_machine(os.getpid())}/{number}/{started(number) or 'gone'}"


def is_dead(holder: str | None) -> bool:
    """Whether a process is surely gone. False for one of another machine: nobody here can tell."""
    if not holder:
        return False
    machine, pid, start = holder.rsplit("/", 2)
    return machine == _machine(os.getpid()) and started(int(pid)) != start


def started(pid: int) -> str | None:
    """When a process of this machine started, as an opaque text; None: no such process.

    A zombie, which only waits for its parent to look, counts as gone.
    """
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] in "ZX" else fields[19]
    return _started_by_ps(pid)


def _started_by_ps(pid: int) -> str | None:
    asked = subprocess.run(  # noqa: S603 - a number we made
        ["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip().replace("/", "-") or None


@lru_cache(maxsize=2)
def _machine(_for_pid: int) -> str:
    boot = Path("/proc/sys/kernel/random/boot_id")
    boot_id = boot.read_text().strip()[:8] if boot.exists() else ""
    try:
        namespace = Path("/proc/self/ns/pid").readlink().name
    except OSError:
        namespace = ""
    return f"{socket.gethostname()}/{boot_id}/{namespace}"
