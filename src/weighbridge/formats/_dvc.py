"""DVC's files: ``dvc.lock``, ``dvc.yaml`` and ``*.dvc``, as values; what they name is not read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.core import printable
from weighbridge.errors import ParseError
from weighbridge.formats._dvc_parameters import DvcParameter, read_parameters
from weighbridge.formats._yaml import YamlMapping, YamlSequence, YamlText, parse_yaml

if TYPE_CHECKING:
    from collections.abc import Collection

    from weighbridge.core import Limits
    from weighbridge.formats._yaml import YamlNode

__all__ = [
    "DvcEntry",
    "DvcFile",
    "DvcPlan",
    "DvcStage",
    "parse_dvc_file",
    "parse_dvc_lock",
    "parse_dvc_pipeline",
]

_MD5 = re.compile(r"[0-9a-f]{32}")
_FOLDER = ".dir"
_SIZE = re.compile(r"[0-9]{1,18}")
# What says where an entry is from; the digests among it are those of other storage.
_ORIGIN = ("etag", "checksum", "version_id", "cloud", "dataset", "db", "query", "file_format")
_ENTRY_KEYS = frozenset(
    {
        *("path", "md5", "hash", "size", "nfiles", "isexec", "isdir", "files", "repo", *_ORIGIN),
        *("remote", "fs_config", "cache", "persist", "metric", "plot", "push", "desc", "type"),
        *("labels", "meta", "checkpoint", "template", "x", "y", "x_label", "y_label"),
        *("title", "header"),
    }
)
_LOCK_KEYS = frozenset({"schema", "stages", "datasets"})
_STAGE_KEYS = frozenset({"cmd", "deps", "params", "outs"})
_FILE_KEYS = frozenset(
    {"md5", "cmd", "wdir", "deps", "outs", "locked", "frozen", "meta", "always_changed", "desc"}
)


@dataclass(frozen=True, slots=True)
class DvcEntry:
    """A dependency or an output, as DVC recorded it.

    Attributes:
        path: As it is written; relative to the stage's folder, absolute, or an address.
        md5: 32 lower-case hex digits; empty if there is none.
        is_folder: Whether ``md5`` is that of the list of a folder's files.
        is_legacy: Whether it is the md5 of DVC 1 and 2, which leave out the CR of text files.
        size_bytes: As recorded; None if it is not.
        repository: The address of the repository that it was imported from; may be empty.
        revision: The revision there; may be empty.
        origin: What else says where it is from, name to text: ``etag``, ``version_id``, ...
    """

    path: str
    md5: str = ""
    is_folder: bool = False
    is_legacy: bool = False
    size_bytes: int | None = None
    repository: str = ""
    revision: str = ""
    origin: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class DvcStage:
    """A stage of ``dvc.lock``: what ran last.

    Attributes:
        name: ``train``, or ``train@item`` for one of several.
        commands: What was run by a shell, in order.
        dependencies: What was there before.
        outputs: What was there afterwards.
        parameters: As they were.
    """

    name: str
    commands: tuple[str, ...]
    dependencies: tuple[DvcEntry, ...]
    outputs: tuple[DvcEntry, ...]
    parameters: tuple[DvcParameter, ...] = ()


@dataclass(frozen=True, slots=True)
class DvcPlan:
    """A stage of ``dvc.yaml``: what shall run.

    Attributes:
        folder: ``wdir``, which the paths in ``dvc.lock`` start from; ``.`` if nothing is said.
        is_several: Whether it stands for several stages, ``foreach`` or ``matrix``.
        is_frozen: Whether DVC does not run it again.
        commands: What shall run, as it is written.
        dependencies: What it shall take in, as it is written.
    """

    folder: str = "."
    is_several: bool = False
    is_frozen: bool = False
    commands: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DvcFile:
    """A ``.dvc`` file: data that is tracked, was imported, or (before DVC 1) was made by a stage.

    Attributes:
        folder: ``wdir``, as for :class:`DvcPlan`.
        stage: Without commands and dependencies if the data is only tracked.
    """

    folder: str
    stage: DvcStage


def parse_dvc_lock(data: bytes, *, what: str, limits: Limits) -> tuple[DvcStage, ...]:
    """Read ``dvc.lock``; anchors are read, since DVC itself writes them.

    Args:
        data: The file.
        what: Its name, for messages.
        limits: ``max_json_depth`` and ``max_json_values`` apply.

    Raises:
        ParseError: Not of schema 2.0, or with something in it that DVC 2 and 3 do not write.

    Source:
        DVC 3, ``dvc/schema.py``, LOCKFILE_SCHEMA.
    """
    document = _parse(data, what=what, limits=limits)
    _refuse_others(document, _LOCK_KEYS, what)
    schema = document.items.get("schema")
    if not isinstance(schema, YamlText) or schema.value != "2.0":
        raise ParseError(
            f"{what} is not of schema 2.0; run dvc commit with DVC 2 or later to write it again"
        )
    stages = document.items.get("stages")
    if stages is None:
        return ()
    return tuple(
        _parse_stage(name, node, what) for name, node in _to_mapping(stages, what).items.items()
    )


def parse_dvc_pipeline(data: bytes, *, what: str, limits: Limits) -> dict[str, DvcPlan]:
    """Read the stages of ``dvc.yaml``, by name; of each only what says how to read ``dvc.lock``.

    Args:
        data: The file.
        what: Its name, for messages.
        limits: ``max_json_depth`` and ``max_json_values`` apply.

    Raises:
        ParseError: No YAML, or no mapping where DVC wants one.
    """
    stages = _parse(data, what=what, limits=limits).items.get("stages")
    if stages is None:
        return {}
    plans = {}
    for name, node in _to_mapping(stages, what).items.items():
        said = _to_mapping(node, what).items
        is_several = "foreach" in said or "matrix" in said
        inner = said["do"] if "foreach" in said and "do" in said else node
        template = _to_mapping(inner, what).items
        plans[name] = DvcPlan(
            folder=_to_text(template.get("wdir"), what) or ".",
            is_several=is_several,
            is_frozen=_is_true(template.get("frozen")),
            commands=_list_names(template.get("cmd")),
            dependencies=_list_names(template.get("deps")),
        )
    return plans


def _list_names(node: YamlNode | None) -> tuple[str, ...]:
    """Return what is named, one by one or in a list, with or without options."""
    items = node.items if isinstance(node, YamlSequence) else () if node is None else (node,)
    names: list[str] = []
    for item in items:
        if isinstance(item, YamlText):
            names += [] if item.is_null else [item.value]
        elif isinstance(item, YamlMapping):
            names += item.items
    return tuple(names)


def parse_dvc_file(data: bytes, *, what: str, limits: Limits) -> DvcFile:
    """Read a ``.dvc`` file.

    Args:
        data: The file.
        what: Its path, for messages and as the stage's name.
        limits: ``max_json_depth`` and ``max_json_values`` apply.

    Raises:
        ParseError: As :func:`parse_dvc_lock`.

    Source:
        DVC 3, ``dvc/schema.py``, SINGLE_STAGE_SCHEMA.
    """
    document = _parse(data, what=what, limits=limits)
    _refuse_others(document, _FILE_KEYS, what)
    items = {k: v for k, v in document.items.items() if k in _STAGE_KEYS}
    stage = _parse_stage(what, YamlMapping(document.line, items), what, needs_command=False)
    return DvcFile(_to_text(document.items.get("wdir"), what) or ".", stage)


def _parse(data: bytes, *, what: str, limits: Limits) -> YamlMapping:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ParseError(f"{what} is not UTF-8 at byte {error.start}; mend it") from error
    try:
        node = parse_yaml(
            text,
            first_line=1,
            max_depth=limits.max_json_depth,
            max_values=limits.max_json_values,
            with_aliases=True,
        )
    except ParseError as error:
        raise ParseError(f"{what}, {error}") from error
    if isinstance(node, YamlText) and node.is_null:
        return YamlMapping(1, {})
    return _to_mapping(node, what)


def _parse_stage(name: str, node: YamlNode, what: str, *, needs_command: bool = True) -> DvcStage:
    stage = _to_mapping(node, what)
    _refuse_others(stage, _STAGE_KEYS, what)
    items = stage.items
    given = items.get("cmd")
    commands = given.items if isinstance(given, YamlSequence) else () if given is None else (given,)
    if needs_command and not commands:
        raise _wrong(what, stage, f"the stage {_shown(name)} has no command")
    return DvcStage(
        name,
        tuple(_to_text(command, what) for command in commands),
        _parse_entries(items.get("deps"), what),
        _parse_entries(items.get("outs"), what),
        read_parameters(items.get("params"), what=what),
    )


def _parse_entries(node: YamlNode | None, what: str) -> tuple[DvcEntry, ...]:
    if node is None or (isinstance(node, YamlText) and node.is_null):
        return ()
    if not isinstance(node, YamlSequence):
        raise _wrong(what, node, "a list of dependencies or outputs is no list")
    return tuple(_parse_entry(_to_mapping(item, what), what) for item in node.items)


def _parse_entry(entry: YamlMapping, what: str) -> DvcEntry:
    _refuse_others(entry, _ENTRY_KEYS, what)
    items = entry.items
    path = _to_text(items.get("path"), what)
    if not path and "db" not in items:
        raise _wrong(what, entry, "a dependency or an output has no path")
    algorithm = _to_text(items.get("hash"), what)
    md5 = _to_text(items.get("md5"), what).lower()
    is_folder = md5.endswith(_FOLDER)
    digits = md5.removesuffix(_FOLDER)
    if md5 and not _MD5.fullmatch(digits):
        raise _wrong(what, entry, f"{_shown(md5)} is no md5")
    if algorithm not in ("", "md5"):
        raise _wrong(what, entry, f"the hash {_shown(algorithm)} is not known here")
    size = _to_text(items.get("size"), what)
    if size and not _SIZE.fullmatch(size):
        raise _wrong(what, entry, f"{_shown(size)} is no size")
    repository = _to_mapping(items["repo"], what).items if "repo" in items else {}
    revision = repository.get("rev_lock") or repository.get("rev")
    origin = [(k, node.value) for k in _ORIGIN if isinstance(node := items.get(k), YamlText)]
    return DvcEntry(
        path,
        digits,
        is_folder=is_folder,
        is_legacy=bool(md5) and not algorithm,
        size_bytes=int(size) if size else None,
        repository=_to_text(repository.get("url"), what),
        revision=_to_text(revision, what),
        origin=tuple(origin),
    )


def _refuse_others(node: YamlMapping, known: Collection[str], what: str) -> None:
    for name in node.items:
        if name not in known:
            raise _wrong(what, node, f"{_shown(name)} is not known here; DVC 2 and 3 write no such")


def _to_mapping(node: YamlNode, what: str) -> YamlMapping:
    if not isinstance(node, YamlMapping):
        raise _wrong(what, node, "a mapping is wanted here")
    return node


def _to_text(node: YamlNode | None, what: str) -> str:
    """Return what was written; empty for nothing and for null."""
    if node is None:
        return ""
    if not isinstance(node, YamlText):
        raise _wrong(what, node, "text is wanted here")
    return "" if node.is_null else node.value


def _is_true(node: YamlNode | None) -> bool:
    return isinstance(node, YamlText) and node.value.lower() == "true"


def _shown(text: str) -> str:
    return repr(printable(text, limit=80))


def _wrong(what: str, node: YamlNode, reason: str) -> ParseError:
    return ParseError(f"{what}, line {node.line}: {reason}")
