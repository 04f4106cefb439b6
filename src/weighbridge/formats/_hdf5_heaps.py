"""The heaps and trees of HDF5: where names, links and long values are kept.

Source:
    HDF5 File Format Specification 3.0, sections III.A (B-trees), III.D to III.G (heaps).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.formats._hdf5_bytes import Fields, Hdf5Bytes

__all__ = [
    "FractalHeap",
    "GroupEntry",
    "list_array_chunks",
    "list_chunks",
    "list_group_entries",
    "list_tree_records",
    "read_collection",
    "read_fractal_heap",
    "read_heap_strings",
    "read_huge_ids",
]

# A node of a tree is at one level below the one that led to it, and none is met twice.
_MAX_LEVELS = 64
_MAX_NAME_BYTES = 64 * 1024
_TREE_PREFIX_BYTES = 10
_MAX_NODE_BYTES = 64 * 1024 * 1024
_HUGE_RECORD = 1
_SOFT = 2


def _width(limit: int) -> int:
    """Return how many bytes a number up to ``limit`` takes, as the library counts them."""
    return (max(limit, 1).bit_length() - 1) // 8 + 1


@dataclass(frozen=True, slots=True)
class GroupEntry:
    """An entry of a symbol table.

    Attributes:
        name: Of the link.
        address: Of the object header; None if the link is soft.
        target: Of a soft link.
    """

    name: str
    address: int | None
    target: str = ""


def read_heap_strings(file: Hdf5Bytes, address: int | None) -> bytes:
    """Return the data of a local heap, in which names end with a zero.

    Raises:
        ParseError: There is none.
    """
    head = file.fields(address, 8 + 2 * file.l_bytes + file.o_bytes, b"HEAP")
    head.take(4)
    size = head.length()
    head.length()
    return file.read(head.address(), size)


def _heap_text(heap: bytes, offset: int) -> str:
    if offset >= len(heap):
        raise ParseError("a name is outside its heap")
    name, end, _ = heap[offset : offset + _MAX_NAME_BYTES].partition(b"\0")
    if not end:
        raise ParseError("a name has no end")
    return name.decode("utf-8", "replace")


def list_group_entries(file: Hdf5Bytes, tree: int | None, heap: bytes) -> Iterator[GroupEntry]:
    """Yield the entries of a group that is a symbol table.

    Raises:
        ParseError: A node cannot be read; what came before it was yielded.
    """
    entry_bytes = 2 * file.o_bytes + 24
    for fields, count in _walk_tree(file, tree, 0, file.l_bytes):
        for _ in range(count):
            fields.take(file.l_bytes)
            node = fields.address()
            head = file.fields(node, 8, b"SNOD")
            head.take(2)
            entries = head.number(2)
            body = file.fields((node or 0) + 8, entries * entry_bytes)
            for _ in range(entries):
                name, address, kind = body.number(file.o_bytes), body.address(), body.number(4)
                body.take(4)
                scratch = body.take(16)
                soft = (
                    _heap_text(heap, int.from_bytes(scratch[:4], "little")) if kind == _SOFT else ""
                )
                yield GroupEntry(_heap_text(heap, name), None if kind == _SOFT else address, soft)


def list_chunks(file: Hdf5Bytes, tree: int | None, rank: int) -> Iterator[tuple[int, int, int]]:
    """Yield (address, size in bytes, filters left out) of the chunks in a B-tree of version 1.

    Raises:
        ParseError: A node cannot be read.
    """
    key_bytes = 8 + 8 * rank
    for fields, count in _walk_tree(file, tree, 1, key_bytes):
        for _ in range(count):
            size, mask = fields.number(4), fields.number(4)
            fields.take(8 * rank)
            address = fields.address()
            if address is None:
                raise ParseError("a chunk has no address")
            yield address, size, mask


def list_array_chunks(
    file: Hdf5Bytes, array: int | None, plain_bytes: int
) -> Iterator[tuple[int, int, int]]:
    """Yield (address, size in bytes, filters left out) of the chunks in a fixed array.

    Args:
        file: The file.
        array: Address of the array.
        plain_bytes: Size of a chunk that is not packed.

    Raises:
        ParseError: The array cannot be read.
    """
    head = file.fields(array, 8 + file.l_bytes + file.o_bytes, b"FAHD")
    head.take(1)
    is_packed, entry_bytes, page_bits = head.number(1) == 1, head.number(1), head.number(1)
    count, block = head.length(), head.address()
    if block is None:
        return
    if page_bits >= _MAX_LEVELS or entry_bytes < file.o_bytes + (5 if is_packed else 0):
        raise ParseError("a fixed array has impossible sizes")
    page = 1 << page_bits
    prefix = 6 + file.o_bytes
    file.fields(block, prefix, b"FADB")
    is_paged = count > page
    start = block + prefix + (-(-count // page) + 7) // 8 + 4 if is_paged else block + prefix
    for first in range(0, count, page):
        entries = min(page, count - first)
        body = file.fields(start, entries * entry_bytes)
        for _ in range(entries):
            address, size, mask = body.address(), plain_bytes, 0
            if is_packed:
                size, mask = body.number(entry_bytes - file.o_bytes - 4), body.number(4)
            if address is not None:
                yield address, size, mask
        start += entries * entry_bytes + (4 if is_paged else 0)


def _walk_tree(
    file: Hdf5Bytes, root: int | None, kind: int, key_bytes: int
) -> Iterator[tuple[Fields, int]]:
    """Yield the entries of each leaf of a B-tree of version 1, and how many there are."""
    pending: list[tuple[int | None, int]] = [(root, _MAX_LEVELS)]
    seen: set[int | None] = set()
    while pending:
        address, above = pending.pop()
        if address in seen:
            raise ParseError("a B-tree leads back into itself")
        seen.add(address)
        head = file.fields(address, 8 + 2 * file.o_bytes, b"TREE")
        node_kind, level, count = head.number(1), head.number(1), head.number(2)
        if node_kind != kind or level >= above:
            raise ParseError("a node of a B-tree is of another kind or level than it must be")
        start = (address or 0) + 8 + 2 * file.o_bytes
        body = file.fields(start, count * (key_bytes + file.o_bytes))
        if level == 0:
            yield body, count
            continue
        children = []
        for _ in range(count):
            body.take(key_bytes)
            children.append((body.address(), level))
        pending.extend(reversed(children))


def list_tree_records(file: Hdf5Bytes, address: int | None) -> Iterator[tuple[int, Fields]]:
    """Yield (type, record) of a B-tree of version 2, in the order of its nodes.

    Raises:
        ParseError: A node cannot be read; what came before it was yielded.
    """
    head = file.fields(address, 4 + 18 + file.o_bytes + file.l_bytes, b"BTHD")
    head.take(1)
    kind = head.number(1)
    node_bytes, record_bytes, depth = head.number(4), head.number(2), head.number(2)
    head.take(2)
    root, count = head.address(), head.number(2)
    if root is None:
        return
    if not record_bytes or not _TREE_PREFIX_BYTES < node_bytes <= _MAX_NODE_BYTES:
        raise ParseError("a B-tree has nodes of an impossible size")
    if depth >= _MAX_LEVELS:
        raise ParseError("a B-tree is too deep")
    shape = _TreeShape(node_bytes, record_bytes, depth, file.o_bytes)
    pending = [(root, count, depth)]
    seen: set[int] = set()
    while pending:
        node, count, level = pending.pop()
        if node in seen:
            raise ParseError("a B-tree leads back into itself")
        seen.add(node)
        size = 6 + count * record_bytes + (shape.pointers_bytes(count, level) if level else 0)
        body = file.fields(node, size, b"BTIN" if level else b"BTLF")
        body.take(2)
        for _ in range(count):
            yield kind, file.over(body.take(record_bytes))
        for _ in range(count + 1 if level else 0):
            child, records = body.address(), body.number(shape.count_bytes)
            body.take(shape.total_bytes[level - 1])
            if child is None:
                raise ParseError("a node of a B-tree is missing")
            pending.append((child, records, level - 1))


class _TreeShape:
    """How wide the counts in a B-tree of version 2 are, which its node size decides."""

    def __init__(self, node_bytes: int, record_bytes: int, depth: int, o_bytes: int) -> None:
        self.o_bytes = o_bytes
        most = (node_bytes - _TREE_PREFIX_BYTES) // record_bytes
        self.count_bytes = _width(most)
        self.total_bytes = [0]
        total = most
        for _ in range(depth):
            pointer = o_bytes + self.count_bytes + self.total_bytes[-1]
            most = (node_bytes - _TREE_PREFIX_BYTES - pointer) // (record_bytes + pointer)
            total = (most + 1) * total + most
            self.total_bytes.append(_width(total))

    def pointers_bytes(self, count: int, level: int) -> int:
        """Return what the pointers in a node of ``count`` records take."""
        return (count + 1) * (self.o_bytes + self.count_bytes + self.total_bytes[level - 1])


def read_collection(file: Hdf5Bytes, address: int | None) -> dict[int, tuple[int, int]]:
    """Return index -> (offset in the source, size in bytes) of the objects of a global heap.

    Raises:
        ParseError: There is none at this address.
    """
    head = file.fields(address, 8 + file.l_bytes, b"GCOL")
    head.take(4)
    size = head.length()
    start = file.base + (address or 0)
    end = start + size
    if end > file.source.size_bytes:
        raise ParseError("a global heap ends outside the file", where="outside")
    objects: dict[int, tuple[int, int]] = {}
    offset = start + 8 + file.l_bytes
    head_bytes = 8 + file.l_bytes
    while offset + head_bytes <= end:
        file.spend(head_bytes)
        entry = file.over(file.source.read_at(offset, head_bytes))
        index = entry.number(2)
        entry.take(6)
        object_bytes = entry.length()
        if index == 0:
            break
        if offset + head_bytes + object_bytes > end:
            raise ParseError("an object is larger than its global heap")
        objects[index] = (offset + head_bytes, object_bytes)
        offset += head_bytes + object_bytes + -object_bytes % 8
    return objects


@dataclass(frozen=True, slots=True)
class FractalHeap:
    """A fractal heap, as far as finding an object in it needs.

    Attributes:
        file: Where it is.
        id_bytes: Width of an id.
        offset_bytes: Width of an offset in the heap.
        length_bytes: Width of the length of an object.
        width: Blocks in a row.
        start_bytes: Size of the first block.
        max_direct_bytes: Size of the largest block that holds objects.
        root: Address of the root block.
        rows: Of the root block; 0 if it holds objects itself.
        huge: Address of the tree of objects that are stored apart.
    """

    file: Hdf5Bytes
    id_bytes: int
    offset_bytes: int
    length_bytes: int
    width: int
    start_bytes: int
    max_direct_bytes: int
    root: int | None
    rows: int
    huge: int | None

    def find(self, heap_id: bytes, huge_ids: dict[int, tuple[int, int]]) -> bytes:
        """Return the object of an id.

        Raises:
            ParseError: It is not there.
        """
        kind = heap_id[0] >> 4 & 3
        if kind == 0:
            offset = int.from_bytes(heap_id[1 : 1 + self.offset_bytes], "little")
            size = heap_id[1 + self.offset_bytes : 1 + self.offset_bytes + self.length_bytes]
            return self.file.read(self._locate(offset), int.from_bytes(size, "little"))
        if kind == 2:  # noqa: PLR2004 - so small that it lies in the id
            if self.id_bytes - 1 > 16:  # noqa: PLR2004 - then the length takes twelve bits
                return heap_id[2 : 3 + ((heap_id[0] & 15) << 8 | heap_id[1])]
            return heap_id[1 : 2 + (heap_id[0] & 15)]
        if kind == _HUGE_RECORD:
            return self._find_huge(heap_id, huge_ids)
        raise ParseError("an id of a fractal heap is of no known kind")

    def _find_huge(self, heap_id: bytes, huge_ids: dict[int, tuple[int, int]]) -> bytes:
        o_bytes, l_bytes = self.file.o_bytes, self.file.l_bytes
        if o_bytes + l_bytes <= self.id_bytes - 1:
            record = self.file.over(heap_id[1:])
            return self.file.read(record.address(), record.length())
        number = int.from_bytes(heap_id[1 : 1 + min(l_bytes, self.id_bytes - 1)], "little")
        if number not in huge_ids:
            raise ParseError("an object of a fractal heap is missing")
        return self.file.read(*huge_ids[number])

    def _locate(self, offset: int) -> int:
        address, rows, base = self.root, self.rows, 0
        row_bytes = self.width * self.start_bytes
        for _ in range(_MAX_LEVELS):
            inner = offset - base
            if address is None:
                raise ParseError("a block of a fractal heap is missing")
            if rows == 0:
                if inner >= self.start_bytes and inner >= self.max_direct_bytes:
                    raise ParseError("an object is outside its fractal heap")
                return address + inner
            row = (inner // row_bytes).bit_length()
            size = self.start_bytes << max(row - 1, 0)
            begin = 0 if row == 0 else row_bytes << (row - 1)
            column = (inner - begin) // size
            if row >= rows:
                raise ParseError("an object is outside its fractal heap")
            head = 5 + self.file.o_bytes + self.offset_bytes
            entry = address + head + (row * self.width + column) * self.file.o_bytes
            address = self.file.fields(entry, self.file.o_bytes).address()
            base += begin + column * size
            is_direct = size <= self.max_direct_bytes
            rows = 0 if is_direct else max((size // row_bytes).bit_length(), 1)
        raise ParseError("a fractal heap is too deep")


def read_fractal_heap(file: Hdf5Bytes, address: int | None) -> FractalHeap:
    """Return the fractal heap at an address.

    Raises:
        ParseError: There is none, its sizes are impossible, or its blocks are packed.
    """
    head = file.fields(address, 26 + 12 * file.l_bytes + 3 * file.o_bytes, b"FRHP")
    head.take(1)
    id_bytes, filter_bytes = head.number(2), head.number(2)
    head.take(1)
    max_managed = head.number(4)
    head.length()
    huge = head.address()
    head.length()
    head.address()
    for _ in range(8):
        head.length()
    width, start, largest = head.number(2), head.length(), head.length()
    max_bits = head.number(2)
    head.take(2)
    root, rows = head.address(), head.number(2)
    if filter_bytes:
        raise ParseError("the blocks of a fractal heap are packed", where="unknown")
    if not (width and start and start <= largest and 0 < max_bits <= 64 and 2 <= id_bytes <= 4096):  # noqa: PLR2004
        raise ParseError("a fractal heap has impossible sizes")
    length_bytes = min((largest.bit_length() + 6) // 8, _width(max_managed))
    return FractalHeap(
        file,
        id_bytes,
        (max_bits + 7) // 8,
        length_bytes,
        width,
        start,
        largest,
        root,
        rows,
        huge,
    )


def read_huge_ids(heap: FractalHeap) -> dict[int, tuple[int, int]]:
    """Return id -> (address, size in bytes) of the objects that are stored apart.

    Raises:
        ParseError: Their tree cannot be read.
    """
    if heap.huge is None:
        return {}
    found = {}
    for kind, record in list_tree_records(heap.file, heap.huge):
        if kind != _HUGE_RECORD:
            continue
        address, size = record.address(), record.length()
        if address is not None:
            found[record.length()] = (address, size)
    return found
