"""Keys of configurations that have code of this folder, or of another repository, imported."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from weighbridge.scanning._documents._document import show, walk, write_place
from weighbridge.scanning._documents._targets import is_dangerous
from weighbridge.scanning._facts import NamedFile
from weighbridge.scanning._notes import found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import Location
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._documents._document import Document, Link
    from weighbridge.scanning._notes import Note

__all__ = [
    "check_auto_map",
    "check_base_model",
    "check_custom_pipeline",
    "check_model_index",
    "check_modules",
    "check_trust",
]

_MAX_NAMES = 200
# Libraries whose classes diffusers takes by itself; anything else is a folder or a module.
_DIFFUSERS_LIBRARIES_TEXT = (
    "diffusers transformers diffusers.pipelines onnxruntime optimum.onnxruntime flax"
    " stable_diffusion paint_by_example kandinsky deepfloyd_if audioldm2 shap_e wuerstchen"
    " latent_diffusion diffusers_modules sentencepiece schedulers k_diffusion"
)
_DIFFUSERS_LIBRARIES = frozenset(_DIFFUSERS_LIBRARIES_TEXT.split()) - {"diffusers_modules"}
_CLASS = re.compile(r"[A-Za-z_]\w{0,200}")
# Components of diffusers itself that its index names by the module inside ``diffusers.pipelines``.
_DIFFUSERS_MODULE = re.compile(r"[a-z][a-z0-9_]{0,60}")
_SENTENCE = re.compile(r"sentence_transformers(?:\.[A-Za-z_]\w*){1,6}\.[A-Z]\w*")
_OFF = frozenset({"", "false", "no", "off", "0", "null", "none", "~"})


def _list_texts(value: object) -> list[str]:
    """Return the texts in a value, at any depth, without recursing; at most a few hundred."""
    pending, texts = [value], list[str]()
    while pending and len(texts) < _MAX_NAMES:
        item = pending.pop()
        if isinstance(item, str):
            if item:
                texts.append(item)
        elif isinstance(item, dict):
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item[:_MAX_NAMES])
    return texts


def check_auto_map(
    value: object, link: Link, key: str, at: Location, _: ScanContext
) -> Iterator[Note]:
    """Judge ``auto_map``: transformers imports what it names, if it is told to trust it."""
    place = write_place(link, key)
    for name in dict.fromkeys(_list_texts(value)):
        repository, mark, local = name.rpartition("--")
        module = local.rpartition(".")[0]
        if mark:
            message = (
                f"Loading it with trust_remote_code runs {show(module or local)}.py of another"
                f" repository, {show(repository)}, which {place} names."
            )
            yield found("WB-DOC-002", at, message, detail=show(name))
            continue
        target = f"{module.replace('.', '/')}.py" if module else ""
        message = (
            f"Loading it with trust_remote_code runs {show(target or local)} of this folder,"
            f" which {place} names."
        )
        yield found("WB-DOC-001", at, message, detail=show(name))
        if target:
            yield NamedFile(at.file, target, "code")


def check_trust(
    value: object, link: Link, key: str, at: Location, _: ScanContext
) -> Iterator[Note]:
    """Judge ``trust_remote_code``: only false, or nothing, is harmless."""
    text = value.strip().lower() if isinstance(value, str) else ""
    if not value or (isinstance(value, str) and text in _OFF):
        return
    if isinstance(value, int | float) and value != 1:
        return  # the place of a word in a vocabulary
    message = f"{write_place(link, key)} lets a loader run code of a repository without asking."
    yield found("WB-DOC-003", at, message, detail=f"{key}: {show(value)}")


def check_custom_pipeline(
    value: object, link: Link, key: str, at: Location, _: ScanContext
) -> Iterator[Note]:
    """Judge ``custom_pipelines`` of transformers and ``custom_pipeline`` of diffusers."""
    names = _list_texts(value)
    if not names:
        return
    if isinstance(value, dict):
        impls = [part.get("impl") for part in value.values() if isinstance(part, dict)]
        names = [impl for impl in impls if isinstance(impl, str)] or names
    message = f"Loading the pipeline runs {show(', '.join(names[:5]))}, which"
    message += f" {write_place(link, key)} names."
    rule = "WB-DOC-002" if any("--" in name for name in names) else "WB-DOC-004"
    yield found(rule, at, message, detail=show(names[0]))


def check_base_model(
    value: object, link: Link, key: str, at: Location, _: ScanContext
) -> Iterator[Note]:
    """Note the model that an adapter is applied to."""
    if isinstance(value, str) and value:
        message = f"This adapter needs the model {show(value)} ({write_place(link, key)})."
        yield found("WB-DOC-014", at, message, detail=show(value))


def check_model_index(document: Document, at: Location, _: ScanContext) -> Iterator[Note]:
    """Judge an index of diffusers: each part is ``[library, class]``, or null."""
    for link, mapping in walk(document.value):
        if "_class_name" not in mapping or not isinstance(mapping["_class_name"], str | list):
            continue
        if isinstance(mapping["_class_name"], list):
            place = write_place(link, "_class_name")
            message = f"The pipeline itself is {show(mapping['_class_name'])} ({place})."
            yield found("WB-DOC-004", at, message, detail=show(mapping["_class_name"]))
        if document.name == "model_index.json" or "_diffusers_version" in mapping:
            yield from _check_parts(mapping, link, at)


def _check_parts(mapping: dict[str, object], link: Link, at: Location) -> Iterator[Note]:
    for key, value in mapping.items():
        if key.startswith("_") or not isinstance(value, list) or len(value) != 2:  # noqa: PLR2004
            continue
        library, name = value
        if library is None or not isinstance(library, str) or not isinstance(name, str | None):
            continue
        name = name or ""
        if _is_dangerous_part(library, name):
            message = f"Loading {write_place(link, key)} uses {show(library)}.{show(name)}."
            yield found("WB-DOC-005", at, message, detail=f"{show(library)}.{show(name)}")
        elif not _is_known_part(library, name):
            message = (
                f"Loading the pipeline imports {show(library)} for its part"
                f" {write_place(link, key)}, which is not a library of diffusers."
            )
            yield found("WB-DOC-004", at, message, detail=show(value))


def _is_dangerous_part(library: str, name: str) -> bool:
    return "/" in library or ".." in library or is_dangerous(f"{library}.{name}")


def _is_known_part(library: str, name: str) -> bool:
    if name and not _CLASS.fullmatch(name):
        return False
    return library in _DIFFUSERS_LIBRARIES


def check_modules(document: Document, at: Location, _: ScanContext) -> Iterator[Note]:
    """Judge ``modules.json``: sentence-transformers imports the ``type`` of each entry."""
    if document.syntax != "json":
        return
    for link, mapping in walk(document.value):
        kind = mapping.get("type")
        if not isinstance(kind, str) or "." not in kind or "path" not in mapping:
            continue
        if is_dangerous(kind):
            message = f"Loading the model imports {show(kind)}."
            yield found("WB-DOC-005", at, message, detail=show(kind))
        elif not _SENTENCE.fullmatch(kind):
            where = write_place(link, "type")
            message = f"Loading the model imports {show(kind)}, which {where} names."
            yield found("WB-DOC-004", at, message, detail=show(kind))
            yield NamedFile(at.file, kind.rpartition(".")[0].replace(".", "/") + ".py", "code")
