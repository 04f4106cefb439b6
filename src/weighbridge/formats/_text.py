"""Telling text from other bytes, in pieces of bounded size."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.formats._needles import CONTROLS, find_needles, keep_rare

if TYPE_CHECKING:
    import re
    from collections.abc import Callable

    from weighbridge.core.ports import ByteSource

__all__ = ["Text", "read_text"]

_CHUNK_BYTES = 1024 * 1024
_OVERLAP_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Text:
    """What is known of bytes that are UTF-8 text throughout.

    Attributes:
        data: All of it, or only its beginning if ``whole`` is false.
        whole: Whether ``data`` is all.
        found: Which of the needles occur anywhere in the text.
        matched: Which of the patterns do, if the text is not whole.
    """

    data: bytes
    whole: bool
    found: frozenset[bytes]
    matched: frozenset[re.Pattern[bytes]] = frozenset()

    def matches(self, pattern: re.Pattern[bytes]) -> bool:
        """Return whether ``pattern`` occurs anywhere in the text."""
        return pattern.search(self.data) is not None if self.whole else pattern in self.matched


def read_text(
    source: ByteSource,
    needles: tuple[bytes, ...],
    *,
    max_whole_bytes: int,
    patterns: tuple[re.Pattern[bytes], ...] = (),
    spend: Callable[[int], None],
) -> Text | None:
    """Return the text that ``source`` is, or None if any byte of it is not text.

    Text is UTF-8, with or without a byte order mark, without control characters.

    Args:
        source: The bytes; read once, in rising order.
        needles: To be searched for. Longer than 1 KiB they may be missed.
        max_whole_bytes: Only the beginning of a larger text is kept.
        patterns: To be searched for piece by piece in a text that is not kept whole. What they
            match over more than 1 KiB may be missed.
        spend: Told the size of each piece of text before it is searched; may raise to stop.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    whole = source.size_bytes <= max_whole_bytes
    found: set[bytes] = set()
    matched: set[re.Pattern[bytes]] = set()
    kept: list[bytes] = []
    carry = b""
    offset = 0
    while offset < source.size_bytes:
        chunk = source.read_at(offset, _CHUNK_BYTES)
        rare = keep_rare(chunk)
        if not chunk or len(rare.translate(None, CONTROLS)) != len(rare):
            return None
        offset += len(chunk)
        try:
            decoder.decode(chunk, final=offset >= source.size_bytes)
        except UnicodeDecodeError:
            return None
        spend(len(chunk))
        window = carry + chunk if carry else chunk
        find_needles(window, keep_rare(carry) + rare, needles, found)
        if whole or not kept:
            kept.append(chunk)
        if not whole:
            matched.update(p for p in patterns if p not in matched and p.search(window))
        carry = chunk[-_OVERLAP_BYTES:]
    return Text(b"".join(kept), whole, frozenset(found), frozenset(matched))
