"""Claims: the file beside an artifact that holds what is said about it, one bundle a line."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from weighbridge.artifact._documents import check_writable, draft_document, read_document
from weighbridge.artifact._walk import CLAIMS_NAME
from weighbridge.core import printable
from weighbridge.errors import IncompleteError, InputError, LimitExceededError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from weighbridge.core import Limits

__all__ = [
    "append_claims",
    "append_claims_to_each",
    "check_claims",
    "check_lines",
    "find_claims",
    "read_claims",
]

_AT_ONCE = 64  # files that are filled before the first is there; each takes two descriptors
_PAUSE_S = 0.01


def find_claims(artifact: Path) -> Path:
    """Return ``claims.jsonl`` in a folder, ``NAME.claims.jsonl`` beside a file."""
    if os.path.isdir(artifact):  # noqa: PTH112 - false, too, where nobody may look
        return artifact / CLAIMS_NAME
    return artifact.with_name(f"{artifact.name}.{CLAIMS_NAME}")


def check_claims(artifact: Path, *, limits: Limits) -> None:
    """Refuse an artifact about which nothing could be claimed; it may still have to be made.

    What is wrong with a claims file, or with the folder that it is to be in, is so told before the
    work that makes the artifact. Nothing is left there.

    Args:
        artifact: A file, a folder, or what will be one.
        limits: ``max_signature_bytes`` applies to the claims file.

    Raises:
        InputError: The claims file is there and cannot be read, is a link or not a regular file,
            or its folder cannot be written.
        LimitExceededError: It is larger than ``max_signature_bytes``.
        IncompleteError: The disk is full, or fails.
    """
    path = find_claims(artifact)
    read_claims(path, limits=limits)
    folder = path.parent
    while not os.path.lexists(folder) and folder != folder.parent:  # it is made with the artifact
        folder = folder.parent
    check_writable(folder)


def read_claims(path: Path, *, limits: Limits) -> tuple[bytes, ...]:
    """Return the lines of a claims file, unread and unverified; none if there is no file.

    A symbolic link is refused: whoever made the artifact may have put it there, and what it leads
    to would be copied to wherever claims travel.

    Raises:
        InputError: It is there and cannot be read, or is not a regular file.
        LimitExceededError: It is larger than ``max_signature_bytes``, or has too many lines.
    """
    if not os.path.lexists(path):
        return ()
    data = read_document(
        path,
        what="claims file",
        limit_name="max_signature_bytes",
        limit_bytes=limits.max_signature_bytes,
        follow=False,
    )
    check_lines(data, shown=printable(str(path)), limits=limits)
    lines = data.split(b"\n")
    return tuple(line for line in lines if line.strip())


def check_lines(data: bytes, *, shown: str, limits: Limits) -> None:
    """Refuse a claims file of very many lines: each takes more time and memory than its bytes.

    Args:
        data: Its content.
        shown: What to call it.
        limits: ``max_entries`` bounds the lines.

    Raises:
        LimitExceededError: There are more.
    """
    count = data.count(b"\n")
    if count > limits.max_entries:
        raise LimitExceededError(
            "max_entries", limit=limits.max_entries, actual=count, subject=f"lines of {shown}"
        )


def append_claims(path: Path, claims: Sequence[bytes], *, limits: Limits) -> int:
    """Add bundles to a claims file; return how many of them were not there yet.

    What is there stays as it is, byte for byte. The file appears with all of them or stays as it
    was; whoever else appends at the same time waits.

    Args:
        path: The claims file; made if it is not there.
        claims: Bundles, each on a line of its own without its end.
        limits: ``max_signature_bytes`` applies to the file.

    Raises:
        InputError: The file cannot be read or written, or a claim is more than one line.
        LimitExceededError: The file would be too large.
        IncompleteError: The disk is full, or fails; or another process keeps the folder locked for
            longer than ``max_wait_s``.
    """
    return append_claims_to_each((path,), claims, limits=limits)[0]


def append_claims_to_each(
    paths: Sequence[Path], claims: Sequence[bytes], *, limits: Limits
) -> tuple[int, ...]:
    """Add the same bundles to several claims files, as :func:`append_claims` does to one.

    All that can go wrong while they are filled (a full disk, a limit, a file that is none) leaves
    each as it was. Beyond 64 files they are taken by the 64, and an error says how many are done.

    Args:
        paths: The claims files, all different.
        claims: As for :func:`append_claims`.
        limits: As for :func:`append_claims`.

    Returns:
        For each file how many of the claims were not there yet.

    Raises:
        InputError: As :func:`append_claims`.
        LimitExceededError: As :func:`append_claims`.
        IncompleteError: As :func:`append_claims`; or some files were written and one was not.
    """
    if any(b"\n" in claim or not claim for claim in claims):
        raise InputError("a claim has to be one line of JSON")
    counts: list[int] = []
    for start in range(0, len(paths), _AT_ONCE):
        some = paths[start : start + _AT_ONCE]
        with ExitStack() as stack:
            folders = _lock({path.parent for path in some}, stack, limits=limits)
            try:
                drafts = [_draft(p, claims, folders, stack=stack, limits=limits) for p in some]
            except (InputError, IncompleteError) as error:
                raise _tell_done(error, len(counts)) from error
            for publish, count in drafts:
                try:
                    publish()
                except (InputError, IncompleteError) as error:
                    raise _tell_done(error, len(counts)) from error
                counts.append(count)
    return tuple(counts)


def _tell_done(error: InputError | IncompleteError, done: int) -> InputError | IncompleteError:
    """Return what to raise once ``done`` files have the claims."""
    if not done:
        return error
    return IncompleteError(f"{error}; {done:,} claims files before it were written")


def _draft(
    path: Path,
    claims: Sequence[bytes],
    folders: Mapping[Path, int],
    *,
    stack: ExitStack,
    limits: Limits,
) -> tuple[Callable[[], None], int]:
    """Fill the new file; return what gives it its name, and how many claims are new."""
    there = read_claims(path, limits=limits)
    old = frozenset(there)
    new = [claim for claim in dict.fromkeys(claims) if claim not in old]
    if not new:
        return lambda: None, 0
    data = b"".join(line + b"\n" for line in (*there, *new))
    shown, limit = printable(str(path)), limits.max_signature_bytes
    if len(data) > limit:
        raise LimitExceededError(
            "max_signature_bytes", limit=limit, actual=len(data), subject=shown
        )
    draft = draft_document(folders[path.parent], path.name, data, shown=shown)
    return stack.enter_context(draft), len(new)


def _lock(paths: set[Path], stack: ExitStack, *, limits: Limits) -> dict[Path, int]:
    """Keep other writers of claims out; folders are locked, for the files get replaced.

    Each folder once, whatever its names, and all in one order, so that nobody waits in a circle.
    """
    opened = {path: stack.enter_context(_opened(path)) for path in paths}
    first: dict[tuple[int, int], tuple[int, Path]] = {}
    for path, descriptor in opened.items():
        status = os.fstat(descriptor)
        first.setdefault((status.st_dev, status.st_ino), (descriptor, path))
    for _, (descriptor, path) in sorted(first.items()):
        _wait(descriptor, path, limits.max_wait_s)
    return opened


def _wait(descriptor: int, folder: Path, limit_s: int) -> None:
    """Wait for other writers, but not for ever: whoever holds the lock may be what a step left."""
    until = time.monotonic() + limit_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() < until:
                time.sleep(_PAUSE_S)
                continue
            shown = printable(str(folder))
            raise IncompleteError(
                f"another process has locked {shown} for {limit_s} s, so that no claims were "
                "written there; end it and try again"
            ) from error
        return


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        reason = (error.strerror or "error").lower()
        raise InputError(f"{printable(str(folder))} cannot be opened: {reason}") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)
