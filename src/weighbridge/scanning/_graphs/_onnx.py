"""ONNX: operators of foreign libraries, files outside of the folder, tensors that lie."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weighbridge.errors import ParseError
from weighbridge.formats import read_varints
from weighbridge.scanning._facts import NamedFile
from weighbridge.scanning._graphs._onnx_ops import ONNX_OPERATORS
from weighbridge.scanning._graphs._walk import (
    MAX_DEPTH,
    gather,
    is_foreign_path,
    matches,
    quote,
    read_text,
)
from weighbridge.scanning._notes import examined, not_examined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.formats import ProtoField, ProtoMessage
    from weighbridge.scanning._graphs._walk import Fields, Scene
    from weighbridge.scanning._notes import Note

__all__ = ["examine_onnx", "examine_onnx_value", "is_onnx", "is_onnx_value"]

# Number -> wire type; 9 stands for any. Source: onnx.proto of ONNX 1.23.
_MODEL = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
_GRAPH = {1: 2, 2: 2, 5: 2, 10: 2, 11: 2, 12: 2, 13: 2, 14: 2, 15: 2, 16: 2}
_NODE = {1: 2, 2: 2, 3: 2, 4: 2, 5: 2, 6: 2, 7: 2, 8: 2, 9: 2, 10: 2}
_TENSOR = {
    1: 9,
    2: 0,
    3: 2,
    4: 9,
    5: 9,
    6: 2,
    7: 9,
    8: 2,
    9: 2,
    10: 9,
    11: 9,
    12: 2,
    13: 2,
    14: 0,
    16: 2,
}
_SEQUENCE = {1: 2, 2: 0, 3: 2, 4: 2, 5: 2, 6: 2, 7: 2}
_SPARSE = {1: 2, 2: 2, 3: 9}
_STANDARD = frozenset({"", "ai.onnx", "ai.onnx.ml"})
_TRAINING = ("ai.onnx.training", "ai.onnx.preview.training", "ai.onnx.preview")
_RUNTIME = frozenset(
    ["com.microsoft", "com.microsoft.nchwc", "com.microsoft.experimental", "com.ms.internal.nhwc"]
)
# Operators of ONNX Runtime that run what the model does not hold, or a blob for a device.
_RUNTIME_OUT = frozenset(
    ["PythonOp", "PythonOpGrad", "EPContext", "ATen", "ATenOp", "ExternalGradient", "TritonOp"]
)
_EXTENSIONS = "ai.onnx.contrib"
_PYTHON = frozenset({"PyOp", "PyCustomOpDef", "PythonOp", "PythonOpGrad", "PyCustomOp"})
# Bits of an element: FLOAT 1, UINT8 2, INT8 3, ... Source: TensorProto.DataType.
_BITS = {
    1: 32,
    2: 8,
    3: 8,
    4: 16,
    5: 16,
    6: 32,
    7: 64,
    9: 8,
    10: 16,
    11: 64,
    12: 32,
    13: 64,
    14: 64,
    15: 128,
    16: 16,
    17: 8,
    18: 8,
    19: 8,
    20: 8,
    21: 4,
    22: 4,
    23: 4,
    24: 8,
    25: 2,
    26: 2,
    27: 8,
}
_STRING = 8
_RAW, _EXTERNAL_DATA, _EXTERNAL = 9, 13, 1
_PACKED_BITS = {4: 32, 10: 64}
_MAX_DIMENSIONS = 64
_MAX_STRINGS = 100_000
_SUBGRAPHS, _SUBTENSORS, _SUBSPARSE = (6, 11), (5, 10), (22, 23)


@dataclass(slots=True)
class _State:
    functions: set[tuple[str, str]] = field(default_factory=set)
    told: set[tuple[str, str]] = field(default_factory=set)
    is_deep: bool = False


def is_onnx(message: ProtoMessage) -> bool:
    """Return whether this is the outline of a ``ModelProto``: a graph in it, and all of it known.

    ONNX has no mark. A model has a version of the format or operator sets, and a graph; whatever
    else is known. Unknown numbers are let through if graph and nodes are right.
    """
    graph, version = None, False
    try:
        for one in message.fields():
            wire = _MODEL.get(one.number, one.wire)
            if wire != one.wire:
                return False
            if one.number == 7:  # noqa: PLR2004 - graph
                graph = one
            version = version or one.number in (1, 8)
    except ParseError:
        return False
    return graph is not None and version and _is_graph(message.open(graph))


def _is_graph(message: ProtoMessage) -> bool:
    """Return whether the first fields of a message are those of a graph, and its nodes nodes."""
    if not message.size_bytes or not matches(message, _GRAPH, most=64):
        return not message.size_bytes
    for count, one in enumerate(message.fields()):
        if one.number == 1:
            return matches(message.open(one), _NODE)
        if count > 64:  # noqa: PLR2004 - enough of an outline
            break
    return True


def is_onnx_value(message: ProtoMessage) -> bool:
    """Return whether this is a tensor, or a sequence of them, as ONNX's test data have."""
    if message.size_bytes > 2**31:
        return False
    if matches(message, _TENSOR):
        kinds = [one.value for one in message.fields() if one.number == 2]  # noqa: PLR2004 - type
        return len(kinds) == 1 and (kinds[0] in _BITS or kinds[0] == _STRING)
    return False


def examine_onnx_value(scene: Scene, message: ProtoMessage) -> Iterator[Note]:
    """Yield what is wrong with a tensor that stands alone."""
    yield from _check_tensor(scene, message)
    yield examined(scene.at, "onnx tensor")


def examine_onnx(scene: Scene, message: ProtoMessage) -> Iterator[Note]:
    """Yield what an ONNX model names, and where it contradicts itself."""
    state = _State()
    problem = ""
    try:
        yield from _collect_functions(scene, message, state)
        for one in message.fields():
            yield from _check_part(scene, message, one, state)
    except ParseError as error:
        problem = f"it cannot be read to its end: {error}"
    if state.is_deep:
        problem = f"graphs are nested deeper than {MAX_DEPTH} messages"
    yield not_examined(scene.at, "onnx", problem) if problem else examined(scene.at, "onnx")


def _collect_functions(scene: Scene, message: ProtoMessage, state: _State) -> Iterator[Note]:
    for one in message.fields():
        if one.number == 25:  # noqa: PLR2004 - functions
            inner = message.open(one)
            fields = gather(inner)
            name = (read_text(inner, fields, 10), read_text(inner, fields, 1))
            key = (name[0], name[1] + "\0" + read_text(inner, fields, 13))
            if key in state.functions:
                text = f"Two functions are called {quote('::'.join(name))}."
                yield scene.found("WB-ONX-006", text, offset=one.start)
            state.functions |= {name, key}


def _check_part(
    scene: Scene, message: ProtoMessage, one: ProtoField, state: _State
) -> Iterator[Note]:
    """Check one field of the model."""
    number = one.number
    if number not in _MODEL:
        text = f"The model has a field {number} that ONNX does not have."
        yield scene.found("WB-ONX-005", text, offset=one.start)
        if one.wire == 2 and one.size_bytes:  # noqa: PLR2004 - it has content
            yield from scene.look_into(f"field {number}", message.read(one, 1024 * 1024))
    elif number == 7:  # noqa: PLR2004 - graph
        yield from _check_graph(scene, message.open(one), state)
    elif number == 14:  # noqa: PLR2004 - metadata_props
        yield from _check_metadata(scene, message.open(one))
    elif number == 20:  # noqa: PLR2004 - training_info
        training = message.open(one)
        for part in training.fields():
            if part.number in (1, 2):
                yield from _check_graph(scene, training.open(part), state)
    elif number == 25:  # noqa: PLR2004 - functions
        yield from _check_function(scene, message.open(one), state)
    elif number in (2, 3, 4, 6):
        yield from scene.look_into("a note of the model", message.read(one, 1024 * 1024))


def _check_metadata(scene: Scene, message: ProtoMessage) -> Iterator[Note]:
    fields = gather(message)
    key = quote(read_text(message, fields, 1))
    for value in fields.get(2, ()):
        yield from scene.look_into(f"metadata {key}", message.read(value, 16 * 1024 * 1024))


def _check_function(scene: Scene, message: ProtoMessage, state: _State) -> Iterator[Note]:
    for one in message.fields():
        if one.number == 7:  # noqa: PLR2004 - node
            yield from _check_node(scene, message.open(one), state)
        elif one.number == 11:  # noqa: PLR2004 - attribute_proto
            yield from _check_attribute(scene, message.open(one), state)
        elif one.number == 14:  # noqa: PLR2004 - metadata_props
            yield from _check_metadata(scene, message.open(one))
        elif one.number == 8:  # noqa: PLR2004 - doc_string
            yield from scene.look_into("a note", message.read(one, 64 * 1024))


def _check_graph(scene: Scene, message: ProtoMessage, state: _State) -> Iterator[Note]:
    if message.depth > MAX_DEPTH:
        state.is_deep = True
        return
    names: set[bytes] = set()
    for one in message.fields():
        if one.number == 1:
            yield from _check_node(scene, message.open(one), state)
        elif one.number == 5:  # noqa: PLR2004 - initializer
            tensor = message.open(one)
            yield from _check_tensor(scene, tensor, names)
        elif one.number == 15:  # noqa: PLR2004 - sparse_initializer
            yield from _check_sparse(scene, message.open(one), names)
        elif one.number == 16:  # noqa: PLR2004 - metadata_props
            yield from _check_metadata(scene, message.open(one))
        elif one.number == 10:  # noqa: PLR2004 - doc_string
            yield from scene.look_into("the graph's note", message.read(one, 1024 * 1024))
        elif one.number not in _GRAPH and one.wire == 2 and one.size_bytes:  # noqa: PLR2004 - bytes
            text = f"The graph has a field {one.number} that ONNX does not have."
            yield scene.found("WB-ONX-005", text, offset=one.start)


def _check_node(scene: Scene, message: ProtoMessage, state: _State) -> Iterator[Note]:
    fields = gather(message)
    domain, name = read_text(message, fields, 7), read_text(message, fields, 4)
    if (domain, name) not in state.told:
        state.told.add((domain, name))
        yield from _judge_operator(scene, domain, name, state, message.start)
    for one in fields.get(5, ()):
        yield from _check_attribute(scene, message.open(one), state)
    for one in fields.get(9, ()):
        yield from _check_metadata(scene, message.open(one))
    for one in fields.get(8, ()):
        # Old exporters of PyTorch wrote the Python line that made a node.
        if one.size_bytes > 4096:  # noqa: PLR2004 - more than a stack of lines
            yield from scene.look_into("a node's note", message.read(one, 64 * 1024))


def _judge_operator(
    scene: Scene, domain: str, name: str, state: _State, offset: int
) -> Iterator[Note]:
    full = quote(f"{domain or 'ai.onnx'}::{name}")
    if (domain, name) in state.functions:
        return
    if name in _PYTHON:
        text = f"Running the model calls a Python function that {full} names."
        yield scene.found("WB-ONX-003", text, detail=full, offset=offset)
    elif domain in _RUNTIME and name in _RUNTIME_OUT:
        text = f"Running the model runs what {full} names, which is not in the graph."
        yield scene.found("WB-ONX-003", text, detail=full, offset=offset)
    elif domain in _RUNTIME or domain in _TRAINING:
        return
    elif domain not in _STANDARD or name not in ONNX_OPERATORS:
        library = "onnxruntime-extensions" if domain == _EXTENSIONS else "a library of its own"
        text = f"Running the model needs {library} for the operator {full}."
        yield scene.found("WB-ONX-002", text, detail=full, offset=offset)


def _check_attribute(scene: Scene, message: ProtoMessage, state: _State) -> Iterator[Note]:
    for one in message.fields():
        if one.number in _SUBGRAPHS:
            yield from _check_graph(scene, message.open(one), state)
        elif one.number in _SUBTENSORS:
            yield from _check_tensor(scene, message.open(one))
        elif one.number in _SUBSPARSE:
            yield from _check_sparse(scene, message.open(one), set())
        elif one.number in (4, 9) and one.size_bytes > 16:  # noqa: PLR2004 - strings
            yield from scene.look_into("an attribute", message.read(one, 16 * 1024 * 1024))


def _check_sparse(scene: Scene, message: ProtoMessage, names: set[bytes]) -> Iterator[Note]:
    for one in message.fields():
        if one.number in (1, 2):
            yield from _check_tensor(scene, message.open(one), names)


def _check_tensor(
    scene: Scene, message: ProtoMessage, names: set[bytes] | None = None
) -> Iterator[Note]:
    """Check what a tensor says of its size, its strings and the file that it names."""
    fields = gather(message)
    name = read_text(message, fields, 8)
    if names is not None and name:
        key = name.encode()
        if key in names:
            text = f"Two tensors are called {quote(name)}."
            yield scene.found("WB-ONX-006", text, offset=message.start)
        names.add(key)
    dims = _read_dims(message, fields)
    kind = fields[2][-1].value if 2 in fields else 0  # noqa: PLR2004 - data_type
    elements = 1
    for length in dims:
        elements *= length
    if any(length < 0 for length in dims) or len(dims) > _MAX_DIMENSIONS or elements >= 2**63:
        text = f"The tensor {quote(name)} has impossible dimensions {quote(str(dims[:8]))}."
        yield scene.found("WB-ONX-004", text, offset=message.start)
        return
    wanted = (elements * _BITS[kind] + 7) // 8 if kind in _BITS else None
    if _EXTERNAL_DATA in fields or fields.get(14, [_NONE])[-1].value == _EXTERNAL:
        yield from _check_external(scene, message, fields, name, wanted)
    else:
        yield from _check_size(scene, message, fields, name, elements, wanted)
    for count, text_field in enumerate(fields.get(6, ())):
        if count < _MAX_STRINGS:
            yield from scene.look_into("a string", message.read(text_field, 16 * 1024 * 1024))


def _read_dims(message: ProtoMessage, fields: Fields) -> list[int]:
    dims: list[int] = []
    for one in fields.get(1, ()):
        if one.wire == 0:
            dims.append(one.signed)
        else:
            dims.extend(read_varints(message.read(one, 4096), 512))
    return dims


def _check_size(
    scene: Scene,
    message: ProtoMessage,
    fields: Fields,
    name: str,
    elements: int,
    wanted: int | None,
) -> Iterator[Note]:
    actual = None
    if _RAW in fields:
        actual = fields[_RAW][-1].size_bytes
    elif 6 in fields:  # noqa: PLR2004 - string_data
        actual, wanted = len(fields[6]), elements
    else:
        wanted, actual = _count_packed(fields, elements, wanted)
    if wanted is not None and actual is not None and wanted != actual:
        text = (
            f"The tensor {quote(name)} needs {wanted:,} bytes or elements by its dimensions, "
            f"and has {actual:,}."
        )
        yield scene.found("WB-ONX-004", text, offset=message.start)


def _count_packed(
    fields: Fields, elements: int, wanted: int | None
) -> tuple[int | None, int | None]:
    """Return how many bytes typed data must have, and have; None where only elements count.

    Packed integers are between one byte and ten for each element, or one number for several.
    """
    for number, bits in _PACKED_BITS.items():
        if number in fields and all(one.wire == 2 for one in fields[number]):  # noqa: PLR2004 - packed
            have = sum(one.size_bytes for one in fields[number])
            whole = (elements * bits // 8, elements * bits // 4)  # complex has two numbers
            return (None, None) if have in whole else (whole[0], have)
    numbers = [n for n in (4, 5, 7, 10, 11) if n in fields]
    if not numbers and elements > 0 and wanted:
        return wanted, 0
    if numbers:
        have = sum(max(one.size_bytes, 1) for n in numbers for one in fields[n])
        if have * 8 < elements or have > 20 * max(elements, 1):
            return elements, have
    return None, None


def _check_external(
    scene: Scene, message: ProtoMessage, fields: Fields, name: str, wanted: int | None
) -> Iterator[Note]:
    """Check where the data of a tensor lie."""
    entries: dict[str, str] = {}
    for one in fields.get(_EXTERNAL_DATA, ()):
        inner = message.open(one)
        pair = gather(inner)
        key, value = read_text(inner, pair, 1), read_text(inner, pair, 2)
        if key == "location" and entries.get(key, value) != value:
            text = f"The tensor {quote(name)} has two locations."
            yield scene.found("WB-ONX-004", text, offset=message.start)
        entries[key] = value
    location = entries.get("location", "")
    if location == "*/_ORT_MEM_ADDR_/*":
        text = f"The data of the tensor {quote(name)} are an address in memory."
        yield scene.found("WB-ONX-001", text, detail=location, offset=message.start)
    elif not location or is_foreign_path(location):
        text = f"Loading the model reads {quote(location) or 'no file'} for {quote(name)}."
        yield scene.found("WB-ONX-001", text, detail=quote(location), offset=message.start)
    else:
        yield NamedFile(scene.at.file, location, "external data")
    for key in ("offset", "length"):
        if key in entries and not _is_count(entries[key]):
            text = f"The tensor {quote(name)} has the {key} {quote(entries[key])}."
            yield scene.found("WB-ONX-004", text, offset=message.start)
    length = entries.get("length", "")
    if _is_count(length) and wanted is not None and int(length) != wanted:
        text = f"The tensor {quote(name)} needs {wanted:,} bytes and names {int(length):,}."
        yield scene.found("WB-ONX-004", text, offset=message.start)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18  # noqa: PLR2004 - below 2^63


class _NoField:
    value = 0


_NONE = _NoField()
