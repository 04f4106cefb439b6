"""Protobuf files of Paddle, Caffe and SentencePiece."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.errors import ParseError
from weighbridge.scanning._graphs._layer_names import CAFFE_LAYERS, PADDLE_OPERATORS
from weighbridge.scanning._graphs._walk import gather, matches, quote, read_text
from weighbridge.scanning._notes import examined, not_examined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.formats import ProtoMessage, TextField
    from weighbridge.scanning._graphs._walk import Scene
    from weighbridge.scanning._notes import Note

__all__ = [
    "check_caffe_text",
    "examine_caffe",
    "examine_paddle",
    "examine_sentencepiece",
    "is_caffe",
    "is_paddle",
    "is_sentencepiece",
]

_PROGRAM = {1: 2, 2: 2, 3: 2, 4: 2, 5: 2}
_BLOCK = {1: 0, 2: 0, 3: 2, 4: 2, 5: 0}
_OPERATOR = {1: 2, 2: 2, 3: 2, 4: 2, 5: 0}
_FILES = ("file_path", "filename", "file_name", "model_file", "dirname", "path")
_FILE_OPERATORS = frozenset(
    [
        "load",
        "save",
        "load_combine",
        "save_combine",
        "read_file",
        "sparse_tensor_load",
        "open_files",
    ]
)
_PYTHON = frozenset({"py_func", "py_layer", "pyfunc", "pylayer", "python"})
_REMOTE = frozenset(
    ["send", "recv", "listen_and_serv", "fetch_barrier", "send_barrier", "prefetch", "recv_save"]
)

_NET = {1: 2, 2: 2, 3: 2, 4: 9, 5: 0, 6: 2, 7: 0, 8: 2, 100: 2}
_LAYER, _OLD_LAYER, _PYTHON_PARAM = 100, 2, 130
_CAFFE_FILES = ("source", "file_name", "mean_file", "root_folder")
_LARGEST_OLD_TYPE = 39

_SP_MODEL = {1: 2, 2: 2, 3: 2, 4: 2, 5: 2}
_SP_PIECE = {1: 2, 2: 5, 3: 0}
_SAMPLE = 1000


def is_paddle(message: ProtoMessage) -> bool:
    """Return whether this is the outline of a ``ProgramDesc``."""
    if not matches(message, _PROGRAM):
        return False
    count = 0
    for one in message.fields():
        if one.number == 1:
            inner = message.open(one)
            if not matches(inner, _BLOCK) or not {1, 2} <= {part.number for part in inner.fields()}:
                return False
            count += 1
    return count > 0


def examine_paddle(scene: Scene, message: ProtoMessage) -> Iterator[Note]:
    """Yield what a Paddle program does besides computing."""
    problem = ""
    seen: set[str] = set()
    try:
        for one in message.fields():
            if one.number == 1:
                block = message.open(one)
                for part in block.fields():
                    if part.number == 4:  # noqa: PLR2004 - an operator
                        yield from _check_paddle_operator(scene, block.open(part), seen)
    except ParseError as error:
        problem = f"it cannot be read to its end: {error}"
    yield not_examined(scene.at, "paddle", problem) if problem else examined(scene.at, "paddle")


def _check_paddle_operator(scene: Scene, message: ProtoMessage, seen: set[str]) -> Iterator[Note]:
    if not matches(message, _OPERATOR):
        raise ParseError("an operator has fields that Paddle does not have")
    fields = gather(message)
    name = read_text(message, fields, 3)
    strings: dict[str, str] = {}
    for one in fields.get(4, ()):
        attribute = message.open(one)
        parts = gather(attribute)
        if 5 in parts:  # noqa: PLR2004 - a string
            strings[read_text(attribute, parts, 1)] = read_text(attribute, parts, 5)
    yield from judge_paddle(scene, name, strings, seen, message.start)


def judge_paddle(
    scene: Scene, name: str, strings: dict[str, str], seen: set[str], offset: int | None
) -> Iterator[Note]:
    """Yield what one operator of Paddle does besides computing."""
    paths = [value for key, value in strings.items() if key in _FILES and value]
    if name in _FILE_OPERATORS or (paths and name not in PADDLE_OPERATORS):
        path = quote(paths[0] if paths else "a file")
        verb = "writes" if name.startswith("save") else "reads"
        text = f"Running the program {verb} {path} (operator {quote(name)})."
        yield scene.found("WB-PDL-002", text, detail=path, offset=offset)
    if name in seen:
        return
    seen.add(name)
    if name in _PYTHON or "py_func" in name or "py_layer" in name:
        text = f"Running the program calls a Python function (operator {quote(name)})."
        yield scene.found("WB-PDL-001", text, detail=quote(name), offset=offset)
    elif name in _REMOTE or name.startswith(("distributed_", "pull_", "push_")):
        text = f"Running the program talks to other machines (operator {quote(name)})."
        yield scene.found("WB-PDL-003", text, detail=quote(name), offset=offset)
    elif name.removesuffix("_grad") not in PADDLE_OPERATORS and name not in _FILE_OPERATORS:
        text = f"The operator {quote(name)} is not in the list of Paddle's."
        yield scene.found("WB-PDL-003", text, detail=quote(name), offset=offset)
    for key, value in strings.items():
        if key not in ("op_callstack", "op_namescope", "op_device"):
            yield from scene.look_into(f"attribute {quote(key)}", value.encode())


def is_caffe(message: ProtoMessage) -> bool:
    """Return whether this is the outline of a ``NetParameter``."""
    if not matches(message, _NET):
        return False
    count = 0
    for one in message.fields():
        if one.number in (_LAYER, _OLD_LAYER):
            fields = _gather_or_none(message.open(one))
            if fields is None:
                return False
            kind = fields.get(2 if one.number == _LAYER else 5, ())
            wire = 2 if one.number == _LAYER else 0
            if one.number == _LAYER and not kind:
                return False
            if any(part.wire != wire for part in kind):
                return False
            if one.number == _OLD_LAYER and not (kind and 4 in fields):  # noqa: PLR2004 - its name
                return False
            count += 1
    return count > 0


def _gather_or_none(message: ProtoMessage) -> dict[int, list] | None:  # type: ignore[type-arg]
    try:
        return gather(message)
    except ParseError:
        return None


def examine_caffe(scene: Scene, message: ProtoMessage) -> Iterator[Note]:
    """Yield the layers of a Caffe network that do more than compute."""
    seen: set[str] = set()
    for one in message.fields():
        if one.number == _OLD_LAYER:
            layer = message.open(one)
            kind = gather(layer)[5][-1].value
            if kind > _LARGEST_OLD_TYPE:
                text = f"A layer is of type {kind}, which Caffe does not have."
                yield scene.found("WB-CAF-002", text, offset=one.start)
        elif one.number == _LAYER:
            layer = message.open(one)
            fields = gather(layer)
            python = ""
            for part in fields.get(_PYTHON_PARAM, ()):
                inner = layer.open(part)
                values = gather(inner)
                python = ".".join(read_text(inner, values, number) for number in (1, 2))
            yield from _judge_caffe(scene, read_text(layer, fields, 2), python, seen, one.start)
    yield examined(scene.at, "caffe")


def check_caffe_text(scene: Scene, root: TextField) -> Iterator[Note]:
    """Yield the layers of a prototxt that do more than compute."""
    seen: set[str] = set()
    for name in ("layer", "layers"):
        for layer in root.all(name):
            python = ""
            for param in layer.all("python_param"):
                python = f"{param.text('module')}.{param.text('layer')}"
            kind = layer.text("type")
            if name == "layers" and kind.isupper() and kind != "PYTHON":
                kind = "Convolution"  # a value of the old list, which has nothing else
            yield from _judge_caffe(scene, kind, python, seen, layer.offset)
            for param in layer.fields:
                for value in param.fields:
                    path = value.value
                    if value.name in _CAFFE_FILES and path and param.name.endswith("_param"):
                        yield from _judge_caffe_path(scene, param.name, path, layer.offset)


def _judge_caffe_path(scene: Scene, param: str, path: str, offset: int) -> Iterator[Note]:
    writes = param == "hdf5_output_param"
    if writes or path.startswith(("/", "~", "\\")) or ".." in path or "://" in path:
        verb = "writes" if writes else "reads"
        text = f"Running the network {verb} {quote(path)} ({quote(param)})."
        yield scene.found("WB-CAF-003", text, detail=quote(path), offset=offset)


def _judge_caffe(
    scene: Scene, kind: str, python: str, seen: set[str], offset: int
) -> Iterator[Note]:
    if kind.upper() == "PYTHON" or python:
        text = f"Loading the network imports and runs {quote(python) or 'a Python layer'}."
        yield scene.found("WB-CAF-001", text, detail=quote(python), offset=offset)
    elif kind not in CAFFE_LAYERS and kind not in seen:
        seen.add(kind)
        text = f"The layer {quote(kind)} is not one of Caffe's; a library of its own runs it."
        yield scene.found("WB-CAF-002", text, detail=quote(kind), offset=offset)


def is_sentencepiece(message: ProtoMessage) -> bool:
    """Return whether this is the outline of a SentencePiece model: pieces with their scores."""
    if not matches(message, _SP_MODEL):
        return False
    count = 0
    for one in message.fields():
        if one.number == 1:
            inner = message.open(one)
            if not matches(inner, _SP_PIECE) or 1 not in {part.number for part in inner.fields()}:
                return False
            count += 1
            if count >= _SAMPLE:
                break
    return count > 2  # noqa: PLR2004 - unknown, begin, end


def examine_sentencepiece(scene: Scene, message: ProtoMessage) -> Iterator[Note]:
    """Yield the row of a SentencePiece model, which is a table of strings and scores."""
    for one in message.fields():
        if one.number == 2:  # noqa: PLR2004 - trainer_spec
            yield from scene.look_into("the trainer's settings", message.read(one, 1024 * 1024))
    yield examined(scene.at, "sentencepiece")
