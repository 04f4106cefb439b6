"""Watching a step by strace: whether it can be done here, the command, and its log as it comes."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.core import DEFAULT_LIMITS, Observation, printable
from weighbridge.errors import InputError
from weighbridge.formats import StraceCall, StraceProblem, parse_strace_file, read_strace
from weighbridge.provenance._log_pipe import LogPipe
from weighbridge.provenance._strace_calls import TRACED_CALLS
from weighbridge.provenance._strace_log import MONITOR, parse_strace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

    from weighbridge.core import Limits

__all__ = ["StraceSupport", "StraceWatch", "build_strace_command", "find_strace", "watch_by_strace"]

_WAIT_S = 20


@dataclass(frozen=True, slots=True)
class StraceSupport:
    """Whether a step can be watched by strace here.

    Attributes:
        program: The absolute path of strace; empty if it cannot be used.
        reason: Why it cannot be used, and what to do; empty if it can.
    """

    program: str = ""
    reason: str = ""


def find_strace() -> StraceSupport:
    """Try strace on ``true``, with everything that watching a step asks of it.

    Nothing is concluded from a version: what is missing (``--seccomp-bpf``, paths of descriptors,
    the permission to trace) shows in the trial.
    """
    program, true = shutil.which("strace"), shutil.which("true")
    if program is None:
        return StraceSupport(reason="strace is not installed; install the package strace")
    if true is None:
        return StraceSupport(reason="there is no program true to try strace on; install coreutils")
    with tempfile.TemporaryDirectory(prefix="weighbridge-") as folder:
        log = Path(folder) / "log"
        command = build_strace_command([os.path.realpath(true)], log=log, program=program)
        try:
            done = subprocess.run(  # noqa: S603
                command,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=_WAIT_S,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return StraceSupport(reason=f"strace could not be tried: {error}")
        if done.returncode != 0 or not _is_log_good(log):
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            what = printable(said[0], limit=200) if said else "its log is not as expected"
            advice = "use strace 5.3 or newer, where tracing is allowed"
            return StraceSupport(reason=f"strace does not work here ({what}); {advice}")
    return StraceSupport(program)


def _is_log_good(log: Path) -> bool:
    """Tell whether the trial's log has a program that ran, and a file with its path."""
    has_run = has_file = False
    with suppress(OSError), log.open("rb") as stream:
        for event in read_strace(stream):
            if isinstance(event, StraceProblem):
                return False
            if isinstance(event, StraceCall) and not event.error:
                has_run = has_run or event.name == "execve"
                file = parse_strace_file(event.result)
                has_file = has_file or bool(file and file.path.startswith(b"/"))
    return has_run and has_file


def build_strace_command(argv: Sequence[str], *, log: Path, program: str = "strace") -> list[str]:
    """Return the command that runs ``argv`` and writes what it does to ``log``.

    Standard streams are the step's, as are the exit code and the signal that ended it. ``log`` is
    opened by strace with close-on-exec. Names of files are written there, other strings are not:
    neither arguments, nor the environment, nor data.

    Raises:
        InputError: ``argv`` is empty.

    Source:
        strace(1): ``-f -y -xx -s 0 -o``, ``--seccomp-bpf``, ``-e trace=?name``.
    """
    if not argv:
        raise InputError("there is no command to watch; give one behind --")
    calls = ",".join(f"?{name}" for name in TRACED_CALLS)
    return [
        *(program, "-f", "--seccomp-bpf", "-y", "-xx", "-s", "0"),
        *("--quiet=attach,personality", "-e", f"trace={calls}"),
        *("-o", os.fspath(log), "--", *argv),
    ]


class StraceWatch:
    """A log that is read while it is written; made by ``watch_by_strace``.

    Attributes:
        log: What to give to ``build_strace_command``.
    """

    def __init__(self, folder: Path, *, cwd: str, limits: Limits) -> None:
        """Make the pipe, and start to read it."""
        self._cwd, self._limits = cwd, limits
        self._observation: Observation | None = None
        self.log = folder / "log"
        self._pipe = LogPipe(self.log, self._parse)

    def _parse(self, log: BinaryIO) -> None:
        self._observation = parse_strace(
            log, cwd=self._cwd, log_path=os.fspath(self.log), limits=self._limits
        )

    def finish(self) -> Observation:
        """Return what was seen; call it when strace has ended."""
        self._pipe.end(waits=True)
        if self._observation is None:
            return Observation(MONITOR, gaps=("the monitor's log could not be read",))
        return self._observation


@contextmanager
def watch_by_strace(*, cwd: Path, limits: Limits = DEFAULT_LIMITS) -> Iterator[StraceWatch]:
    """Offer a pipe for strace's log, and read it as it comes.

    Leaving waits for strace: end it first if it is still running.

    Args:
        cwd: Where the step will start.
        limits: As for ``parse_strace``.
    """
    with tempfile.TemporaryDirectory(prefix="weighbridge-") as folder:
        watch = StraceWatch(Path(folder).resolve(), cwd=os.path.realpath(cwd), limits=limits)
        try:
            yield watch
        finally:
            watch.finish()
