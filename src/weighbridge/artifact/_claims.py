"""Claims: the file beside an artifact that holds what is said about it, one bundle a line."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from weighbridge.artifact._documents import read_document, write_document
from weighbridge.artifact._walk import CLAIMS_NAME
from weighbridge.core import printable
from weighbridge.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from weighbridge.core import Limits

__all__ = ["append_claims", "find_claims", "read_claims"]


def find_claims(artifact: Path) -> Path:
    """Return ``claims.jsonl`` in a folder, ``NAME.claims.jsonl`` beside a file."""
    if artifact.is_dir():
        return artifact / CLAIMS_NAME
    return artifact.with_name(f"{artifact.name}.{CLAIMS_NAME}")


def read_claims(path: Path, *, limits: Limits) -> tuple[bytes, ...]:
    """Return the lines of a claims file, unread and unverified; none if there is no file.

    Raises:
        InputError: It is there and cannot be read, or is not a regular file.
        LimitExceededError: It is larger than ``max_signature_bytes``.
    """
    if not os.path.lexists(path):
        return ()
    data = read_document(
        path,
        what="claims file",
        limit_name="max_signature_bytes",
        limit_bytes=limits.max_signature_bytes,
    )
    return tuple(line for line in data.split(b"\n") if line.strip())


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
    """
    if any(b"\n" in claim or not claim for claim in claims):
        raise InputError("a claim has to be one line of JSON")
    with _locked(path.parent):
        there = read_claims(path, limits=limits)
        new = [claim for claim in dict.fromkeys(claims) if claim not in set(there)]
        if not new:
            return 0
        data = b"".join(line + b"\n" for line in (*there, *new))
        write_document(
            path,
            data,
            limit_name="max_signature_bytes",
            limit_bytes=limits.max_signature_bytes,
        )
        return len(new)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other writers of claims out; the folder is locked, for the file gets replaced."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        reason = (error.strerror or "error").lower()
        raise InputError(f"{printable(str(folder))} cannot be opened: {reason}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
