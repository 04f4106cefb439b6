"""Reading a file once: what an inspector reads is what is hashed."""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from typing import TYPE_CHECKING

from weighbridge.artifact._stream import hash_range
from weighbridge.artifact._tree import identify
from weighbridge.errors import ArtifactChangedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from weighbridge.artifact._hashers import Hash
    from weighbridge.artifact._tree import Identity
    from weighbridge.core import Limits

__all__ = ["BytesSource", "CheckedReader"]

_BLOCK_BYTES = 256 * 1024
_BEHIND_BLOCKS = 32


class BytesSource:
    """A :class:`~weighbridge.core.ports.ByteSource` over bytes that are in memory."""

    __slots__ = ("_data", "name")

    def __init__(self, name: str, data: bytes) -> None:
        self.name = name
        self._data = data

    @property
    def size_bytes(self) -> int:
        """How many bytes there are."""
        return len(self._data)

    def read_at(self, offset: int, size_bytes: int) -> bytes:
        """Return a part of the bytes."""
        return self._data[offset : offset + size_bytes] if offset >= 0 and size_bytes > 0 else b""


class CheckedReader:
    """A :class:`~weighbridge.core.ports.ByteSource` that hashes what it gives out.

    The file is read in blocks. A block at the front goes into the hash at once; a block ahead of
    it is kept until the hash gets there, so that the hash is made of the very bytes that were
    given out and each byte is read once. When more than ``max_kept_bytes`` are kept, the front is
    moved on. Only a block that was given up and is asked for again is read twice; then the whole
    file is hashed twice, and both passes must agree with each other and with that block.
    """

    def __init__(
        self,
        descriptor: int,
        name: str,
        identity: Identity,
        *,
        limits: Limits,
        advance: Callable[[int], None],
        hasher: Hash | None = None,
    ) -> None:
        self.name = name
        self._descriptor = descriptor
        self._identity = identity
        self._kept_blocks = max(limits.max_kept_bytes // _BLOCK_BYTES, 1)
        self._advance_progress = advance
        self._hash: Hash = hasher or hashlib.sha256()
        self._front = 0
        self._ahead: dict[int, bytes] = {}
        self._behind: OrderedDict[int, bytes] = OrderedDict()
        self._again: dict[int, bytes] = {}
        self._failure: Exception | None = None

    @property
    def size_bytes(self) -> int:
        """How many bytes the file had when it was listed."""
        return self._identity[2]

    def read_at(self, offset: int, size_bytes: int) -> bytes:
        """Return the bytes from ``offset``, fewer than ``size_bytes`` only at the end.

        Raises:
            ArtifactChangedError: The file is shorter than it was.
            OSError: The system cannot read it. Both are raised again by :meth:`finish`, so that
                an inspector which swallows them changes nothing.
        """
        end = min(offset + size_bytes, self.size_bytes)
        if offset < 0 or offset >= end:
            return b""
        first, last = offset // _BLOCK_BYTES, (end - 1) // _BLOCK_BYTES
        start = first * _BLOCK_BYTES
        if first == last:
            return self._block(first)[offset - start : end - start]
        blocks = b"".join(self._block(index) for index in range(first, last + 1))
        return blocks[offset - start : end - start]

    def finish(self, *, overlap: bool) -> str:
        """Hash what nobody asked for, check that nothing changed, return the sha256 in hex.

        Args:
            overlap: Whether a second thread may read ahead.

        Raises:
            ArtifactChangedError: Not the file that was listed, or not what was given out.
            OSError: The system cannot read it.
        """
        if self._failure is not None:
            raise self._failure
        while self._ahead:
            self._run_to(min(self._ahead), overlap=overlap)
            self._move_front()
        self._run_to(-(-self.size_bytes // _BLOCK_BYTES), overlap=overlap)
        digest = self._hash.hexdigest()
        if self._again:
            self._check_second_pass(digest)
        if identify(os.fstat(self._descriptor)) != self._identity:
            raise ArtifactChangedError((self.name,))
        return digest

    def _block(self, index: int) -> bytes:
        data = self._ahead.get(index) or self._behind.get(index)
        if data is not None:
            return data
        if index == self._front:
            return self._move_front()
        data = self._read(index)
        if index > self._front:
            self._ahead[index] = data
            while len(self._ahead) > self._kept_blocks:
                self._move_front()
        else:
            seen = self._again.setdefault(index, hashlib.sha256(data).digest())
            if seen != hashlib.sha256(data).digest():
                raise self._fail(ArtifactChangedError((self.name,)))
            self._keep_behind(index, data)
        return data

    def _move_front(self) -> bytes:
        """Hash the block at the front and return it."""
        index = self._front
        data = self._ahead.pop(index, None) or self._read(index)
        self._hash.update(data)
        self._advance_progress(len(data))
        self._front = index + 1
        self._keep_behind(index, data)
        return data

    def _keep_behind(self, index: int, data: bytes) -> None:
        self._behind[index] = data
        if len(self._behind) > _BEHIND_BLOCKS:
            self._behind.popitem(last=False)

    def _read(self, index: int) -> bytes:
        start = index * _BLOCK_BYTES
        wanted = min(_BLOCK_BYTES, self.size_bytes - start)
        try:
            data = os.pread(self._descriptor, wanted, start)
            while 0 < len(data) < wanted:
                more = os.pread(self._descriptor, wanted - len(data), start + len(data))
                if not more:
                    break
                data += more
        except OSError as error:
            raise self._fail(error) from error
        if len(data) != wanted:
            raise self._fail(ArtifactChangedError((self.name,)))
        return data

    def _fail(self, error: Exception) -> Exception:
        self._failure = error
        return error

    def _run_to(self, index: int, *, overlap: bool) -> None:
        """Hash from the front up to block ``index`` (not included), none of which is kept."""
        start = self._front * _BLOCK_BYTES
        end = min(index * _BLOCK_BYTES, self.size_bytes)
        if end <= start:
            return
        done = hash_range(
            self._descriptor,
            self._hash,
            start,
            end,
            overlap=overlap,
            advance=self._advance_progress,
        )
        if done != end:
            raise ArtifactChangedError((self.name,))
        self._front = index

    def _check_second_pass(self, digest: str) -> None:
        whole = hashlib.sha256()
        for index in range(-(-self.size_bytes // _BLOCK_BYTES)):
            data = self._read(index)
            whole.update(data)
            if index in self._again and hashlib.sha256(data).digest() != self._again[index]:
                raise ArtifactChangedError((self.name,))
        if whole.hexdigest() != digest:
            raise ArtifactChangedError((self.name,))
