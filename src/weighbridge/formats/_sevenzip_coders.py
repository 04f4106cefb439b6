"""The coders of 7z archives, chained: what each gives is what the next one takes."""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from weighbridge.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from weighbridge.core.ports import ByteSource

__all__ = ["Coder", "expand_7z_folder", "name_coder"]

Coder: TypeAlias = tuple[bytes, bytes, int]
"""Id of the method, its properties, and how many bytes it gives."""

_MAX_DICTIONARY_BYTES = 256 * 1024 * 1024
# As in ``_streams``: what a decompressor gave in the call that meets damage is lost.
_PACKED_BYTES, _CHUNK_BYTES = 512, 64 * 1024
_READ_BYTES = 256 * 1024
_LZMA2_CHUNK_BYTES = 64 * 1024
_LZMA_PROPERTIES_BYTES = 5

_COPY, _LZMA, _LZMA2 = bytes([0]), bytes.fromhex("030101"), b"\x21"
_DELTA, _DEFLATE, _BZIP2 = b"\x03", bytes.fromhex("040108"), bytes.fromhex("040202")
_FILTERS = {
    b"\x04": lzma.FILTER_X86,
    b"\x05": lzma.FILTER_POWERPC,
    b"\x06": lzma.FILTER_IA64,
    b"\x07": lzma.FILTER_ARM,
    b"\x08": lzma.FILTER_ARMTHUMB,
    b"\x09": lzma.FILTER_SPARC,
    bytes.fromhex("03030103"): lzma.FILTER_X86,
    bytes.fromhex("03030205"): lzma.FILTER_POWERPC,
    bytes.fromhex("03030401"): lzma.FILTER_IA64,
    bytes.fromhex("03030501"): lzma.FILTER_ARM,
    bytes.fromhex("03030701"): lzma.FILTER_ARMTHUMB,
    bytes.fromhex("03030805"): lzma.FILTER_SPARC,
}
_EXPANDED = {_COPY, _LZMA, _LZMA2, _DELTA, _DEFLATE, _BZIP2, *_FILTERS}
_OTHERS = {
    bytes.fromhex("06f10701"): "encryption (AES)",
    bytes.fromhex("030401"): "PPMd",
    bytes.fromhex("0303011b"): "BCJ2",
    bytes.fromhex("040109"): "Deflate64",
}


class _Expander(Protocol):
    @property
    def eof(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def name_coder(method: bytes) -> tuple[str, bool]:
    """Return what a method is called, and whether it can be expanded."""
    return _OTHERS.get(method, f"method {method.hex()}"), method in _EXPANDED


class _Folder(Protocol):
    @property
    def offset(self) -> int: ...
    @property
    def packed_bytes(self) -> int: ...
    @property
    def coders(self) -> tuple[Coder, ...]: ...


def expand_7z_folder(source: ByteSource, folder: _Folder) -> Iterator[bytes]:
    """Yield what a folder expands to, in pieces of at most 256 KiB.

    Raises:
        ParseError: It is damaged, ends too early, or wants a dictionary of more than 256 MiB.
    """
    pieces = _read(source, folder.offset, folder.offset + folder.packed_bytes)
    for method, properties, size in folder.coders:
        pieces = _expand(method, properties, pieces, size)
    try:
        yield from pieces
    except (lzma.LZMAError, zlib.error, OSError, EOFError, ValueError, MemoryError) as error:
        if isinstance(error, ParseError):
            raise
        raise ParseError(f"a folder is damaged: {error}") from error


def _read(source: ByteSource, offset: int, end: int) -> Iterator[bytes]:
    while offset < end and (chunk := source.read_at(offset, min(_READ_BYTES, end - offset))):
        offset += len(chunk)
        yield chunk


def _expand(
    method: bytes, properties: bytes, pieces: Iterator[bytes], size: int
) -> Iterator[bytes]:
    """Apply one coder; give exactly ``size`` bytes."""
    if method == _COPY:
        plain: Iterable[bytes] = pieces
    elif method == _DEFLATE:
        plain = _inflate(pieces)
    elif method == _BZIP2:
        plain = _run(bz2.BZ2Decompressor(), pieces)
    else:
        filters = _build_filters(method, properties)
        packed = pieces if method in (_LZMA, _LZMA2) else _frame(pieces)
        plain = _run(lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters), packed)
    left = size
    for piece in plain:
        if piece:
            yield piece[:left]
            left -= len(piece[:left])
        if not left:
            return
    if left:
        raise ParseError(f"a folder ends {left:,} bytes too early")


def _run(expander: _Expander, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Feed a decompressor in small steps."""
    for piece in pieces:
        for start in range(0, len(piece), _PACKED_BYTES):
            data = piece[start : start + _PACKED_BYTES]
            while not expander.eof:
                out = expander.decompress(data, _CHUNK_BYTES)
                yield out
                data = b""
                if len(out) < _CHUNK_BYTES and getattr(expander, "needs_input", True):
                    break
            if expander.eof:
                return


def _inflate(pieces: Iterator[bytes]) -> Iterator[bytes]:
    expander = zlib.decompressobj(-15)
    for piece in pieces:
        data = piece
        while data and not expander.eof:
            yield expander.decompress(data, _READ_BYTES)
            data = expander.unconsumed_tail
    while not expander.eof and (out := expander.decompress(b"", _READ_BYTES)):
        yield out


def _frame(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Write bytes as LZMA2 that packs nothing: liblzma applies a filter to nothing else.

    Source:
        The .xz file format 1.2.1, section 5.3.1: chunks of up to 64 KiB behind 01 and their size.
    """
    for piece in pieces:
        for start in range(0, len(piece), _LZMA2_CHUNK_BYTES):
            part = piece[start : start + _LZMA2_CHUNK_BYTES]
            yield b"\x01" + (len(part) - 1).to_bytes(2, "big") + part
    yield b"\0"


def _build_filters(method: bytes, properties: bytes) -> list[dict[str, Any]]:
    if method == _LZMA:
        return [_read_lzma_properties(properties)]
    if method == _LZMA2:
        return [{"id": lzma.FILTER_LZMA2, "dict_size": _read_lzma2_dictionary(properties)}]
    last = {"id": lzma.FILTER_LZMA2, "dict_size": _LZMA2_CHUNK_BYTES}
    if method == _DELTA:
        distance = properties[0] + 1 if properties else 1
        return [{"id": lzma.FILTER_DELTA, "dist": distance}, last]
    return [{"id": _FILTERS[method]}, last]


def _read_lzma_properties(properties: bytes) -> dict[str, Any]:
    if len(properties) < _LZMA_PROPERTIES_BYTES:
        raise ParseError("the lzma properties are not 5 bytes")
    rest, lc = divmod(properties[0], 9)
    pb, lp = divmod(rest, 5)
    dictionary = _check_dictionary(int.from_bytes(properties[1:5], "little"))
    return {"id": lzma.FILTER_LZMA1, "dict_size": dictionary, "lc": lc, "lp": lp, "pb": pb}


def _read_lzma2_dictionary(properties: bytes) -> int:
    bits = properties[0] if properties else 0
    return _check_dictionary((2 | (bits & 1)) << (bits // 2 + 11))


def _check_dictionary(size: int) -> int:
    if size > _MAX_DICTIONARY_BYTES:
        raise ParseError(f"it wants a dictionary of {size:,} bytes; memory is bounded")
    return max(size, 4096)
