"""The decompressors of zstd and lz4, with the shape of those in the standard library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["start_modern_stream"]

# What ``zstd --decompress`` allows without being asked for more.
_ZSTD_WINDOW_BYTES = 128 * 1024 * 1024
_LEGACY_BLOCK_BYTES = 8 * 1024 * 1024
# What 8 MiB that do not pack become: LZ4_compressBound.
_LEGACY_PACKED_BYTES = _LEGACY_BLOCK_BYTES + _LEGACY_BLOCK_BYTES // 255 + 16
_LEGACY_MARK = b"\x02\x21\x4c\x18"


class _ModernDecompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def start_modern_stream(method: str) -> _ModernDecompressor | None:
    """Return what expands one frame of ``zstd``, ``lz4`` or ``lz4-legacy``; None for the rest."""
    if method == "zstd":
        return _Zstd()
    if method == "lz4":
        import lz4.frame  # type: ignore[import-untyped]  # noqa: PLC0415 - loaded when needed

        frame: _ModernDecompressor = lz4.frame.LZ4FrameDecompressor()
        return frame
    return _Lz4Legacy() if method == "lz4-legacy" else None


class _Zstd:
    """One frame, or one that is passed over.

    The library knows no bound for a single call. It is fed pieces so small (512 bytes) that the
    densest blocks there are, 128 KiB out of 4 bytes, give 16 MiB at once.
    """

    def __init__(self) -> None:
        import zstandard  # noqa: PLC0415 - loaded when needed

        self._error = zstandard.ZstdError
        self._inner: Any = zstandard.ZstdDecompressor(
            max_window_size=_ZSTD_WINDOW_BYTES
        ).decompressobj()

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._inner.unused_data)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        del max_length
        try:
            return bytes(self._inner.decompress(data))
        except self._error as error:
            raise OSError(str(error)) from error


class _Lz4Legacy:
    """The frames of lz4 before 1.0: blocks of 8 MiB, each behind its packed size.

    Such a stream ends with the file (``may_end``), or where a size is impossible: another frame
    begins there.

    Source:
        lz4 Frame Format Description 1.6.4, "Legacy frame".
    """

    may_end = True

    def __init__(self) -> None:
        self._pending = bytearray()
        self._begun = False
        self.eof = False
        self.unused_data = b""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        del max_length
        self._pending += data
        return b"".join(self._expand())

    def _expand(self) -> Iterator[bytes]:
        import lz4.block  # type: ignore[import-untyped]  # noqa: PLC0415 - loaded when needed

        if not self._begun and len(self._pending) >= len(_LEGACY_MARK):
            if not self._pending.startswith(_LEGACY_MARK):
                raise ValueError("no legacy frame begins here")
            del self._pending[:4]
            self._begun = True
        while self._begun and len(self._pending) >= 4:  # noqa: PLR2004 - the size of a block
            size = int.from_bytes(self._pending[:4], "little")
            if size > _LEGACY_PACKED_BYTES:
                self.eof, self.unused_data = True, bytes(self._pending)
                return
            if len(self._pending) < 4 + size:
                return
            block = bytes(self._pending[4 : 4 + size])
            del self._pending[: 4 + size]
            try:
                yield lz4.block.decompress(block, uncompressed_size=_LEGACY_BLOCK_BYTES)
            except lz4.block.LZ4BlockError as error:
                raise ValueError(str(error)) from error
