"""HDF5 object headers: the messages of an object, and the attributes and data that they tell of.

Source:
    HDF5 File Format Specification 3.0, section IV.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from math import prod
from typing import TYPE_CHECKING

from weighbridge.errors import ParseError
from weighbridge.formats._hdf5_heaps import (
    list_array_chunks,
    list_chunks,
    list_tree_records,
    read_collection,
    read_fractal_heap,
    read_heap_strings,
    read_huge_ids,
)
from weighbridge.formats._hdf5_messages import (
    RawLayout,
    read_dataspace,
    read_filters,
    read_layout,
    read_type,
)
from weighbridge.formats._hdf5_values import (
    Hdf5Attribute,
    Hdf5Dataset,
    Hdf5Filter,
    Hdf5Type,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.formats._hdf5_bytes import Fields, Hdf5Bytes

__all__ = [
    "ATTRIBUTE",
    "KNOWN_MESSAGES",
    "LINK",
    "LINK_INFO",
    "SYMBOL_TABLE",
    "Header",
    "list_attributes",
    "list_dense",
    "read_dataset",
    "read_header",
]

DATASPACE, LINK_INFO, DATATYPE, LINK, EXTERNAL_FILES, LAYOUT = 1, 2, 3, 6, 7, 8
FILTERS, ATTRIBUTE, CONTINUATION, SYMBOL_TABLE, ATTRIBUTE_INFO = 0xB, 0xC, 0x10, 0x11, 0x15
_LAST_KNOWN = 0x18
KNOWN_MESSAGES = frozenset(range(_LAST_KNOWN + 1))
_SHARED = 2
# What a message costs besides its bytes, in bytes.
_MESSAGE_COST_BYTES = 32
# Types that may hold more than numbers; where their chunks are is worth knowing. Not those of
# variable length, whose values are in heaps.
_TELLING = ("string", "opaque")
# Chunks of a dataset that are listed; the rest of a large one is of the same kind.
_MAX_CHUNKS = 100_000
_MAX_VALUES = 100_000
_REFERENCE_BYTES = 8


@dataclass(slots=True)
class Header:
    """The messages of one object: (type, whether shared, body)."""

    messages: list[tuple[int, bool, Fields]] = field(default_factory=list)

    def find(self, kind: int) -> list[tuple[bool, Fields]]:
        """Return the messages of a type, each to be read from its start."""
        return [(shared, body) for one, shared, body in self.messages if one == kind]


def read_header(file: Hdf5Bytes, address: int | None) -> Header:
    """Return the messages of the object header at an address.

    Raises:
        ParseError: There is none, or a block of it is not in the file.
    """
    start = file.read(address, 4)
    header = Header()
    if start == b"OHDR":
        blocks = [_open_new(file, address or 0)]
        new = True
    else:
        prefix = file.fields(address, 16)
        if prefix.number(1) != 1:
            raise ParseError(f"no object header at address {address}")
        prefix.take(7)
        blocks = [((address or 0) + 16, prefix.number(4), 0)]
        new = False
    seen: set[int] = set()
    while blocks:
        begin, size, creation_bytes = blocks.pop()
        if begin in seen:
            raise ParseError("an object header leads back into itself")
        seen.add(begin)
        body = file.over(file.read(begin, size))
        for kind, shared, message in _list_messages(file, body, creation_bytes, new=new):
            if kind == CONTINUATION:
                at, length = message.address(), message.length()
                blocks.append(_continue(file, at, length, creation_bytes, new=new))
            else:
                header.messages.append((kind, shared, message))
            file.spend(_MESSAGE_COST_BYTES)
    return header


def _open_new(file: Hdf5Bytes, address: int) -> tuple[int, int, int]:
    """Return where the messages of a header of version 2 are."""
    prefix = file.over(file.read(address, 6))
    prefix.take(4)
    version, flags = prefix.number(1), prefix.number(1)
    if version != 2:  # noqa: PLR2004 - the only one with this mark
        raise ParseError(f"object header version {version} is not known")
    skipped = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    size = file.over(file.read(address + skipped, width)).number(width)
    return address + skipped + width, size, 2 if flags & 4 else 0


def _continue(
    file: Hdf5Bytes, address: int | None, length: int, creation_bytes: int, *, new: bool
) -> tuple[int, int, int]:
    if address is None:
        raise ParseError("a block of an object header is missing")
    if not new:
        return address, length, 0
    file.fields(address, 4, b"OCHK")
    return address + 4, max(length - 8, 0), creation_bytes


def _list_messages(
    file: Hdf5Bytes, body: Fields, creation_bytes: int, *, new: bool
) -> Iterator[tuple[int, bool, Fields]]:
    head_bytes = 4 + creation_bytes if new else 8
    while body.left_bytes >= head_bytes:
        kind, size, flags = body.number(1 if new else 2), body.number(2), body.number(1)
        body.take(creation_bytes if new else 3)
        yield kind, bool(flags & _SHARED), file.over(body.take(size))


def _resolve(file: Hdf5Bytes, message: Fields, kind: int) -> Fields:
    """Return the message that a shared one stands for.

    Raises:
        ParseError: It is kept in the table of shared messages, or is not there.
    """
    version, place = message.number(1), message.number(1)
    if version == 1:
        message.take(6)
    elif version == 3 and place == 1:  # noqa: PLR2004 - in the table
        raise ParseError("a message is kept in the table of shared messages", where="unknown")
    found = read_header(file, message.address()).find(kind)
    if not found or found[0][0]:
        raise ParseError("a shared message is not where it should be")
    return found[0][1]


def _get(file: Hdf5Bytes, header: Header, kind: int) -> Fields | None:
    found = header.find(kind)
    if not found:
        return None
    shared, body = found[0]
    return _resolve(file, body, kind) if shared else body


def list_dense(file: Hdf5Bytes, info: Fields, index_bytes: int) -> Iterator[Fields]:
    """Yield the links or attributes that are kept in a heap outside the header.

    Args:
        file: The file.
        info: A link info or attribute info message.
        index_bytes: Width of the number of the next one in it, if it has one.

    Raises:
        ParseError: The heap or its tree cannot be read; what came before it was yielded.
    """
    info.take(1)
    flags = info.number(1)
    info.take(index_bytes if flags & 1 else 0)
    heap_address, tree = info.address(), info.address()
    if heap_address is None:
        return
    heap = read_fractal_heap(file, heap_address)
    huge = read_huge_ids(heap)
    for kind, record in list_tree_records(file, tree):
        if kind == 5:  # noqa: PLR2004 - a link by its name
            record.take(4)
        elif kind != 8:  # noqa: PLR2004 - an attribute by its name
            raise ParseError(f"a B-tree of type {kind} where names are due")
        heap_id = record.take(heap.id_bytes)
        if kind == 8 and record.number(1) & _SHARED:  # noqa: PLR2004
            raise ParseError(
                "an attribute is kept in the table of shared messages", where="unknown"
            )
        yield file.over(heap.find(heap_id, huge))


def list_attributes(file: Hdf5Bytes, header: Header) -> Iterator[Hdf5Attribute | ParseError]:
    """Yield the attributes of an object, and why some cannot be read."""
    for shared, body in header.find(ATTRIBUTE):
        try:
            yield _read_attribute(file, _resolve(file, body, ATTRIBUTE) if shared else body)
        except ParseError as error:
            yield error
    for _, info in header.find(ATTRIBUTE_INFO):
        try:
            for body in list_dense(file, info, 2):
                yield _read_attribute(file, body)
        except ParseError as error:
            yield error


def _read_attribute(file: Hdf5Bytes, body: Fields) -> Hdf5Attribute:
    start = body.offset
    version, flags = body.number(1), body.number(1)
    if version not in (1, 2, 3):
        raise ParseError(f"attribute version {version} is not known")
    sizes = [body.number(2) for _ in range(3)]
    if version == 3:  # noqa: PLR2004 - says how the name is encoded
        body.take(1)
    parts = []
    for size in sizes:
        parts.append(body.take(size))
        if version == 1:
            body.align(start)
    name = parts[0].split(b"\0")[0].decode("utf-8", "replace")
    kind, space = file.over(parts[1]), file.over(parts[2])
    if version > 1 and flags & 1:
        kind = _resolve(file, kind, DATATYPE)
    if version > 1 and flags & 2:
        space = _resolve(file, space, DATASPACE)
    type_ = read_type(kind)
    shape = read_dataspace(space)
    count = 0 if shape is None else prod(shape)
    data = body.take(count * type_.size_bytes)
    return Hdf5Attribute(name, type_, count, data, _list_values(file, type_, count, data))


def _list_values(file: Hdf5Bytes, type_: Hdf5Type, count: int, data: bytes) -> tuple[bytes, ...]:
    """Return the elements if they are strings or sequences."""
    if count > _MAX_VALUES:
        raise ParseError(f"an attribute has {count:,} elements")
    size = type_.size_bytes
    elements = [data[at : at + size] for at in range(0, count * size, size)] if size else []
    if type_.kind == "string":
        return tuple(element.rstrip(b"\0") for element in elements)
    if type_.kind not in ("vlen", "vlen-string"):
        return ()
    heaps = file.collections
    values = []
    for element in elements:
        record = file.over(element)
        length, address, index = record.number(4), record.address(), record.number(4)
        if not length or not address:
            values.append(b"")
            continue
        if address not in heaps:
            heaps[address] = read_collection(file, address)
        offset, size = heaps[address].get(index, (-1, 0))
        if offset < 0:
            raise ParseError("a value is missing from its global heap")
        file.spend(size)
        values.append(file.source.read_at(offset, size))
    return tuple(values)


def read_dataset(file: Hdf5Bytes, header: Header) -> Hdf5Dataset:
    """Return what a header says of a dataset.

    Raises:
        ParseError: It misses something, or something of it is not known; a ``where`` of
            ``outside`` means that the data reach out of the file.
    """
    kind, space = _get(file, header, DATATYPE), _get(file, header, DATASPACE)
    body, packed = _get(file, header, LAYOUT), _get(file, header, FILTERS)
    if kind is None or space is None or body is None:
        raise ParseError("a dataset without a type, a shape or a layout")
    type_ = read_type(kind)
    shape = read_dataspace(space)
    count = 0 if shape is None else prod(shape)
    layout = read_layout(body)
    filters = () if packed is None else read_filters(packed)
    external = header.find(EXTERNAL_FILES)
    if external:
        names = _list_external(file, external[0][1])
        return Hdf5Dataset(type_, count, "external", (), filters, names)
    if layout.kind == "virtual":
        return Hdf5Dataset(type_, count, "virtual", (), filters, _list_sources(file, layout))
    return _place_data(file, layout, type_, count, filters)


def _place_data(
    file: Hdf5Bytes,
    layout: RawLayout,
    type_: Hdf5Type,
    count: int,
    filters: tuple[Hdf5Filter, ...],
) -> Hdf5Dataset:
    needed = count * type_.size_bytes
    if layout.kind == "compact":
        if layout.size_bytes < needed:
            raise ParseError(f"a dataset needs {needed:,} bytes and has {layout.size_bytes:,}")
        return Hdf5Dataset(type_, count, "compact", (), filters, (), layout.data)
    if layout.address is None:
        return Hdf5Dataset(type_, count, "none", (), filters)
    if layout.kind == "contiguous":
        size = layout.size_bytes or needed
        if size < needed:
            raise ParseError(f"a dataset needs {needed:,} bytes and has {size:,}")
        _check_inside(file, layout.address, size)
        return Hdf5Dataset(
            type_, count, "contiguous", ((file.base + layout.address, size, 0),), filters
        )
    return Hdf5Dataset(type_, count, "chunked", tuple(_place_chunks(file, layout, type_)), filters)


def _check_inside(file: Hdf5Bytes, address: int, size: int) -> None:
    if file.base + address + size > file.source.size_bytes:
        message = f"its data ({size:,} bytes at {address:,}) reach out of the file"
        raise ParseError(message, where="outside")


def _place_chunks(
    file: Hdf5Bytes, layout: RawLayout, type_: Hdf5Type
) -> Iterator[tuple[int, int, int]]:
    if layout.index == 1:
        _check_inside(file, layout.address or 0, layout.size_bytes)
        yield file.base + (layout.address or 0), layout.size_bytes, layout.mask
    elif layout.index in (0, 3):
        chunks = (
            list_chunks(file, layout.address, len(layout.chunk))
            if layout.index == 0
            else list_array_chunks(file, layout.address, layout.size_bytes)
        )
        for address, size, mask in islice(chunks, _MAX_CHUNKS):
            _check_inside(file, address, size)
            yield file.base + address, size, mask
    elif type_.has(*_TELLING):
        raise ParseError(
            f"chunk index {layout.index} of a dataset that may hold objects", where="unknown"
        )
    elif file.base + (layout.address or 0) >= file.source.size_bytes:
        raise ParseError("the index of its chunks is outside the file", where="outside")


def _list_external(file: Hdf5Bytes, body: Fields) -> tuple[str, ...]:
    """Return the names in an external data files message."""
    body.take(4)
    body.number(2)
    used = body.number(2)
    heap = read_heap_strings(file, body.address())
    names = []
    for _ in range(used):
        offset = body.length()
        body.take(2 * body.l_bytes)
        names.append(heap[offset:].split(b"\0")[0].decode("utf-8", "replace"))
    return tuple(dict.fromkeys(names))


def _list_sources(file: Hdf5Bytes, layout: RawLayout) -> tuple[str, ...]:
    """Return the names of files in the mappings of a virtual dataset; the first is exact.

    Behind each name is a selection whose length only its own kind tells; whatever looks like a
    path in the rest is named.
    """
    if layout.address is None:
        return ()
    offset, size = read_collection(file, layout.address).get(layout.size_bytes, (0, 0))
    file.spend(size)
    data = file.source.read_at(offset, size)[1 + file.l_bytes :]
    first, _, rest = data.partition(b"\0")
    names = [first, *_guess_paths(rest)]
    return tuple(dict.fromkeys(name.decode("utf-8", "replace") for name in names))


def _guess_paths(rest: bytes) -> list[bytes]:
    parts = (part for part in rest.split(b"\0") if part[1:] and part.isascii())
    return [part for part in parts if b"." in part and part.decode("ascii").isprintable()]
