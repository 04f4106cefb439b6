"""The tree of RFC 6962, section 2.1."""

from __future__ import annotations

from services.keys import sha256


def to_leaf(data: bytes) -> bytes:
    """Return the hash of an entry."""
    return sha256(b"\0" + data)


def to_root(leaves: list[bytes]) -> bytes:
    """Return the root over the leaves' hashes."""
    if len(leaves) == 1:
        return leaves[0]
    half = _split(len(leaves))
    return sha256(b"\1" + to_root(leaves[:half]) + to_root(leaves[half:]))


def to_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """Return what proves that a leaf is in the tree, from the leaf upwards."""
    if len(leaves) == 1:
        return []
    half = _split(len(leaves))
    if index < half:
        return [*to_path(index, leaves[:half]), to_root(leaves[half:])]
    return [*to_path(index - half, leaves[half:]), to_root(leaves[:half])]


def _split(size: int) -> int:
    """Return the largest power of two below ``size``."""
    return 1 << (size - 1).bit_length() - 1
