"""The standard input of a step: it is open before a monitor looks and before walls stand."""

from __future__ import annotations

import fcntl
import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.core import printable
from weighbridge.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weighbridge.core import Observation

__all__ = ["StandardInput", "find_stdin"]

_STDIN = 0
_KEPT_OUT = (
    "the standard input was no file with a name, so nobody could tell what came from it, and the "
    "step was given an empty one; declare a file with -i, and redirect that"
)
_NULL = os.makedev(1, 3)  # Linux, admin-guide/devices.txt


@dataclass(frozen=True, slots=True)
class StandardInput:
    """What a step may read without opening it.

    Attributes:
        path: The file that it is, absolute; empty if it is none.
        notes: What is to be said of it, in sentences.
        is_kept_out: Whether the step gets an empty one instead.
    """

    path: str = ""
    notes: tuple[str, ...] = ()
    is_kept_out: bool = False

    def add_to(self, observation: Observation) -> Observation:
        """Return what a monitor saw, and this: a file counts as read."""
        if not self.path:
            return observation
        return replace(observation, reads=tuple(sorted({*observation.reads, self.path})))


def find_stdin(readable: Iterable[Path] | None = None) -> StandardInput:
    """Look at what this process would hand over to a step as its standard input.

    A file with a name is handed over, and a terminal. A pipe, a socket or a file without a name is
    not: nobody could tell what came from it. A build has no use for it, and many launchers and CI
    services have one there by accident.

    Args:
        readable: What a step inside walls may read; None: there are no walls.

    Raises:
        InputError: There are walls, and it is a file outside of them.
    """
    try:
        status = os.fstat(_STDIN)
        mode = fcntl.fcntl(_STDIN, fcntl.F_GETFL) & os.O_ACCMODE
    except OSError:  # it is closed
        return StandardInput()
    is_null = stat.S_ISCHR(status.st_mode) and status.st_rdev == _NULL
    if mode == os.O_WRONLY or is_null or stat.S_ISDIR(status.st_mode):
        return StandardInput()
    if os.isatty(_STDIN):
        said = "the standard input was a terminal, and what was typed there is not recorded"
        return StandardInput(notes=(said,))
    path = _find_path(status) if stat.S_ISREG(status.st_mode) else ""
    if not path:
        return StandardInput(notes=(_KEPT_OUT,), is_kept_out=True)
    if readable is not None:
        _refuse_outside(Path(path), readable)
    return StandardInput(path)


def _refuse_outside(path: Path, readable: Iterable[Path]) -> None:
    if not any(Path(os.path.realpath(one)) in (path, *path.parents) for one in readable):
        raise InputError(
            f"the standard input is {printable(str(path))}, which is no input of the step; declare "
            "it with -i NAME=PATH, or redirect the standard input from /dev/null"
        )


def _find_path(status: os.stat_result) -> str:
    """Return the name of the file; empty if it has none any more."""
    try:
        path = os.readlink(f"/proc/self/fd/{_STDIN}")  # noqa: PTH115 - no path is to be made of it
        now = os.stat(path)  # noqa: PTH116
    except OSError:
        return ""
    return path if (now.st_dev, now.st_ino) == (status.st_dev, status.st_ino) else ""
