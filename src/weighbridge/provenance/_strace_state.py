"""What was seen of a step up to now, and what every reader of calls needs."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weighbridge.core import Refusal, printable

if TYPE_CHECKING:
    from weighbridge.core import Limits
    from weighbridge.formats import StraceFile
    from weighbridge.provenance._origins import Origins

__all__ = [
    "Folder",
    "Process",
    "Watch",
    "add",
    "add_read",
    "add_write",
    "list_refusals",
    "locate",
    "note",
    "refuse",
]


@dataclass(slots=True)
class Folder:
    """A working folder, which threads share.

    Attributes:
        path: Empty if it is not known.
        token: What strace printed when it told ``path``.
    """

    path: bytes
    token: bytes = b""


@dataclass(slots=True)
class Process:
    folder: Folder
    program: bytes = b""
    forking: tuple[bytes, ...] | None = None
    is_claimed: bool = True


@dataclass(slots=True)
class Watch:
    """What was seen up to now; lives for one log.

    Attributes:
        listed: Which of ``reads`` were folders when they were told.
    """

    first_folder: bytes
    limits: Limits
    origins: Origins
    reads: set[bytes] = field(default_factory=set)
    listed: set[bytes] = field(default_factory=set)
    writes: set[bytes] = field(default_factory=set)
    folders: set[bytes] = field(default_factory=set)
    connections: set[str] = field(default_factory=set)
    gaps: dict[str, None] = field(default_factory=dict)
    sockets: set[bytes] = field(default_factory=set)
    processes: dict[int, Process] = field(default_factory=dict)
    children: dict[int, Process] = field(default_factory=dict)
    orphans: set[int] = field(default_factory=set)
    has_calls: bool = False
    refusals: dict[Refusal, int] = field(default_factory=dict)


def note(watch: Watch, gap: str) -> None:
    if len(watch.gaps) < watch.limits.max_rows:
        watch.gaps[gap] = None


def refuse(watch: Watch, refusal: Refusal) -> None:
    """Keep what was denied; what is over the bound is for people, and no gap."""
    if len(watch.refusals) < watch.limits.max_rows or refusal in watch.refusals:
        watch.refusals[refusal] = watch.refusals.get(refusal, 0) + 1


def list_refusals(watch: Watch) -> tuple[Refusal, ...]:
    """Return what was denied, sorted, each with how often it was."""
    return tuple(sorted(one._replace(times=n) for one, n in watch.refusals.items()))


def add_read(watch: Watch, path: bytes, *, is_deleted: bool = False) -> None:
    source = watch.origins.find(path, is_deleted=is_deleted)
    if source and source not in watch.reads:
        add(watch, watch.reads, source)
        if os.path.isdir(source):  # noqa: PTH112 - asked while the step runs, and for each file
            watch.listed.add(source)


def add_write(watch: Watch, path: bytes) -> None:
    """Note that a file was written into: by this name and, linked to from here, its first one."""
    add(watch, watch.writes, path)
    source = watch.origins.find(path)
    if source:
        add(watch, watch.writes, source)


def add(watch: Watch, paths: set[bytes], path: bytes) -> None:
    if len(paths) < watch.limits.max_entries or path in paths:
        paths.add(path)
    else:
        note(watch, f"it touched more than {watch.limits.max_entries} files")


def locate(watch: Watch, process: Process, text: bytes, at: StraceFile | None = None) -> bytes:
    """Return the absolute path of a name, its folder without links; empty if nobody knows it."""
    path = text
    if b"\0" in text:  # the system takes no such name
        note(watch, "a name in the monitor's log is none")
        return b""
    if not text.startswith(b"/"):
        folder = at.path if at and at.path else process.folder.path
        if not folder.startswith(b"/"):
            note(watch, f"where {printable(os.fsdecode(text))} is could not be told")
            return b""
        path = folder.rstrip(b"/") + b"/" + text
    path = path.rstrip(b"/") or b"/"
    head, name = os.path.split(path)
    if name in {b".", b".."}:
        return os.path.realpath(path)
    return os.path.join(_real_folder(head), name)  # noqa: PTH118


def _real_folder(path: bytes) -> bytes:
    """Resolve a folder; /proc would lead to this process instead of the step's."""
    return path if path.startswith((b"/proc/", b"/dev/fd")) else os.path.realpath(path)
