"""trace: what an artifact was made from, as far as those who are trusted say."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from weighbridge.artifact import refuse_changes, weigh
from weighbridge.core import (
    DEFAULT_LIMITS,
    ArtifactKind,
    Limits,
    Manifest,
    collection_paused,
)
from weighbridge.engines import ThreadExecutor
from weighbridge.errors import InputError
from weighbridge.lineage import build_lineage
from weighbridge.workflow._collect import collect_claims
from weighbridge.workflow._moment import to_moment
from weighbridge.workflow._paths import to_optional_path, to_path
from weighbridge.workflow._policy_trust import load_policy, load_verifiers
from weighbridge.workflow._signatures import find_signature_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from weighbridge.artifact import Weighed
    from weighbridge.core import Digest, LineageReport
    from weighbridge.core.ports import BundleStore, Executor, Progress, StrPath
    from weighbridge.policy import Policy
    from weighbridge.signing import Verifier

__all__ = ["gather_lineage", "read_manifests", "trace_artifact"]


def trace_artifact(  # noqa: PLR0913 - each is one thing that a user may say
    path: StrPath,
    *,
    claims: Sequence[StrPath | BundleStore] = (),
    policy: StrPath | None = None,
    manifests: Sequence[StrPath] = (),
    signature: StrPath | None = None,
    document: StrPath | None = None,
    offline: bool = False,
    at: datetime | None = None,
    executor: Executor | None = None,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> LineageReport:
    """Find out what an artifact was made from, and how far each step can be trusted.

    The artifact is hashed. What is said of it, and of what it was made from, is read from its
    claims file, its signature and from ``claims``; only what somebody whom the policy names signed
    becomes an edge. Without a policy nobody is trusted, and all of it is set aside.

    Args:
        path: A file or a folder.
        claims: More claims: files, bundles, folders and stores.
        policy: A ``weighbridge.toml``; its trust counts, its rules do not.
        manifests: Lists of files as ``hash --manifest-out`` writes them: what a file or a subset
            belongs to can be told where the whole is known. They need no trust, for their digest
            is computed from them.
        signature: As for ``check``.
        document: Where to write what is known as a ``provenance.yaml``.
        offline: Whether the network must not be used to verify.
        at: When it is judged, aware; by default now.
        executor: Where to hash; by default threads, one for each processor.
        limits: Bounds on all work.
        progress: Is told the bytes.

    Raises:
        InputError: ``path`` cannot be hashed; the policy, a manifest or one of ``claims`` cannot be
            used, or ``document`` not be written.
        ArtifactChangedError: A file changed meanwhile.
        LimitExceededError: More files or claims than are read.
        IncompleteError: A store or a Sigstore instance does not answer.
    """
    root = to_path(path, what="artifact")
    policy_file = to_optional_path(policy, what="policy")
    moment = to_moment(at)
    rules = load_policy(policy_file, limits=limits)
    verifiers = load_verifiers(rules, policy_file, limits=limits, offline=offline)
    lists = read_manifests(manifests, limits=limits)
    target = find_signature_path(root, signature)
    weighed: Weighed[None] = weigh(
        root,
        executor=executor or ThreadExecutor(),
        limits=limits,
        signature=target,
        progress=progress,
    )
    manifest = weighed.to_manifest()
    refuse_changes(weighed.tree, root, limits=limits, signature=target)
    report = gather_lineage(
        root,
        (manifest, *lists),
        rules,
        verifiers,
        at=moment,
        signature=target,
        claims=claims,
        limits=limits,
    )
    if document is not None:
        from weighbridge.workflow._provenance_yaml import write_provenance  # noqa: PLC0415 - seldom

        files = {resource.name: resource.sha256 for resource in manifest.resources}
        digest = manifest.compute_digest()
        write_provenance(document, files=files, digest=digest, lineage=report, limits=limits)
    return report


@collection_paused()
def gather_lineage(  # noqa: PLR0913 - each is one thing that is known
    root: Path,
    manifests: Sequence[Manifest],
    rules: Policy,
    verifiers: Mapping[str, Verifier],
    *,
    at: datetime,
    signature: Path,
    claims: Sequence[StrPath | BundleStore] = (),
    limits: Limits,
) -> LineageReport:
    """Collect and relate what is said of an artifact that was hashed.

    Args:
        root: The artifact.
        manifests: Its own first, then others that are known.
        rules: Whose word counts.
        verifiers: What their signatures are verified with, by name.
        at: When it is judged, aware.
        signature: Where its signature is, or would be.
        claims: More claims.
        limits: Bounds.

    Raises:
        InputError: One of ``claims`` cannot be used.
        LimitExceededError: More claims than are read.
        IncompleteError: A store or a Sigstore instance does not answer.
    """
    own = manifests[0]
    digest = own.compute_digest()
    asked: tuple[Digest, ...] = ()
    if claims:  # a store among them may know files and folders by themselves
        asked = (digest, own.compute_oms_root(), *(m.compute_digest() for m in manifests[1:]))
    collected = collect_claims(
        root,
        tuple(dict.fromkeys(asked)),
        verifiers,
        at=at,
        signature=signature,
        sources=claims,
        limits=limits,
    )
    return build_lineage(
        digest,
        collected.claims,
        trust=rules.trust,
        at=at,
        label=own.label,
        manifests=manifests,
        set_aside=collected.set_aside,
        limits=limits,
    )


def read_manifests(files: Sequence[StrPath], *, limits: Limits) -> tuple[Manifest, ...]:
    """Read lists of files that belong together; their digests follow from them.

    Raises:
        InputError: One is missing or is no list of files.
    """
    if isinstance(files, (str, os.PathLike)):
        raise InputError("manifests is a list of files; write manifests=[...]")
    if not files:
        return ()
    from weighbridge.workflow._file_lists import read_file_list  # noqa: PLC0415 - seldom

    found = []
    for file in files:
        listed = read_file_list(to_path(file, what="manifest"), limits=limits)
        kind = listed.kind or ArtifactKind.FOLDER
        found.append(Manifest(kind, listed.label, listed.resources))
    return tuple(found)
