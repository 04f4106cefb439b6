"""sign with an old signature: hash what changed, and take the other digests from there."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from weighbridge.artifact import (
    WHOLE,
    Scope,
    Weighed,
    build_manifest,
    find_changes,
    walk,
    weigh_tree,
)
from weighbridge.core import PLAIN, Manifest, ManifestDiff, Resource, printable
from weighbridge.errors import ArtifactChangedError, DigestMismatchError, InputError
from weighbridge.signing import (
    Names,
    Operation,
    OperationKind,
    parse_signed_manifest,
    reconcile,
    verify_bundle,
)
from weighbridge.workflow._paths import to_path
from weighbridge.workflow._signatures import read_bundle
from weighbridge.workflow._trust import KeyTrust, describe_trust, load_verifier

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from weighbridge.artifact import Tree
    from weighbridge.core import Limits, Serialization
    from weighbridge.core.ports import ByteSource, Executor, Progress, StrPath
    from weighbridge.signing import ReusePlan, SignedManifest, Verifier
    from weighbridge.workflow._trust import Trust

__all__ = ["Reuse", "Reused", "Weighing", "read_base", "rebuild_manifest"]

# A Git LFS pointer is shorter than this. Files so small are always read: it costs next to nothing,
# and a pointer that stands where the signed file was must never keep that file's digest.
_POINTER_BYTES = 1024
_POINTER_MARK = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True, slots=True)
class Reuse:
    """An old signature, and what changed since it was made.

    At least one of ``changed``, ``updated``, ``deleted``, ``renamed``, ``git_since`` and a whole
    audit has to be given; ``changed=[]`` says that nothing changed. Paths are POSIX and inside the
    artifact. What is declared unchanged is not read: its digest is taken on the caller's word.

    Attributes:
        signature: The old bundle; the one that is going to be replaced, or another.
        key: The public key in PEM that it has to be verified with.
        trust: The same in general. With neither it has to be by whoever signs now.
        changed: Files that are new, gone or have other bytes; the disk tells which.
        updated: Files that are there with new bytes.
        deleted: Files that are gone.
        renamed: Pairs of old and new path; the bytes are the same.
        git_since: A revision of the git repository that the folder is in, at which it was signed;
            ``HEAD`` for what is not committed yet.
        strict: Whether a new or missing file that is not declared is an error.
        audit_ratio: Which share of the reused files is hashed all the same, 0 to 1, chosen at
            random; a difference is an error.
    """

    signature: StrPath
    key: StrPath | None = None
    trust: Trust | None = None
    changed: Sequence[str] | None = None
    updated: Sequence[str] = ()
    deleted: Sequence[str] = ()
    renamed: Sequence[tuple[str, str]] = ()
    git_since: str | None = None
    strict: bool = False
    audit_ratio: float = 0.0


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
    """

    hashed: tuple[str, ...]
    audited: int
    reused_count: int
    dropped: tuple[str, ...] = ()
    undeclared_new: tuple[str, ...] = ()
    undeclared_gone: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Weighing:
    """How to weigh: where to hash, bounds, the signature file, who is told, what is left out."""

    executor: Executor
    limits: Limits
    signature: Path
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


def read_base(
    reuse: Reuse, own: Verifier | None, *, limits: Limits, offline: bool = False
) -> SignedManifest:
    """Read and verify the old signature.

    Args:
        reuse: Says where it is and whose it has to be.
        own: Trusted if ``reuse`` names nobody.
        limits: Bounds on the signature's size.
        offline: Whether the network must not be used.

    Raises:
        InputError: The signature or what is trusted cannot be used.
        SignatureError: It does not hold, or somebody else made it.
        LimitExceededError: It is too large.
    """
    if reuse.key is not None and reuse.trust is not None:
        raise InputError("the old signature is trusted by a key and by something else; give one")
    name, verifier = "the signer's own earlier signatures", own
    trust = reuse.trust if reuse.key is None else KeyTrust(reuse.key)
    if trust is not None:
        name = describe_trust(trust)
        verifier = load_verifier(trust, limits=limits, offline=offline)
    if verifier is None:
        raise InputError(
            "whose the old signature has to be cannot be told from this signer; "
            "say it, for instance with a public key"
        )
    bundle = read_bundle(to_path(reuse.signature, what="old signature"), limits=limits)
    verified = verify_bundle(bundle, {name: verifier}, at=datetime.now(UTC), limits=limits)
    signed = parse_signed_manifest(verified.statement)
    if signed.serialization != PLAIN:
        raise InputError(
            "the old signature does not list sha256 digests of files, which is all that can be "
            "signed again; sign in full"
        )
    return signed


def rebuild_manifest(
    root: Path, base: SignedManifest, reuse: Reuse, *, weighing: Weighing
) -> tuple[Manifest, Reused]:
    """Build the manifest that hashing everything would give, and hash what changed.

    Args:
        root: A file or a folder.
        base: From a signature that was verified.
        reuse: What changed.
        weighing: How.

    Raises:
        InputError: What is declared does not fit, or something cannot be signed.
        DigestMismatchError: A file that was audited, is very small or is declared as renamed has
            other bytes than the old signature says.
        ArtifactChangedError: A file changed meanwhile.
        LimitExceededError: Too many files, or too deep.
    """
    _check_request(reuse)
    tree = walk(root, limits=weighing.limits, signature=weighing.signature, scope=weighing.scope)
    Weighed(tree, (), (), tree.failures).to_manifest()  # links and the like: refused unread
    sizes = {e.name: e.identity.size_bytes for e in tree.entries if e.in_scope}
    signed = base.index_for(tree.kind, tree.label)
    disk = Names(frozenset(sizes), frozenset(tree.left_out))
    operations = _list_operations(reuse)
    if reuse.git_since is not None:
        from weighbridge.workflow._git import list_git_operations  # noqa: PLC0415 - start-up time

        known = disk.names | signed.keys()
        operations += list_git_operations(
            tree, reuse.git_since, known=known, limits=weighing.limits
        )
    plan = reconcile(signed, disk, operations, strict=reuse.strict)
    declared_hashed = len(plan.hashed)
    plan = plan.audit(_choose_audited(plan, sizes, reuse.audit_ratio))
    read = {r.name: r for r in _hash(tree, plan, signed, weighing=weighing)}
    manifest = Manifest(
        kind=tree.kind,
        label=tree.label,
        resources=tuple(
            read[name] if name in read else Resource(name, size_bytes, plan.reused[name])
            for name, size_bytes in sizes.items()  # sorted by name, as the tree is
        ),
        left_out=tree.left_out,
    )
    if changes := find_changes(
        tree,
        root,
        limits=weighing.limits,
        signature=weighing.signature,
        scope=weighing.scope,
    ):
        raise ArtifactChangedError(tuple(printable(name) for name in changes))
    return manifest, Reused(
        hashed=tuple(sorted(plan.hashed)),
        audited=len(plan.hashed) - declared_hashed,
        reused_count=len(plan.reused),
        dropped=plan.dropped,
        undeclared_new=plan.undeclared_new,
        undeclared_gone=plan.undeclared_gone,
        skipped=plan.skipped,
    )


def _check_request(reuse: Reuse) -> None:
    if not 0 <= reuse.audit_ratio <= 1:
        raise InputError(f"the share to audit is {reuse.audit_ratio}; give one between 0 and 1")
    if any(isinstance(names, str) for names in (reuse.changed, reuse.updated, reuse.deleted)):
        raise InputError("the changed files are one string; give a list of paths")
    named = reuse.updated or reuse.deleted or reuse.renamed
    told = named or reuse.changed is not None or reuse.git_since is not None
    if not told and reuse.audit_ratio < 1:
        raise InputError(
            "signing again needs to be told what changed since the old signature; "
            "name the files, ask git, or give an empty list"
        )


def _list_operations(reuse: Reuse) -> list[Operation]:
    """Compile what the caller declares by name to one list."""
    kind = OperationKind
    return [
        *(Operation(kind.CHANGED, name) for name in reuse.changed or ()),
        *(Operation(kind.UPDATED, name) for name in reuse.updated),
        *(Operation(kind.DELETED, name) for name in reuse.deleted),
        *(Operation(kind.RENAMED, new, old) for old, new in reuse.renamed),
    ]


def _choose_audited(plan: ReusePlan, sizes: Mapping[str, int], ratio: float) -> frozenset[str]:
    """Choose what is hashed though it is declared unchanged: a random share, and what is tiny."""
    tiny = frozenset(name for name in plan.reused if sizes[name] < _POINTER_BYTES)
    count = math.ceil(len(plan.reused) * ratio)
    return tiny.union(random.SystemRandom().sample(sorted(plan.reused), count)) if count else tiny


def _hash(
    tree: Tree, plan: ReusePlan, signed: Mapping[str, str], *, weighing: Weighing
) -> tuple[Resource, ...]:
    weighed = weigh_tree(
        tree,
        executor=weighing.executor,
        limits=weighing.limits,
        only=plan.hashed,
        inspector=_find_pointer,
        progress=weighing.progress,
    )
    resources = weighed.to_manifest().resources
    digests = {resource.name: resource.sha256 for resource in resources}
    for name in weighed.inspections:
        if name in digests and signed.get(name) != digests[name]:
            raise InputError(
                f"{printable(name)} is a Git LFS pointer and not the file itself; "
                "run git lfs pull, then sign again"
            )
    wrong = tuple(
        (Resource(resource.name, -1, plan.expected[resource.name]), resource)
        for resource in resources
        if plan.expected.get(resource.name, resource.sha256) != resource.sha256
    )
    if wrong:
        raise DigestMismatchError(
            f"{_count(len(wrong))} as declared, with the bytes that the old signature lists; "
            "declare what changed, or sign without the old signature",
            diff=ManifestDiff(changed=wrong),
        )
    return resources


def _count(count: int) -> str:
    return "one file is not" if count == 1 else f"{count:,} files are not"


def _find_pointer(source: ByteSource) -> str | None:
    """Return the name of a file that is a Git LFS pointer."""
    if source.size_bytes >= _POINTER_BYTES:
        return None
    is_pointer = source.read_at(0, len(_POINTER_MARK)) == _POINTER_MARK
    return source.name if is_pointer else None
