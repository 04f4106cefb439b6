"""TensorFlow: SavedModel, MetaGraph, GraphDef; every operator of every function is judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weighbridge.errors import ParseError
from weighbridge.scanning._facts import NamedFile
from weighbridge.scanning._graphs._tf_judge import (
    TfNode,
    is_watched,
    judge_calls,
    judge_nodes,
    judge_operator_name,
)
from weighbridge.scanning._graphs._walk import (
    gather,
    is_foreign_path,
    matches,
    quote,
    read_text,
)
from weighbridge.scanning._graphs._widths import TF_BYTES
from weighbridge.scanning._notes import deeper, examined, not_examined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.formats import ProtoField, ProtoMessage
    from weighbridge.scanning._graphs._walk import Fields, Scene
    from weighbridge.scanning._notes import Note

__all__ = ["examine_tensorflow", "tell_tensorflow"]

# Number -> wire type; 9 stands for any. Source: the .proto files of TensorFlow 2.21.
_SAVED_MODEL = {1: 0, 2: 2}
_META = {1: 2, 2: 2, 3: 2, 4: 2, 5: 2, 6: 2, 7: 2}
_META_INFO = {1: 2, 2: 2, 3: 2, 4: 2, 5: 2, 6: 2, 7: 0, 8: 2}
_GRAPH = {1: 2, 2: 2, 3: 0, 4: 2, 5: 2}
_NODE = {1: 2, 2: 2, 3: 2, 4: 2, 5: 2, 6: 2, 7: 2}
_FINGERPRINT = {1: 0, 2: 0, 3: 0, 4: 0, 5: 0, 6: 2, 7: 2}
_KERAS_METADATA = {1: 2}
_KERAS_NODE = {1: 2, 2: 0, 3: 2, 4: 2, 5: 2}
_FUNCTIONS, _LIBRARY, _META_GRAPHS = 1, 2, 2
_STRING_TYPE = 7
_MAX_CONSTANTS = 16
_LONG_TEXT = 64
_MAX_NODES = 300_000


@dataclass(slots=True)
class _State:
    functions: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)
    scopes: dict[str, dict[str, TfNode]] = field(default_factory=dict)
    count: int = 0


def tell_tensorflow(message: ProtoMessage) -> str:
    """Return which message of TensorFlow this is the outline of; empty if none."""
    if matches(message, _SAVED_MODEL):
        metas = [one for one in message.fields() if one.number == _META_GRAPHS]
        if metas and all(matches(message.open(one), _META) for one in metas):
            return "saved model"
    if matches(message, _GRAPH) and _has_nodes(message):
        return "graph"
    if matches(message, _META) and _is_meta_graph(message):
        return "meta graph"
    if matches(message, _FINGERPRINT) and {6} <= {one.number for one in message.fields()}:
        return "fingerprint"
    if matches(message, _KERAS_METADATA) and _all_match(message, 1, _KERAS_NODE, {3, 4}):
        return "keras metadata"
    return ""


def _has_nodes(message: ProtoMessage) -> bool:
    """Return whether what looks like a GraphDef has nodes with operators, or versions."""
    numbers = set()
    for one in message.fields():
        numbers.add(one.number)
        if one.number == 1:
            return _all_match(message, 1, _NODE, {2})
    return bool(numbers & {2}) and bool(numbers & {3, 4})


def _is_meta_graph(message: ProtoMessage) -> bool:
    graphs = [one for one in message.fields() if one.number == 2]  # noqa: PLR2004 - graph_def
    infos = [one for one in message.fields() if one.number == 1]
    return (
        bool(graphs)
        and all(matches(message.open(one), _GRAPH) for one in graphs if one.size_bytes)
        and all(matches(message.open(one), _META_INFO) for one in infos if one.size_bytes)
    )


def _all_match(message: ProtoMessage, number: int, known: dict[int, int], needed: set[int]) -> bool:
    """Return whether the first fields of a number are messages of that outline."""
    count = 0
    for one in message.fields():
        if one.number == number:
            inner = message.open(one)
            if not matches(inner, known) or not needed & {part.number for part in inner.fields()}:
                return False
            count += 1
            if count > 64:  # noqa: PLR2004 - enough of an outline
                break
    return count > 0


def examine_tensorflow(scene: Scene, message: ProtoMessage, kind: str) -> Iterator[Note]:
    """Yield what a graph of TensorFlow does besides computing."""
    problem = ""
    state = _State()
    name = f"tensorflow {kind}"
    try:
        if kind == "saved model":
            for one in message.fields():
                if one.number == _META_GRAPHS:
                    yield from _check_meta_graph(scene, message.open(one), state)
        elif kind == "meta graph":
            yield from _check_meta_graph(scene, message, state)
        elif kind == "graph":
            yield from _check_graph(scene, message, state)
        elif kind == "keras metadata":
            yield from _check_keras(scene, message)
    except ParseError as error:
        problem = f"it cannot be read to its end: {error}"
    yield not_examined(scene.at, name, problem) if problem else examined(scene.at, name)


def _check_meta_graph(scene: Scene, message: ProtoMessage, state: _State) -> Iterator[Note]:
    for one in message.fields():
        if one.number == 2:  # noqa: PLR2004 - graph_def
            yield from _check_graph(scene, message.open(one), state)
        elif one.number == 6:  # noqa: PLR2004 - asset_file_def
            inner = message.open(one)
            yield from _check_asset(scene, read_text(inner, gather(inner), 2), one.start)
        elif one.number == 7:  # noqa: PLR2004 - object_graph_def
            yield from _check_objects(scene, message.open(one))
        elif one.number == 4:  # noqa: PLR2004 - collection_def
            yield from scene.look_into("a collection", message.read(one, 1024 * 1024))


def _check_asset(scene: Scene, name: str, offset: int) -> Iterator[Note]:
    if is_foreign_path(name) or "\\" in name:
        text = f"Loading the model reads {quote(name)} as its own asset."
        yield scene.found("WB-TFG-004", text, detail=quote(name), offset=offset)
    elif name:
        yield NamedFile(scene.at.file, f"assets/{name}", "asset")


def _check_objects(scene: Scene, message: ProtoMessage) -> Iterator[Note]:
    """Look at what a saved object says of itself: Keras wrote its configuration there."""
    for one in message.fields():
        if one.number != 1:
            continue
        node = message.open(one)
        for part in node.fields():
            if part.number == 4:  # noqa: PLR2004 - user_object
                user = node.open(part)
                fields = gather(user)
                if 3 in fields and fields[3][-1].size_bytes > 2:  # noqa: PLR2004 - metadata
                    yield from _check_config(scene, read_text_of(user, fields), part.start)
            elif part.number == 14:  # noqa: PLR2004 - serialized_user_proto
                yield from scene.look_into("a user's message", node.read(part, 1024 * 1024))


def read_text_of(message: ProtoMessage, fields: Fields) -> bytes:
    """Return the metadata of a saved object."""
    return message.read(fields[3][-1], 16 * 1024 * 1024)


def _check_config(scene: Scene, data: bytes, offset: int) -> Iterator[Note]:
    """Give the configuration of a Keras model to the router, as JSON."""
    del offset
    if b'"Lambda"' in data or b"class_name" not in data:
        yield from scene.look_into("a configuration", data)
    if b'"Lambda"' in data:
        text = "The Keras configuration in the model has a Lambda layer, which is code."
        yield scene.found("WB-TFG-002", text, detail="Lambda")


def _check_keras(scene: Scene, message: ProtoMessage) -> Iterator[Note]:
    """Examine ``keras_metadata.pb``: configurations as JSON."""
    for one in message.fields():
        node = message.open(one)
        fields = gather(node)
        if 5 in fields:  # noqa: PLR2004 - metadata
            data = node.read(fields[5][-1], 16 * 1024 * 1024)
            yield from _check_config(scene, data, one.start)
            yield from _check_keras_config(scene, data)


def _check_keras_config(scene: Scene, data: bytes) -> Iterator[Note]:
    from weighbridge.core import parse_json  # noqa: PLC0415 - only for this file
    from weighbridge.scanning._keras._config import check_keras_config  # noqa: PLC0415

    place, context = deeper(scene.at, "metadata", scene.context)
    context.budget.spend_parsed_bytes(len(data))
    try:
        document = parse_json(data, what="it", limits=context.limits)
    except ParseError as error:
        yield not_examined(place, "keras config", str(error))
        return
    yield from check_keras_config(document, place, context)


def _check_graph(scene: Scene, message: ProtoMessage, state: _State) -> Iterator[Note]:
    """Check a GraphDef and all functions of its library."""
    libraries = [one for one in message.fields() if one.number == _LIBRARY]
    for one in libraries:
        library = message.open(one)
        for function in library.fields():
            if function.number == _FUNCTIONS:
                state.functions.add(_name_function(library.open(function)))
    state.scopes = {"": {}}
    yield from _check_nodes(scene, message, 1, state, "")
    for one in libraries:
        library = message.open(one)
        for function in library.fields():
            if function.number == _FUNCTIONS:
                inner = library.open(function)
                yield from _check_nodes(scene, inner, 3, state, _name_function(inner))
    yield from judge_calls(scene, state.scopes)
    if state.count > _MAX_NODES:
        raise ParseError(f"it has more than {_MAX_NODES:,} nodes")


def _name_function(message: ProtoMessage) -> str:
    name = ""
    for one in message.fields():
        if one.number == 1:
            signature = message.open(one)
            for part in signature.fields():
                if part.number == 1:
                    name = signature.read(part, 4096).decode("utf-8", "replace")
    return name


def _check_nodes(
    scene: Scene, message: ProtoMessage, number: int, state: _State, name: str
) -> Iterator[Note]:
    """Check the nodes of one graph or function, which are the fields of a number."""
    nodes = state.scopes.setdefault(name, {})
    watched = False
    for one in message.fields():
        if one.number != number:
            continue
        inner = message.open(one)
        fields = gather(inner)
        node = TfNode(
            read_text(inner, fields, 1),
            read_text(inner, fields, 2),
            tuple(inner.read(part, 4096).decode("utf-8", "replace") for part in fields.get(3, ())),
            offset=one.start,
        )
        watched = watched or is_watched(node.op)
        yield from _judge_name(scene, node, state)
        yield from _check_attributes(scene, inner, fields, node)
        state.count += 1
        if state.count <= _MAX_NODES:
            nodes[node.name] = node
    if watched:
        yield from judge_nodes(scene, nodes, set())


def _judge_name(scene: Scene, node: TfNode, state: _State) -> Iterator[Note]:
    if node.op not in state.told:
        state.told.add(node.op)
        rule_id, why = judge_operator_name(node.op, state.functions)
        if rule_id:
            text = f"Running the graph: {why}."
            yield scene.found(rule_id, text, detail=quote(node.op), offset=node.offset)


def _check_attributes(
    scene: Scene, message: ProtoMessage, fields: Fields, node: TfNode
) -> Iterator[Note]:
    for one in fields.get(5, ()):
        entry = message.open(one)
        pair = gather(entry)
        key = read_text(entry, pair, 1)
        # A message that stands twice is merged: all of them count.
        for part in pair.get(2, ()):
            yield from _check_value(scene, entry.open(part), key, node)


def _check_value(scene: Scene, value: ProtoMessage, key: str, node: TfNode) -> Iterator[Note]:
    for part in value.fields():
        if part.number == 2:  # noqa: PLR2004 - a string
            yield from _check_string(scene, value, part, key, node)
        elif part.number == 8:  # noqa: PLR2004 - a tensor
            yield from _check_tensor(scene, value.open(part), node)
        elif part.number == 10:  # noqa: PLR2004 - a function
            node.calls = (*node.calls, _name_of(value.open(part)))
        elif part.number == 1:
            inner = value.open(part)
            for item in inner.fields():
                if item.number == 2:  # noqa: PLR2004 - strings of a list
                    yield from _check_string(scene, inner, item, key, node)
                elif item.number == 8:  # noqa: PLR2004 - tensors of a list
                    yield from _check_tensor(scene, inner.open(item), node)
                elif item.number == 9:  # noqa: PLR2004 - functions of a list
                    node.calls = (*node.calls, _name_of(inner.open(item)))


def _name_of(message: ProtoMessage) -> str:
    return read_text(message, gather(message), 1)


def _check_string(
    scene: Scene, message: ProtoMessage, part: ProtoField, key: str, node: TfNode
) -> Iterator[Note]:
    if part.size_bytes:
        text = message.read(part, 4096).decode("utf-8", "replace")
        node.strings[key] = (node.strings.get(key, "") + " " + text).strip()
        if part.size_bytes > _LONG_TEXT and node.op != "XlaCallModule":
            data = message.read(part, 16 * 1024 * 1024)
            yield from scene.look_into(f"attribute {quote(key)}", data)


def _check_tensor(scene: Scene, message: ProtoMessage, node: TfNode) -> Iterator[Note]:
    """Check the shape of a constant, and its strings."""
    fields = gather(message)
    kind = fields[1][-1].value if 1 in fields else 0
    elements = _count_elements(message, fields)
    content = fields[4][-1].size_bytes if 4 in fields else 0  # noqa: PLR2004 - tensor_content
    if elements is None or (content and kind in TF_BYTES and content != elements * TF_BYTES[kind]):
        text = f"The constant {quote(node.name)} has a shape that contradicts its data."
        yield scene.found("WB-TFG-005", text, offset=message.start)
    elif elements > 2**40:
        text = f"The constant {quote(node.name)} would have {elements:,} elements."
        yield scene.found("WB-TFG-005", text, offset=message.start)
    constants: list[str] = []
    for one in fields.get(8, ()):
        data = message.read(one, 16 * 1024 * 1024)
        if len(constants) < _MAX_CONSTANTS:
            constants.append(data[:4096].decode("utf-8", "replace"))
        if len(data) > _LONG_TEXT and not data.startswith(b"\n"):
            yield from scene.look_into("a string constant", data)
    node.constants = tuple(constants)


def _count_elements(message: ProtoMessage, fields: Fields) -> int | None:
    """Return how many elements a shape has; None if it is impossible."""
    count = 1
    for one in fields.get(2, ()):
        shape = message.open(one)
        for part in shape.fields():
            if part.number == 2:  # noqa: PLR2004 - dim
                dim = gather(shape.open(part))
                size = dim[1][-1].signed if 1 in dim else 0
                if size < 0:
                    return None
                count *= size
                if count >= 2**63:
                    return None
    return count
