"""Manifest: which files an artifact has, and what they hash to."""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from weighbridge.core._digest import Digest
from weighbridge.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core._serialization import Listing

__all__ = ["ArtifactKind", "Manifest", "ManifestDiff", "Resource", "diff_manifests"]


class ArtifactKind(StrEnum):
    """An artifact is a file or a folder."""

    FILE = "file"
    FOLDER = "folder"


class Resource(NamedTuple):
    """One regular file: POSIX path inside the artifact, size in bytes, sha256 in lower-case hex.

    The sha256 is empty if nobody knows it: what was taken over from a signature that lists another
    hash, and what that signature says of a file.

    A tuple, which is made in a third of a dataclass's time: there is one for each file.
    """

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The regular files of an artifact, sorted by name in the order of code points.

    Attributes:
        kind: Whether one bare file or a folder was weighed.
        label: The last part of its path. For people; never trusted, never hashed.
        resources: For a bare file exactly one, named by ``label``.
        left_out: Names that are there and outside the artifact's scope.
        listing: The same files in another serialization, hashed in the same read; None if nobody
            asked for one.
    """

    kind: ArtifactKind
    label: str
    resources: tuple[Resource, ...]
    left_out: tuple[str, ...] = ()
    listing: Listing | None = None

    @property
    def size_bytes(self) -> int:
        """Return the sum of the files' sizes."""
        return sum(resource.size_bytes for resource in self.resources)

    @property
    def is_known(self) -> bool:
        """Return whether the sha256 of every file is known, and so the artifact digest."""
        return all(resource.sha256 for resource in self.resources)

    def to_sha256sum(self) -> bytes:
        r"""Return what ``sha256sum`` prints for these files: ``<hex>  <path>\n`` each, in order.

        Raises:
            InputError: The sha256 of some file is not known.
        """
        self._check_known()
        return "".join(f"{r.sha256}  {r.name}\n" for r in self.resources).encode()

    def compute_digest(self) -> Digest:
        """Return the artifact digest.

        A file's is the sha256 of its bytes. A folder's is the sha256 of :meth:`to_sha256sum`, so
        that it covers names and anyone can recompute it with coreutils.

        Raises:
            InputError: The sha256 of some file is not known.

        Source:
            in-toto attestation ``dirHash`` (Go's ``h1``), written in hex.
        """
        self._check_known()
        if self.kind is ArtifactKind.FILE:
            return Digest(self.resources[0].sha256)
        return Digest(hashlib.sha256(self.to_sha256sum()).hexdigest())

    def compute_oms_root(self) -> Digest:
        """Return the root digest of OpenSSF Model Signing: an alias, for it does not cover names.

        Raises:
            InputError: The sha256 of some file is not known.

        Source:
            OpenSSF Model Signing v1.0: sha256 over the resources' raw digests in their order.
        """
        self._check_known()
        raw = bytes.fromhex("".join([resource.sha256 for resource in self.resources]))
        return Digest(hashlib.sha256(raw).hexdigest())

    def _check_known(self) -> None:
        if not self.is_known:
            raise InputError(
                "the artifact digest is not known, because files were taken over from a signature "
                "that lists another hash; hash the artifact"
            )


@dataclass(frozen=True, slots=True)
class ManifestDiff:
    """What differs between the files that were expected and those that are there.

    Attributes:
        changed: Same name, other bytes: (expected, actual).
        missing: Expected and not there.
        extra: There and not expected.
        renamed: Same digest, other name: (expected, actual). Not also in missing or extra.
    """

    changed: tuple[tuple[Resource, Resource], ...] = ()
    missing: tuple[Resource, ...] = ()
    extra: tuple[Resource, ...] = ()
    renamed: tuple[tuple[Resource, Resource], ...] = ()

    def __bool__(self) -> bool:
        """Return whether anything differs."""
        return bool(self.changed or self.missing or self.extra or self.renamed)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names concerned, sorted, each once."""
        pairs = (*self.changed, *self.renamed)
        single = (*self.missing, *self.extra)
        return tuple(sorted({r.name for pair in pairs for r in pair} | {r.name for r in single}))

    def to_words(self) -> str:
        """Return how much differs: ``1 changed, 2 missing``."""
        counts = {
            "changed": len(self.changed),
            "missing": len(self.missing),
            "extra": len(self.extra),
            "renamed": len(self.renamed),
        }
        return ", ".join(f"{count:,} {word}" for word, count in counts.items() if count)

    def to_lines(self) -> Iterator[str]:
        """Yield one line a difference, such as ``changed: w.bin (12 bytes signed, 13 found)``."""
        for expected, actual in self.changed:
            if expected.size_bytes < 0 or expected.size_bytes == actual.size_bytes:
                yield f"changed: {expected.name} ({actual.size_bytes:,} bytes)"
            else:
                sizes = f"{expected.size_bytes:,} bytes expected, {actual.size_bytes:,} found"
                yield f"changed: {expected.name} ({sizes})"
        yield from (f"missing: {r.name}" for r in self.missing)
        yield from (f"extra: {r.name} ({r.size_bytes:,} bytes)" for r in self.extra)
        yield from (f"renamed: {old.name} -> {new.name}" for old, new in self.renamed)


def diff_manifests(expected: tuple[Resource, ...], actual: tuple[Resource, ...]) -> ManifestDiff:
    """Compare two lists of resources by name, then by digest; order does not matter.

    A negative ``size_bytes`` in ``expected`` means that the size is not known (OMS does not
    record sizes); sizes are never compared, digests are.
    """
    if {r.name: r.sha256 for r in expected} == {r.name: r.sha256 for r in actual}:
        return ManifestDiff()
    wanted = {r.name: r for r in expected}
    found = {r.name: r for r in actual}
    changed = tuple(
        (wanted[name], found[name])
        for name in sorted(wanted.keys() & found.keys())
        if wanted[name].sha256 != found[name].sha256
    )
    missing = [wanted[name] for name in sorted(wanted.keys() - found.keys())]
    extra = [found[name] for name in sorted(found.keys() - wanted.keys())]
    moved: dict[str, deque[Resource]] = {}
    for resource in extra:
        moved.setdefault(resource.sha256, deque()).append(resource)
    renamed = tuple((r, moved[r.sha256].popleft()) for r in missing if moved.get(r.sha256))
    gone = {old.name for old, _ in renamed}
    come = {new.name for _, new in renamed}
    return ManifestDiff(
        changed=changed,
        missing=tuple(r for r in missing if r.name not in gone),
        extra=tuple(r for r in extra if r.name not in come),
        renamed=renamed,
    )
