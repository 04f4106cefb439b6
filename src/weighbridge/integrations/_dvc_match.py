"""Whether what is here is what DVC recorded, by the md5 that was taken in the same read."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from weighbridge.artifact import CLAIMS_NAME, DEFAULT_SIGNATURE_NAME, read_document
from weighbridge.core import ArtifactKind, parse_json, printable
from weighbridge.errors import WeighbridgeError
from weighbridge.formats import compute_dvc_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from weighbridge.core import Limits
    from weighbridge.formats import DvcEntry, DvcHashes
    from weighbridge.integrations._dvc_repository import Place
    from weighbridge.workflow import Examined

__all__ = ["describe_difference"]

_OURS = frozenset({CLAIMS_NAME, DEFAULT_SIGNATURE_NAME})
_MOST_NAMED = 3


def describe_difference(
    place: Place, found: Examined[DvcHashes], *, root: Path, limits: Limits
) -> str:
    """Return what differs from the record, as half a sentence; empty if nothing does.

    Args:
        place: What DVC recorded.
        found: What is there.
        root: The repository, whose cache may list the files of a folder.
        limits: Bounds on that list.
    """
    entry = place.entry
    is_folder = found.kind is ArtifactKind.FOLDER
    if is_folder != entry.is_folder:
        return f"is a {found.kind.value}, and DVC recorded {_kind(is_folder=entry.is_folder)}"
    if is_folder:
        matches = entry.md5 in set(_list_folder_digests(entry, found.seen))
        return "" if matches else _describe_folder(entry, found.seen, root, limits)
    (hashes,) = found.seen
    if entry.md5 not in (hashes.legacy if entry.is_legacy else (hashes.md5,)):
        return f"is another file than DVC recorded (md5 {entry.md5}, here {hashes.md5})"
    if entry.size_bytes not in (None, found.size_bytes):
        return f"has {found.size_bytes:,} bytes, and DVC recorded {entry.size_bytes:,}"
    return ""


def _list_folder_digests(entry: DvcEntry, files: Sequence[DvcHashes]) -> Iterator[str]:
    """Yield each md5 that DVC may have recorded: with or without files that we put there."""
    for seen in (files, [file for file in files if file.name not in _OURS]):
        if entry.is_legacy:
            yield compute_dvc_folder((file.name, file.legacy[0]) for file in seen)
            yield compute_dvc_folder((file.name, file.legacy[-1]) for file in seen)
        else:
            yield compute_dvc_folder((file.name, file.md5) for file in seen)


def _describe_folder(
    entry: DvcEntry, files: Sequence[DvcHashes], root: Path, limits: Limits
) -> str:
    words = "holds other files than DVC recorded"
    listed = _read_list(entry, root, limits)
    if listed is None:
        return f"{words} (md5 {entry.md5}.dir)"
    here = {file.name: file for file in files if file.name not in _OURS or file.name in listed}
    changed = [
        name
        for name, md5 in listed.items()
        if name in here and md5 not in (here[name].md5, *here[name].legacy)
    ]
    parts = {
        "changed": changed,
        "missing": [name for name in listed if name not in here],
        "not recorded": [name for name in here if name not in listed],
    }
    said = [f"{what}: {_name(names)}" for what, names in parts.items() if names]
    return f"{words} ({'; '.join(said)})"


def _read_list(entry: DvcEntry, root: Path, limits: Limits) -> dict[str, str] | None:
    """Return name and md5 of a folder's files from DVC's cache, if the list there is the one."""
    cache = root / ".dvc" / "cache"
    middle = () if entry.is_legacy else ("files", "md5")
    path = cache.joinpath(*middle, entry.md5[:2], f"{entry.md5[2:]}.dir")
    try:
        data = read_document(
            path, what="list", limit_name="max_list_bytes", limit_bytes=limits.max_list_bytes
        )
        if hashlib.md5(data, usedforsecurity=False).hexdigest() != entry.md5:
            return None
        listed = parse_json(data, what="list", limits=limits)
    except WeighbridgeError:
        return None
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        return None
    return {str(item.get("relpath")): str(item.get("md5")) for item in listed}


def _name(names: Sequence[str]) -> str:
    shown = ", ".join(printable(name, limit=80) for name in sorted(names)[:_MOST_NAMED])
    more = len(names) - _MOST_NAMED
    return f"{shown} and {more:,} more" if more > 0 else shown


def _kind(*, is_folder: bool) -> str:
    return "a folder" if is_folder else "a file"
