"""A child process that dies before its n-th change of the disk, whatever library makes it.

What ``kill -9`` leaves is what the system calls before it did: between two of them nothing on the
disk changes. So a child is stopped before each call that can change a file or take the gate
(seccomp tells which, ptrace stops there), the calls are counted, and at the n-th it is killed. All
of it is in Linux itself; nothing is compiled, and nothing in the lake knows of it.
"""

import ctypes
import os
import platform
import signal
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

#: Calls that change what is on the disk, or that take the gate, by their number on x86-64.
CALLS = {
    1: "write",
    18: "pwrite64",
    20: "writev",
    40: "sendfile",
    73: "flock",
    76: "truncate",
    77: "ftruncate",
    82: "rename",
    83: "mkdir",
    84: "rmdir",
    86: "link",
    87: "unlink",
    88: "symlink",
    258: "mkdirat",
    263: "unlinkat",
    264: "renameat",
    265: "linkat",
    285: "fallocate",
    296: "pwritev",
    316: "renameat2",
    326: "copy_file_range",
}
#: Opening counts where it makes or empties a file: number, name, which argument has the flags.
_OPENING = {2: ("open", 1), 257: ("openat", 2)}
#: Nothing on a disk: what the first of SQLite's processes makes anew when it opens, and what is said to us.
_NO_FILE = ("-shm", "pipe:", "socket:", "/dev/null", "/dev/pts", "anon_inode:")
_NAMES = CALLS | {number: name for number, (name, _) in _OPENING.items()}
_MAKES = os.O_CREAT | os.O_TRUNC

_NO_NEW_PRIVS, _SET_SECCOMP, _FILTER = 38, 22, 2
_ALLOW, _TRACE = 0x7FFF0000, 0x7FF00000
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ARGUMENTS = 16  # where they begin in what a filter sees

_TRACE_ME, _CONT, _GET_REGISTERS, _SET_OPTIONS, _GET_EVENT = 0, 7, 12, 0x4200, 0x4201
_OPTIONS = 0x2 | 0x4 | 0x8 | 0x10 | 0x80 | 0x100000  # forks, threads, exec, seccomp; die with us
_SECCOMP_EVENT = 7
_ALL = 0x40000000  # wait for threads too
_RDX, _RSI, _RDI = 12, 13, 14  # where arguments lie among the registers

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


@dataclass(frozen=True)
class Run:
    """What became of a traced child.

    Attributes:
        points: How many calls it came to, the one it died at included.
        killed: Before which call it was killed, with the file; None where it ended by itself.
        status: Its exit code, where it ended by itself.
    """

    points: int
    killed: str | None
    status: int


def possible() -> bool:
    """Whether this machine can do it."""
    return sys.platform == "linux" and platform.machine() == "x86_64"


def run(work: Callable[[], None], kill_at: int | None = None) -> Run:
    """Do a work in a forked child; kill it before its ``kill_at``-th call, if it comes to that.

    Only the child itself is killed; processes it has started go on, and are waited for. The caller
    may have imported polars and DuckDB, and must not have used them: a fork has none of their threads.
    """
    child = os.fork()
    if child == 0:
        _be_traced(work)
    os.waitpid(child, 0)  # it has stopped itself
    _ptrace(_SET_OPTIONS, child, _OPTIONS)
    _ptrace(_CONT, child, 0)
    return _follow(child, kill_at)


def _be_traced(work: Callable[[], None]) -> None:
    status = 1
    try:
        _ptrace(_TRACE_ME, 0, 0)
        os.kill(os.getpid(), signal.SIGSTOP)
        _install_filter()
        work()
        status = 0
    except BaseException:  # noqa: BLE001 - the child of a fork must never return into its caller
        import traceback

        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _follow(child: int, kill_at: int | None) -> Run:
    points, status, killed = 0, 0, None
    while True:
        try:
            stopped, state = os.waitpid(-1, _ALL)
        except ChildProcessError:
            return Run(points, killed, status)
        if not os.WIFSTOPPED(state):
            if stopped == child:
                status = os.waitstatus_to_exitcode(state)
            continue
        event, caught = state >> 16, os.WSTOPSIG(state)
        if event == _SECCOMP_EVENT and killed is None:
            call = _call(stopped)
            points += call is not None
            if call is not None and points == kill_at:
                killed = call
                os.kill(child, signal.SIGKILL)
        passed_on = 0 if event or caught in {signal.SIGSTOP, signal.SIGTRAP} else caught
        with suppress(ProcessLookupError):  # it is dying
            _ptrace(_CONT, stopped, passed_on)


def _call(stopped: int) -> str | None:
    """The call before which a process stands, with its file; None where it changes nothing."""
    number = ctypes.c_ulong()
    registers = (ctypes.c_ulong * 27)()
    _ptrace(_GET_EVENT, stopped, ctypes.addressof(number))
    _ptrace(_GET_REGISTERS, stopped, ctypes.addressof(registers))
    name = _NAMES[number.value]
    place = _file_of(stopped, name, registers)
    if place.endswith(_NO_FILE[0]) or place.startswith(_NO_FILE[1:]):
        return None
    if name.startswith("mkdir") and Path(place).is_dir():
        return None
    if number.value in _OPENING:
        flags = registers[(_RSI, _RDX)[_OPENING[number.value][1] - 1]]
        if not flags & os.O_TRUNC and Path(place).exists():
            return None
    return f"{name} {place}"


def _file_of(stopped: int, name: str, registers: ctypes.Array[ctypes.c_ulong]) -> str:
    by_name = {"open", "truncate", "rename", "mkdir", "rmdir", "link", "unlink", "symlink"}
    if name in by_name:
        return _text(stopped, registers[_RDI])
    if name.endswith(("at", "at2")):
        return _text(stopped, registers[_RSI])
    return str(Path(f"/proc/{stopped}/fd/{registers[_RDI]}").readlink())


def _text(stopped: int, address: int) -> str:
    with Path(f"/proc/{stopped}/mem").open("rb", buffering=0) as memory:
        memory.seek(address)
        return memory.read(256).partition(b"\0")[0].decode(errors="replace")


def _ptrace(request: int, process: int, data: int) -> None:
    if _libc.ptrace(request, process, None, data) < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def _install_filter() -> None:
    """From here on this process and all it starts stop before each call that counts."""
    steps = b"".join(_program())
    held = ctypes.create_string_buffer(steps, len(steps))
    program = struct.pack("HxxxxxxP", len(steps) // 8, ctypes.addressof(held))
    place = ctypes.create_string_buffer(program, len(program))
    if _libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) or _libc.prctl(_SET_SECCOMP, _FILTER, place, 0, 0):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def _program() -> list[bytes]:
    steps = [_step(_LOAD, 0)]
    for number in CALLS:
        steps += [_step(_EQUAL, number, 0, 1), _step(_RETURN, _TRACE | number)]
    for number, (_, argument) in _OPENING.items():
        steps += [
            _step(_EQUAL, number, 0, 4),
            _step(_LOAD, _ARGUMENTS + 8 * argument),
            _step(_ANY_BIT, _MAKES, 0, 1),
            _step(_RETURN, _TRACE | number),
            _step(_RETURN, _ALLOW),
        ]
    return [*steps, _step(_RETURN, _ALLOW)]


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)
