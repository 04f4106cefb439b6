"""Whether bytes that a pickle might begin in are all text."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weighbridge.core.ports import ByteSource

__all__ = ["is_text"]

_MAX_BYTES = 4 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024
_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")


def is_text(source: ByteSource) -> bool:
    """Return whether all of ``source`` is UTF-8 without control characters, up to 4 MiB of it."""
    if source.size_bytes > _MAX_BYTES:
        return False
    decoder = codecs.getincrementaldecoder("utf-8")()
    position = 0
    try:
        while chunk := source.read_at(position, _CHUNK_BYTES):
            if _CONTROLS.search(chunk):
                return False
            decoder.decode(chunk)
            position += len(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
