"""What is known about PyTorch's storages without PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.errors import ParseError
from weighbridge.scanning._pickle._values import ListItems, Value, to_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.core.ports import ByteSource

__all__ = ["ELEMENT_BYTES", "PARTS_OF_STORAGE_ID", "TORCH_MAGIC", "find_storages_end"]

TORCH_MAGIC = 0x1950A86A20F9469CFC6C
_COUNT_BYTES = 8

# ('storage', class, key, location, count) in zip files; the legacy format adds a view.
PARTS_OF_STORAGE_ID = (5, 6)

ELEMENT_BYTES = {
    "BFloat16Storage": 2,
    "BoolStorage": 1,
    "ByteStorage": 1,
    "CharStorage": 1,
    "ComplexDoubleStorage": 16,
    "ComplexFloatStorage": 8,
    "DoubleStorage": 8,
    "FloatStorage": 4,
    "HalfStorage": 2,
    "IntStorage": 4,
    "LongStorage": 8,
    "QInt32Storage": 4,
    "QInt8Storage": 1,
    "QUInt2x4Storage": 1,
    "QUInt4x2Storage": 1,
    "QUInt8Storage": 1,
    "ShortStorage": 2,
    "UntypedStorage": 1,
}


def find_storages_end(
    source: ByteSource, position: int, keys: Value, element_bytes: Mapping[str, int]
) -> int:
    """Return where the raw storages end that follow the pickles of PyTorch's legacy format.

    For each key, in order: the count of elements (int64, little-endian), then their bytes.

    Args:
        source: The file.
        position: Where the first storage begins.
        keys: What the last pickle gave: a list of texts.
        element_bytes: Bytes of one element, by key.

    Raises:
        ParseError: The keys are no list, are not those that the tensors use, or the file ends.

    Source:
        PyTorch ``torch/serialization.py``, ``_legacy_load``.
    """
    if not isinstance(keys, ListItems) or keys.more:
        raise ParseError("the keys of the PyTorch storages cannot be read")
    for key in keys:
        width = element_bytes.get(to_text(key) or "")
        head = source.read_at(position, _COUNT_BYTES)
        if width is None or len(head) < _COUNT_BYTES:
            message = "a PyTorch storage is cut off, or no tensor uses it"
            raise ParseError(message, where=f"byte {position}")
        count = int.from_bytes(head, "little", signed=True)
        end = position + _COUNT_BYTES + count * width
        if count < 0 or end > source.size_bytes:
            raise ParseError("a PyTorch storage is cut off", where=f"byte {position}")
        position = end
    return position
