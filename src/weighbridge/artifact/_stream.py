"""Hashing a run of bytes of an open file as fast as one core can."""

from __future__ import annotations

import os
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from weighbridge.artifact._hashers import Hash

__all__ = ["hash_range"]

_CHUNK_BYTES = 1024 * 1024
# After each chunk the interpreter's lock has to be won back from whoever parses meanwhile.
_AHEAD_CHUNK_BYTES = 4 * 1024 * 1024
_OVERLAP_BUFFERS = 3
# Below this a second thread costs more than it hides.
_OVERLAP_MIN_BYTES = 16 * 1024 * 1024


def hash_range(
    descriptor: int,
    hasher: Hash,
    start: int,
    end: int,
    *,
    overlap: bool,
    advance: Callable[[int], None],
) -> int:
    """Feed the bytes from ``start`` to ``end`` to ``hasher``; hold at most 12 MiB.

    Args:
        descriptor: An open file; its position is not used.
        hasher: Takes the bytes in order.
        start: First byte.
        end: Behind the last byte.
        overlap: Whether a second thread may read while this one hashes. It hides the copy from the
            page cache, which costs a tenth of the time.
        advance: Told the size of each chunk.

    Returns:
        The offset that was reached: less than ``end`` if the file is shorter.

    Raises:
        OSError: The system cannot read it.
    """
    ahead = overlap and end - start >= _OVERLAP_MIN_BYTES
    chunks = _read_ahead if ahead else _read_in_turn
    for chunk in chunks(descriptor, start, end):
        hasher.update(chunk)
        advance(len(chunk))
        start += len(chunk)
    return start


def _read_in_turn(descriptor: int, start: int, end: int) -> Iterator[memoryview]:
    view = memoryview(bytearray(min(_CHUNK_BYTES, end - start)))
    while start < end:
        got = os.preadv(descriptor, [view[: end - start]], start)
        if not got:
            return
        start += got
        yield view[:got]


def _read_ahead(descriptor: int, start: int, end: int) -> Iterator[memoryview]:
    """Yield chunks that another thread reads meanwhile; a chunk is good until the next one."""
    free: SimpleQueue[memoryview | None] = SimpleQueue()
    full: SimpleQueue[tuple[memoryview, int] | OSError] = SimpleQueue()

    def read() -> None:
        position = start
        while position < end and (view := free.get()) is not None:
            try:
                got = os.preadv(descriptor, [view[: end - position]], position)
            except OSError as error:
                full.put(error)
                return
            full.put((view, got))
            if not got:
                return
            position += got

    for _ in range(_OVERLAP_BUFFERS):
        free.put(memoryview(bytearray(_AHEAD_CHUNK_BYTES)))
    reader = threading.Thread(target=read, name="weighbridge-read-ahead", daemon=True)
    reader.start()
    try:
        position = start
        while position < end:
            item = full.get()
            if isinstance(item, OSError):
                raise item
            view, got = item
            if not got:
                return
            position += got
            yield view[:got]
            free.put(view)
    finally:
        free.put(None)
        reader.join()
