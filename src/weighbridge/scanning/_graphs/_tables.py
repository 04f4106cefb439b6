"""Files of numbers around graphs: checkpoints' tables, records, weights of Paddle and MXNet."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from weighbridge.errors import ParseError
from weighbridge.formats import Cursor, MemorySource, ProtoMessage, read_varints
from weighbridge.scanning._facts import NamedFile
from weighbridge.scanning._graphs._walk import gather, matches, quote
from weighbridge.scanning._graphs._widths import TF_BYTES
from weighbridge.scanning._notes import examined, inert, not_examined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core.ports import ByteSource
    from weighbridge.scanning._graphs._walk import Scene
    from weighbridge.scanning._notes import Note

__all__ = [
    "SSTABLE_MAGIC",
    "check_sstable",
    "is_mxnet_params",
    "is_paddle_params",
    "is_records",
    "read_mxnet_params",
    "read_paddle_params",
    "read_records",
]

SSTABLE_MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
"""The last bytes of a LevelDB table, which the index of a TensorFlow checkpoint is."""

_FOOTER_BYTES = 48
_MAX_BLOCK_BYTES = 16 * 1024 * 1024
_ENTRY = {1: 0, 2: 2, 3: 0, 4: 0, 5: 0, 6: 5, 7: 2}
_HEADER = {1: 0, 2: 0, 3: 2}

_POLYNOMIAL = 0x82F63B78
_RECORD_HEAD_BYTES = 12
_MASK_DELTA = 0xA282EAD8

_HEAD = struct.Struct("<IQ")
_TENSOR = struct.Struct("<Ii")
_PADDLE_BYTES = {0: 1, 1: 2, 2: 4, 3: 8, 4: 2, 5: 4, 6: 8, 20: 1, 21: 1, 22: 2, 23: 8, 24: 16}
_MX_MAGIC = 0x112
_MX_ARRAYS = (0xF993FAC9, 0xF993FACA)
_MX_BYTES = {0: 4, 1: 8, 2: 2, 3: 1, 4: 4, 5: 1, 6: 8, 7: 1, 12: 2}
_U32, _U64, _I32 = struct.Struct("<I"), struct.Struct("<Q"), struct.Struct("<i")


def check_sstable(scene: Scene) -> Iterator[Note]:
    """Yield what the index of a checkpoint says of its tensors and its files."""
    try:
        yield from _check_index(scene)
    except ParseError as error:
        yield not_examined(scene.at, "tensorflow checkpoint index", str(error))
        return
    yield examined(scene.at, "tensorflow checkpoint index")


def _check_index(scene: Scene) -> Iterator[Note]:
    source = scene.source
    footer = source.read_at(source.size_bytes - _FOOTER_BYTES, _FOOTER_BYTES)
    handles = read_varints(footer[:40], 4)
    if len(handles) < 4:  # noqa: PLR2004 - two handles
        raise ParseError("its footer is too short")
    for _, value in _read_block(scene, handles[2], handles[3]):
        offset, size = (*read_varints(value, 2), 0, 0)[:2]
        for key, entry in _read_block(scene, offset, size):
            yield from _check_entry(scene, key, entry)


def _read_block(scene: Scene, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values of a block whose keys share prefixes.

    Source:
        https://github.com/google/leveldb/blob/main/doc/table_format.md
    """
    if (
        not 0 <= size <= _MAX_BLOCK_BYTES
        or offset < 0
        or offset + size + 5 > scene.source.size_bytes
    ):
        raise ParseError("a block is outside of the file")
    data = scene.source.read_at(offset, size + 5)
    if data[size] != 0:
        raise ParseError("a block is compressed")
    restarts = int.from_bytes(data[size - 4 : size], "little")
    end = size - 4 - 4 * restarts
    at, key = 0, b""
    if end < 0:
        raise ParseError("a block has too many restarts")
    while at < end:
        scene.context.budget.spend_fields(3)
        numbers = []
        for _ in range(3):
            value, at = _varint(data, at, end)
            numbers.append(value)
        shared, fresh, length = numbers
        if shared > len(key) or at + fresh + length > end:
            raise ParseError("an entry is longer than its block")
        key = key[:shared] + data[at : at + fresh]
        at += fresh
        yield key, data[at : at + length]
        at += length


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 64:  # noqa: PLR2004 - bits of a number
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:  # noqa: PLR2004 - the bit that says that more follows
            return value, at
        shift += 7
    raise ParseError("a number has no end")


def _check_entry(scene: Scene, key: bytes, data: bytes) -> Iterator[Note]:
    message = ProtoMessage(MemorySource("entry", data), spend=scene.context.budget.spend_fields)
    if not key:
        if data and not matches(message, _HEADER):
            raise ParseError("its header is not that of a checkpoint")
        fields = gather(message)
        shards = fields[1][-1].value if 1 in fields else 1
        base = scene.at.file.rpartition("/")[2].removesuffix(".index")
        for number in range(min(shards, 1000)):
            yield NamedFile(
                scene.at.file, f"{base}.data-{number:05d}-of-{shards:05d}", "checkpoint data"
            )
        return
    if not matches(message, _ENTRY):
        raise ParseError("an entry is not that of a tensor")
    fields = gather(message)
    elements = 1
    if 2 in fields:  # noqa: PLR2004 - shape
        shape = message.open(fields[2][-1])
        for one in shape.fields():
            if one.number == 2:  # noqa: PLR2004 - dim
                dim = gather(shape.open(one))
                elements *= dim[1][-1].signed if 1 in dim else 0
    width = TF_BYTES.get(fields[1][-1].value if 1 in fields else 0)
    size = fields[5][-1].value if 5 in fields else 0  # noqa: PLR2004 - size
    if width and 7 not in fields and elements * width != size:  # noqa: PLR2004 - slices
        text = f"The tensor {quote(key)} needs {elements * width:,} bytes and has {size:,}."
        yield scene.found("WB-TFG-005", text)


def _crc32c(data: bytes) -> int:
    """Return the checksum of a few bytes (Castagnoli)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def _mask(crc: int) -> int:
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


def is_records(head: bytes) -> bool:
    """Return whether a record of TensorFlow begins here: a length and its checksum fit."""
    return (
        len(head) >= _RECORD_HEAD_BYTES
        and head[7] == 0
        and _mask(_crc32c(head[:8])) == int.from_bytes(head[8:12], "little")
    )


def read_records(scene: Scene) -> Iterator[Note]:
    """Yield the row of a file of records, which are data; every length is checked."""
    source, at = scene.source, 0
    size = source.size_bytes
    while at < size:
        scene.context.budget.spend_fields(8)  # what a checksum costs
        head = source.read_at(at, _RECORD_HEAD_BYTES)
        length = int.from_bytes(head[:8], "little")
        if not is_records(head) or at + length + 16 > size:
            yield not_examined(scene.at, "tfrecord", f"the record at byte {at:,} is damaged")
            return
        at += length + 16
    yield inert(scene.at, "tfrecord", "records of data")


def is_paddle_params(head: bytes) -> bool:
    """Return whether a tensor of Paddle begins here: version 0, and a description of its type."""
    if len(head) < 24 or head[:4] != b"\0\0\0\0":  # noqa: PLR2004 - three headers
        return False
    if head[4:12] != bytes(8) or head[12:16] != bytes(4):
        return False
    size = int.from_bytes(head[16:20], "little")
    return 0 < size < 256 and head[20] == 8  # noqa: PLR2004 - data_type, field 1


def read_paddle_params(scene: Scene) -> Iterator[Note]:
    """Yield the row of a file of Paddle's tensors, one after another."""
    cursor = Cursor(scene.source, 0, scene.source.size_bytes)
    try:
        while cursor.left_bytes:
            scene.context.budget.spend_fields(8)
            _read_paddle_tensor(cursor, scene)
    except ParseError as error:
        yield scene.found("WB-PDL-004", f"The weights cannot be followed: {error}.")
        yield not_examined(scene.at, "paddle weights", "they were not followed to their end")
        return
    yield examined(scene.at, "paddle weights")


def _read_paddle_tensor(cursor: Cursor, scene: Scene) -> None:
    """Pass over one tensor.

    Source:
        https://github.com/PaddlePaddle/Paddle/blob/develop/paddle/fluid/framework/lod_tensor.cc
    """
    version, levels = cursor.unpack(_HEAD)
    if version or levels > 16:  # noqa: PLR2004 - levels of sequences
        raise ParseError("a tensor has an unknown version", where=f"byte {cursor.offset}")
    for _ in range(levels):
        cursor.skip(cursor.unpack(_U64)[0])
    inner, size = cursor.unpack(_TENSOR)
    if inner or not 0 < size < 4096:  # noqa: PLR2004 - a type and dimensions
        raise ParseError("a tensor has no description", where=f"byte {cursor.offset}")
    data = cursor.take(size)
    message = ProtoMessage(MemorySource("type", data), spend=scene.context.budget.spend_fields)
    fields = gather(message)
    width = _PADDLE_BYTES.get(fields[1][-1].value if 1 in fields else -1)
    elements = 1
    for one in fields.get(2, ()):
        dims = [one.signed] if one.wire == 0 else read_varints(message.read(one, 4096), 64)
        for length in dims:
            if length < 0:
                raise ParseError("a dimension is negative", where=f"byte {cursor.offset}")
            elements *= length
    if width is None:
        raise ParseError("a tensor is of an unknown type", where=f"byte {cursor.offset}")
    cursor.skip(elements * width)


def is_mxnet_params(head: bytes) -> bool:
    """Return whether the list of arrays of MXNet begins here."""
    return head[:16] == struct.pack("<QQ", _MX_MAGIC, 0)


def read_mxnet_params(scene: Scene) -> Iterator[Note]:
    """Yield the row of a list of MXNet's arrays and their names."""
    cursor = Cursor(scene.source, 16, scene.source.size_bytes)
    try:
        (count,) = cursor.unpack(_U64)
        for _ in range(count):
            scene.context.budget.spend_fields(8)
            _read_mxnet_array(cursor)
        (names,) = cursor.unpack(_U64)
        for _ in range(names):
            scene.context.budget.spend_fields(2)
            cursor.skip(cursor.unpack(_U64)[0])
    except ParseError as error:
        yield not_examined(scene.at, "mxnet arrays", str(error))
        return
    if cursor.left_bytes:
        yield not_examined(scene.at, "mxnet arrays", f"{cursor.left_bytes:,} bytes follow")
        return
    yield examined(scene.at, "mxnet arrays")


def _read_mxnet_array(cursor: Cursor) -> None:
    """Pass over one array.

    Source:
        https://github.com/apache/mxnet/blob/master/src/ndarray/ndarray.cc, ``NDArray::Save``
    """
    (magic,) = cursor.unpack(_U32)
    if magic not in _MX_ARRAYS:
        raise ParseError("an array is of an old version", where=f"byte {cursor.offset}")
    (storage,) = cursor.unpack(_I32)
    if storage:
        raise ParseError("an array is sparse", where=f"byte {cursor.offset}")
    (rank,) = cursor.unpack(_U32)
    if rank > 64:  # noqa: PLR2004 - dimensions
        raise ParseError("an array has too many dimensions", where=f"byte {cursor.offset}")
    elements = 1
    for _ in range(rank):
        elements *= cursor.unpack(_U64)[0]
    if not rank or not elements:
        return
    cursor.skip(8)
    (kind,) = cursor.unpack(_I32)
    if kind not in _MX_BYTES or elements >= 2**62:
        raise ParseError("an array is of an unknown type", where=f"byte {cursor.offset}")
    cursor.skip(elements * _MX_BYTES[kind])


_SAMPLES = 64
_SAMPLE_BYTES = 4096
_PIECE_BYTES = 512
_ENOUGH = 0.8
_MOST = 0.9
# The bytes that signs and exponents of weights between some 1e-9 and 1e3 have, in float32 and
# bfloat16, and in float16; zeros are usual.
_FLOAT32 = bytes(byte for byte in range(256) if 0x2E <= byte & 0x7F <= 0x44 or byte == 0)  # noqa: PLR2004 - as said
_FLOAT16 = bytes(byte for byte in range(256) if byte & 0x7F <= 0x47)  # noqa: PLR2004 - up to 7
_SMALL = b"\x00\xff"


def looks_like_numbers(source: ByteSource) -> bool:
    """Return whether most samples of some bytes are floating-point numbers of a usual size.

    Programs, archives and encrypted bytes are not: exponents of weights lie close together.
    """
    size = source.size_bytes
    step = max(_SAMPLE_BYTES, size // _SAMPLES // 16 * 16)
    total = good = 0
    for offset in range(0, size, step):
        sample = source.read_at(offset, _SAMPLE_BYTES)
        for at in range(0, len(sample), _PIECE_BYTES):
            total += 1
            good += _is_plausible(sample[at : at + _PIECE_BYTES])
    return total > 0 and good >= _ENOUGH * total


def _is_plausible(piece: bytes) -> bool:
    """Return whether a piece is floats of usual sizes at any alignment, or small integers."""
    lanes = [(piece[at::4], _FLOAT32) for at in range(4)]
    lanes += [(piece[at::2], _FLOAT16) for at in range(2)]
    if any(_share(lane, usual) >= _MOST for lane, usual in lanes if lane):
        return True
    return _share(piece, _SMALL) >= 0.6  # noqa: PLR2004 - shapes and indices


def _share(lane: bytes, usual: bytes) -> float:
    return 1 - len(lane.translate(None, usual)) / len(lane)
