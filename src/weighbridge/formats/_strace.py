"""What strace wrote: lines of ``strace -f -y -xx -o``, one system call each, made whole again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "StraceBegun",
    "StraceCall",
    "StraceEnd",
    "StraceEvent",
    "StraceFile",
    "StraceProblem",
    "parse_strace_file",
    "parse_strace_text",
    "read_strace",
]

# Two paths of 4,096 bytes, two paths of descriptors and a returned one, four letters a byte.
MAX_LINE_BYTES = 128 * 1024
MAX_PENDING_BYTES = 64 * 1024 * 1024

_LINE = re.compile(rb"([0-9]{1,10}) +(.+)\n", re.DOTALL)
_CALL = re.compile(rb"([a-z0-9_]+)\((.*)\) += (.+)", re.DOTALL)
_RESUMED = re.compile(rb"<\.\.\. ([a-z0-9_]+) resumed>(.*)", re.DOTALL)
_BEGUN = re.compile(
    rb"([a-z0-9_]+)\((.*?),? ?<(unfinished|pid changed to [0-9]+) \.\.\.>", re.DOTALL
)
_FAILED = re.compile(rb"-1 (E[A-Z0-9]+) \(")
_FILE = re.compile(
    rb"(-?[0-9]+|AT_FDCWD)(?:<((?:\\x[0-9a-f]{2})*|[a-z_]+:\[?[^>]*)>)?(\(deleted\))?"
)
_TEXT = re.compile(rb'@?"((?:\\x[0-9a-f]{2})*)"')
_SUPERSEDED = re.compile(rb"\+\+\+ superseded by execve in pid ([0-9]{1,10}) \+\+\+")


@dataclass(frozen=True, slots=True)
class StraceFile:
    """A descriptor, as ``-y`` prints it.

    Attributes:
        number: The descriptor; -1 for ``AT_FDCWD``.
        path: What the system calls the open file; empty if strace could not tell.
        is_deleted: Whether the name was gone by then.
    """

    number: int
    path: bytes = b""
    is_deleted: bool = False


@dataclass(frozen=True, slots=True)
class StraceCall:
    """One system call that returned, or never will.

    Attributes:
        pid: Who called.
        name: What: ``openat``.
        args: The arguments as printed, split at commas that are outside of strings.
        error: ``ENOENT`` and so on; empty if it worked; ``?`` if nobody knows.
        result: What it returned, as printed.
    """

    pid: int
    name: str
    args: tuple[bytes, ...]
    error: str
    result: bytes


@dataclass(frozen=True, slots=True)
class StraceBegun:
    """A call that began and has not returned yet; it comes again as a whole when it does."""

    pid: int
    name: str
    args: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class StraceEnd:
    """A process or thread that is no more."""

    pid: int


@dataclass(frozen=True, slots=True)
class StraceProblem:
    """Something in the log that cannot be read, in words."""

    reason: str


StraceEvent = StraceCall | StraceBegun | StraceEnd | StraceProblem


def parse_strace_text(token: bytes) -> bytes | None:
    """Return the bytes of a string that ``-xx`` printed; None for a pointer or a cut string."""
    match = _TEXT.fullmatch(token)
    return _unhex(match[1]) if match else None


def parse_strace_file(token: bytes) -> StraceFile | None:
    """Return a descriptor that ``-y`` printed, as an argument or as a result."""
    match = _FILE.fullmatch(token)
    if match is None:
        return None
    path = match[2] or b""
    if path.startswith(b"\\x"):  # in short, what is no file is printed as it is
        path = _unhex(path)
    return StraceFile(
        number=-1 if match[1] == b"AT_FDCWD" else int(match[1]),
        path=b"" if b"\0" in path else path,
        is_deleted=match[3] is not None,
    )


def _unhex(text: bytes) -> bytes:
    return bytes.fromhex(text.replace(b"\\x", b"").decode("ascii"))


def read_strace(stream: BinaryIO) -> Iterator[StraceEvent]:
    """Yield what a log says, in its order, with calls that were interrupted in print made whole.

    Reads as it yields; memory stays below one line for each process that waits for a call.
    Nothing raises for what the log holds: a line that cannot be read is an event.

    Source:
        strace(1), OUTPUT; strace 6.1.
    """
    reader = _Reader()
    while line := stream.readline(MAX_LINE_BYTES):
        match = _LINE.fullmatch(line)
        if match is not None:
            yield from reader.read(int(match[1]), match[2])
        elif line.endswith(b"\n"):
            yield StraceProblem("a line of the monitor's log cannot be read")
        elif len(line) < MAX_LINE_BYTES:
            yield StraceProblem("the monitor's log is cut off")
        else:
            while line and not line.endswith(b"\n"):
                line = stream.readline(MAX_LINE_BYTES)
            yield StraceProblem("a line of the monitor's log is too long")


class _Reader:
    """The calls that wait for their other half; lives for one log."""

    def __init__(self) -> None:
        self._pending: dict[int, bytes] = {}
        self._pending_bytes = 0
        self._superseded: set[int] = set()

    def read(self, pid: int, text: bytes) -> Iterator[StraceEvent]:
        if text.startswith((b"+++ ", b"--- ")):
            yield from self._read_mark(pid, text)
            return
        if text.startswith(b"<... "):
            whole = self._resume(pid, text)
            if whole is None:
                return
            text = whole
        if text.endswith(b" ...>"):
            yield from self._begin(pid, text)
        elif (match := _CALL.fullmatch(text)) is not None:
            yield _to_call(pid, match)
        else:
            yield StraceProblem("a line of the monitor's log cannot be read")

    def _read_mark(self, pid: int, text: bytes) -> Iterator[StraceEvent]:
        """Read ``+++ exited with 0 +++`` and its kind; ``---`` is a signal."""
        if text.startswith(b"---"):
            return
        match = _SUPERSEDED.fullmatch(text)
        if match is None:
            self._take(pid)
            yield StraceEnd(pid)
            return
        # A thread that is not the first runs a program: it takes over the number of the first.
        other = int(match[1])
        self._take(pid)
        if other in self._pending:
            self._pending[pid] = self._pending.pop(other)
        else:
            self._superseded.add(pid)
        yield StraceEnd(other)
        # strace 6.1 misses the end of the call, and some that follow.
        yield StraceProblem(
            "a thread that is not the first ran a program; strace may lose calls then"
        )

    def _resume(self, pid: int, text: bytes) -> bytes | None:
        """Return the whole call; None if it was told already, text that is no call if it is odd."""
        match = _RESUMED.fullmatch(text)
        if match is None:
            return text
        was_told = match[1] in {b"execve", b"execveat"} and pid in self._superseded
        begun = self._take(pid)
        if begun is None:
            return None if was_told else text
        if not begun.startswith(match[1] + b"("):
            return text
        return begun + match[2]

    def _take(self, pid: int) -> bytes | None:
        begun = self._pending.pop(pid, None)
        self._pending_bytes -= len(begun or b"")
        self._superseded.discard(pid)
        return begun

    def _begin(self, pid: int, text: bytes) -> Iterator[StraceEvent]:
        """Keep the first half; what can never be whole is told as it is."""
        match = _BEGUN.fullmatch(text)
        if match is None:
            yield StraceProblem("a line of the monitor's log cannot be read")
            return
        name, args = match[1].decode(), _split(match[2])
        if match[3] != b"unfinished":
            yield StraceCall(pid, name, args, "?", b"?")
        elif pid in self._pending or self._pending_bytes + len(text) > MAX_PENDING_BYTES:
            yield StraceProblem("more calls wait at once in the monitor's log than is kept")
        else:
            begun = text.removesuffix(b" <unfinished ...>")
            self._pending[pid] = begun
            self._pending_bytes += len(begun)
            yield StraceBegun(pid, name, args)


def _to_call(pid: int, match: re.Match[bytes]) -> StraceCall:
    result = match[3]
    error = ""
    if result.startswith(b"?"):
        error = "?"
    elif result.startswith(b"-1 "):
        failed = _FAILED.match(result)
        error = failed[1].decode() if failed else "?"
    return StraceCall(pid, match[1].decode(), _split(match[2]), error, result)


def _split(args: bytes) -> tuple[bytes, ...]:
    """Split at commas; with ``-xx`` there are none inside strings and paths."""
    return tuple(args.rstrip().split(b", "))
