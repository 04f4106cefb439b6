"""Lists of files with their sha256, as different tools write them; what they say is only read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from weighbridge.core import ArtifactKind, Digest, Manifest, Resource, parse_json
from weighbridge.errors import LimitExceededError, ParseError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weighbridge.core import Limits

__all__ = ["FileList", "parse_file_list"]

_SHA256SUM = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_LFS = re.compile(r"([0-9a-f]{64}) [-*] (.+)")
_MANIFEST_KEYS = frozenset(
    {"$schema", "version", "artifact", "kind", "label", "resources", "left_out"}
)
_RESOURCE_KEYS = frozenset({"name", "size_bytes", "sha256"})
_UNUSABLE = frozenset("\n\r\\\0")


@dataclass(frozen=True, slots=True)
class FileList:
    """What such a list says.

    Attributes:
        resources: Sorted by name in the order of code points, each name once; sizes are -1 where
            the list does not say them.
        kind: Whether the artifact is a file or a folder; None if the list does not say it.
        label: What it is called; empty if the list does not say it.
        is_lfs: Whether git-lfs wrote it, so that the paths are those of a repository.
    """

    resources: tuple[Resource, ...]
    kind: ArtifactKind | None = None
    label: str = ""
    is_lfs: bool = False


def parse_file_list(data: bytes, *, what: str, limits: Limits) -> FileList:
    """Read a list of files: JSON if it begins with a brace, else lines.

    Understood are the JSON of ``weighbridge hash --manifest-out``, a JSON object of paths to
    ``sha256:<hex>``, what ``sha256sum`` prints (a leading ``./`` is taken off), and what
    ``git lfs ls-files --long`` prints.

    Args:
        data: The document.
        what: What it is, for messages.
        limits: ``max_entries`` and those for JSON apply.

    Raises:
        ParseError: None of these; a path that is not plain and relative, or comes twice; a digest
            in another spelling; an artifact digest that is not that of the list.
        LimitExceededError: More files than ``max_entries``.

    Source:
        sha256sum(1); git-lfs-ls-files(1), ``--long``.
    """
    if data.lstrip(b" \t\r\n").startswith(b"{"):
        return _parse_json_list(data, what=what, limits=limits)
    try:
        lines = data.decode().split("\n")
    except UnicodeDecodeError as error:
        raise ParseError(f"{what} is not UTF-8", where=f"byte {error.start}") from error
    lines = [line.removesuffix("\r") for line in lines]
    is_lfs = all(_LFS.fullmatch(line) for line in lines if line)
    form = _LFS if is_lfs else _SHA256SUM
    found = []
    for number, line in enumerate(lines, 1):
        match = form.fullmatch(line)
        if match:
            name = match[2].removeprefix("./")
            found.append(Resource(_check_name(name, f"line {number}"), -1, match[1]))
        elif line:
            raise ParseError(
                f"{what} is neither JSON nor lines of a sha256 and a path, as sha256sum and "
                "git lfs ls-files --long print them",
                where=f"line {number}",
            )
    return FileList(_sort(found, what, limits), is_lfs=is_lfs and bool(found))


def _parse_json_list(data: bytes, *, what: str, limits: Limits) -> FileList:
    # Each file has three values.
    document = parse_json(data, what=what, limits=limits, max_values=4 * limits.max_entries + 64)
    if not isinstance(document, dict):
        raise ParseError(f"{what} is not an object", where="its beginning")
    if isinstance(document.get("resources"), list):
        return _parse_manifest(document, what=what, limits=limits)
    found = [
        Resource(_check_name(name, "a key"), -1, _parse_digest(value, where=repr(name[:80])))
        for name, value in document.items()
    ]
    return FileList(_sort(found, what, limits))


def _parse_manifest(document: dict[str, Any], *, what: str, limits: Limits) -> FileList:
    if unknown := sorted(document.keys() - _MANIFEST_KEYS):
        raise ParseError(f"{what} holds {unknown[0][:80]!r}, which is not known", where="its top")
    if document.get("version") != 1 or document.get("kind") not in {"file", "folder"}:
        raise ParseError(f"{what} is not a manifest of version 1", where="version, kind")
    label = document.get("label")
    if not isinstance(label, str):
        raise ParseError(f"{what} does not say what the artifact is called", where="label")
    found = [
        _parse_resource(item, f"resources[{index}]")
        for index, item in enumerate(document["resources"])
    ]
    kind = ArtifactKind(document["kind"])
    resources = _sort(found, what, limits)
    if not resources or (kind is ArtifactKind.FILE and len(resources) != 1):
        raise ParseError(f"{what} does not list the files of a {kind.value}", where="resources")
    if str(Manifest(kind, label, resources).compute_digest()) != document.get("artifact"):
        raise ParseError(
            f"{what} was changed: its artifact digest is not that of its files", where="artifact"
        )
    return FileList(resources, kind, label)


def _parse_resource(item: object, where: str) -> Resource:
    if not isinstance(item, dict) or item.keys() != _RESOURCE_KEYS:
        raise ParseError("a name, a size and a sha256 are wanted", where=where)
    name, size, digest = item["name"], item["size_bytes"], item["sha256"]
    if not isinstance(name, str):
        raise ParseError("the name is not a string", where=f"{where}.name")
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 0):
        raise ParseError("the size is not a whole number", where=f"{where}.size_bytes")
    checked = _parse_digest(digest, where=f"{where}.sha256")
    return Resource(_check_name(name, f"{where}.name"), -1 if size is None else size, checked)


def _parse_digest(value: object, *, where: str) -> str:
    if not isinstance(value, str):
        raise ParseError("the digest is not a string", where=where)
    try:
        return Digest(value.removeprefix("sha256:")).hex
    except ParseError as error:
        raise ParseError(str(error), where=where) from error


def _check_name(name: str, where: str) -> str:
    parts = name.split("/")
    try:
        name.encode()
    except UnicodeEncodeError:
        parts = [""]
    if not {"", ".", ".."}.isdisjoint(parts) or not _UNUSABLE.isdisjoint(name):
        raise ParseError(f"{name[:200]!r} is not a plain path inside the artifact", where=where)
    return name


def _sort(found: Iterable[Resource], what: str, limits: Limits) -> tuple[Resource, ...]:
    resources = tuple(sorted(found, key=lambda resource: resource.name))
    if len(resources) > limits.max_entries:
        raise LimitExceededError(
            "max_entries", limit=limits.max_entries, actual=len(resources), subject=what
        )
    for before, resource in pairwise(resources):
        if before.name == resource.name:
            raise ParseError(f"{what} lists {resource.name[:200]!r} twice", where="a name")
    return resources
