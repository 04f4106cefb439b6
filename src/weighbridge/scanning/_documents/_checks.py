"""Which function judges what in JSON and YAML: literal tables that other rooms may add a line to.

A document is parsed only if one of the needles of these tables occurs in its text, because parsing
costs fifty times as much as searching. A needle should therefore be rare in vocabularies.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from weighbridge.core import Coverage, Finding
from weighbridge.scanning._documents._document import walk
from weighbridge.scanning._notes import examined, inert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from weighbridge.core import Location
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._documents._document import Document, Link
    from weighbridge.scanning._notes import Note

    DocumentFunction = Callable[[Document, Location, ScanContext], Iterator[Note]]
    KeyFunction = Callable[[object, Link, str, Location, ScanContext], Iterator[Note]]

__all__ = [
    "DOCUMENT_CHECKS",
    "DOCUMENT_NEEDLES",
    "IDLE_NEEDLES",
    "KEY_CHECKS",
    "PARSED_NAMES",
    "DocumentCheck",
    "judge_document",
]


@dataclass(frozen=True, slots=True)
class DocumentCheck:
    """A function that looks at whole documents.

    It is ``check(document, at, context) -> Iterator[Note]``: called if one of the needles occurs in
    the text or the file has one of the names, with the parsed document; it has to tell by the
    content whether it is one of its own, and yields nothing if not. It may yield findings, facts,
    and rows; if it yields a row for ``at`` itself, that row stands for the document.

    Attributes:
        room: Module of ``weighbridge.scanning``, such as ``_documents._remote``.
        function: Its name.
        needles: Bytes that occur in every document of its kind; short, and rare in others.
        names: Names of files, in small letters, that are parsed whatever occurs in them.
        vital: Whether a document that cannot be parsed may do harm; if not, it is only compared
            with other files.
    """

    room: str
    function: str
    needles: tuple[bytes, ...] = ()
    names: frozenset[str] = frozenset()
    vital: bool = True


_PARSED_NAMES_TEXT = (
    "conda.yaml conda.yml environment.yaml environment.yml python_env.yaml mlmodel"
    " .mcp.json mcp.json mcp_config.json claude_desktop_config.json"
    " devcontainer.json .devcontainer.json"
    " adapter_config.json"
)
_WORKFLOW_NAMES_TEXT = (
    "dvc.yaml dvc.lock docker-compose.yml docker-compose.yaml compose.yml compose.yaml"
    " .gitlab-ci.yml mlproject cog.yaml"
)
_WORKFLOW_NAMES = frozenset(_WORKFLOW_NAMES_TEXT.split())
DOCUMENT_CHECKS: tuple[DocumentCheck, ...] = (
    DocumentCheck("_documents._targets", "check_config_targets", (b"target:", b'"target"')),
    DocumentCheck(
        "_keras._documents", "check_keras", (b'"class_name"', b"class_name:", b'"model_config"')
    ),
    DocumentCheck("_keras._documents", "check_weights_manifest", (b'"paths"',), vital=False),
    DocumentCheck("_data._documents", "check_skops", (b'"__loader__"',)),
    DocumentCheck("_data._documents", "check_xgboost", (b'"gradient_booster"',), vital=False),
    DocumentCheck(
        "_tensors._wishes",
        "check_wishes",
        (b'"weight_map"',),
        frozenset({"config.json"}),
        vital=False,
    ),
    DocumentCheck(
        "_documents._remote",
        "check_model_index",
        names=frozenset({"model_index.json"}),
    ),
    DocumentCheck(
        "_documents._remote",
        "check_modules",
        names=frozenset({"modules.json"}),
    ),
    DocumentCheck("_documents._tools", "check_package_scripts", names=frozenset({"package.json"})),
    DocumentCheck(
        "_documents._tools",
        "check_tasks",
        names=frozenset({"tasks.json", "settings.json", "settings.local.json", "hooks.json"}),
    ),
    DocumentCheck("_documents._tools", "check_commands", names=_WORKFLOW_NAMES),
    DocumentCheck("_documents._tools", "check_download", (b"download:",)),
)
"""Checks of whole documents."""

KEY_CHECKS: dict[str, tuple[str, str]] = {
    "auto_map": ("_documents._remote", "check_auto_map"),
    "auto_mapping": ("_documents._remote", "check_auto_map"),
    "trust_remote_code": ("_documents._remote", "check_trust"),
    "custom_pipelines": ("_documents._remote", "check_custom_pipeline"),
    "custom_pipeline": ("_documents._remote", "check_custom_pipeline"),
    "base_model_name_or_path": ("_documents._remote", "check_base_model"),
    "chat_template": ("_documents._templates", "check_template"),
    "_target_": ("_documents._targets", "check_target"),
    "class_path": ("_documents._targets", "check_target"),
    "_component_": ("_documents._targets", "check_target"),
    "py/object": ("_documents._objects", "check_jsonpickle"),
    "py/reduce": ("_documents._objects", "check_jsonpickle"),
    "py/type": ("_documents._objects", "check_jsonpickle"),
    "py/function": ("_documents._objects", "check_jsonpickle"),
    "py/repr": ("_documents._objects", "check_jsonpickle"),
    "py/newobj": ("_documents._objects", "check_jsonpickle"),
    "py/newargs": ("_documents._objects", "check_jsonpickle"),
    "py/newargsex": ("_documents._objects", "check_jsonpickle"),
    "py/initargs": ("_documents._objects", "check_jsonpickle"),
    "py/state": ("_documents._objects", "check_jsonpickle"),
    "py/iterator": ("_documents._objects", "check_jsonpickle"),
    "py/ref": ("_documents._objects", "check_jsonpickle"),
    "__reduce__": ("_documents._objects", "check_reduce"),
    "loader_module": ("_documents._tools", "check_loader_module"),
    "python_model": ("_documents._tools", "check_python_model"),
    "model_code_path": ("_documents._tools", "check_python_model"),
    "mcpServers": ("_documents._tools", "check_servers"),
    "postCreateCommand": ("_documents._tools", "check_lifecycle"),
    "postStartCommand": ("_documents._tools", "check_lifecycle"),
    "postAttachCommand": ("_documents._tools", "check_lifecycle"),
    "onCreateCommand": ("_documents._tools", "check_lifecycle"),
    "updateContentCommand": ("_documents._tools", "check_lifecycle"),
    "initializeCommand": ("_documents._tools", "check_lifecycle"),
    "channels": ("_documents._tools", "check_channels"),
    "dependencies": ("_documents._tools", "check_dependencies"),
    "build_dependencies": ("_documents._tools", "check_dependencies"),
    "pip": ("_documents._tools", "check_dependencies"),
}
"""Checks of the value of one key, at any depth: ``check(value, link, key, at, context)``."""

DOCUMENT_NEEDLES: tuple[bytes, ...] = tuple(
    dict.fromkeys(
        (
            b"auto_map",
            b"trust_remote_code",
            b"custom_pipeline",
            b"chat_template",
            b"_target_",
            b"_component_",
            b"class_path",
            b'"py/',
            b"__reduce__",
            *(needle for check in DOCUMENT_CHECKS for needle in check.needles),
        )
    )
)
"""What must occur in a text before it is parsed at all; the keys of ``KEY_CHECKS`` that loaders
look for in files of any name."""

IDLE_NEEDLES: frozenset[bytes] = frozenset(
    needle for check in DOCUMENT_CHECKS if not check.vital for needle in check.needles
)
"""Those of ``DOCUMENT_NEEDLES`` that need not be followed where that is not possible."""

PARSED_NAMES = frozenset().union(
    *(check.names for check in DOCUMENT_CHECKS), _PARSED_NAMES_TEXT.split()
)
"""Names of files that are parsed whatever occurs in them, for their tools take no other names."""


def judge_document(document: Document, at: Location, context: ScanContext) -> Iterator[Note]:
    """Yield what every check says about a parsed document, and one row at least."""
    told = acts = False
    for note in _run(document, at, context):
        told = told or (isinstance(note, Coverage) and note.location == at)
        acts = acts or isinstance(note, Finding)
        yield note
    if not told and acts:
        yield examined(at, document.syntax)
    elif not told:
        yield inert(at, document.syntax, "names no code to load")


def _run(document: Document, at: Location, context: ScanContext) -> Iterator[Note]:
    evaluated = False
    for link, mapping in walk(document.value):
        for key in sorted(mapping.keys() & KEY_CHECKS.keys()):
            check: KeyFunction = _load(*KEY_CHECKS[key])
            yield from check(mapping[key], link, key, at, context)
        evaluated = evaluated or "_target_" in mapping
    if evaluated:
        yield from _run_expressions(document, at, context)
    for row in DOCUMENT_CHECKS:
        if document.name in row.names or any(needle in document.found for needle in row.needles):
            whole: DocumentFunction = _load(row.room, row.function)
            yield from whole(document, at, context)


def _run_expressions(document: Document, at: Location, context: ScanContext) -> Iterator[Note]:
    check: KeyFunction = _load("_documents._targets", "check_expression")
    for link, mapping in walk(document.value):
        for key, value in mapping.items():
            yield from check(value, link, key, at, context)


@cache
def _load(room: str, function: str) -> Callable[..., Iterator[Note]]:
    return getattr(import_module(f"weighbridge.scanning.{room}"), function)  # type: ignore[no-any-return]
