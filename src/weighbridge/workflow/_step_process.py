"""The process of a step: started, waited for, and ended with all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from weighbridge.core import printable
from weighbridge.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import FrameType
    from typing import NoReturn

__all__ = [
    "EndedBySignal",
    "describe_end",
    "describe_left",
    "end_by_signal",
    "is_alone",
    "list_children",
    "run_process",
]

_GRACE_S = 10
_NAP_S = 0.02
_KILL_S = 30
_ENDING = (signal.SIGTERM, signal.SIGHUP)
_SET_CHILD_SUBREAPER, _GET_CHILD_SUBREAPER = 36, 37  # prctl(2)


class EndedBySignal(KeyboardInterrupt):
    """This process was told to end, by another signal than Ctrl-C's.

    Attributes:
        number: Of the signal.
    """

    def __init__(self, number: int) -> None:
        """Keep which it was."""
        super().__init__(number)
        self.number = number


@contextmanager
def end_by_signal() -> Iterator[None]:
    """Meet SIGTERM and SIGHUP inside as if they were Ctrl-C, so that everything is tidied up.

    A signal that is ignored stays ignored (``nohup``), one that has a handler keeps it. Processes
    of a step whose parent has ended become this process's children meanwhile, so that they can be
    found. Does nothing in a thread that is not the first: signals are not met there.

    Raises:
        EndedBySignal: One of them came.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _frame: FrameType | None) -> None:
        for other in met:
            signal.signal(other, signal.SIG_IGN)  # once is enough; tidying up takes a moment
        raise EndedBySignal(number)

    met = [number for number in _ENDING if signal.getsignal(number) is signal.SIG_DFL]
    for number in met:
        signal.signal(number, end)
    was_adopting = _is_adopting()
    _adopt(is_on=True)
    try:
        yield
    finally:
        _adopt(is_on=was_adopting)
        for number in met:
            signal.signal(number, signal.SIG_DFL)


def run_process(
    argv: Sequence[str],
    environment: Mapping[str, str],
    descriptors: Sequence[int] = (),
    *,
    before: frozenset[int],
    has_stdin: bool = True,
    begin: Callable[[], NoReturn] | None = None,
) -> int:
    """Run a program to its end and return its exit code; negative for a signal.

    If this process is told to end meanwhile, so are the program and all that it started, and the
    interrupt goes on when they are gone: they have a few seconds, then they are killed.

    Args:
        argv: The program, found on the ``PATH`` of ``environment``, and its arguments.
        environment: Its variables, and no others.
        descriptors: What it inherits besides the standard streams.
        before: What :func:`list_children` said before.
        has_stdin: Whether it inherits standard input, and not an empty one.
        begin: Runs in the new process and becomes a program, which is then not ``argv``; only if
            this process :func:`is_alone`.

    Raises:
        InputError: It cannot be started.
        KeyboardInterrupt: This process was told to end.
    """
    try:
        process = subprocess.Popen(  # noqa: S603 - what the user asked for, no shell
            list(argv),
            env=dict(environment),
            pass_fds=tuple(descriptors),
            stdin=None if has_stdin else subprocess.DEVNULL,
            preexec_fn=begin,  # noqa: PLW1509 - there are no other threads
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        shown = printable(argv[0])
        raise InputError(f"{shown} cannot be started: {reason.lower()}") from error
    with process:
        try:
            return process.wait()
        except KeyboardInterrupt as interrupt:
            _end_all(process, before, getattr(interrupt, "number", signal.SIGINT))
            raise


def is_alone() -> bool:
    """Tell whether this process has one thread; locks of others would stay closed in a fork."""
    try:
        tasks = os.listdir("/proc/self/task")  # noqa: PTH208 - names are all that is needed
    except OSError:
        return False
    return len(tasks) == threading.active_count() == 1


def list_children() -> frozenset[int]:
    """Return the processes whose parent this one is; those of a step that are left over, too."""
    return frozenset(_list_children())


def describe_left(before: frozenset[int]) -> tuple[str, ...]:
    """Say how many processes a step left running, if they can be found here.

    Args:
        before: What :func:`list_children` said before the step.
    """
    if not _is_adopting():
        return ()
    mine = os.getpid()
    left = [
        pid
        for pid, parent, is_dead in _list_processes()
        if parent == mine and not is_dead and pid not in before
    ]
    if not left:
        return ()
    return (f"{len(left)} of its processes ran on after it ended, and could still read and write",)


def describe_end(code: int) -> str:
    """Say how a program that failed ended, in words."""
    if code >= 0:
        return f"failed with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = ", as the system does when memory runs out" if -code == signal.SIGKILL else ""
    return f"was ended by {name}{hint}"


def _end_all(process: subprocess.Popen[bytes], before: frozenset[int], number: int) -> None:
    """Pass a signal on, wait a while, and kill what is left."""
    try:
        if number != signal.SIGINT or not _is_in_foreground():  # a terminal tells all by itself
            _send(_list_tree(process, before), number)
        end_s = time.monotonic() + _GRACE_S
        while _list_tree(process, before) and time.monotonic() < end_s:
            time.sleep(_NAP_S)
    finally:  # whoever interrupts again does not want to wait
        end_s = time.monotonic() + _KILL_S  # what hangs in the kernel cannot be killed
        while (left := _list_tree(process, before)) and time.monotonic() < end_s:
            _send(left, signal.SIGKILL)
            time.sleep(_NAP_S)


def _send(numbers: Sequence[int], number: int) -> None:
    for pid in numbers:
        with suppress(OSError):
            os.kill(pid, number)


def _list_tree(process: subprocess.Popen[bytes], before: frozenset[int]) -> list[int]:
    """Return what is alive of a process, its descendants, and those that were left to us."""
    process.poll()
    alive: set[int] = set()
    children: dict[int, list[int]] = {}
    for pid, parent, is_dead in _list_processes():
        children.setdefault(parent, []).append(pid)
        if not is_dead:
            alive.add(pid)
    found = [process.pid] if process.returncode is None else []
    if _is_adopting():
        adopted = set(children.get(os.getpid(), ())) - before - {process.pid}
        found += adopted
        for pid in adopted - alive:
            with suppress(OSError):
                os.waitpid(pid, os.WNOHANG)
    for pid in found:  # grows
        found += children.get(pid, ())
    return [pid for pid in found if pid in alive]


def _list_children() -> Iterator[int]:
    mine = os.getpid()
    return (pid for pid, parent, _ in _list_processes() if parent == mine)


def _list_processes() -> Iterator[tuple[int, int, bool]]:
    """Yield the number of each process, its parent's, and whether it has ended.

    Source:
        proc(5), /proc/PID/stat.
    """
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib costs more, and this is asked often
        if not name.isdecimal():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as stream:  # noqa: PTH123
                text = stream.read(4096)
        except OSError:  # it has ended
            continue
        fields = text.rpartition(b")")[2].split()
        if fields:
            yield int(name), int(fields[1]), fields[0] in {b"Z", b"X"}


def _is_in_foreground() -> bool:
    """Tell whether a terminal sends Ctrl-C to this process, and so to the step."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def _adopt(*, is_on: bool) -> None:
    import ctypes  # noqa: PLC0415 - costs start-up time

    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, ctypes.c_ulong(is_on), 0, 0, 0)


def _is_adopting() -> bool:
    import ctypes  # noqa: PLC0415 - costs start-up time

    answer = ctypes.c_int(0)
    ctypes.CDLL(None).prctl(_GET_CHILD_SUBREAPER, ctypes.byref(answer), 0, 0, 0)
    return bool(answer.value)
