"""Bytes of one thing inside another: in memory, a slice, or what decompression gave."""

from __future__ import annotations

import os
import tempfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from weighbridge.errors import IncompleteError, LimitExceededError, ParseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from weighbridge.core.ports import ByteSource

__all__ = ["Expanded", "MemorySource", "SliceSource", "open_expanded"]

_IN_MEMORY_BYTES = 4 * 1024 * 1024
# What beginning another stream costs, in bytes that are expanded: see ``expand_stream``.
_STREAM_COST_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class MemorySource:
    """A :class:`~weighbridge.core.ports.ByteSource` over bytes that are held in memory."""

    name: str
    data: bytes

    @property
    def size_bytes(self) -> int:
        """How many bytes there are."""
        return len(self.data)

    def read_at(self, offset: int, size_bytes: int) -> bytes:
        """Return the bytes from ``offset``, fewer than ``size_bytes`` only at the end."""
        return self.data[offset : offset + size_bytes]


@dataclass(frozen=True, slots=True)
class SliceSource:
    """A :class:`~weighbridge.core.ports.ByteSource` over a run of another one's bytes.

    Attributes:
        name: What it is called.
        whole: Where the bytes are.
        start: Offset of the first one.
        size_bytes: How many; cut at the end of ``whole`` by whoever builds the slice.
    """

    name: str
    whole: ByteSource
    start: int
    size_bytes: int

    def read_at(self, offset: int, size_bytes: int) -> bytes:
        """Return the bytes from ``offset``, fewer than ``size_bytes`` only at the end."""
        wanted = min(size_bytes, self.size_bytes - offset)
        return self.whole.read_at(self.start + offset, wanted) if wanted > 0 else b""


@dataclass(frozen=True, slots=True)
class _FileSource:
    name: str
    file: BinaryIO
    size_bytes: int

    def read_at(self, offset: int, size_bytes: int) -> bytes:
        wanted = min(size_bytes, self.size_bytes - offset)
        return os.pread(self.file.fileno(), wanted, offset) if wanted > 0 else b""


@dataclass(frozen=True, slots=True)
class Expanded:
    """What decompression gave.

    Attributes:
        source: The bytes; those before the damage if there is any.
        crc32: Of these bytes.
        problem: Why the stream ends early; empty if it does not.
        is_cut: Whether it ends early because a limit was met, and not by its own fault.
    """

    source: ByteSource
    crc32: int
    problem: str = ""
    is_cut: bool = False


@contextmanager
def open_expanded(
    chunks: Iterable[bytes],
    *,
    name: str,
    spend: Callable[[int], None],
) -> Iterator[Expanded]:
    """Gather ``chunks`` so that they can be read anywhere, until the block is left.

    Up to 4 MiB stay in memory, more goes to a temporary file without a name, which vanishes with
    the block or the process. When a limit is met, what came before it can still be looked at,
    because a loader that reads as it goes has acted on it; the breach is raised when the block is
    left.

    Args:
        chunks: Decompressed bytes; a ``ParseError`` from it ends them and becomes ``problem``.
        name: What the bytes are called.
        spend: Told the size of each chunk before it is kept (16 KiB for an empty one, which stands
            for the begin of another stream); raises a ``LimitExceededError`` to
            stop.

    Raises:
        LimitExceededError: What ``spend`` raised, at the end of the block.
        IncompleteError: The temporary file cannot be written.
    """
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as spool:
        crc, problem = 0, ""
        breach: LimitExceededError | None = None
        try:
            try:
                for chunk in chunks:
                    spend(len(chunk) or _STREAM_COST_BYTES)
                    crc = zlib.crc32(chunk, crc)
                    spool.write(chunk)
            except ParseError as error:
                problem = str(error)
            except LimitExceededError as error:
                problem, breach = str(error), error
            spool.flush()
        except OSError as error:
            message = f"{name} cannot be expanded: {error}; free some space where TMPDIR points"
            raise IncompleteError(message) from error
        kept_bytes = spool.tell()
        if kept_bytes <= _IN_MEMORY_BYTES:
            spool.seek(0)
            yield Expanded(MemorySource(name, spool.read()), crc, problem, breach is not None)
        else:
            spool.rollover()
            source = _FileSource(name, spool, kept_bytes)  # type: ignore[arg-type]
            yield Expanded(source, crc, problem, breach is not None)
        if breach is not None:
            raise breach
