"""Compressed streams, what they expand into, and the sources inside other sources."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import random
import zlib
from typing import Any

import pytest

from weighbridge.errors import LimitExceededError, ParseError
from weighbridge.formats import (
    Expanded,
    MemorySource,
    SliceSource,
    expand_stream,
    open_expanded,
    sniff,
)

DATA = bytes(range(256)) * 9000  # more than one piece
PACKED = {
    "gzip": gzip.compress(DATA),
    "zlib": zlib.compress(DATA),
    "bzip2": bz2.compress(DATA),
    "xz": lzma.compress(DATA),
    "lzma": lzma.compress(DATA, format=lzma.FORMAT_ALONE),
}


def expand(raw: bytes, method: str) -> bytes:
    source = MemorySource("x", b"head" + raw)
    return b"".join(expand_stream(source, method, start=4, size_bytes=len(raw)))


@pytest.mark.parametrize("method", PACKED)
def test_round_trip(method: str) -> None:
    assert sniff(PACKED[method])[0] == method
    assert expand(PACKED[method], method) == DATA


@pytest.mark.parametrize("method", PACKED)
def test_two_streams_in_a_row_are_joined(method: str) -> None:
    assert expand(PACKED[method] * 2, method) == DATA * 2


@pytest.mark.parametrize("method", PACKED)
def test_damage_is_said_after_what_came_before_it(method: str) -> None:
    for raw in (PACKED[method][:-20], PACKED[method] + b"other bytes"):
        pieces = []
        with pytest.raises(ParseError):
            pieces.extend(expand_stream(MemorySource("x", raw), method, start=0, size_bytes=10**9))
        got = expanded(raw, method)
        assert got.problem
        assert DATA.startswith(got.source.read_at(0, 10**8))


@pytest.mark.parametrize("zeros", [1, 512, 600_000])
def test_streams_behind_zeros_are_not_missed(zeros: int) -> None:
    """Python's gzip passes over any number of zeros between two streams."""
    assert expand(PACKED["gzip"] + bytes(zeros), "gzip") == DATA
    assert expand(PACKED["gzip"] + bytes(zeros) + PACKED["gzip"], "gzip") == DATA * 2
    with pytest.raises(ParseError):
        expand(PACKED["gzip"] + bytes(zeros) + b"more", "gzip")


@pytest.mark.parametrize("opener", [bz2.BZ2File, lzma.LZMAFile])
@pytest.mark.parametrize("at", range(500, 6000, 611))
def test_no_less_than_a_loader_sees_before_the_damage(opener: Any, at: int) -> None:
    data = b"".join(b"%d," % random.Random(n).randrange(10**6) for n in range(2200))
    packed = bz2.compress(data, 1) if opener is bz2.BZ2File else lzma.compress(data)
    raw = bytearray(packed)
    raw[at % len(raw)] ^= 0x55
    seen = b""
    with (
        opener(io.BytesIO(bytes(raw))) as file,
        contextlib.suppress(OSError, EOFError, lzma.LZMAError),
    ):
        while piece := file.read(64):
            seen += piece
    got = expanded(bytes(raw), "bzip2" if opener is bz2.BZ2File else "xz")
    assert got.source.read_at(0, 10**6).startswith(seen)


def expanded(raw: bytes, method: str) -> Expanded:
    source = MemorySource("x", raw)
    chunks = expand_stream(source, method, start=0, size_bytes=len(raw))
    with open_expanded(chunks, name="x", spend=lambda _: None) as inner:
        data = inner.source.read_at(0, inner.source.size_bytes)
        assert inner.crc32 == zlib.crc32(data)
        return Expanded(MemorySource("x", data), inner.crc32, inner.problem)


def test_large_output_goes_to_a_file_and_reads_the_same() -> None:
    big = DATA * 4
    raw = zlib.compress(big)
    chunks = expand_stream(MemorySource("x", raw), "zlib", start=0, size_bytes=len(raw))
    with open_expanded(chunks, name="x", spend=lambda _: None) as inner:
        assert inner.source.size_bytes == len(big)
        assert inner.source.read_at(5_000_000, 10) == big[5_000_000:5_000_010]
        assert inner.source.read_at(len(big) - 3, 10) == big[-3:]
        assert inner.source.read_at(len(big), 10) == b""


def test_large_output_of_a_damaged_stream_is_whole_up_to_the_damage() -> None:
    big = DATA * 4
    raw = zlib.compress(big)[:-4]  # all the data, without the checksum
    chunks = expand_stream(MemorySource("x", raw), "zlib", start=0, size_bytes=len(raw))
    with open_expanded(chunks, name="x", spend=lambda _: None) as inner:
        assert inner.problem
        assert inner.source.read_at(0, len(big) + 1) == big


def test_what_is_spent_stops_a_bomb() -> None:
    bomb = zlib.compress(bytes(64 * 1024 * 1024), 9)
    seen = 0

    def spend(count: int) -> None:
        nonlocal seen
        seen += count
        if seen > 3_000_000:
            raise LimitExceededError("max_expanded_bytes", limit=1, actual=seen, subject="x")

    chunks = expand_stream(MemorySource("x", bomb), "zlib", start=0, size_bytes=len(bomb))
    with (
        pytest.raises(LimitExceededError),
        open_expanded(chunks, name="x", spend=spend),
    ):
        pass
    assert seen < 5_000_000


def test_lzma_that_asks_for_gigabytes_is_refused() -> None:
    raw = b"\x5d" + (2**32 - 1).to_bytes(4, "little") + b"\xff" * 8 + bytes(100)
    with pytest.raises(ParseError, match=r"[Mm]emory"):
        expand(raw, "lzma")


def test_slices_stay_inside() -> None:
    whole = MemorySource("x", b"0123456789")
    part = SliceSource("p", whole, 2, 5)
    assert part.read_at(0, 99) == b"23456"
    assert part.read_at(4, 2) == b"6"
    assert part.read_at(5, 1) == b""
    assert part.read_at(99, 1) == b""


@pytest.mark.parametrize("at", range(2, 600, 23))
def test_bytes_before_the_damage_are_not_lost(at: int) -> None:
    """zlib drops what it expanded in the call that fails; a loader with small steps has it."""
    raw = bytearray(zlib.compress(b"".join(b"%d," % (n * n) for n in range(300))))
    raw[at % len(raw)] ^= 0x55
    slow, before, problem = zlib.decompressobj(), b"", ""
    try:
        for n in range(len(raw)):
            before += slow.decompress(raw[n : n + 1])
    except zlib.error as error:
        problem = str(error)
    got = expanded(bytes(raw), "zlib")
    assert got.source.read_at(0, 10**6) == before
    assert bool(got.problem) == bool(problem)
