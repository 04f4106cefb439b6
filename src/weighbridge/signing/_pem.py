"""PEM: files with keys and certificates in them, split into blocks; nothing is decoded."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

from weighbridge.artifact import read_document

if TYPE_CHECKING:
    from pathlib import Path

    from weighbridge.core import Limits

__all__ = ["decode_body", "read_pem", "to_pem"]

_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----")


def read_pem(path: Path, *, what: str, limits: Limits) -> list[tuple[bytes, bytes]]:
    """Return (label, lines between) of each complete block of a file, whatever ends its lines.

    Args:
        path: A regular file; a link to one is followed.
        what: What it is, for messages: ``key``.
        limits: ``max_key_bytes`` applies.

    Raises:
        InputError: Missing, not a regular file, or unreadable.
        LimitExceededError: Larger than ``max_key_bytes``.
    """
    data = read_document(
        path, what=what, limit_name="max_key_bytes", limit_bytes=limits.max_key_bytes
    )
    blocks = []
    label, body = b"", [b""]
    for line in map(bytes.strip, data.splitlines()):
        if begin := _BEGIN.fullmatch(line):
            label, body = begin.group(1), []
        elif label and line == b"-----END %b-----" % label:
            blocks.append((label, b"\n".join(body)))
            label = b""
        elif label:
            body.append(line)
    return blocks


def to_pem(label: bytes, body: bytes) -> bytes:
    """Return a block as it stands in a file."""
    return b"-----BEGIN %b-----\n%b\n-----END %b-----\n" % (label, body, label)


def decode_body(body: bytes) -> bytes | None:
    """Return the DER in a block without header lines, or None if its base64 is broken."""
    try:
        return base64.b64decode(b"".join(body.split()), validate=True)
    except binascii.Error:
        return None
