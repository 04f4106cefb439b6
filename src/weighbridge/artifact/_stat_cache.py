"""Stat cache: digests that were computed here before, for files that nobody touched since.

What is in it is signed without being read, so it has to be our own: a file that nobody else could
write. It holds facts that do not grow old ("the file with this identity had this sha256"), so that
an older copy of it does no harm; a forged one would.
"""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from weighbridge.artifact._documents import write_atomically
from weighbridge.core import ArtifactKind, parse_json, printable
from weighbridge.errors import InputError, LimitExceededError, ParseError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from weighbridge.artifact._tree import Identity, Tree
    from weighbridge.core import Limits

__all__ = ["StatCache", "load_stat_cache", "save_stat_cache"]

_FORMAT = "weighbridge stat cache"
_VERSION = 1
_KEYS = frozenset({"format", "version", "root", "files"})
_SHA256 = re.compile(r"[0-9a-f]{64}")
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# Of all file systems in use the coarsest times are those of FAT. A file that is younger than this
# when it is read could be written again without a sign of it, as "racily clean" entries in git.
_GRAIN_NS = 2_000_000_000
_FIELDS = 6  # an identity and the sha256


@dataclass(frozen=True, slots=True)
class StatCache:
    """Name to identity and sha256 of the files of one artifact."""

    files: Mapping[str, tuple[Identity, str]]

    def find(self, tree: Tree) -> dict[str, str]:
        """Return the sha256 of each file that has the identity with which it was hashed."""
        found = {}
        for entry in tree.entries:
            identity, sha256 = self.files.get(entry.name, (None, ""))
            if entry.in_scope and identity == entry.identity:
                found[entry.name] = sha256
        return found


def load_stat_cache(path: Path, tree: Tree, *, limits: Limits) -> StatCache:
    """Read what :func:`save_stat_cache` wrote; empty if there is nothing yet.

    Args:
        path: The file, which must not lie inside the artifact.
        tree: The artifact.
        limits: ``max_list_bytes`` and ``max_entries`` apply.

    Raises:
        InputError: It lies inside the artifact, is a link or no regular file, belongs to somebody
            else, others may read or write it, it has a second name, is of another artifact, or is
            not understood.
        LimitExceededError: It is larger than ``max_list_bytes``.
    """
    shown = printable(str(path))
    inside = os.path.realpath(path).startswith(os.path.realpath(tree.folder) + os.sep)
    if tree.kind is ArtifactKind.FOLDER and inside:
        raise InputError(f"the stat cache {shown} lies inside the artifact; keep it elsewhere")
    try:
        descriptor = os.open(path, _OPEN)
    except FileNotFoundError:
        return StatCache({})
    except OSError as error:
        reason = (error.strerror or "error").lower()
        raise InputError(f"cannot read the stat cache {shown}: {reason}; remove it") from error
    try:
        problem = _find_problem(os.fstat(descriptor))
        if problem:
            raise InputError(f"the stat cache {shown} {problem}, so it is not believed; remove it")
        with os.fdopen(os.dup(descriptor), "rb") as stream:
            data = stream.read(limits.max_list_bytes + 1)
    finally:
        os.close(descriptor)
    if len(data) > limits.max_list_bytes:
        raise LimitExceededError(
            "max_list_bytes", limit=limits.max_list_bytes, actual=len(data), subject=shown
        )
    return _parse(data, tree, what=f"the stat cache {shown}", limits=limits)


def save_stat_cache(
    path: Path, tree: Tree, digests: Mapping[str, str], *, read_from_ns: int
) -> None:
    """Write what was hashed; with mode 0600, whole or not at all.

    A file that changed shortly before it was read is left out: it could change again and keep its
    times.

    Args:
        path: The file.
        tree: The artifact as it was listed before it was hashed.
        digests: Name to the sha256 that this run computed, or took from this cache.
        read_from_ns: When this run began to read, in ns since 1970.

    Raises:
        InputError: The file cannot be written.
        IncompleteError: The disk is full.
    """
    files = {
        entry.name: [*entry.identity, digests[entry.name]]
        for entry in tree.entries
        if entry.name in digests and max(entry.identity[-2:]) + _GRAIN_NS < read_from_ns
    }
    document = {
        "format": _FORMAT,
        "version": _VERSION,
        "root": _name_root(tree),
        "files": files,
    }
    write_atomically(path, json.dumps(document).encode(), mode=0o600)


def _find_problem(status: os.stat_result) -> str:
    if not stat.S_ISREG(status.st_mode):
        return "is not a regular file"
    if status.st_uid != os.geteuid():
        return "belongs to somebody else"
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return "may be opened by others (its mode has to be 0600)"
    if status.st_nlink != 1:
        return "has a second name (a hard link)"
    return ""


def _name_root(tree: Tree) -> str:
    """Return where the artifact is; a bare file's cache is none of its folder."""
    root = os.fsencode(os.path.realpath(tree.folder)).decode("utf-8", "surrogateescape")
    return f"{tree.kind.value}:{root}"


def _parse(data: bytes, tree: Tree, *, what: str, limits: Limits) -> StatCache:
    values = (_FIELDS + 2) * limits.max_entries + 64
    document = parse_json(data, what=what, limits=limits, max_values=values)
    if not isinstance(document, dict) or document.keys() != _KEYS:
        raise ParseError(f"{what} is not one of ours; remove it")
    if document["format"] != _FORMAT or document["version"] != _VERSION:
        raise ParseError(f"{what} is of another version; remove it")
    if document["root"] != _name_root(tree):
        raise InputError(f"{what} is of another artifact; name another file, or remove it")
    files = document["files"]
    if not isinstance(files, dict):
        raise ParseError(f"{what} is damaged; remove it", where="files")
    return StatCache({name: _parse_file(name, item, what) for name, item in files.items()})


def _parse_file(name: str, item: object, what: str) -> tuple[Identity, str]:
    fields = item if isinstance(item, list) and len(item) == _FIELDS else [None]
    *numbers, sha256 = fields
    if (
        not all(type(number) is int for number in numbers)  # True is no number
        or not isinstance(sha256, str)
        or not _SHA256.fullmatch(sha256)
    ):
        raise ParseError(f"{what} is damaged; remove it", where=f"files[{name[:80]!r}]")
    return cast("Identity", tuple(numbers)), sha256
