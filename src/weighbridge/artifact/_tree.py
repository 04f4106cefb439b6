"""Tree: which files an artifact has, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from weighbridge.core import ArtifactKind, ReadFailure

__all__ = ["Entry", "Identity", "Tree", "identify"]

# What tells that a file is still the file it was: device, inode, size, and when its content and its
# entry were changed last, in nanoseconds. Every ``write`` changes one of these. What does not: a
# process that mapped the file, made a page dirty before it was listed, and writes to that page
# afterwards. A bare tuple: it is made three times for each file, and the garbage collector does not
# keep track of a tuple of integers.
Identity: TypeAlias = tuple[int, int, int, int, int]


def identify(status: os.stat_result) -> Identity:
    """Take a file's identity from its status."""
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


class Entry(NamedTuple):
    """A regular file of the artifact.

    Attributes:
        name: POSIX path inside the artifact.
        path: What to open, relative to the artifact's folder or absolute.
        size_bytes: As it was when the folder was listed.
        identity: Likewise.
        in_scope: Whether it is part of the manifest.
    """

    name: str
    path: str
    size_bytes: int
    identity: Identity
    in_scope: bool


@dataclass(frozen=True, slots=True)
class Tree:
    """What an artifact consists of.

    Attributes:
        kind: File or folder.
        folder: The folder that entries' paths are relative to.
        label: The last part of the artifact's path.
        entries: Sorted by name, in the order of code points.
        failures: What is there and cannot be part of an artifact, sorted by name.
        left_out: Top-level names outside the scope, sorted.
        unwalked: Those of ``left_out`` whose files are not among ``entries``.
        folders: What was listed, relative to ``folder``, and its identity before it was. A file
            that comes, goes or is renamed changes that of its folder.
    """

    kind: ArtifactKind
    folder: Path
    label: str
    entries: tuple[Entry, ...]
    failures: tuple[ReadFailure, ...]
    left_out: tuple[str, ...]
    unwalked: tuple[str, ...]
    folders: tuple[tuple[str, Identity], ...] = field(default=(), compare=False, repr=False)
