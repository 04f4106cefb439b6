"""A verdict as a SLSA Verification Summary, for whoever does not want to look again."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePath
from typing import TYPE_CHECKING
from urllib.parse import quote

from weighbridge.core import (
    Answer,
    Origin,
    Statement,
    Subject,
    VerificationSummary,
    build_summary,
)
from weighbridge.errors import IncompleteError, InputError
from weighbridge.export._trace import ROOTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.core import Digest, LineageNode, LineageReport
    from weighbridge.export._report import CheckReport

__all__ = ["to_summary"]

_BUILT_IN = "https://weighbridge.dev/policies/built-in"


def to_summary(
    report: CheckReport, *, verifier: str, resource_uri: str, policy_digest: str = ""
) -> Statement:
    """Return the statement; see :func:`weighbridge.export.to_summary`."""
    verdict, artifact = report.verdict, report.evidence.artifact
    if artifact.digest is None:
        raise IncompleteError(
            "not every file could be weighed, so there is no digest that a summary could be about; "
            "see the report"
        )
    digest = verdict.policy_digest or policy_digest
    if not digest:
        raise InputError("the policy has no digest that a summary could name; give a policy file")
    passed = verdict.answer is Answer.PASS
    lineage = report.evidence.lineage
    if lineage is not None and not lineage.is_judged:
        lineage = None
    summary = VerificationSummary(
        verifier=verifier,
        verified_at=verdict.at,
        resource_uri=resource_uri,
        policy_uri=_to_policy_uri(report),
        policy_digest=digest,
        passed=passed,
        level=_own_level(lineage.root) if passed and lineage is not None else None,
        dependency_levels=None if lineage is None else _count_dependencies(lineage),
        inputs=() if lineage is None else tuple(sorted({str(c.id) for c in lineage.claims})),
    )
    name = PurePath(artifact.path).name or "artifact"
    return build_summary(summary, [Subject(name, {"sha256": artifact.digest.hex})])


def _to_policy_uri(report: CheckReport) -> str:
    """Name the policy without telling where on this machine it is."""
    if not report.verdict.policy_digest:
        return _BUILT_IN
    name = PurePath(report.verdict.policy).name or "policy"
    return f"file:{quote(name.encode('utf-8', 'surrogateescape'))}"


def _own_level(node: LineageNode) -> int:
    return 0 if node.problems or node.origin is Origin.UNKNOWN else node.own_level


def _count_dependencies(lineage: LineageReport) -> Mapping[int, int] | None:
    """Count what the artifact was made from by level, each once, the artifact itself not.

    Returns:
        None if a summary that stands for all below it does not say what is there: then nobody knows
        how many there are.
    """
    claims = {claim.id: claim.content for claim in lineage.claims}
    counts: Counter[int] = Counter()
    for node in _list_counted(lineage):
        if node.id != lineage.artifact:
            counts[_own_level(node)] += 1
        if node.origin is Origin.SUMMARY:
            below = _read_summary(claims, node.claim)
            if below is None:
                return None
            counts.update(below)
    return {level: count for level, count in counts.items() if count}


def _read_summary(
    claims: Mapping[Digest, object], claim: Digest | None
) -> Mapping[int, int] | None:
    content = None if claim is None else claims.get(claim)
    return content.dependency_levels if isinstance(content, VerificationSummary) else None


def _list_counted(lineage: LineageReport) -> list[LineageNode]:
    """Return what is required, and what lies below anything that counts for what built it.

    Where somebody accepted what has sound provenance too, the requirement ends there; what it was
    made from is a dependency all the same.
    """
    nodes = lineage.by_id()
    below: dict[str, list[str]] = {}
    for edge in lineage.edges:
        below.setdefault(edge.source, []).append(edge.target)
    counted = {node.id: node for node in lineage.required}
    counted[lineage.artifact] = lineage.root
    waiting = list(counted)
    while waiting:
        name = waiting.pop()
        if counted[name].origin in ROOTS:
            continue
        for target in below.get(name, ()):
            if target in nodes and target not in counted:
                counted[target] = nodes[target]
                waiting.append(target)
    return list(counted.values())
