"""One target for each reader of containers and media: it answers, or raises what it promises."""

from __future__ import annotations

import io
import struct

import lz4.frame
import py7zr
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from support import EVIL_PICKLE
from weighbridge.core import DEFAULT_LIMITS
from weighbridge.errors import ParseError
from weighbridge.formats import (
    MEDIA_KINDS,
    MemorySource,
    expand_7z_folder,
    expand_stream,
    find_media_end,
    read_7z,
)
from weighbridge.scanning import build_inspector

_METHODS = ("zstd", "lz4", "lz4-legacy", "gzip", "xz", "bzip2")
_MAX_HEADER_BYTES = 1 << 25


def _to_7z(*, packed: bool) -> bytes:
    stream = io.BytesIO()
    with py7zr.SevenZipFile(stream, "w") as archive:
        archive.set_encoded_header_mode(packed)
        archive.writestr(EVIL_PICKLE, "a")
        archive.writestr(b"text", "b")
    return stream.getvalue()


SEEDS = [
    _to_7z(packed=True),
    _to_7z(packed=False),
    zstandard.ZstdCompressor().compress(EVIL_PICKLE),
    lz4.frame.compress(EVIL_PICKLE),
    b"\x02\x21\x4c\x18" + struct.pack("<I", 5) + b"\x40abcd",
    b"GIF89a" + bytes(7) + b"\x21\xfe\x03abc\x00\x3b",
    b"\x00\x01\x00\x00\x00\x01" + bytes(6) + struct.pack(">4s3L", b"glyf", 0, 28, 4) + b"abcd",
    b"%PDF-1.5\n1 0 obj\n<</Type/ObjStm>>\nstream\nx\nendstream\n%%EOF\n",
]


def fuzz_7z(data: bytes) -> None:
    """Read headers and expand what they say."""
    spent = []
    source = MemorySource("a", data)
    try:
        archive = read_7z(source, max_members=1_000, spend=spent.append)
    except ParseError:
        return
    assert sum(spent) <= _MAX_HEADER_BYTES
    for folder in archive.folders:
        try:
            left = 1 << 20
            for piece in expand_7z_folder(source, folder):
                left -= len(piece)
                if folder.problem or left < 0:
                    break
        except ParseError:
            pass


def fuzz_streams(data: bytes) -> None:
    """Expand as each method."""
    for method in _METHODS:
        left = 1 << 22
        try:
            pieces = expand_stream(MemorySource("a", data), method, start=0, size_bytes=len(data))
            for piece in pieces:
                left -= len(piece)
                if left < 0:
                    break
        except ParseError:
            pass


def fuzz_media(data: bytes) -> None:
    """Follow as each kind: an end lies inside the bytes, and work is bounded by them."""
    for kind in MEDIA_KINDS:
        spent: list[int] = []
        end = find_media_end(MemorySource("a", data), kind, spent.append)
        assert end is None or 0 <= end <= len(data) + 256, kind
        assert sum(spent) <= 64 * len(data) + 4096, kind


def fuzz_scan(data: bytes) -> None:
    """Scan: each file has a row, and no examiner fails."""
    scan = build_inspector(limits=DEFAULT_LIMITS)(MemorySource("a", data))
    assert scan.coverage
    assert not any("examiner failed" in row.reason for row in scan.coverage)


@st.composite
def _mutated(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(data) - 1))
        data[at] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(1, len(data)))])


@settings(max_examples=250, deadline=None)
@given(data=_mutated() | st.binary(max_size=200))
def test_readers_of_containers_and_media(data: bytes) -> None:
    fuzz_7z(data)
    fuzz_streams(data)
    fuzz_media(data)
    fuzz_scan(data)
