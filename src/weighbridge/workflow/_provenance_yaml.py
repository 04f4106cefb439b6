"""Documents that teams keep by hand: read and compared, or written from the signed lineage."""

from __future__ import annotations

import hashlib
import os
import stat
from bisect import bisect_left
from itertools import islice, takewhile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from weighbridge.artifact import read_document, weigh, write_document
from weighbridge.core import (
    DEFAULT_LIMITS,
    ArtifactKind,
    DocumentCheck,
    Manifest,
    Resource,
    printable,
)
from weighbridge.engines import ThreadExecutor
from weighbridge.errors import WeighbridgeError
from weighbridge.export import to_provenance_yaml
from weighbridge.formats import DocumentSection, parse_provenance_yaml
from weighbridge.policy import FoundFile, Surroundings, compare_document
from weighbridge.workflow._paths import to_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.artifact import Weighed
    from weighbridge.core import Digest, Limits, LineageReport
    from weighbridge.core.ports import Executor, StrPath
    from weighbridge.formats import ProvenanceDocument

__all__ = ["check_document", "write_provenance"]

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CHUNK_BYTES = 1024 * 1024
_LEADS_OUT = "leads out of the folder, so it was not looked at"
_NOT_HERE = "is not here"
# What these name is compared with the lineage, if it is here and no digest is given.
_ALWAYS = frozenset({DocumentSection.LOCK, DocumentSection.SCRIPT})


def check_document(  # noqa: PLR0913 - each is one thing to compare with, or to look with
    path: StrPath,
    *,
    root: StrPath,
    files: Mapping[str, str],
    digest: Digest | None,
    lineage: LineageReport | None,
    executor: Executor | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> DocumentCheck:
    """Read a document that a team keeps by hand, and hold it against the files and the lineage.

    Paths in it are looked for in the artifact, then in the document's own folder; nothing outside
    of these is looked at, and no link is followed. Whatever the document holds, nothing is raised.

    Args:
        path: Of the document: ``provenance.yaml``, ``modelcard.yaml``, ``MANIFEST.yaml``.
        root: The artifact, as it was weighed.
        files: POSIX path to sha256 in hex of each of its files.
        digest: The artifact digest; None if it is not known.
        lineage: What it was made from; None if nobody looked.
        executor: Where to hash what lies beside the artifact; by default threads.
        limits: ``max_card_bytes`` bounds the document; the others what is hashed.

    Returns:
        What it says, entry by entry; or a problem, if it is malformed, too large or unreadable.

    Raises:
        InputError: It is missing, or is no regular file.
    """
    file = to_path(path, what="document")
    shown = str(path)
    limit = limits.max_card_bytes
    try:
        data = read_document(file, what="document", limit_name="max_card_bytes", limit_bytes=limit)
        document = parse_provenance_yaml(data, what=file.name, limits=limits)
    except WeighbridgeError as error:
        if not os.path.lexists(file) or not file.is_file():
            raise
        return DocumentCheck(shown, problem=str(error))
    places = _Places(Path(root), file, files, digest, executor or ThreadExecutor(), limits)
    found = _look_for_all(document, places)
    around = Surroundings(shown, files, digest, found, places.own_name, lineage)
    return compare_document(document, around)


def write_provenance(
    path: StrPath,
    *,
    files: Mapping[str, str],
    digest: Digest | None,
    lineage: LineageReport | None,
    limits: Limits = DEFAULT_LIMITS,
) -> None:
    """Write what the files and the signed lineage tell as ``provenance.yaml``.

    Reading it again with :func:`check_document` gives nothing that disagrees.

    Args:
        path: The target; what is there is replaced.
        files: POSIX path to sha256 in hex of each file of the artifact.
        digest: The artifact digest.
        lineage: What it was made from.
        limits: ``max_card_bytes`` bounds the document, so that it can be read again.

    Raises:
        InputError: It cannot be written there; ParseError if it would hold more values than can be
            read again.
        LimitExceededError: It would be larger than ``max_card_bytes``.
        IncompleteError: The disk is full, or fails.
    """
    file = to_path(path, what="document")
    data = to_provenance_yaml(lineage, digest=digest, files=files)
    parse_provenance_yaml(data, what=file.name, limits=limits)
    write_document(
        file,
        data,
        limit_name="max_card_bytes",
        limit_bytes=limits.max_card_bytes,
    )


def _look_for_all(document: ProvenanceDocument, places: _Places) -> dict[str, FoundFile]:
    """Look for every path that the document names, each once, however it is spelled."""
    spelled: dict[str, tuple[str, ...] | None] = {}
    wanted: dict[tuple[str, ...], tuple[bool, bool]] = {}
    for (section, _), item in document.group().items():
        if "path" not in item:
            continue
        parts = spelled[item["path"]] = _split(item["path"])
        if parts is not None:
            hashed, sized = wanted.get(parts, (False, False))
            needs_digest = "sha256" in item or section in _ALWAYS
            wanted[parts] = (hashed or needs_digest, sized or "size" in item)
    found = {
        parts: places.find(parts, with_digest=hashed, with_size=sized)
        for parts, (hashed, sized) in wanted.items()
    }
    out = FoundFile(problem=_LEADS_OUT)
    return {text: out if parts is None else found[parts] for text, parts in spelled.items()}


class _Places:
    """Where paths of a document are looked for; lives for one call of :func:`check_document`."""

    def __init__(
        self,
        root: Path,
        document: Path,
        files: Mapping[str, str],
        digest: Digest | None,
        executor: Executor,
        limits: Limits,
    ) -> None:
        self._root = Path(os.path.realpath(root))
        self._folder = Path(os.path.realpath(document.parent))
        self._is_folder = self._root.is_dir()
        self._files = files
        self._names = sorted(files)
        self._digest = digest
        self._executor = executor
        self._limits = limits
        own = self._folder / document.name
        inside = self._is_folder and own.is_relative_to(self._root)
        self.own_name = own.relative_to(self._root).as_posix() if inside else ""

    def find(self, parts: tuple[str, ...], *, with_digest: bool, with_size: bool) -> FoundFile:
        """Return what is at a path of the document that leads nowhere out; or a problem."""
        name = "/".join(parts)
        if (here := self._find_in_artifact(name, with_size=with_size)) is not None:
            return here
        target = self._folder.joinpath(*parts)
        if target == self._root:
            return self._find_in_artifact("", with_size=with_size) or FoundFile(problem=_NOT_HERE)
        if self._is_folder and target.is_relative_to(self._root):
            inner = target.relative_to(self._root).as_posix()
            here = self._find_in_artifact(inner, with_size=with_size)
            return here or FoundFile(problem=_NOT_HERE)
        try:
            return self._find_beside(parts, with_digest=with_digest)
        except OSError as error:
            return FoundFile(problem=_tell(error))

    def _find_in_artifact(self, name: str, *, with_size: bool) -> FoundFile | None:
        if not name:
            return FoundFile(self._digest.hex) if self._digest is not None else None
        if name in self._files:
            size = self._measure(name) if with_size else None
            return FoundFile(self._files[name], size)
        prefix = f"{name}/"
        begin = bisect_left(self._names, prefix)
        inside = [
            Resource(file.removeprefix(prefix), -1, self._files[file])
            for file in takewhile(
                lambda file: file.startswith(prefix), islice(self._names, begin, None)
            )
        ]
        if not inside:
            return None
        manifest = Manifest(ArtifactKind.FOLDER, name, tuple(inside))
        return FoundFile(manifest.compute_digest().hex)

    def _measure(self, name: str) -> int | None:
        path = self._root / name if self._is_folder else self._root
        try:
            status = path.lstat()
        except (OSError, ValueError):
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def _find_beside(self, parts: tuple[str, ...], *, with_digest: bool) -> FoundFile:
        """Look in the document's folder, part by part, through no link.

        Raises:
            OSError: It is not there, is behind a link, or cannot be read.
        """
        folder = os.open(self._folder, _OPEN | os.O_DIRECTORY)
        try:
            for part in parts[:-1]:
                inner = os.open(part, _OPEN | os.O_DIRECTORY, dir_fd=folder)
                os.close(folder)
                folder = inner
            status = os.lstat(parts[-1], dir_fd=folder) if parts else os.fstat(folder)
            if stat.S_ISREG(status.st_mode):
                return _hash_file(parts[-1], folder, with_digest=with_digest)
        finally:
            os.close(folder)
        if stat.S_ISLNK(status.st_mode):
            return FoundFile(problem="is a link, which is not followed")
        if not stat.S_ISDIR(status.st_mode):
            return FoundFile(problem="is no regular file")
        return self._weigh(self._folder.joinpath(*parts)) if with_digest else FoundFile()

    def _weigh(self, path: Path) -> FoundFile:
        try:
            weighed: Weighed[None] = weigh(path, executor=self._executor, limits=self._limits)
            manifest = weighed.to_manifest()
        except WeighbridgeError as error:
            return FoundFile(problem=f"cannot be hashed: {printable(str(error))}")
        return FoundFile(manifest.compute_digest().hex, manifest.size_bytes)


def _split(text: str) -> tuple[str, ...] | None:
    """Return the parts of a path that stays inside; None if it leads out, or is no such path."""
    if not text or "\0" in text or "\\" in text or PurePosixPath(text).is_absolute():
        return None
    parts = tuple(part for part in text.split("/") if part not in ("", "."))
    return None if ".." in parts else parts


def _hash_file(name: str, folder: int, *, with_digest: bool) -> FoundFile:
    descriptor = os.open(name, _OPEN, dir_fd=folder)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return FoundFile(problem="is no regular file")
        if not with_digest:
            return FoundFile(size_bytes=status.st_size)
        hasher = hashlib.sha256()
        left = status.st_size
        while left >= 0 and (data := os.read(descriptor, min(left + 1, _CHUNK_BYTES))):
            hasher.update(data)
            left -= len(data)
        if left:
            return FoundFile(problem="changed while it was read")
        return FoundFile(hasher.hexdigest(), status.st_size)
    finally:
        os.close(descriptor)


def _tell(error: OSError) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return _NOT_HERE
    return f"cannot be read: {(error.strerror or 'error').lower()}"
