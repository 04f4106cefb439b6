"""Telling formats by their first bytes. A name is never asked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from weighbridge.formats._arrow import looks_like_arrow
from weighbridge.formats._media import sniff_media
from weighbridge.formats._msgpack import looks_like_msgpack
from weighbridge.formats._outlines import sniff_outline
from weighbridge.formats._r import find_r_start
from weighbridge.formats._tar import looks_like_tar
from weighbridge.formats._ubjson import looks_like_ubjson

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["HEAD_BYTES", "looks_like_text", "sniff"]

HEAD_BYTES = 64 * 1024
"""How much of a file ``sniff`` wants to see."""

# (offset, bytes, format); the first that fits at its offset counts, all that fit are reported.
_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x93NUMPY", "numpy"),
    (0, b"GGUF", "gguf"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"\xfd7zXZ\x00", "xz"),
    (0, b"ZF", "joblib-zfile"),
    (0, b"\x28\xb5\x2f\xfd", "zstd"),
    (0, b"\x04\x22\x4d\x18", "lz4"),
    (0, b"\x02\x21\x4c\x18", "lz4-legacy"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z"),
    (0, b"Rar!\x1a\x07", "rar"),
    (257, b"ustar", "tar"),
    (0, b"\x7fELF", "elf"),
    (0, b"MZ", "pe"),
    (0, b"\xfe\xed\xfa\xce", "mach-o"),
    (0, b"\xfe\xed\xfa\xcf", "mach-o"),
    (0, b"\xce\xfa\xed\xfe", "mach-o"),
    (0, b"\xcf\xfa\xed\xfe", "mach-o"),
    (0, b"\xca\xfe\xba\xbe", "mach-o or java class"),
    (0, b"SQLite format 3\x00", "sqlite"),
    (0, b"PAR1", "parquet"),
    (0, b"CBM1", "catboost"),
    (0, b"tree\nversion=v", "lightgbm"),
    (0, b"tree\r\nversion=v", "lightgbm"),
    (4, b"TFL3", "tflite"),
    (4, b"ET12", "executorch"),
    (0, b"%PDF-", "pdf"),
    (0, b"\x00asm", "webassembly"),
    (0, b"bplist00", "apple property list"),
    (0, b"\x1bLua", "lua bytecode"),
    (0, b"BC\xc0\xde", "llvm bitcode"),
    (0, b"dex\n03", "dalvik bytecode"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole document"),
    (0, b"binf", "xgboost binary"),
)
# With the mark of the first block, or of the end of an empty stream.
_BZIP2 = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")
# A frame that is passed over, with any content; the stream of zstd or lz4 follows.
_SKIPPED_FRAME = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")
_LZMA_WINDOW_BYTES = 4 * 1024
_LZMA_NO_SIZE = 2**64 - 1
_LZMA_SIZE_END = 2**38
_LZMA_PROPERTIES = (4 * 5 + 4) * 9 + 8
_HDF5 = b"\x89HDF\r\n\x1a\n"
# A text may begin with these letters; the real thing has other bytes soon after.
_NEEDS_BINARY = frozenset({"pe", "parquet", "xgboost binary"})
_SAFETENSORS_HEADER_BYTES = 100_000_000


def sniff(head: bytes) -> tuple[str, ...]:
    """Return every format that ``head``, the first 64 KiB of something, may be the start of.

    The answer is a guess that the reader of the format has to confirm.
    """
    found = [
        name
        for at, magic, name in _MAGIC
        if head.startswith(magic, at) and not (name in _NEEDS_BINARY and looks_like_text(head))
    ]
    if sniff_media(head):
        found.append("media")
    if _SKIPPED_FRAME.match(head):
        found.extend(("zstd", "lz4"))
    found.extend(name for name, test in _tests().items() if test(head))
    return tuple(dict.fromkeys(found))


def _tests() -> dict[str, Callable[[bytes], object]]:
    """Return what tells the formats that no constant does."""
    return {
        "zlib": _is_zlib,
        "lzma": _is_lzma,
        "bzip2": _BZIP2.match,
        "tar": looks_like_tar,
        "arrow": looks_like_arrow,
        "msgpack": looks_like_msgpack,
        "ubjson": looks_like_ubjson,
        "r": lambda head: find_r_start(head) is not None,
        "safetensors": _is_safetensors,
        "outline": sniff_outline,
        "hdf5": lambda head: any(head.startswith(_HDF5, at) for at in _hdf5_offsets()),
    }


def looks_like_text(head: bytes) -> bool:
    """Return whether the first bytes are ASCII without NUL: a guess, from 1 KiB at most."""
    sample = head[:1024]
    return sample.isascii() and b"\0" not in sample


def _is_zlib(head: bytes) -> bool:
    """Return whether this is a zlib header with a 32 KiB window and no dictionary (RFC 1950)."""
    return head[:1] == b"x" and head[1:2] in (b"\x01", b"\x5e", b"\x9c", b"\xda")


def _is_lzma(head: bytes) -> bool:
    """Return whether this is the header of a ``.lzma`` file, which has no mark.

    Either it begins as joblib wants it, whatever the size of the dictionary, or it has a size that
    liblzma takes when it guesses: 2^n, or 2^n + 2^(n-1).
    """
    if head.startswith(b"\x5d\x00"):
        return True
    window = int.from_bytes(head[1:5], "little")
    size = int.from_bytes(head[5:13], "little")
    lowest = window & -window
    usual = window in (lowest, lowest * 3) and window >= _LZMA_WINDOW_BYTES
    known = size == _LZMA_NO_SIZE or 0 < size < _LZMA_SIZE_END
    return usual and known and head[0] <= _LZMA_PROPERTIES


def _is_safetensors(head: bytes) -> bool:
    """Return whether a plausible length and the ``{`` of the header are there."""
    length = int.from_bytes(head[:8], "little")
    return head[8:9] == b"{" and 0 < length <= _SAFETENSORS_HEADER_BYTES


def _hdf5_offsets() -> tuple[int, ...]:
    """Return where the superblock may be: 0, 512, 1024, 2048, ...

    Source:
        HDF5 File Format Specification 3.0, section II.A.
    """
    return (0, *(512 << n for n in range(7)))
