"""Digest table: facts of one size in a file of pages, each found by its key and checked by itself.

Whatever happens to the file (two writers at once, a process that is killed, a disk that lost some
of its pages), each fact in it is whole and true, or it is not found. So nothing has to be locked,
and nothing has to be put in order afterwards.
"""

from __future__ import annotations

import hashlib
import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weighbridge.artifact._tree import Identity

__all__ = ["MAX_TABLE_BYTES", "DigestTable", "to_key"]

_HEAD = b"weighbridge digest cache, version 1\n"
_PERSON = b"weighbridge 1"
_PAGE_BYTES = 4096
_PAGE_BITS = 15
_PAGES = 1 << _PAGE_BITS
# The first page has the head; pages that were never written take no room.
MAX_TABLE_BYTES = (_PAGES + 1) * _PAGE_BYTES
_KEY = struct.Struct("<QQQqq")
_FILE_BYTES = 16  # device and inode: the part of a key that names the file
_SHA256_BYTES = 32
_CHECK_BYTES = 8
_FACT_BYTES = _KEY.size + _SHA256_BYTES + _CHECK_BYTES
_FACTS = _PAGE_BYTES // _FACT_BYTES
_NO_FILE = bytes(_FILE_BYTES)
_MASK = (1 << 64) - 1
_FACTOR_1, _FACTOR_2 = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F
# Files that were made together have inodes next to each other, and share a page.
_NEIGHBOUR_BITS = 3


def to_key(device: int, identity: Identity) -> bytes | None:
    """Return the key of a file; None if a number is out of bounds.

    Args:
        device: What the device is called here.
        identity: Of the file; its own number of the device is left out.
    """
    try:
        return _KEY.pack(device, *identity[1:])
    except struct.error:
        return None


class DigestTable:
    """A table in an open file.

    Args:
        descriptor: The file; it is not closed.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def is_ours(self) -> bool:
        """Return whether it is empty or begins as one of these does."""
        return os.pread(self._descriptor, len(_HEAD), 0) in (b"", _HEAD)

    def find(self, keys: Iterable[bytes]) -> tuple[dict[bytes, bytes], int]:
        """Return the sha256 for each key that has one, and how many were found damaged.

        Raises:
            OSError: The system cannot read it.
        """
        found: dict[bytes, bytes] = {}
        damaged = 0
        for place, asked in _group(keys).items():
            page = os.pread(self._descriptor, _PAGE_BYTES, place)
            for key in asked:
                start = _search(page, key)
                if start < 0:
                    continue
                end = start + _KEY.size + _SHA256_BYTES
                if _check(page[start:end]) == page[end : end + _CHECK_BYTES]:
                    found[key] = page[start + _KEY.size : end]
                else:
                    damaged += 1
        return found, damaged

    def add(self, facts: Mapping[bytes, bytes]) -> None:
        """Put the sha256 of files in: instead of older ones of the same files, and of any if full.

        Raises:
            OSError: The system cannot write it.
        """
        os.pwrite(self._descriptor, _HEAD, 0)
        for place, keys in _group(facts).items():
            page = bytearray(
                os.pread(self._descriptor, _PAGE_BYTES, place).ljust(_PAGE_BYTES, b"\0")
            )
            for key in keys:
                start = _find_room(page, key)
                fact = key + facts[key]
                page[start : start + _FACT_BYTES] = fact + _check(fact)
            os.pwrite(self._descriptor, page, place)


def _group(keys: Iterable[bytes]) -> dict[int, list[bytes]]:
    """Return the keys by where their page begins."""
    pages: dict[int, list[bytes]] = {}
    from_bytes = int.from_bytes
    for key in keys:
        group = from_bytes(key[8:16], "little") >> _NEIGHBOUR_BITS
        mixed = (from_bytes(key[:8], "little") * _FACTOR_2 + group * _FACTOR_1) & _MASK
        place = ((mixed >> (64 - _PAGE_BITS)) + 1) * _PAGE_BYTES
        pages.setdefault(place, []).append(key)
    return pages


def _search(page: bytes | bytearray, start_of_fact: bytes) -> int:
    """Return where a fact begins that begins so; -1 if there is none."""
    start = page.find(start_of_fact)
    while start >= 0 and (start % _FACT_BYTES or start >= _FACTS * _FACT_BYTES):
        start = page.find(start_of_fact, start + 1)
    return start


def _find_room(page: bytearray, key: bytes) -> int:
    """Return where to put a fact: over that of the same file, where none is, or over any."""
    for wanted in (key[:_FILE_BYTES], _NO_FILE):
        start = _search(page, wanted)
        if start >= 0:
            return start
    return _check(key)[0] % _FACTS * _FACT_BYTES


def _check(fact: bytes) -> bytes:
    return hashlib.blake2b(fact, digest_size=_CHECK_BYTES, person=_PERSON).digest()
