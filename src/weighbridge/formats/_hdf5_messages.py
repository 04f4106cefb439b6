"""The messages of HDF5 object headers: datatype, dataspace, layout, filters, links.

Source:
    HDF5 File Format Specification 3.0, section IV.A.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from weighbridge.errors import ParseError
from weighbridge.formats._hdf5_values import Hdf5Filter, Hdf5Type

if TYPE_CHECKING:
    from weighbridge.formats._hdf5_bytes import Fields

__all__ = [
    "RawLayout",
    "RawLink",
    "read_dataspace",
    "read_filters",
    "read_layout",
    "read_link",
    "read_type",
]

_KINDS = (
    *("integer", "float", "time", "string", "bitfield", "opaque", "compound", "reference"),
    *("enum", "vlen", "array", "complex"),
)
# What the properties of a plain type take, behind its size.
_PLAIN_BYTES = {0: 4, 1: 12, 2: 2, 3: 0, 4: 4, 7: 0}
_OPAQUE, _COMPOUND, _ENUM, _VLEN, _ARRAY, _COMPLEX = 5, 6, 8, 9, 10, 11
_MAX_TYPE_DEPTH = 32
_MAX_RANK = 32
_LAYOUTS = {0: "compact", 1: "contiguous", 2: "chunked", 3: "virtual"}
_PADDED, _UNPADDED = 2, 3


def read_type(fields: Fields, depth: int = 0) -> Hdf5Type:
    """Return the datatype that begins here.

    Raises:
        ParseError: Its class or version is not known, or it is nested too deeply.
    """
    if depth > _MAX_TYPE_DEPTH:
        raise ParseError("a datatype is nested too deeply")
    head = fields.number(1)
    kind, version = head & 15, head >> 4
    bits = fields.number(3)
    size = fields.number(4)
    if kind >= len(_KINDS) or not 1 <= version <= 5:  # noqa: PLR2004 - the versions that there are
        raise ParseError(f"datatype of class {kind}, version {version}, is not known")
    if kind in _PLAIN_BYTES:
        fields.take(_PLAIN_BYTES[kind])
        return Hdf5Type(_KINDS[kind], size)
    if kind == _OPAQUE:
        fields.take((bits & 0xFF) + 7 & ~7)
        return Hdf5Type("opaque", size)
    if kind == _COMPOUND:
        parts = tuple(_read_member(fields, version, size, depth) for _ in range(bits & 0xFFFF))
        return Hdf5Type("compound", size, parts)
    if kind == _ARRAY:
        _skip_array_shape(fields, version)
    base = read_type(fields, depth + 1)
    if kind == _ENUM:
        for _ in range(bits & 0xFFFF):
            _read_name(fields, padded=version <= _PADDED)
        fields.take((bits & 0xFFFF) * base.size_bytes)
    is_text = kind == _VLEN and bits & 15 == 1
    return Hdf5Type("vlen-string" if is_text else _KINDS[kind], size, (base,))


def _read_name(fields: Fields, *, padded: bool) -> str:
    start = fields.offset
    name = fields.text()
    if padded:
        fields.align(start)
    return name


def _read_member(fields: Fields, version: int, size: int, depth: int) -> Hdf5Type:
    _read_name(fields, padded=version <= _PADDED)
    if version >= _UNPADDED:
        fields.take(max((size.bit_length() + 7) // 8, 1))
    else:
        fields.take(4)
    if version == 1:
        fields.take(1 + 3 + 4 + 4 + 16)
    return read_type(fields, depth + 1)


def _skip_array_shape(fields: Fields, version: int) -> None:
    rank = fields.number(1)
    if version >= _UNPADDED:
        fields.take(4 * rank)
    else:
        fields.take(3 + 8 * rank)


def read_dataspace(fields: Fields) -> tuple[int, ...] | None:
    """Return the lengths of the axes; None of a dataset without elements.

    Raises:
        ParseError: Its version is not known, or it has too many axes.
    """
    version, rank, flags = fields.number(1), fields.number(1), fields.number(1)
    if version == 1:
        fields.take(5)
        is_null = False
    elif version == 2:  # noqa: PLR2004 - the second version
        is_null = fields.number(1) == 2  # noqa: PLR2004 - neither scalar (0) nor simple (1)
    else:
        raise ParseError(f"dataspace version {version} is not known")
    if rank > _MAX_RANK:
        raise ParseError(f"a dataspace of {rank} axes; {_MAX_RANK} is the most")
    shape = tuple(fields.length() for _ in range(rank))
    if flags & 1:
        fields.take(rank * fields.l_bytes)
    return None if is_null else shape


@dataclass(frozen=True, slots=True)
class RawLayout:
    """A layout message.

    Attributes:
        kind: ``compact``, ``contiguous``, ``chunked`` or ``virtual``.
        address: Of the data, of the index of the chunks, or of a global heap; None if not written.
        size_bytes: Of the data as the message has it; 0 if it does not say.
        data: Of a compact one.
        chunk: Lengths of the axes of a chunk and the size of an element.
        index: What kind of index the chunks have; 0 is the B-tree of version 1.
        mask: Filters left out of a single chunk.
    """

    kind: str
    address: int | None = None
    size_bytes: int = 0
    data: bytes = b""
    chunk: tuple[int, ...] = ()
    index: int = 0
    mask: int = 0


def read_layout(fields: Fields) -> RawLayout:
    """Return a data layout message.

    Raises:
        ParseError: Its version or class is not known.
    """
    version = fields.number(1)
    if version in (1, 2):
        return _read_old_layout(fields)
    if version not in (3, 4, 5):
        raise ParseError(f"data layout version {version} is not known")
    kind = _LAYOUTS.get(fields.number(1), "")
    if kind == "compact":
        size = fields.number(2)
        return RawLayout(kind, None, size, fields.take(size))
    if kind == "contiguous":
        return RawLayout(kind, fields.address(), fields.length())
    if kind == "virtual":
        return RawLayout(kind, fields.address(), fields.number(4))
    if kind != "chunked":
        raise ParseError("a data layout's class is not known")
    if version == 3:  # noqa: PLR2004 - before the indexes of version 4
        rank = fields.number(1)
        address = fields.address()
        return RawLayout(kind, address, chunk=tuple(fields.number(4) for _ in range(rank)))
    return _read_chunks(fields)


def _read_old_layout(fields: Fields) -> RawLayout:
    rank, kind = fields.number(1), _LAYOUTS.get(fields.number(1), "")
    fields.take(5)
    if kind == "compact":
        fields.take(4 * rank)
        size = fields.number(4)
        return RawLayout(kind, None, size, fields.take(size))
    if kind not in ("contiguous", "chunked"):
        raise ParseError("a data layout's class is not known")
    address = fields.address()
    return RawLayout(kind, address, chunk=tuple(fields.number(4) for _ in range(rank)))


def _read_chunks(fields: Fields) -> RawLayout:
    flags, rank, width = fields.number(1), fields.number(1), fields.number(1)
    chunk = tuple(fields.number(width) for _ in range(rank))
    index = fields.number(1)
    size = mask = 0
    if index == 1 and flags & 2:
        size, mask = fields.length(), fields.number(4)
    elif index in (3, 4, 5):
        fields.take({3: 1, 4: 5, 5: 6}[index])
    elif index not in (1, 2):
        raise ParseError(f"chunk index {index} is not known")
    return RawLayout("chunked", fields.address(), size or prod(chunk), b"", chunk, index, mask)


def read_filters(fields: Fields) -> tuple[Hdf5Filter, ...]:
    """Return a filter pipeline message.

    Raises:
        ParseError: Its version is not known.
    """
    version, count = fields.number(1), fields.number(1)
    if version == 1:
        fields.take(6)
    elif version != 2:  # noqa: PLR2004 - the second version
        raise ParseError(f"filter pipeline version {version} is not known")
    filters = []
    for _ in range(count):
        number = fields.number(2)
        name_bytes = fields.number(2) if version == 1 or number >= 256 else 0  # noqa: PLR2004
        fields.take(2)
        values = fields.number(2)
        name = fields.take(name_bytes + (-name_bytes % 8 if version == 1 else 0))
        fields.take(4 * values + (4 if version == 1 and values % 2 else 0))
        filters.append(Hdf5Filter(number, name.split(b"\0")[0].decode("utf-8", "replace")))
    return tuple(filters)


@dataclass(frozen=True, slots=True)
class RawLink:
    """A link message.

    Attributes:
        name: Of the link in its group.
        kind: ``hard``, ``soft``, ``external`` or ``user``.
        address: Of the object header if it is hard.
        file: Of an external one.
        target: As in ``Hdf5Link``.
    """

    name: str
    kind: str
    address: int | None = None
    file: str = ""
    target: str = ""


_SOFT_LINK, _EXTERNAL_LINK, _FIRST_USER_LINK = 1, 64, 65


def read_link(fields: Fields) -> RawLink:
    """Return a link message.

    Raises:
        ParseError: Its version or type is not known.
    """
    version, flags = fields.number(1), fields.number(1)
    if version != 1:
        raise ParseError(f"link version {version} is not known")
    kind = fields.number(1) if flags & 8 else 0
    fields.take((8 if flags & 4 else 0) + (1 if flags & 16 else 0))
    name = fields.take(fields.number(1 << (flags & 3))).decode("utf-8", "replace")
    if kind == 0:
        return RawLink(name, "hard", fields.address())
    data = fields.take(fields.number(2))
    if kind == _SOFT_LINK:
        return RawLink(name, "soft", target=data.decode("utf-8", "replace"))
    if kind == _EXTERNAL_LINK:
        file, _, target = data[1:].partition(b"\0")
        plain = (file.decode("utf-8", "replace"), target.split(b"\0")[0].decode("utf-8", "replace"))
        return RawLink(name, "external", None, *plain)
    if kind < _FIRST_USER_LINK:
        raise ParseError(f"link type {kind} is not known")
    return RawLink(name, "user", target=str(kind))
