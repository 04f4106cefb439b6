"""What an HDF5 file says: objects, attributes, links, and where the data of a dataset are."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "Hdf5Attribute",
    "Hdf5Dataset",
    "Hdf5Event",
    "Hdf5File",
    "Hdf5Filter",
    "Hdf5Link",
    "Hdf5Object",
    "Hdf5Problem",
    "Hdf5Type",
]


@dataclass(frozen=True, slots=True)
class Hdf5Type:
    """A datatype.

    Attributes:
        kind: ``integer``, ``float``, ``time``, ``string``, ``bitfield``, ``opaque``,
            ``compound``, ``reference``, ``enum``, ``vlen``, ``vlen-string``, ``array`` or
            ``complex``.
        size_bytes: Of one element.
        parts: The types of a compound's members, or the type that this one is built on.
    """

    kind: str
    size_bytes: int
    parts: tuple[Hdf5Type, ...] = ()

    def has(self, *kinds: str) -> bool:
        """Return whether this type, or one that it is built of, is of one of ``kinds``."""
        return self.kind in kinds or any(part.has(*kinds) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Hdf5Attribute:
    """An attribute.

    Attributes:
        name: As the file has it.
        type: Of one element.
        count: Elements.
        data: As stored; of strings of variable length these are references.
        values: Of strings of any length: the elements, without the zeros behind them.
    """

    name: str
    type: Hdf5Type
    count: int
    data: bytes
    values: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Hdf5Filter:
    """A step by which chunks are packed.

    Attributes:
        number: As registered with the HDF Group; below 256 it is part of the library.
        name: As the file has it; may be empty.
    """

    number: int
    name: str


@dataclass(frozen=True, slots=True)
class Hdf5Dataset:
    """Where the data of a dataset are.

    Attributes:
        type: Of one element.
        count: Elements.
        layout: ``compact``, ``contiguous``, ``chunked``, ``virtual``, ``external`` or ``none``.
        runs: (offset, size in bytes, bits of the filters that were left out) of what the file
            holds: the data, or each chunk. Only of types that may hold more than numbers are
            chunks listed.
        filters: In the order of packing.
        files: Names of other files that hold the data.
        data: Of a compact one.
    """

    type: Hdf5Type
    count: int
    layout: str
    runs: tuple[tuple[int, int, int], ...] = ()
    filters: tuple[Hdf5Filter, ...] = ()
    files: tuple[str, ...] = ()
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Hdf5Object:
    """A group, a dataset or a named datatype.

    Attributes:
        path: From the root, as first met.
        kind: ``group``, ``dataset`` or ``type``.
        attributes: In the order of the file.
        dataset: What it is if it is one.
    """

    path: str
    kind: str
    attributes: tuple[Hdf5Attribute, ...]
    dataset: Hdf5Dataset | None = None


@dataclass(frozen=True, slots=True)
class Hdf5Link:
    """A link that is not to an object of this file by its place.

    Attributes:
        path: Of the link.
        kind: ``soft``, ``external`` or ``user``.
        file: The other file of an external link.
        target: The path of what is linked; the number of the class of a user's own link.
    """

    path: str
    kind: str
    file: str
    target: str


@dataclass(frozen=True, slots=True)
class Hdf5Problem:
    """What could not be read.

    Attributes:
        path: Of the object at hand.
        kind: ``outside`` (bytes that the file does not have), ``broken`` or ``unknown``.
        message: One sentence without a full stop.
    """

    path: str
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Hdf5File:
    """What the superblock says; the first event.

    Attributes:
        start: Offset of the superblock; what lies before it is the user's.
        version: Of the superblock.
        end: Offset behind the last byte that belongs to the file.
    """

    start: int
    version: int
    end: int


Hdf5Event = Hdf5File | Hdf5Object | Hdf5Link | Hdf5Problem
