"""Hashers: the sha256 that names a file, and what a signature wants of it, from the same bytes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Protocol, TypeAlias

from weighbridge.core import HashType, Method, Part
from weighbridge.errors import MissingExtraError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from weighbridge.core import Serialization

__all__ = ["FileHasher", "Hash", "choose_hash", "hash_parts"]

# From here on a second thread hashes in less time than it takes to ask it to.
_BESIDE_MIN_BYTES = 1024 * 1024

Bytes: TypeAlias = bytes | memoryview


class Hash(Protocol):
    """The part of :mod:`hashlib` objects that is used here."""

    def update(self, data: Bytes, /) -> object:
        """Take in more bytes."""

    def hexdigest(self) -> str:
        """Return the digest in lower-case hex."""


class MakeHash(Protocol):
    """Makes a new hash, as ``hashlib.sha256`` does."""

    def __call__(self, data: Bytes = b"", /) -> Hash:
        """Return a hash that has taken in ``data``."""


def choose_hash(hash_type: HashType) -> MakeHash:
    """Return what makes a new hash of this type.

    BLAKE3 hashes large chunks on all cores.

    Raises:
        MissingExtraError: BLAKE3, and the extra ``blake3`` is not installed.
    """
    if hash_type is HashType.SHA256:
        return hashlib.sha256
    if hash_type is HashType.BLAKE2B:
        return hashlib.blake2b
    try:
        from blake3 import blake3  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtraError("blake3", purpose="hashing with BLAKE3") from error
    return lambda data=b"", /: blake3(data, max_threads=blake3.AUTO)


def hash_parts(
    name: str, data: bytes, serialization: Serialization, make_hash: MakeHash
) -> tuple[Part, ...]:
    """Return the parts of a file that is in memory."""
    if serialization.method is Method.FILES:
        return (Part(name, 0, -1, make_hash(data).hexdigest()),)
    view, size = memoryview(data), serialization.shard_size_bytes
    return tuple(
        Part(name, start, start + len(piece), make_hash(piece).hexdigest())
        for start in range(0, len(data), size)
        if (piece := view[start : start + size])
    )


class FileHasher:
    """Takes in one file from its beginning; gives its sha256 and the parts of a serialization.

    Args:
        name: Of the file.
        serialization: Says what the parts are.
        make_hash: Makes the hash of a part.
        beside: A thread that hashes large chunks for the sha256 meanwhile.
    """

    __slots__ = (
        "_beside",
        "_current",
        "_make",
        "_name",
        "_parts",
        "_sha256",
        "_shard",
        "_start",
        "_taken",
    )

    def __init__(
        self,
        name: str,
        serialization: Serialization,
        make_hash: MakeHash,
        beside: Executor | None = None,
    ) -> None:
        self._name = name
        self._beside = beside
        self._sha256 = hashlib.sha256()
        self._make = make_hash
        self._shard = serialization.shard_size_bytes if serialization.method is Method.SHARDS else 0
        self._current = make_hash()
        self._parts: list[Part] = []
        self._start = 0
        self._taken = 0

    def update(self, data: Bytes, /) -> None:
        """Take in more bytes."""
        if self._beside is None or len(data) < _BESIDE_MIN_BYTES:
            self._sha256.update(data)
            self._update_parts(data)
            return
        both = self._beside.submit(self._sha256.update, data)
        self._update_parts(data)
        both.result()

    def hexdigest(self) -> str:
        """Return the sha256 of all bytes so far."""
        return self._sha256.hexdigest()

    def finish(self) -> tuple[Part, ...]:
        """Return the parts; nothing may be taken in afterwards."""
        if not self._shard:
            return (Part(self._name, 0, -1, self._current.hexdigest()),)
        if self._taken > self._start:
            self._close()
        return tuple(self._parts)

    def _update_parts(self, data: Bytes) -> None:
        if not self._shard:
            self._current.update(data)
            return
        rest = memoryview(data)
        while rest:
            piece = rest[: self._start + self._shard - self._taken]
            self._current.update(piece)
            self._taken += len(piece)
            if self._taken == self._start + self._shard:
                self._close()
            rest = rest[len(piece) :]

    def _close(self) -> None:
        self._parts.append(Part(self._name, self._start, self._taken, self._current.hexdigest()))
        self._start = self._taken
        self._current = self._make()
