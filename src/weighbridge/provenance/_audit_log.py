"""From what the audit hook told to what a step read and wrote."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from weighbridge.core import DEFAULT_LIMITS, Observation, Refusal, printable
from weighbridge.provenance._origins import Origins
from weighbridge.provenance._strace_state import (
    Watch,
    add,
    add_read,
    add_write,
    list_refusals,
    note,
    refuse,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import BinaryIO

    from weighbridge.core import Limits

__all__ = ["AUDIT_MONITOR", "AuditReader", "parse_audit"]

AUDIT_MONITOR: Final = "https://weighbridge.dev/monitors/audit/v1"

BLIND: Final = (
    "the monitor is an audit hook, which sees what Python opens: not what Rust, C and C++ read "
    "(safetensors, pyarrow), nor what processes read in which the hook is not"
)
SILENT: Final = (
    "the audit hook did not come up in the step (it is no Python, or -I, -E or -S keep the hook "
    "out), so nothing was seen of it"
)
_UNREADABLE = "a record of the monitor's log cannot be read"
_MAX_RECORD_BYTES = 8192
_CHUNK_BYTES = 1 << 16


def parse_audit(log: BinaryIO, *, limits: Limits = DEFAULT_LIMITS) -> Observation:
    """Read what audit hooks wrote, to its end; records end with NUL.

    ``log`` may be a pipe that is still written to. Memory depends on the number of different
    files. Nothing in the log raises: what cannot be understood is a gap.

    Args:
        log: Bytes.
        limits: ``max_entries`` applies to what is read, and to what is written.
    """
    reader = AuditReader(limits)
    for record in _split(log):
        reader.read(record)
    return reader.conclude()


def _split(log: BinaryIO) -> Iterator[bytes]:
    tail, skips = b"", False
    while chunk := log.read1(_CHUNK_BYTES) if hasattr(log, "read1") else log.read(_CHUNK_BYTES):
        *records, tail = (tail + chunk).split(b"\0")
        if records and skips:
            records, skips = records[1:], False
        yield from records
        if len(tail) > _MAX_RECORD_BYTES:
            if not skips:
                yield b""
            tail, skips = b"", True
    if tail:
        yield b""  # cut off


class AuditReader:
    """Makes sense of records one by one; for one step.

    Attributes:
        has_begun: Whether a hook said that it is in place.
    """

    def __init__(self, limits: Limits, *, has_begun: bool = False) -> None:
        self.has_begun = has_begun
        origins = Origins(max_nodes=limits.max_entries)
        self._watch = Watch(first_folder=b"/", limits=limits, origins=origins)

    def read(self, record: bytes) -> None:
        """Take in one record; one that is none is a gap."""
        kind, rest = record[:1], record[1:]
        if kind == b"H" and not rest:
            self.has_begun = True
        elif kind in _WITH_PATH and rest.startswith(b"/") and b"\0" not in rest:
            _WITH_PATH[kind](self._watch, rest)
        elif kind in _WITH_PATHS:
            _read_two(self._watch, kind, rest)
        elif kind in _WITH_WORDS:
            _WITH_WORDS[kind](self._watch, printable(os.fsdecode(rest)))
        else:
            note(self._watch, _UNREADABLE)

    def note(self, gap: str) -> None:
        """Keep a gap that is known from elsewhere."""
        note(self._watch, gap)

    def conclude(self) -> Observation:
        """Return what was seen."""
        watch = self._watch
        if watch.origins.is_full:
            note(watch, "it made and moved more files than are kept apart")
        gaps = (BLIND,) if self.has_begun else (SILENT,)
        return Observation(
            monitor=AUDIT_MONITOR,
            reads=tuple(sorted(map(os.fsdecode, watch.reads))),
            writes=tuple(sorted(map(os.fsdecode, watch.writes))),
            connections=tuple(sorted(watch.connections)),
            gaps=(*gaps, *watch.gaps),
            refusals=list_refusals(watch),
        )


def _read(watch: Watch, path: bytes) -> None:
    add_read(watch, _locate(path))


def _write(watch: Watch, path: bytes) -> None:
    add_write(watch, _locate(path))


def _update(watch: Watch, path: bytes) -> None:
    _read(watch, path)
    _write(watch, path)


def _make(watch: Watch, path: bytes) -> None:
    path = _locate(path)
    add_write(watch, path)
    watch.origins.make(path)


def _refuse(watch: Watch, path: bytes) -> None:
    refuse(watch, Refusal(os.fsdecode(_locate(path)), "EACCES", writing=False))


def _locate(path: bytes) -> bytes:
    """Resolve the folder of a name, and not the name: the hook did that where it leads on."""
    head, name = os.path.split(path.rstrip(b"/") or b"/")
    if name in {b".", b".."}:
        return os.path.realpath(path)
    return os.path.join(os.path.realpath(head), name)  # noqa: PTH118


def _remove(watch: Watch, path: bytes) -> None:
    path = _locate(path)
    add(watch, watch.writes, path)
    watch.origins.remove(path)


def _remove_folder(watch: Watch, path: bytes) -> None:
    watch.origins.remove(_locate(path))


def _make_folder(watch: Watch, path: bytes) -> None:
    watch.origins.make(_locate(path))


def _make_link(watch: Watch, path: bytes) -> None:
    add(watch, watch.writes, _locate(path))


def _read_two(watch: Watch, kind: bytes, rest: bytes) -> None:
    length, _, paths = rest.partition(b":")
    size = int(length) if length.isdigit() and len(length) < 5 else 0  # noqa: PLR2004
    old, new = paths[:size], paths[size:]
    if not (old.startswith(b"/") and new.startswith(b"/")) or b"\0" in paths:
        note(watch, _UNREADABLE)
        return
    _WITH_PATHS[kind](watch, _locate(old), _locate(new))


def _rename(watch: Watch, old: bytes, new: bytes) -> None:
    add_read(watch, old)  # what it put elsewhere came from before, though nothing opened it
    add(watch, watch.writes, old)
    add(watch, watch.writes, new)
    watch.origins.move(old, new)


def _link(watch: Watch, old: bytes, new: bytes) -> None:
    add_read(watch, old)
    add(watch, watch.writes, new)
    source = watch.origins.find(old)
    if source:
        watch.origins.keep(new, source)
    else:
        watch.origins.make(new)


def _connect(watch: Watch, words: str) -> None:
    if len(watch.connections) < watch.limits.max_rows:
        watch.connections.add(words)
    else:
        note(watch, f"it connected to more than {watch.limits.max_rows} addresses")


def _bind_locally(watch: Watch, words: str) -> None:
    if len(watch.sockets) < watch.limits.max_rows:
        watch.sockets.add(os.fsencode(words))


def _connect_locally(watch: Watch, words: str) -> None:
    _connect(watch, f"unix:{words}")
    if os.fsencode(words) not in watch.sockets:
        note(watch, f"a process that was not watched may have read for it, by {words}")


def _start(watch: Watch, words: str) -> None:
    note(watch, f"it started a program, in which the hook may not be: {words}")


_WITH_PATH: Final[Mapping[bytes, Callable[[Watch, bytes], None]]] = {
    b"r": _read,
    b"w": _write,
    b"u": _update,
    b"n": _make,
    b"f": _refuse,
    b"d": _remove,
    b"x": _remove_folder,
    b"k": _make_folder,
    b"s": _make_link,
}
_WITH_PATHS: Final[Mapping[bytes, Callable[[Watch, bytes, bytes], None]]] = {
    b"m": _rename,
    b"l": _link,
}
_WITH_WORDS: Final[Mapping[bytes, Callable[[Watch, str], None]]] = {
    b"c": _connect,
    b"b": lambda watch, words: _connect(watch, f"bound to {words}"),
    b"U": _connect_locally,
    b"B": _bind_locally,
    b"p": _start,
    b"P": lambda watch, _: note(watch, "it forked, and the hook does not see all of a child"),
    b"y": lambda watch, _: note(watch, "it loaded libraries by ctypes, which the hook cannot see"),
    b"o": lambda watch, _: note(watch, "it named a file in a way that the hook cannot resolve"),
}
