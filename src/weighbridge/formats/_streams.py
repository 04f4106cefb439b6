"""Compressed streams (gzip, zlib, deflate, bzip2, xz, lzma, zstd, lz4), expanded in pieces."""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import TYPE_CHECKING, Protocol

from weighbridge.errors import ParseError
from weighbridge.formats._modern_streams import start_modern_stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core.ports import ByteSource

__all__ = ["expand_stream"]

_PACKED_CHUNK_BYTES = 256 * 1024
_CHUNK_BYTES = 1024 * 1024
# bz2 and lzma throw away what they expanded in the call that meets damage, and cannot be asked
# again. Steps smaller than those of any loader lose less than the loader does.
_SMALL_PACKED_BYTES = 512
_SMALL_CHUNK_BYTES = 4 * 1024
# The blocks of lz4-legacy are gathered whole; such a step gives 8 MiB of zeros and no more.
_LEGACY_PACKED_BYTES = 32 * 1024
_LZMA_MEMORY_BYTES = 256 * 1024 * 1024

# What the decompressors raise; lz4 raises RuntimeError, zstandard's error becomes an OSError.
_DAMAGE = (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError, RuntimeError)

_LOSING = frozenset({"bzip2", "xz", "lzma", "zip-lzma"})
_ZLIB_WINDOW_BITS = {"gzip": 31, "zlib": 15, "deflate": -15}


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Zlib(_Decompressor, Protocol):
    @property
    def unconsumed_tail(self) -> bytes: ...
    def copy(self) -> _Zlib: ...


def expand_stream(
    source: ByteSource, method: str, *, start: int, size_bytes: int
) -> Iterator[bytes]:
    """Decompress a run of ``source`` and yield pieces of at most 1 MiB (lz4: 4, zstd: 64 MiB).

    Several streams one after another are joined, as the loaders do it (not for raw deflate and
    lzma in a zip, of which there is one). Each but the first is announced by an empty piece:
    beginning one costs far more than its bytes.

    Args:
        source: Where the packed bytes are.
        method: ``gzip``, ``zlib``, ``deflate`` (without a header), ``bzip2``, ``xz``, ``lzma`` (a
            ``.lzma`` file), ``zip-lzma`` (as in a zip), ``zstd``, ``lz4`` (frames) or
            ``lz4-legacy``.
        start: Offset of the first packed byte.
        size_bytes: How many packed bytes there are at most.

    Raises:
        ParseError: The stream is damaged, ends too early, or other bytes follow it. The pieces
            before that were yielded.
    """
    pieces = _read(source, method, start, start + size_bytes)
    pending = next(pieces, b"")
    single = method in ("deflate", "zip-lzma")
    count = 0
    while pending:
        if count and single:
            raise ParseError("bytes follow the compressed stream")
        if count:
            yield b""
        decompressor = _start_stream(method)
        if method == "zip-lzma":
            pending = _to_lzma_alone(pending)
        yield from _one_stream(decompressor, pending, pieces, method=method)
        count += 1
        pending = (decompressor.unused_data or b"").lstrip(b"\0")
        while not pending and (piece := next(pieces, b"")):
            pending = piece.lstrip(b"\0")  # gzip and xz allow zeros behind and between streams


def _read(source: ByteSource, method: str, offset: int, end: int) -> Iterator[bytes]:
    """Yield packed bytes: large pieces for zlib, small ones for those that lose their output."""
    step = _PACKED_CHUNK_BYTES if method in _ZLIB_WINDOW_BITS else _SMALL_PACKED_BYTES
    step = _LEGACY_PACKED_BYTES if method == "lz4-legacy" else step
    while offset < end:
        chunk = source.read_at(offset, min(_PACKED_CHUNK_BYTES, end - offset))
        if not chunk:
            return
        offset += len(chunk)
        yield from (chunk[at : at + step] for at in range(0, len(chunk), step))


def _one_stream(
    decompressor: _Decompressor, packed: bytes, pieces: Iterator[bytes], *, method: str
) -> Iterator[bytes]:
    """Expand up to the end of one stream; ``unused_data`` then holds what follows it."""
    limit = _SMALL_CHUNK_BYTES if method in _LOSING else _CHUNK_BYTES
    while not decompressor.eof:
        backup: _Zlib | None = decompressor.copy() if hasattr(decompressor, "copy") else None
        try:
            out = decompressor.decompress(packed, limit)
        except _DAMAGE as error:
            if backup is not None:
                yield _expand_up_to_damage(backup, packed)
            raise ParseError(f"the {method} stream is damaged: {error}") from error
        if out:
            yield out
        packed = getattr(decompressor, "unconsumed_tail", b"")
        if decompressor.eof or packed or len(out) == limit:
            continue
        if getattr(decompressor, "needs_input", True):
            packed = next(pieces, b"")
            if not packed and getattr(decompressor, "may_end", False):
                return  # nothing marks the end of such a stream
            if not packed:
                raise ParseError(f"the {method} stream ends too early")


def _expand_up_to_damage(decompressor: _Zlib, packed: bytes) -> bytes:
    """Return what zlib expanded and threw away in the call that met the damage.

    A loader that reads in smaller steps has acted on it. The step is halved until it succeeds, so
    that all bytes before the damaged one are used.
    """
    out = b""
    step = len(packed)
    while step and len(out) < _CHUNK_BYTES:
        attempt = decompressor.copy()
        try:
            out += attempt.decompress(packed[:step], _CHUNK_BYTES)
        except zlib.error:
            step //= 2
            continue
        decompressor = attempt
        packed = attempt.unconsumed_tail + packed[step:]
        step = min(step, len(packed))
    return out


def _start_stream(method: str) -> _Decompressor:
    if method in _ZLIB_WINDOW_BITS:
        return zlib.decompressobj(_ZLIB_WINDOW_BITS[method])
    if method == "bzip2":
        return bz2.BZ2Decompressor()
    if (modern := start_modern_stream(method)) is not None:
        return modern
    kind = lzma.FORMAT_XZ if method == "xz" else lzma.FORMAT_ALONE
    return lzma.LZMADecompressor(kind, memlimit=_LZMA_MEMORY_BYTES)


def _to_lzma_alone(head: bytes) -> bytes:
    """Turn the start of a zip's lzma member into that of a ``.lzma`` file.

    Source:
        APPNOTE.TXT 5.8.8: version (2 bytes), size of the properties (2), properties (5).
    """
    if head[2:4] != b"\x05\0":
        raise ParseError("the lzma properties are not 5 bytes")
    return head[4:9] + b"\xff" * 8 + head[9:]  # eight 0xff: the size is not known, an end mark is
