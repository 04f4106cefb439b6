"""The standard streams that a step is handed: what it can read by them without opening a file."""

from __future__ import annotations

import fcntl
import os
import stat
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from weighbridge.core import printable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from weighbridge.core import Observation

__all__ = ["Streams", "add_streams", "look_at_streams"]

_INPUT = 0
_PIPE = "its standard input was a {}, and nobody saw what came through it; start it with </dev/null"


@dataclass(frozen=True, slots=True)
class Streams:
    """What the standard streams lead to.

    Attributes:
        files: Absolute paths of the files that can be read by them.
        gaps: What else comes through them, in words.
    """

    files: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()

    def describe(self, granted: Iterable[Path]) -> tuple[str, ...]:
        """Say what could be read that was not granted, for a step that nobody watched."""
        roots = {os.path.realpath(path) for path in granted}
        return (
            *self.gaps,
            *(
                f"a standard stream was {printable(path)}, and the step could read it"
                for path in self.files
                if not any(path == root or path.startswith(f"{root}/") for root in roots)
            ),
        )


def look_at_streams() -> Streams:
    """Return what a step that is started now inherits as its standard streams.

    Terminals and other devices without content are none: what a person types is not an artifact.
    """
    files: dict[str, None] = {}
    gaps: list[str] = []
    for number in (0, 1, 2):
        try:
            mode = os.fstat(number).st_mode
            flags = fcntl.fcntl(number, fcntl.F_GETFL)
            path = os.readlink(f"/proc/self/fd/{number}")  # noqa: PTH115 - may be no path
        except OSError:  # it is closed
            continue
        if stat.S_ISREG(mode) or stat.S_ISBLK(mode):
            if flags & os.O_ACCMODE != os.O_WRONLY:
                files[path] = None
        elif number == _INPUT and (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
            gaps.append(_PIPE.format("pipe" if stat.S_ISFIFO(mode) else "socket"))
    return Streams(tuple(files), tuple(gaps))


def add_streams(observation: Observation, streams: Streams) -> Observation:
    """Count what the step was handed as read: whether it did is not seen by a monitor."""
    return replace(
        observation,
        reads=tuple(sorted({*observation.reads, *streams.files})),
        gaps=(*observation.gaps, *streams.gaps),
    )
