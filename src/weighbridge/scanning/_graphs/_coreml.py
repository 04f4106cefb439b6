"""Core ML: classes that are loaded by name, files outside of the package, unknown operators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.errors import ParseError
from weighbridge.scanning._facts import NamedFile
from weighbridge.scanning._graphs._mil_ops import MIL_OPERATORS
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
    from collections.abc import Callable, Iterator

    from weighbridge.formats import ProtoField, ProtoMessage
    from weighbridge.scanning._graphs._walk import Scene
    from weighbridge.scanning._notes import Note

__all__ = ["examine_coreml", "is_coreml"]

# Source: the .proto files of coremltools 9.
_PLAIN = frozenset(
    [*range(300, 305), *range(400, 405), 501, 560, *range(600, 611), 900, *range(2000, 2007), 3000]
)
_PIPELINES, _PIPELINE, _NETWORKS = (200, 201), 202, (303, 403, 500)
_PROGRAM, _CUSTOM, _LINKED = 502, 555, 556
_KINDS = _PLAIN | {*_PIPELINES, _PIPELINE, *_NETWORKS, _PROGRAM, _CUSTOM, _LINKED}
_MODEL = {1: 0, 2: 2, 10: 0, **dict.fromkeys(_KINDS, 2)}
_DESCRIPTION = {1: 2, 10: 2, 11: 2, 12: 2, 13: 2, 20: 2, 21: 2, 50: 2, 100: 2, 101: 2, 102: 2}
_DESCRIPTION |= {14: 2}
_CUSTOM_LAYER = 500
_MAX_LAYER = 1600
_MODEL_PATH = "@model_path/"


def is_coreml(message: ProtoMessage) -> bool:
    """Return whether this is the outline of a ``Model`` of Core ML."""
    if not matches(message, _MODEL):
        return False
    fields = gather(message)
    kinds = set(fields) & _KINDS
    version = fields[1][-1].value if 1 in fields else 0
    return (
        len(kinds) == 1
        and 0 < version < 64  # noqa: PLR2004 - far beyond today's 10
        and all(
            matches(message.open(one), _DESCRIPTION) for one in fields.get(2, ()) if one.size_bytes
        )
    )


def examine_coreml(scene: Scene, message: ProtoMessage) -> Iterator[Note]:
    """Yield what a Core ML model loads besides itself."""
    problem = ""
    try:
        yield from _check_model(scene, message)
    except ParseError as error:
        problem = f"it cannot be read to its end: {error}"
    yield not_examined(scene.at, "core ml", problem) if problem else examined(scene.at, "core ml")


def _check_model(scene: Scene, message: ProtoMessage) -> Iterator[Note]:
    if message.depth > MAX_DEPTH:
        raise ParseError(f"models are nested deeper than {MAX_DEPTH} messages")
    for one in message.fields():
        number = one.number
        if number in _PARTS:
            yield from _PARTS[number](scene, message.open(one))
        elif number == _CUSTOM:
            yield _tell_class(scene, message.open(one), "model")
        elif number not in _MODEL:
            text = f"The model has a field {number} that Core ML does not have."
            yield scene.found("WB-CML-003", text, offset=one.start)


def _check_pipelines(scene: Scene, message: ProtoMessage) -> Iterator[Note]:
    for one in message.fields():
        if one.number == 1:
            yield from _check_pipeline(scene, message.open(one))


def _check_description(scene: Scene, message: ProtoMessage) -> Iterator[Note]:
    for one in message.fields():
        if one.number == 100:  # noqa: PLR2004 - metadata
            metadata = message.open(one)
            for part in metadata.fields():
                if part.wire == 2:  # noqa: PLR2004 - a string or an entry
                    data = metadata.read(part, 1024 * 1024)
                    yield from scene.look_into("a note of the model", data)


def _check_pipeline(scene: Scene, message: ProtoMessage) -> Iterator[Note]:
    for one in message.fields():
        if one.number == 1:
            yield from _check_model(scene, message.open(one))


def _tell_class(scene: Scene, message: ProtoMessage, what: str) -> Note:
    name = quote(read_text(message, gather(message), 10))
    text = f"Loading the model makes an object of the class {name} of the program (custom {what})."
    return scene.found("WB-CML-001", text, detail=name, offset=message.start)


def _check_link(scene: Scene, message: ProtoMessage) -> Iterator[Note]:
    data = message.read(_whole(message), 4096) if message.size_bytes else b""
    text = "Loading the model loads another one, which it names by a path."
    yield scene.found("WB-CML-001", text, detail=quote(data), offset=message.start)


def _whole(message: ProtoMessage) -> ProtoField:
    return next(message.fields())


def _check_network(scene: Scene, message: ProtoMessage) -> Iterator[Note]:
    for one in message.fields():
        if one.number != 1:
            continue
        layer = message.open(one)
        for part in layer.fields():
            if part.number == _CUSTOM_LAYER:
                yield _tell_class(scene, layer.open(part), "layer")
            elif part.number > _MAX_LAYER:
                text = f"A layer is of kind {part.number}, which Core ML does not have."
                yield scene.found("WB-CML-003", text, offset=part.start)
            elif part.number in (600, 605, 615):  # loop, branch: networks inside
                inner = layer.open(part)
                for branch in inner.fields():
                    if branch.wire == 2 and branch.number in (1, 2, 3, 5):  # noqa: PLR2004 - bytes
                        yield from _check_inner(scene, inner.open(branch))


def _check_inner(scene: Scene, message: ProtoMessage) -> Iterator[Note]:
    """Check what may be a network of a loop or a branch, or only a name."""
    if message.depth > MAX_DEPTH:
        raise ParseError(f"networks are nested deeper than {MAX_DEPTH} messages")
    try:
        list(message.fields())
    except ParseError:
        return  # a name
    yield from _check_network(scene, message)


def _check_program(scene: Scene, message: ProtoMessage) -> Iterator[Note]:
    """Check every operation of every function, and the file that each weight names."""
    seen: set[str] = set()
    files: set[str] = set()
    for one in message.fields():
        if one.number == 2:  # noqa: PLR2004 - functions, a map
            entry = message.open(one)
            for value in entry.fields():
                if value.number == 2:  # noqa: PLR2004 - a function
                    function = entry.open(value)
                    for part in function.fields():
                        if part.number == 3:  # noqa: PLR2004 - blocks, a map
                            blocks = function.open(part)
                            for block in blocks.fields():
                                if block.number == 2:  # noqa: PLR2004 - a block
                                    yield from _check_block(scene, blocks.open(block), seen, files)


def _check_block(
    scene: Scene, message: ProtoMessage, seen: set[str], files: set[str]
) -> Iterator[Note]:
    if message.depth > MAX_DEPTH:
        raise ParseError(f"blocks are nested deeper than {MAX_DEPTH} messages")
    for one in message.fields():
        if one.number != 3:  # noqa: PLR2004 - operations
            continue
        operation = message.open(one)
        for part in operation.fields():
            if part.number == 1:
                yield from _check_operator(scene, operation, part, seen)
            elif part.number == 4:  # noqa: PLR2004 - blocks of a loop
                yield from _check_block(scene, operation.open(part), seen, files)
            elif part.number in (2, 5):  # inputs, attributes
                yield from _check_values(scene, operation.open(part), files)


def _check_operator(
    scene: Scene, message: ProtoMessage, part: ProtoField, seen: set[str]
) -> Iterator[Note]:
    name = message.read(part, 4096).decode("utf-8", "replace")
    plain = name.rpartition(".")[2]
    if name not in seen:
        seen.add(name)
        if plain not in MIL_OPERATORS:
            text = f"The operator {quote(name)} is not one of Core ML; a class of its own runs it."
            yield scene.found("WB-CML-003", text, detail=quote(name), offset=part.start)


def _check_values(scene: Scene, message: ProtoMessage, files: set[str]) -> Iterator[Note]:
    """Find ``blobFileValue`` below a map entry: value (2) -> [arguments (1) -> value] -> 5."""
    queue = [message.open(one) for one in message.fields() if one.number == 2]  # noqa: PLR2004 - value
    while queue:
        value = queue.pop()
        if value.depth > MAX_DEPTH:
            raise ParseError("values are nested too deep")
        for one in value.fields():
            if one.number == 5 and one.wire == 2:  # noqa: PLR2004 - blobFileValue
                inner = value.open(one)
                path = read_text(inner, gather(inner), 1)
                if path not in files:
                    files.add(path)
                    yield from _check_path(scene, path, one.start)
            elif one.number == 1 and one.wire == 2 and one.size_bytes > 4:  # noqa: PLR2004 - a binding
                inner = value.open(one)
                try:
                    queue.extend(
                        inner.open(part)
                        for part in inner.fields()
                        if part.number == 2 and part.wire == 2  # noqa: PLR2004 - a value
                    )
                except ParseError:
                    continue  # a note, which is text


def _check_path(scene: Scene, path: str, offset: int) -> Iterator[Note]:
    plain = path.removeprefix(_MODEL_PATH)
    if is_foreign_path(plain):
        text = f"Loading the model reads its weights from {quote(path)}."
        yield scene.found("WB-CML-002", text, detail=quote(path), offset=offset)
    else:
        yield NamedFile(scene.at.file, plain, "weights")


# Number of a field of a model -> what checks it.
_PARTS: dict[int, Callable[[Scene, ProtoMessage], Iterator[Note]]] = {
    2: _check_description,
    **dict.fromkeys(_PIPELINES, _check_pipelines),
    _PIPELINE: _check_pipeline,
    **dict.fromkeys(_NETWORKS, _check_network),
    _PROGRAM: _check_program,
    _LINKED: _check_link,
}
