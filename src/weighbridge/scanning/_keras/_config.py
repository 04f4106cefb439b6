"""A Keras config: what building the model from it would import, call, read or run.

Source:
    ``keras.saving.deserialize_keras_object`` of Keras 2 and 3; CVE-2024-3660, CVE-2025-1550,
    CVE-2025-8747, CVE-2025-9905, CVE-2025-9906, CVE-2025-12058, CVE-2025-12060.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from weighbridge.core import parse_json
from weighbridge.errors import ParseError
from weighbridge.scanning._facts import NamedFile
from weighbridge.scanning._keras._layers import check_layer
from weighbridge.scanning._keras._names import (
    LIBRARIES,
    is_builtin,
    is_known_class,
    is_known_function,
    is_plain_part,
    is_standard,
    split_keras_module,
)
from weighbridge.scanning._notes import found, leads_out, not_examined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import Limits, Location
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Examine, Note

__all__ = ["check_keras_config", "check_manifest", "looks_like_keras_config", "parse_keras_json"]

_SHOWN = 80
_MAX_DEPTH = 400
_MAX_VALUES = 5_000_000
# What Keras writes for values that JSON has no words for; none of it builds an object.
_VALUES = frozenset(
    [
        *("__tuple__", "__tensor__", "__numpy__", "__keras_tensor__", "__ellipsis__", "__slice__"),
        *("__bytes__", "TensorShape", "CompositeTensor", "__dict__", "__set__"),
    ]
)
_SPECS = frozenset(
    [
        *("TensorSpec", "RaggedTensorSpec", "SparseTensorSpec", "NoneTensorSpec", "TensorShape"),
        *("IndexedSlicesSpec", "BoundedTensorSpec"),
    ]
)
_PLAIN_BUILTINS = frozenset(
    [*("tuple", "list", "dict", "str", "int", "float", "bool", "bytes", "complex", "set", "slice")]
)
_REGISTERED = frozenset({"", "keras", "Keras", *LIBRARIES})
_OWN_KEYS = ("model_config", "modelTopology", "training_config", "keras_version")
# Anything that a loader would open: a scheme, or a path that is not below the model's folder.
_SCHEME = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]{1,20}:)?//|file:|data:", re.IGNORECASE)
_ABSOLUTE = re.compile(r"(?:/|~/|\\\\|[A-Za-z]:[\\/])[^\s/\\]+(?:[/\\][^/\\]+)*[/\\]?")
# Values of these keys are opened where they are text.
_FILE_KEYS = frozenset(
    [
        *("vocabulary", "vocabulary_file", "vocab_file", "vocab_path", "vocabulary_path"),
        *("vocabulary_size_file", "idf_weights_file", "merges", "proto", "file", "file_path"),
        *("filepath", "filename", "path", "file_name", "fname", "url", "uri", "origin", "href"),
        *("directory", "dir", "cache_dir", "log_dir", "save_dir", "data_dir", "model_path"),
        *("saved_model_path", "saved_model", "export_dir", "handle", "weights_path", "load_path"),
        *("input_vocabulary_path", "checkpoint", "preset", "source", "to_file"),
    ]
)
# Judged by the objects that they are in, or nothing but labels.
_NAME_KEYS = frozenset({"module", "class_name", "registered_name", "name"})
# Lists of words under these keys are the words themselves.
_WORD_KEYS = frozenset({"vocabulary", "merges", "proto", "source"})
# Text that Keras itself writes under such a key.
_FILE_KEY_WORDS = frozenset({"", "auto", "none", "default"})


def looks_like_keras_config(document: object) -> bool:
    """Return whether a JSON document is what Keras writes, or may be loaded as if it were.

    A class with its config is enough at the top or in a list of layers; deeper it has to be of
    Keras, or to name a module. A label that is called ``class_name`` in other people's data is not.
    """
    return _begins_like_config(document) or _holds_object(document)


def _holds_object(document: object) -> bool:
    pending: list[Any] = [document]
    seen: set[int] = set()  # in YAML an object may be in many places
    while pending:
        value = pending.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, list):
            pending.extend(item for item in value if isinstance(item, list | dict))
        elif isinstance(value, dict):
            name = value.get("class_name")
            if isinstance(name, str) and _is_object(value):
                named = value.keys() & {"module", "registered_name"}
                if named or name in _SPECIAL or name.startswith("__") or is_known_class(name):
                    return True
            pending.extend(item for item in value.values() if isinstance(item, list | dict))
    return False


def _begins_like_config(document: object) -> bool:
    if isinstance(document, list):
        return any(isinstance(item, dict) and _begins_like_config(item) for item in document[:16])
    if not isinstance(document, dict):
        return False
    if _is_object(document) or ("keras_version" in document and "backend" in document):
        return True
    if any(isinstance(document.get(key), dict | str) for key in _OWN_KEYS[:3]):
        return True
    return any(isinstance(document.get(key), list) for key in ("layers", "config")) and any(
        _is_object(item) for key in ("layers", "config") for item in _as_list(document.get(key))
    )


def _as_list(value: object) -> list[Any]:
    return value[:1_000] if isinstance(value, list) else []


def _is_object(value: object) -> bool:
    """Return whether Keras would build something from this."""
    if not isinstance(value, dict) or "class_name" not in value:
        return False
    if value.keys() & {"module", "registered_name", "items", "inbound_nodes"}:
        return True
    words = isinstance(value.get("config"), str) and value["class_name"] != "function"
    return "config" in value and not words


def parse_keras_json(data: bytes, limits: Limits) -> object:
    """Read the JSON of a Keras config, in which ``NaN`` and ``Infinity`` are numbers.

    Raises:
        ParseError: Not JSON, a key twice in one object, or over a limit.
    """
    try:
        return parse_json(data, what="the config", limits=limits)
    except ParseError as error:
        if not re.search(rb"\b(?:NaN|Infinity)\b", data) or len(data) > limits.max_header_bytes:
            raise
        if data.count(b",") > limits.max_json_values:
            raise
        try:
            return json.loads(data, object_pairs_hook=_refuse_twins)
        except (ValueError, RecursionError):
            raise error from None


def _refuse_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a key twice")
    return values


def check_keras_config(
    document: object, at: Location, context: ScanContext, examine: Examine | None = None
) -> Iterator[Note]:
    """Yield what building a model from a config would import, call, read or run.

    Every object at any depth is looked at, whether Keras would get to it or not. Nothing is yielded
    about a config that only has classes and functions that compute; the row is the caller's.

    Args:
        document: Parsed JSON.
        at: Where it is.
        context: Limits and budget.
        examine: The router, for what is packed inside; without it such a thing is not examined.
    """
    yield from check_manifest(document, at)
    pending: list[tuple[Any, int, str, bool]] = [(document, 0, "", False)]
    values = 0
    told: set[Note] = set()
    while pending:
        value, depth, key, inside_object = pending.pop()
        values += 1
        if depth > _MAX_DEPTH or values > _MAX_VALUES:
            yield not_examined(at, "keras config", "it is too deep or has too many values")
            return
        notes: Iterator[Note] = iter(())
        if isinstance(value, dict):
            inside_object = inside_object or _is_object(value)
            notes = _check_dict(value, at, context, examine)
            pending.extend(
                (item, depth + 1, str(name), inside_object) for name, item in value.items()
            )
        elif isinstance(value, list):
            # Words of a vocabulary may look like anything.
            is_named = key in _FILE_KEYS and key not in _WORD_KEYS
            below = key if is_named else ""
            pending.extend((item, depth + 1, below, inside_object) for item in value)
        elif isinstance(value, str):
            if key in _OWN_KEYS[:3] and value.lstrip().startswith("{"):
                pending.append((_parse_inner(value, context), depth + 1, key, inside_object))
            elif inside_object and key:
                notes = _check_text(key, value, at)
        for note in notes:
            if note not in told:
                told.add(note)
                yield note


def _parse_inner(text: str, context: ScanContext) -> object:
    """Return JSON inside of JSON; as a broken object, which is told of, if it cannot be read."""
    context.budget.spend_parsed_bytes(len(text))
    try:
        return parse_keras_json(text.encode("utf-8", "replace"), context.limits)
    except ParseError:
        return {"class_name": None, "config": None}


def check_manifest(document: object, at: Location) -> Iterator[Note]:
    """Name the files of a TensorFlow.js model; their content is numbers."""
    groups = document.get("weightsManifest") if isinstance(document, dict) else document
    for group in groups if isinstance(groups, list) else ():
        paths = group.get("paths") if isinstance(group, dict) else None
        for path in paths if isinstance(paths, list) else ():
            if not isinstance(path, str):
                continue
            if leads_out(path) or _SCHEME.match(path):
                message = f"Loading the model fetches {path[:_SHOWN]!r}, which is not beside it."
                yield found("WB-KER-005", at, message, detail=path[:500])
            else:
                yield NamedFile(at.file, path, "raw tensors")


def _check_dict(
    value: dict[str, Any], at: Location, context: ScanContext, examine: Examine | None
) -> Iterator[Note]:
    for key in ("function_type", "output_shape_type", "mode_type", "mask_type"):
        if value.get(key) == "lambda":
            yield from check_layer("Lambda", value, at, context, examine)
            break
    if not _is_object(value) and "registered_name" not in value:
        return
    name, module = value.get("class_name"), value.get("module")
    if name is None and "registered_name" in value and isinstance(value["registered_name"], str):
        name = value["registered_name"].rpartition(">")[2]
    if not isinstance(name, str) or not isinstance(module, str | None):
        message = "An object of the config has no name of a class, or its module is no name."
        yield found("WB-KER-009", at, message)
        return
    registered = value.get("registered_name")
    config = value.get("config")
    if name == "function":
        yield from _check_function(module, config, registered, at)
    elif name == "__lambda__":
        yield from check_layer(name, config, at, context, examine)
    elif name in ("__typespec__", "TypeSpec"):
        yield from _check_spec(value, module, at)
    elif name not in _VALUES:
        yield from _check_class(name, module, registered, at)
        yield from check_layer(name, config, at, context, examine)


def _label(module: str | None, name: object) -> str:
    text = f"{module}.{name}" if module else str(name)
    return repr(text[:_SHOWN])


def _check_spec(value: dict[str, Any], module: str | None, at: Location) -> Iterator[Note]:
    """A type of tensors; its class is imported out of any module."""
    name = value.get("spec_name", value.get("type_spec", "TensorSpec"))
    root = (module or "tensorflow").partition(".")[0]
    if name in _SPECS and root in ("tensorflow", "keras", "tf_keras"):
        return
    detail = f"{module}.{name}"[:500]
    message = f"Building the model imports {_label(module, name)} and calls its _deserialize."
    yield found("WB-KER-003", at, message, detail=detail)


# Keras 2.11 to 2.15 write their own optimizers so.
_OWN_PACKAGE = "Custom>"


def _check_class(name: str, module: str | None, registered: object, at: Location) -> Iterator[Note]:
    if name.startswith(_OWN_PACKAGE) and is_known_class(name.removeprefix(_OWN_PACKAGE)):
        name = name.removeprefix(_OWN_PACKAGE)
    part = split_keras_module(module) if module else ""
    root = (module or "").partition(".")[0]
    package, mark, plain = (
        registered.rpartition(">") if isinstance(registered, str) else ("", "", "")
    )
    library = root in LIBRARIES or package in LIBRARIES
    detail = f"{module}.{name}" if module else name
    if module and part is None and root not in LIBRARIES:
        yield from _judge_foreign(module, name, at, "class")
        return
    own_part = part is None or is_plain_part(part, function=False)
    known = is_known_class(name, library=library) and own_part
    if mark and (package not in _REGISTERED or not is_known_class(plain, library=library)):
        known = False
    if known or _is_special(name, part):
        return
    if part is not None and is_known_function(name) and is_plain_part(part, function=True):
        return  # Keras takes the name of a function for it
    if _is_gadget(name):
        message = f"Building the model gets {_label(module, name)}, which is no layer."
        yield found("WB-KER-003", at, message, detail=detail[:500])
        return
    shown = registered if mark and isinstance(registered, str) else detail
    message = f"The config names the class {shown[:_SHOWN]!r}, which is not one of Keras' own."
    yield found("WB-KER-004", at, message, detail=detail[:500])


# Checked by what they hold, in ``_layers``.
_SPECIAL = frozenset(
    [
        *("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "TFOpLambda"),
        *("TensorFlowOpLayer", "SlicingOpLambda", "ClassMethod", "InstanceMethod"),
        *("InstanceProperty", "Merge"),
    ]
)


def _is_special(name: str, part: str | None) -> bool:
    return name in _SPECIAL and part is not None


# Functions of Keras that fetch, read, write or unlock.
_GADGET_WORDS = (
    "get_file load_model load_weights save_model save_weights model_from_json model_from_yaml"
    " model_from_config clone_model enable_unsafe_deserialization func_load func_dump save_img"
    " load_img plot_model model_to_dot extract_archive deserialize_keras_object"
    " get_registered_object get_custom_objects register_keras_serializable set_floatx"
    " image_dataset_from_directory text_dataset_from_directory audio_dataset_from_directory"
    " run_script deserialize get custom_object_scope pip_install download_file"
    " download_and_extract LambdaCallback ModelCheckpoint BackupAndRestore CSVLogger"
    " TensorBoard RemoteMonitor __import__ eval exec compile open getattr setattr"
)
_GADGETS = frozenset(_GADGET_WORDS.split())


def _is_gadget(name: str) -> bool:
    return (
        name in _GADGETS
        or is_builtin(name)
        or not name.replace(">", "_").replace(" ", "_").isidentifier()
    )


def _judge_foreign(module: str, name: str, at: Location, kind: str) -> Iterator[Note]:
    """Judge a name out of a module that is not Keras' own, which is imported (CVE-2025-1550)."""
    detail = f"{module}.{name}"[:500]
    if module == "builtins" and name in _PLAIN_BUILTINS:
        return
    if is_standard(module) or not all(part.isidentifier() for part in module.split(".")):
        message = f"Building the model imports {_label(module, name)} and calls it."
        yield found("WB-KER-003", at, message, detail=detail)
        return
    message = f"Building the model imports the {kind} {_label(module, name)}, which is not Keras'."
    yield found("WB-KER-004", at, message, detail=detail)


def _check_function(
    module: str | None, name: object, registered: object, at: Location
) -> Iterator[Note]:
    if not isinstance(name, str):
        yield found("WB-KER-009", at, "A function of the config has no name.")
        return
    detail = (f"{module}.{name}" if module else name)[:500]
    names = (
        {name, registered} if isinstance(registered, str) and registered != "function" else {name}
    )
    known = all(is_known_function(str(one)) for one in names)
    if not module or module == "builtins":
        if known:
            return
        if _is_gadget(name):
            message = f"Building the model gets the function {_label(module, name)}."
            yield found("WB-KER-003", at, message, detail=detail)
            return
        message = (
            f"The config names the function {name[:_SHOWN]!r}, which is not one of Keras' own."
        )
        yield found("WB-KER-004", at, message, detail=detail)
        return
    part = split_keras_module(module)
    if part is None and module.partition(".")[0] not in LIBRARIES:
        yield from _judge_foreign(module, name, at, "function")
        return
    if known and (part is None or is_plain_part(part, function=True) or part == "src"):
        return
    if part is not None and is_plain_part(part, function=True) and not _is_gadget(name):
        message = f"The config names the function {_label(module, name)}, which is not known."
        yield found("WB-KER-004", at, message, detail=detail)
        return
    message = f"Building the model gets {_label(module, name)}, which does more than compute."
    yield found("WB-KER-003", at, message, detail=detail)


def _check_text(key: str, value: str, at: Location) -> Iterator[Note]:
    """Judge text in an object: a path or an address that a loader opens."""
    if len(value) > 4_096 or key in _NAME_KEYS:  # noqa: PLR2004
        return
    opened = key in _FILE_KEYS and value not in _FILE_KEY_WORDS
    away = _SCHEME.match(value) is not None or _ABSOLUTE.fullmatch(value) is not None
    if opened and (away or leads_out(value)):
        message = f"Building the model opens {value[:_SHOWN]!r} (as {key[:40]})."
        yield found("WB-KER-005", at, message, detail=value[:500])
    elif opened:
        message = f"Building the model may open the file {value[:_SHOWN]!r} (as {key[:40]})."
        yield found("WB-KER-006", at, message, detail=value[:500])
    elif away or value.startswith(("../", "..\\")):
        message = f"The config holds the path or address {value[:_SHOWN]!r} (as {key[:40]})."
        yield found("WB-KER-006", at, message, detail=value[:500])
