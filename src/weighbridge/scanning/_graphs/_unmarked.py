"""Graphs that no first bytes give away: told by their outline, and then examined."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from weighbridge.errors import ParseError
from weighbridge.formats import HEAD_BYTES, looks_like_protobuf
from weighbridge.scanning._graphs._walk import Scene
from weighbridge.scanning._notes import inert

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from weighbridge.core import Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.formats import ProtoMessage
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Examine, Note

__all__ = ["examine_unmarked"]

# Core ML's weights: a count, version 2, and at the first entry a mark.
_COREML_WEIGHTS = re.compile(rb".{4}\x02\0\0\0.{56}\xef\xbe\xad\xde", re.DOTALL)
_DATA_NAME = re.compile(r".*\.data-\d{5}-of-\d{5}(?:\.tempstate\d+)?")
_WEIGHTS_NAME = re.compile(
    r".*\.(?:bin|data|weights|weight|onnx_data|onnx\.data|wts|pdata|raw|params)"
)
_FOOTER_BYTES = 48
# Bytes of text in any encoding that has ASCII; whether they are one is for others to say.
_TEXT = bytes(byte for byte in range(256) if byte >= 32 or byte in b"\t\n\f\r")  # noqa: PLR2004 - a space

_IsKind: TypeAlias = "Callable[[ProtoMessage], str | bool]"
_Check: TypeAlias = "Callable[[Scene, ProtoMessage, str], Iterator[Note]]"


def examine_unmarked(
    source: ByteSource, at: Location, context: ScanContext, examine: Examine
) -> Generator[Note, None, bool]:
    """Yield what a graph without a mark does; return whether the bytes were one.

    Text is left to whoever examines texts, which gives its row; findings may come before that.
    """
    head = source.read_at(0, HEAD_BYTES)
    scene = Scene(source, at, context, examine)
    if not head.translate(None, _TEXT) and (yield from _examine_text(scene, head)):
        return True
    # One letter and a line feed may also be the begin of a message.
    told = yield from _examine_binary(scene, head)
    if looks_like_protobuf(head):
        told = (yield from _examine_protobuf(scene)) or told
    return told


def examine_numbers(source: ByteSource, at: Location) -> Generator[Note, None, bool]:
    """Yield the row of raw weights that another file describes, if nobody knows the bytes.

    The name says that a loader reads numbers, and the bytes must look like numbers: a name alone
    makes nothing harmless. Data of a checkpoint are read by its index only.
    """
    from weighbridge.scanning._graphs._tables import looks_like_numbers  # noqa: PLC0415 - when met

    name = source.name.lower()
    if _DATA_NAME.fullmatch(name):
        yield inert(at, "tensorflow checkpoint data", "numbers and strings that an index describes")
        return True
    if _WEIGHTS_NAME.fullmatch(name) and looks_like_numbers(source):
        yield inert(at, "raw weights", "numbers that another file describes")
        return True
    return False


def _examine_text(scene: Scene, head: bytes) -> Generator[Note, None, bool]:
    from weighbridge.scanning._graphs._text import check_text_graph  # noqa: PLC0415 - when met

    yield from check_text_graph(scene, head)
    return False


def _examine_binary(scene: Scene, head: bytes) -> Generator[Note, None, bool]:
    """Examine tables and lists with a mark that is weak, or at their end."""
    from weighbridge.scanning._graphs import _tables  # noqa: PLC0415 - when met

    size = scene.source.size_bytes
    if size >= _FOOTER_BYTES and scene.source.read_at(size - 8, 8) == _tables.SSTABLE_MAGIC:
        yield from _tables.check_sstable(scene)
        return True
    if _tables.is_records(head):
        yield from _tables.read_records(scene)
        return True
    if _tables.is_paddle_params(head):
        yield from _tables.read_paddle_params(scene)
        return True
    if _tables.is_mxnet_params(head):
        yield from _tables.read_mxnet_params(scene)
        return True
    if _COREML_WEIGHTS.match(head):
        yield inert(scene.at, "core ml weights", "numbers")
        return True
    return False


def _examine_protobuf(scene: Scene) -> Generator[Note, None, bool]:
    """Examine a message as everything that its outline fits; no schema hides another."""
    message = scene.message()
    told = False
    try:
        if not _is_whole(message):
            return False
        for is_kind, check in _list_kinds():
            if kind := is_kind(message):
                try:
                    yield from check(scene, message, str(kind))
                except ParseError as error:
                    from weighbridge.scanning._notes import not_examined  # noqa: PLC0415 - rare

                    yield not_examined(scene.at, "protobuf", str(error))
                told = True
    except ParseError:
        return told
    return told


def _is_whole(message: ProtoMessage) -> bool:
    try:
        message.outline()
    except ParseError:
        return False
    return message.size_bytes > 0


def _list_kinds() -> tuple[tuple[_IsKind, _Check], ...]:
    from weighbridge.scanning._graphs import _coreml, _onnx, _others, _tensorflow  # noqa: PLC0415

    return (
        (_tensorflow.tell_tensorflow, _tensorflow.examine_tensorflow),
        (_onnx.is_onnx, _without_kind(_onnx.examine_onnx)),
        (_coreml.is_coreml, _without_kind(_coreml.examine_coreml)),
        (_others.is_paddle, _without_kind(_others.examine_paddle)),
        (_others.is_caffe, _without_kind(_others.examine_caffe)),
        (_others.is_sentencepiece, _without_kind(_others.examine_sentencepiece)),
        (_onnx.is_onnx_value, _without_kind(_onnx.examine_onnx_value)),
    )


def _without_kind(check: Callable[[Scene, ProtoMessage], Iterator[Note]]) -> _Check:
    def run(scene: Scene, message: ProtoMessage, _: str) -> Iterator[Note]:
        return check(scene, message)

    return run
