"""Reading again what changed, and holding it against what was declared and signed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weighbridge.artifact import WHOLE, Scope, build_manifest, weigh_tree
from weighbridge.core import PLAIN, Manifest, ManifestDiff, Resource, printable
from weighbridge.errors import DigestMismatchError, InputError
from weighbridge.signing import index_listing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from weighbridge.artifact import Tree
    from weighbridge.core import Limits, Serialization
    from weighbridge.core.ports import ByteSource, Executor, Progress
    from weighbridge.signing import ReusePlan

__all__ = ["POINTER_BYTES", "Weighing", "count_files", "reread"]

# A Git LFS pointer is shorter than this. Files so small are always read: it costs next to nothing,
# and a pointer that stands where the signed file was must never keep that file's digest.
POINTER_BYTES = 1024
_POINTER_MARK = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True, slots=True)
class Weighing:
    """How to weigh: where to hash, bounds, the signature file, who is told, what is left out."""

    executor: Executor
    limits: Limits
    signature: Path | None
    progress: Progress | None = field(default=None)
    scope: Scope = WHOLE

    def build_manifest(self, root: Path, *, serialization: Serialization) -> Manifest:
        """Hash everything; see :func:`weighbridge.artifact.build_manifest`."""
        return build_manifest(
            root,
            executor=self.executor,
            limits=self.limits,
            signature=self.signature,
            scope=self.scope,
            serialization=serialization,
            progress=self.progress,
        )


def reread(
    tree: Tree,
    plan: ReusePlan,
    signed: Mapping[str, str] | None,
    *,
    serialization: Serialization,
    weighing: Weighing,
) -> Manifest:
    """Hash what the plan wants hashed.

    Args:
        tree: The artifact.
        plan: ``hashed`` and ``expected`` apply.
        signed: Name to what was known of it before: its sha256, or what its listing gives. None if
            a Git LFS pointer may stand anywhere.
        serialization: In which ``signed`` is, and the result.
        weighing: How.

    Raises:
        InputError: A file cannot be read, or is a Git LFS pointer and was not before.
        DigestMismatchError: A file is not what the plan expects.
        ArtifactChangedError: A file changed meanwhile.
    """
    weighed = weigh_tree(
        tree,
        executor=weighing.executor,
        limits=weighing.limits,
        only=plan.hashed,
        inspector=_find_pointer,
        serialization=serialization,
        progress=weighing.progress,
    )
    manifest = weighed.to_manifest()
    if manifest.listing is None:
        found = {resource.name: resource.sha256 for resource in manifest.resources}
    else:
        found = index_listing(manifest.listing, tree.kind, tree.label)
    for name in weighed.inspections:
        if signed is not None and name in found and signed.get(name) != found[name]:
            raise InputError(
                f"{printable(name)} is a Git LFS pointer and not the file itself; "
                "run git lfs pull, then run this again"
            )
    wrong = tuple(
        (Resource(resource.name, -1, expected if serialization == PLAIN else ""), resource)
        for resource in manifest.resources
        for expected in [plan.expected.get(resource.name)]
        if expected is not None and expected != found.get(resource.name)
    )
    if wrong:
        raise DigestMismatchError(
            f"{count_files(len(wrong))} as declared: the bytes are not those that were known; "
            "declare what changed, or have everything read",
            diff=ManifestDiff(changed=wrong),
        )
    return manifest


def count_files(count: int) -> str:
    """Return the beginning of a sentence: ``one file is not`` or ``3 files are not``."""
    return "one file is not" if count == 1 else f"{count:,} files are not"


def _find_pointer(source: ByteSource) -> str | None:
    """Return the name of a file that is a Git LFS pointer."""
    if source.size_bytes >= POINTER_BYTES:
        return None
    is_pointer = source.read_at(0, len(_POINTER_MARK)) == _POINTER_MARK
    return source.name if is_pointer else None
