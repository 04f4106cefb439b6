"""Building the manifest of an artifact of which something is known from before."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from weighbridge.artifact import Weighed, is_as_listed, refuse_changes, walk
from weighbridge.core import Manifest, ManifestDiff, Resource, collection_paused
from weighbridge.errors import DigestMismatchError
from weighbridge.signing import Names, reconcile, relist
from weighbridge.workflow._declare import list_operations
from weighbridge.workflow._reread import POINTER_BYTES, count_files, reread

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from weighbridge.artifact import Tree
    from weighbridge.core import Serialization
    from weighbridge.signing import ReusePlan
    from weighbridge.workflow._declare import Base
    from weighbridge.workflow._reread import Weighing
    from weighbridge.workflow._reuse import Reuse

__all__ = ["Reused", "list_files", "rebuild_manifest", "refuse_changed"]


@dataclass(frozen=True, slots=True)
class Reused:
    """What signing again took from the old signature and what it read; names are sorted.

    Attributes:
        hashed: Files that were read.
        audited: How many of ``hashed`` were declared unchanged, and are.
        reused_count: Files whose digest was taken from the old signature.
        dropped: Files of the old signature that are gone.
        undeclared_new: Those of ``hashed`` that are new and were not declared.
        undeclared_gone: Those of ``dropped`` that were not declared.
        skipped: Files that were declared and are never signed.
        outside_count: How many changes git listed outside the artifact.
        in_full: Whether everything was read because another serialization was asked for than the
            old signature has.
    """

    hashed: tuple[str, ...]
    audited: int
    reused_count: int
    dropped: tuple[str, ...] = ()
    undeclared_new: tuple[str, ...] = ()
    undeclared_gone: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    outside_count: int = 0
    in_full: bool = False


def list_files(root: Path, weighing: Weighing) -> Tree:
    """List the artifact's files, and refuse links and the like before anything is read.

    Raises:
        InputError: There is something that cannot be signed.
        LimitExceededError: Too many files, or too deep.
    """
    tree = walk(root, limits=weighing.limits, signature=weighing.signature, scope=weighing.scope)
    Weighed(tree, (), (), tree.failures).to_manifest()
    return tree


def rebuild_manifest(
    root: Path,
    tree: Tree,
    base: Base,
    reuse: Reuse,
    *,
    weighing: Weighing,
    wanted: Serialization | None = None,
) -> tuple[Manifest, Reused]:
    """Build the manifest that hashing everything would give, and hash what changed.

    In the result the sha256 of a file that was not read is empty where ``base`` does not list it;
    the ``listing`` is whole in any case.

    Args:
        root: A file or a folder.
        tree: As :func:`list_files` gave it.
        base: What is known from before; whose word that is, the caller knows.
        reuse: What changed.
        weighing: How.
        wanted: The serialization to list; another than that of ``base`` makes everything be read.

    Raises:
        InputError: What is declared does not fit, or something cannot be signed.
        DigestMismatchError: A file that was audited, is very small or is declared as renamed has
            other bytes than ``base`` says; one has another size or another digest than is
            declared.
        ArtifactChangedError: Meanwhile a file that was read changed, or any came or went. One that
            is not read is signed as it is declared, whenever it changes.
        MissingExtraError: BLAKE3 is to be listed, and the extra is not installed.
        LimitExceededError: Too many files or shards.
    """
    sizes = {e.name: e.size_bytes for e in tree.entries if e.in_scope}
    signed = base.digests
    disk = Names(frozenset(sizes), frozenset(tree.left_out))
    declared = list_operations(reuse, tree, disk, base, limits=weighing.limits)
    plan = reconcile(signed, disk, declared.operations, strict=reuse.strict)
    declared_hashed = len(plan.hashed)
    serialization = wanted or base.serialization
    in_full = serialization != base.serialization
    if in_full:  # nothing that was signed can be compared with what is going to be hashed
        plan = replace(plan, reused={}, hashed=disk.names, expected={})
        declared_hashed, signed = len(plan.hashed), {}
    plan = plan.audit(_choose_audited(plan, sizes, reuse.audit_ratio))
    _refuse_misfits(base, plan, sizes)
    known = signed if base.refuses_pointers else None
    read = reread(tree, plan, known, serialization=serialization, weighing=weighing)
    _compare_declared(read, declared.digests)
    manifest = _put_together(tree, sizes, base, plan, read)
    if not is_as_listed(tree, plan.hashed):
        refuse_changed(tree, root, weighing)
    return manifest, Reused(
        hashed=tuple(sorted(plan.hashed)),
        audited=len(plan.hashed) - declared_hashed,
        reused_count=len(plan.reused),
        dropped=plan.dropped,
        undeclared_new=plan.undeclared_new,
        undeclared_gone=plan.undeclared_gone,
        skipped=plan.skipped,
        outside_count=declared.outside_count,
        in_full=in_full,
    )


def refuse_changed(tree: Tree, root: Path, weighing: Weighing) -> None:
    """List the artifact again.

    Raises:
        ArtifactChangedError: It is not as ``tree`` says.
    """
    refuse_changes(
        tree,
        root,
        limits=weighing.limits,
        signature=weighing.signature,
        scope=weighing.scope,
    )


def _choose_audited(plan: ReusePlan, sizes: Mapping[str, int], ratio: float) -> frozenset[str]:
    """Choose what is hashed though it is declared unchanged: a random share, and what is tiny."""
    small = [name for name, size_bytes in sizes.items() if size_bytes < POINTER_BYTES]
    tiny = frozenset(name for name in small if name in plan.reused)
    count = math.ceil(len(plan.reused) * ratio)
    return tiny.union(random.SystemRandom().sample(sorted(plan.reused), count)) if count else tiny


def _refuse_misfits(base: Base, plan: ReusePlan, sizes: Mapping[str, int]) -> None:
    """Refuse what cannot be unchanged because it has another size."""
    if not base.sizes:
        return
    misfits = tuple(
        (Resource(name, base.sizes[digest], ""), Resource(name, sizes[name], ""))
        for name, digest in plan.reused.items()
        if base.sizes.get(digest, sizes[name]) != sizes[name]
    )
    if misfits:
        raise DigestMismatchError(
            f"{count_files(len(misfits))} of the size that it had; declare what changed",
            diff=ManifestDiff(changed=misfits),
        )


def _compare_declared(read: Manifest, digests: Mapping[str, str]) -> None:
    """Compare what was hashed with the digests that the caller gave."""
    wrong = tuple(
        (Resource(resource.name, -1, digests[resource.name]), resource)
        for resource in read.resources
        if digests.get(resource.name, resource.sha256) != resource.sha256
    )
    if wrong:
        raise DigestMismatchError(
            f"{count_files(len(wrong))} with the bytes that the given digest says; "
            "give the digests of the files as they are now",
            diff=ManifestDiff(changed=wrong),
        )


@collection_paused()
def _put_together(
    tree: Tree, sizes: Mapping[str, int], base: Base, plan: ReusePlan, read: Manifest
) -> Manifest:
    """Return the manifest of what was read and what is taken over, sorted as ``sizes`` is."""
    if not plan.reused:
        return read
    if base.listing is not None:
        resources, listing = relist(base.listing, plan.reused, read, sizes)
        return Manifest(tree.kind, tree.label, resources, tree.left_out, listing)
    found = {resource.name: resource for resource in read.resources}
    together = [
        # Not Resource(...), which takes twice as long.
        found.get(name) or tuple.__new__(Resource, (name, size_bytes, plan.reused[name]))
        for name, size_bytes in sizes.items()
    ]
    return Manifest(tree.kind, tree.label, tuple(together), tree.left_out)
