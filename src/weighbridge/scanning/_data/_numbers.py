"""Files of numbers and words that no reader does anything else with, told by their own sizes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from weighbridge.formats import SliceSource
from weighbridge.scanning._notes import deeper, inert

if TYPE_CHECKING:
    from collections.abc import Generator

    from weighbridge.core import Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Examine, Note

__all__ = ["examine_crfsuite", "examine_fasttext", "examine_fits", "examine_orc"]

_CRFSUITE_HEAD_BYTES = 48
_CRFSUITE_CHUNKS = (b"FOMC", b"CRF1")
_FASTTEXT_VERSIONS = (11, 12)
_FASTTEXT_HEAD_BYTES = 64
_FITS_BLOCK_BYTES = 2880
_FITS_HEAD = re.compile(rb"(?:[\x20-\x7e]{80})+")
_ORC_MAGIC = b"ORC"


def examine_crfsuite(
    source: ByteSource, at: Location, context: ScanContext, examine: Examine
) -> Generator[Note, None, bool]:
    """Examine the frame of a CRFsuite model; what lies behind its end is a file of its own.

    Source:
        CRFsuite ``lib/crf/src/crf1d_model.c``, ``header_t``.
    """
    context.budget.spend_header_bytes(_CRFSUITE_HEAD_BYTES)
    head = source.read_at(0, _CRFSUITE_HEAD_BYTES)
    size = int.from_bytes(head[4:8], "little")
    if head[8:12] not in _CRFSUITE_CHUNKS or not _CRFSUITE_HEAD_BYTES <= size <= source.size_bytes:
        return False
    yield inert(at, "crfsuite", "labels, attributes and weights")
    if size < source.size_bytes:
        behind = source.size_bytes - size
        place, inner = deeper(at, f"(the last {behind:,} bytes)", context)
        yield from examine(SliceSource(source.name, source, size, behind), place, inner)
    return True


def examine_fasttext(
    source: ByteSource, at: Location, context: ScanContext, _: Examine
) -> Generator[Note, None, bool]:
    """Examine the head of a fastText model: a mark, a version, and its options.

    Source:
        fastText ``src/fasttext.cc`` (``signModel``) and ``src/args.cc`` (``Args::save``).
    """
    context.budget.spend_header_bytes(_FASTTEXT_HEAD_BYTES)
    head = source.read_at(0, _FASTTEXT_HEAD_BYTES)
    numbers = [
        int.from_bytes(head[at_ : at_ + 4], "little", signed=True) for at_ in range(4, 56, 4)
    ]
    if len(head) < _FASTTEXT_HEAD_BYTES or numbers[0] not in _FASTTEXT_VERSIONS:
        return False
    dim, window, epoch, _min, _neg, ngrams, loss, model = numbers[1:9]
    sane = 0 < dim <= 100_000 and 0 <= window <= 1_000 and 0 <= epoch <= 100_000  # noqa: PLR2004
    if not sane or not 0 <= ngrams <= 100 or loss not in range(1, 5) or model not in range(1, 4):  # noqa: PLR2004
        return False
    yield inert(at, "fasttext", "words and vectors")
    return True


def examine_orc(
    source: ByteSource, at: Location, context: ScanContext, _: Examine
) -> Generator[Note, None, bool]:
    """Examine the end of an ORC table: its mark again, and how long the postscript is.

    Source:
        ORC specification v1, "File Tail".
    """
    context.budget.spend_header_bytes(4)
    tail = source.read_at(max(source.size_bytes - 4, 0), 4)
    if tail[:3] != _ORC_MAGIC or not 0 < tail[3] < source.size_bytes:
        return False
    yield inert(at, "orc", "a table of values")
    return True


def examine_fits(
    source: ByteSource, at: Location, context: ScanContext, _: Examine
) -> Generator[Note, None, bool]:
    """Examine the first block of a FITS file, which is text, and its size, in whole blocks.

    Source:
        FITS standard 4.0, sections 3.1 and 4.1.
    """
    context.budget.spend_header_bytes(_FITS_BLOCK_BYTES)
    head = source.read_at(0, _FITS_BLOCK_BYTES)
    if source.size_bytes % _FITS_BLOCK_BYTES or _FITS_HEAD.fullmatch(head) is None:
        return False
    yield inert(at, "fits", "a table of values")
    return True
