"""HDF5: every object, attribute and link of a file, read by its structure and within bounds.

Source:
    HDF5 File Format Specification 3.0, https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.errors import ParseError
from weighbridge.formats._hdf5_bytes import Hdf5Bytes
from weighbridge.formats._hdf5_heaps import (
    list_group_entries,
    read_collection,
    read_heap_strings,
)
from weighbridge.formats._hdf5_messages import RawLink, read_link
from weighbridge.formats._hdf5_objects import (
    DATATYPE,
    KNOWN_MESSAGES,
    LAYOUT,
    LINK,
    LINK_INFO,
    SYMBOL_TABLE,
    Header,
    list_attributes,
    list_dense,
    read_dataset,
    read_header,
)
from weighbridge.formats._hdf5_values import (
    Hdf5Attribute,
    Hdf5Event,
    Hdf5File,
    Hdf5Link,
    Hdf5Object,
    Hdf5Problem,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from weighbridge.core.ports import ByteSource

__all__ = ["HDF5_MARK", "find_hdf5_start", "list_hdf5_heap_objects", "read_hdf5"]

HDF5_MARK = b"\x89HDF\r\n\x1a\n"
_OLD_SUPERBLOCKS = (0, 1)
_NEW_SUPERBLOCKS = (2, 3)
_WIDTHS = (2, 4, 8)
_FIRST_USER_BLOCK_BYTES = 512
# What an object or a link costs besides the bytes that were read, in bytes.
_OBJECT_COST_BYTES = 32
# What is kept of a path, for people: the letters of a name, and of all of them about.
_SHOWN = 256
_MAX_PATH = 2_048
# What a value of variable length costs, in bytes searched.
_VALUE_COST_BYTES = 128
_SEARCH_BYTES = 1024 * 1024
_COLLECTION_MARK = b"GCOL"


def find_hdf5_start(source: ByteSource) -> int | None:
    """Return the offset of the superblock, which is 0, 512, 1024, 2048 ...; None if none is."""
    offset = 0
    while offset + len(HDF5_MARK) <= source.size_bytes:
        if source.read_at(offset, len(HDF5_MARK)) == HDF5_MARK:
            return offset
        offset = max(offset * 2, _FIRST_USER_BLOCK_BYTES)
    return None


def read_hdf5(source: ByteSource, *, spend: Callable[[int], None]) -> Iterator[Hdf5Event]:
    """Yield the superblock, then every object and every link that is not a plain one.

    No data of datasets are read. Each object is visited once, however many links lead to it. What
    cannot be read is an event, and the rest is read all the same; content never raises.

    Args:
        source: The whole file.
        spend: Told how many bytes of structure are read; may raise to stop.

    Raises:
        LimitExceededError: What ``spend`` raises.
    """
    start = find_hdf5_start(source)
    if start is None:
        yield Hdf5Problem("/", "broken", "it has no superblock")
        return
    try:
        head, file, root = _read_superblock(source, start, spend)
    except ParseError as error:
        yield _to_problem("/", error)
        return
    yield head
    if head.end > source.size_bytes:
        message = f"it should have {head.end:,} bytes and has {source.size_bytes:,}"
        yield Hdf5Problem("/", "outside", message)
    yield from _walk(file, root)


def _read_superblock(
    source: ByteSource, start: int, spend: Callable[[int], None]
) -> tuple[Hdf5File, Hdf5Bytes, int | None]:
    head = source.read_at(start + len(HDF5_MARK), 16)
    if len(head) < 16:  # noqa: PLR2004 - what every version has
        raise ParseError("it ends within its superblock", where="outside")
    version = head[0]
    if version in _OLD_SUPERBLOCKS:
        o_bytes, l_bytes = head[5], head[6]
    elif version in _NEW_SUPERBLOCKS:
        o_bytes, l_bytes = head[1], head[2]
    else:
        raise ParseError(f"superblock version {version} is not known", where="unknown")
    if o_bytes not in _WIDTHS or l_bytes not in _WIDTHS:
        raise ParseError(f"addresses of {o_bytes} bytes and lengths of {l_bytes}")
    file = Hdf5Bytes(source, start, o_bytes, l_bytes, spend)
    if version in _OLD_SUPERBLOCKS:
        skipped = 24 if version == 0 else 28
        fields = file.fields(skipped, 6 * o_bytes)
        base, _, end, driver, _ = (fields.address() for _ in range(5))
        root = fields.address()
    else:
        fields = file.fields(12, 4 * o_bytes)
        base, _, end, root = (fields.address() for _ in range(4))
        driver = None
    if driver is not None:
        raise ParseError("a driver spreads it over several files", where="unknown")
    moved = start - (base or 0)
    return Hdf5File(start, version, (end or 0) + moved), file, root


def _walk(file: Hdf5Bytes, root: int | None) -> Iterator[Hdf5Event]:
    pending: list[tuple[str, int | None]] = [("/", root)]
    seen: set[int | None] = set()
    while pending:
        path, address = pending.pop()
        if address in seen:
            continue
        seen.add(address)
        file.spend(_OBJECT_COST_BYTES)
        try:
            header = read_header(file, address)
        except ParseError as error:
            yield _to_problem(path, error)
            continue
        yield from _tell_object(file, path, header)
        for link in _list_links(file, header):
            if isinstance(link, ParseError):
                yield _to_problem(path, link)
                continue
            file.spend(_OBJECT_COST_BYTES)
            below = f"{path.rstrip('/')}/{link.name[:_SHOWN]}" if len(path) < _MAX_PATH else path
            if link.kind == "hard":
                pending.append((below, link.address))
            else:
                yield Hdf5Link(below, link.kind, link.file, link.target)


def _tell_object(file: Hdf5Bytes, path: str, header: Header) -> Iterator[Hdf5Event]:
    kinds = {kind for kind, _, _ in header.messages}
    if unknown := kinds - KNOWN_MESSAGES:
        message = f"object header messages of type {sorted(unknown)[:5]} are not known"
        yield Hdf5Problem(path, "unknown", message)
    attributes: list[Hdf5Attribute] = []
    for one in list_attributes(file, header):
        if isinstance(one, ParseError):
            yield _to_problem(path, one)
        else:
            attributes.append(one)
    dataset = None
    if LAYOUT in kinds:
        try:
            dataset = read_dataset(file, header)
        except ParseError as error:
            yield _to_problem(path, error)
        kind = "dataset"
    else:
        kind = "type" if DATATYPE in kinds else "group"
    yield Hdf5Object(path, kind, tuple(attributes), dataset)


def _list_links(file: Hdf5Bytes, header: Header) -> Iterator[RawLink | ParseError]:
    try:
        for _, body in header.find(SYMBOL_TABLE):
            tree, heap = body.address(), body.address()
            names = read_heap_strings(file, heap)
            for entry in list_group_entries(file, tree, names):
                kind = "soft" if entry.address is None else "hard"
                yield RawLink(entry.name, kind, entry.address, target=entry.target)
        for _, body in header.find(LINK):
            yield read_link(body)
        for _, body in header.find(LINK_INFO):
            for one in list_dense(file, body, 8):
                yield read_link(one)
    except ParseError as error:
        yield error


def _to_problem(path: str, error: ParseError) -> Hdf5Problem:
    kind = error.where if error.where in ("outside", "unknown") else "broken"
    return Hdf5Problem(path, kind, str(error).removesuffix(f" (at {error.where})"))


def list_hdf5_heap_objects(
    source: ByteSource, head: Hdf5File, *, spend: Callable[[int], None]
) -> Iterator[tuple[int, int]]:
    """Yield (offset, size in bytes) of every value of variable length anywhere in the file.

    They are found by the mark of the heaps that hold them, because the references to them lie in
    chunks that may be packed in any way.

    Args:
        source: The whole file.
        head: What the superblock says.
        spend: Told how many bytes are searched; may raise to stop.
    """
    file = Hdf5Bytes(source, head.start, 8, 8, lambda _: None)
    offset = head.start
    while offset < source.size_bytes:
        spend(min(_SEARCH_BYTES, source.size_bytes - offset))
        window = source.read_at(offset, _SEARCH_BYTES + len(_COLLECTION_MARK) - 1)
        at = window.find(_COLLECTION_MARK)
        while at >= 0:
            try:
                objects = read_collection(file, offset + at - head.start)
            except ParseError:
                objects = {}  # four letters in other data
            spend(_VALUE_COST_BYTES * len(objects))
            yield from objects.values()
            at = window.find(_COLLECTION_MARK, at + 1)
        offset += _SEARCH_BYTES
