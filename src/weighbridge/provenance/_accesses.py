"""The files that a step touched, as a trace lists them: many in one folder are one entry."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from weighbridge.core import printable
from weighbridge.provenance._uris import to_file_uri

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from collections.abc import Set as AbstractSet

    from weighbridge.core import JsonValue

__all__ = ["list_accesses"]

# So many files of one folder are still listed by name.
_MOST_NAMED = 20


def list_accesses(
    paths: Iterable[str],
    access: str,
    *,
    folders: AbstractSet[str] = frozenset(),
    apart: AbstractSet[str] = frozenset(),
) -> Iterator[JsonValue]:
    """Yield a ResourceDescriptor for each file, or for a folder of which many files were touched.

    A library reads thousands of files and a data set has millions, and the record accounts for them
    already. So a folder of these is one entry, with the number of files and the sha256 of their
    names, each ended by NUL, sorted by their bytes.

    Args:
        paths: Absolute; bytes that are no UTF-8 as surrogates.
        access: What was done: ``read``, ``write`` or ``denied``.
        folders: What may be one entry; of several the innermost.
        apart: Files that are always named, as they are printed.
    """
    groups: dict[str, list[str]] = {}
    for path in paths:
        is_apart = bool(apart) and printable(path) in apart
        folder = "" if is_apart else _find_folder(path, folders)
        groups.setdefault(folder, []).append(path)
    single = groups.pop("", [])
    for names in groups.values():
        if len(names) <= _MOST_NAMED:
            single += names
    for path in sorted(single):
        yield _describe(path, {"access": access})
    for folder, names in sorted(groups.items()):
        if len(names) > _MOST_NAMED:
            listed = b"".join(
                sorted(name.encode(errors="surrogateescape") + b"\0" for name in names)
            )
            facts = {"files": str(len(names)), "namesSha256": hashlib.sha256(listed).hexdigest()}
            yield _describe(folder, {"access": access, "kind": "folder", **facts})


def _find_folder(path: str, folders: AbstractSet[str]) -> str:
    """Return the innermost of ``folders`` that a file is in; empty if there is none."""
    folder = path.rpartition("/")[0]
    while folder and folder not in folders:
        folder = folder.rpartition("/")[0]
    return folder


def _describe(path: str, annotations: dict[str, JsonValue]) -> JsonValue:
    """Return what was touched; a ResourceDescriptor must have an address or a digest."""
    return {"name": printable(path), "uri": to_file_uri(path), "annotations": annotations}
