"""trace: what an artifact was made from, as far as statements that are believed tell."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import PurePath
from typing import TYPE_CHECKING

from weighbridge.artifact import build_manifest
from weighbridge.core import (
    DEFAULT_LIMITS,
    Completeness,
    Limits,
    LineageNode,
    LineageReport,
    Origin,
    TrustMap,
    printable,
)
from weighbridge.engines import ThreadExecutor
from weighbridge.errors import InputError
from weighbridge.lineage import build_lineage
from weighbridge.workflow._check import load_policy
from weighbridge.workflow._paths import to_optional_path, to_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.core import Manifest
    from weighbridge.core.ports import Executor, Progress, StrPath

__all__ = ["trace_artifact"]


def trace_artifact(  # noqa: PLR0913 - each is one thing that a user may say
    path: StrPath,
    *,
    claims: Sequence[StrPath] = (),
    policy: StrPath | None = None,
    manifests: Sequence[Manifest] = (),
    offline: bool = False,  # noqa: ARG001 - for signers that are known by an account
    executor: Executor | None = None,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> LineageReport:
    """Follow the file or folder at ``path`` back to what it was made from.

    Args:
        path: A file or a folder.
        claims: Where statements are besides the artifact's own claims: files, folders, stores.
        policy: A ``weighbridge.toml`` that says whom to trust; without one nothing is believed.
        manifests: Lists of files of what it may have been made from.
        offline: Whether the network must not be used to verify signatures.
        executor: Where to hash; by default threads, one for each processor.
        limits: Bounds on all work.
        progress: Is told the bytes.

    Returns:
        The lineage; hostile statements are set aside and never raise.

    Raises:
        InputError: ``path``, ``policy`` or one of ``claims`` cannot be used.
        LimitExceededError: Too many files, or too deep.
        ArtifactChangedError: A file changed meanwhile.
    """
    root = to_path(path, what="artifact")
    for place in claims:
        if not os.path.lexists(to_path(place, what="claims")):
            raise InputError(f"there is nothing at {printable(str(place))}, where claims should be")
    policy_file = to_optional_path(policy, what="policy")
    rules = load_policy(policy_file, limits=limits)
    at = datetime.now(UTC)
    manifest = build_manifest(
        root, executor=executor or ThreadExecutor(), limits=limits, progress=progress
    )
    digest, label = manifest.compute_digest(), PurePath(root).name
    if policy_file is None:
        none = Completeness.UNKNOWN
        node = LineageNode(
            str(digest), label, Origin.UNKNOWN, 0, 0, none, none, is_required=True, depth=0
        )
        return LineageReport(node.id, (node,), (), 0, none, (node.id,), is_judged=False)
    roles = {signer.name: frozenset(signer.roles) for signer in rules.signers}
    return build_lineage(
        digest,
        (),
        trust=replace(TrustMap(), roles=roles),
        at=at,
        label=label,
        manifests=(manifest, *manifests),
        limits=limits,
    )
