"""Inclusion: which file or folder lies in which folder; by digests, never by names alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from weighbridge.core import ArtifactKind, Manifest, Resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from weighbridge.core import SignedFiles
    from weighbridge.lineage._believe import Said

__all__ = ["Folders", "Listing", "Place", "list_folders"]

_BARE_FILE = "."  # what model_signing calls a model that is a single file
_PROBES: Final = 8


class Place(NamedTuple):
    """Where something lies: in which folder, below which path; an empty path is all of it."""

    folder: str
    path: str


class Listing(NamedTuple):
    """A signed list of files: its OMS root, the artifact digest of the list, the statement."""

    root: str
    id: str
    claim: str


@dataclass(slots=True)
class Folders:
    """Folders whose files are known.

    Attributes:
        files: By the folder's id: path to sha256 in hex.
        listings: Which of them publishers signed.
        budget: How many more files may be compared.
        places: Hex of a file to where it lies; only of files that may be asked for.
    """

    files: dict[str, Mapping[str, str]] = field(default_factory=dict)
    listings: tuple[Listing, ...] = ()
    budget: int = 0
    places: dict[str, list[Place]] = field(default_factory=dict)

    def note_places(self, wanted: set[str]) -> None:
        """Look once at all files, and note where those in ``wanted``, and the probes, lie."""
        probes = {h for files in self.files.values() for h in _choose_probes(files).values()}
        for folder in sorted(self.files):
            for path, value in self.files[folder].items():
                if value in wanted or value in probes:
                    self.places.setdefault(value, []).append(Place(folder, path))

    def find_file(self, value: str) -> list[Place]:
        """Return in which folders a file lies; the first path in each."""
        first: dict[str, str] = {}
        for folder, path in self.places.get(value, ()):
            first[folder] = min(path, first.get(folder, path))
        return [Place(folder, path) for folder, path in sorted(first.items())]

    def find_roots(self) -> dict[str, str]:
        """Return the OMS root of each folder, as an id, whoever signed it or nobody."""
        return {name: f"sha256:{_hash_root(files)}" for name, files in self.files.items()}

    def find_folder(self, name: str) -> tuple[list[Place], bool]:
        """Return in which folders all files of a folder lie, and whether all could be looked at.

        They lie there below one path, with the same names and digests: what was swapped does not.
        """
        files = self.files[name]
        probes = _choose_probes(files)
        if not probes:
            return [], True
        probe, value = min(probes.items(), key=lambda p: (len(self.places[p[1]]), p[0]))
        found: dict[str, str] = {}
        for folder, path in self.places[value]:
            self.budget -= 1
            if self.budget < 0:
                return _to_places(found), False
            if folder == name or folder in found or not f"/{path}".endswith(f"/{probe}"):
                continue
            prefix = path[: len(path) - len(probe)]
            if self._holds(folder, prefix, files):
                found[folder] = prefix
        return _to_places(found), True

    def _holds(self, folder: str, prefix: str, files: Mapping[str, str]) -> bool:
        whole = self.files[folder]
        for path, value in files.items():
            self.budget -= 1
            if whole.get(prefix + path) != value:
                return False
        return True


def list_folders(
    manifests: Sequence[Manifest], listings: Iterable[Said[SignedFiles]], *, most: int
) -> Folders:
    """Return the folders whose files are known, from manifests and from what publishers signed.

    Args:
        manifests: Of what was weighed; bare files and those with unknown digests tell nothing.
        listings: Lists of another hash than sha256, or with names that no manifest of ours could
            have, tell nothing.
        most: How many files are compared at most to find which folder lies in which.
    """
    files: dict[str, Mapping[str, str]] = {}
    signed: list[Listing] = []
    for manifest in manifests:
        if manifest.kind is ArtifactKind.FOLDER and manifest.resources and manifest.is_known:
            by_path = {resource.name: resource.sha256 for resource in manifest.resources}
            files[str(manifest.compute_digest())] = by_path
    for claim, content, _ in listings:
        name = _name_listing(content.files)
        if name:
            signed.append(Listing(str(content.root), name, claim.id.hex))
            if _BARE_FILE not in content.files:
                files.setdefault(name, content.files)
    return Folders(files, tuple(signed), most)


def _name_listing(files: Mapping[str, str]) -> str:
    """Return the artifact digest of a list; empty if it cannot have one."""
    if _BARE_FILE in files:
        return f"sha256:{files[_BARE_FILE]}" if len(files) == 1 else ""
    if not files or any("\n" in path or "\\" in path for path in files):
        return ""
    resources = tuple(Resource(path, -1, files[path]) for path in sorted(files))
    try:
        return str(Manifest(ArtifactKind.FOLDER, "", resources).compute_digest())
    except UnicodeEncodeError:
        return ""


def _hash_root(files: Mapping[str, str]) -> str:
    raw = bytes.fromhex("".join(files[path] for path in sorted(files)))
    return hashlib.sha256(raw).hexdigest()


def _choose_probes(files: Mapping[str, str]) -> dict[str, str]:
    """Return some files of a folder, by path: the rarest of them tells fastest where it may lie."""
    paths = sorted(files)
    return {path: files[path] for path in paths[:: max(1, len(paths) // _PROBES)]}


def _to_places(found: Mapping[str, str]) -> list[Place]:
    return [Place(folder, prefix.rstrip("/")) for folder, prefix in sorted(found.items())]
