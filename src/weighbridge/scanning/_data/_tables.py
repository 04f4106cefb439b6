"""Parquet and Arrow: what their schemas make readers do. Columns are data and are not read."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from weighbridge.errors import ParseError
from weighbridge.formats import read_arrow_messages, read_parquet_footer
from weighbridge.scanning._notes import examined, found, not_examined

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from weighbridge.core import Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Examine, Note

__all__ = ["examine_arrow", "examine_parquet"]

_PICKLED_TYPE = b"arrow.py_extension_type"
_SCHEMA_KEY = b"ARROW:schema"


def examine_parquet(
    source: ByteSource, at: Location, context: ScanContext, _: Examine
) -> Generator[Note, None, bool]:
    """Yield what is wrong with the footer of a Parquet file."""
    try:
        footer = read_parquet_footer(source)
    except ParseError as error:
        yield found("WB-ARW-002", at, f"Not a valid Parquet file: {error}.")
        yield not_examined(at, "parquet", "its footer could not be read")
        return True
    context.budget.spend_header_bytes(source.size_bytes - footer.offset)
    yield examined(at, "parquet")
    for key, value in footer.metadata:
        if key == _SCHEMA_KEY:
            try:
                schema = base64.b64decode(value, validate=True)
            except binascii.Error:
                message = "The Arrow schema in the Parquet footer is no base64."
                yield found("WB-ARW-002", at, message, offset=footer.offset)
                continue
            yield from _judge_schema(schema, at)
        else:
            yield from _judge_schema(value, at)
    return True


def examine_arrow(
    source: ByteSource, at: Location, context: ScanContext, _: Examine
) -> Generator[Note, None, bool]:
    """Yield what is wrong with the messages of an Arrow file or stream."""
    is_file = source.read_at(0, 6) == b"ARROW1"
    count = 0
    try:
        for message in read_arrow_messages(source):
            context.budget.spend_header_bytes(len(message))
            count += 1
            yield from _judge_schema(message, at)
    except ParseError as error:
        if not is_file and not count:
            return False
        yield found("WB-ARW-002", at, f"Not a valid Arrow file: {error}.")
        yield not_examined(at, "arrow", "its messages could not be read to their end")
        return True
    yield examined(at, "arrow")
    return True


def _judge_schema(schema: bytes, at: Location) -> Iterator[Note]:
    """Look for types whose metadata is a pickle."""
    if _PICKLED_TYPE not in schema:
        return
    message = "The schema has a type of Python's own, which old releases of PyArrow unpickle."
    yield found("WB-ARW-001", at, message, detail=_PICKLED_TYPE.decode())
