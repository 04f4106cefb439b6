"""What rules in CEL see of the evidence: plain values, one shape, with a version.

``docs/policy.md`` describes each name. A name that is there stays and means the same for as long
as ``view`` is 1; names may be added.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from weighbridge.core import CoverageStatus
from weighbridge.errors import LimitExceededError
from weighbridge.policy._results import get_lineage

if TYPE_CHECKING:
    from datetime import datetime

    from weighbridge.core import (
        Evidence,
        Limits,
        LineageNode,
        LineageReport,
        ScanReport,
        SignatureEvidence,
        StepRecord,
    )

__all__ = ["build_view"]

_VIEW_VERSION = 1
# What a value costs besides its letters; a measure, not the truth.
_VALUE_BYTES = 16


def build_view(evidence: Evidence, *, at: datetime, limits: Limits) -> dict[str, Any]:
    """Return the variables that an expression may use.

    Without a lineage that rests on somebody's trust there is no variable ``lineage``: an expression
    that asks for it cannot be answered.

    Args:
        evidence: What is known.
        at: When it is judged; aware.
        limits: ``max_view_bytes`` applies.

    Raises:
        LimitExceededError: There is more to be seen than ``max_view_bytes``.
    """
    artifact, lineage = evidence.artifact, get_lineage(evidence)
    license_ = evidence.license
    view: dict[str, Any] = {
        "view": _VIEW_VERSION,
        "at": at.astimezone(UTC),
        "artifact": {
            "digest": str(artifact.digest or ""),
            "kind": artifact.kind.value,
            "file_count": artifact.file_count,
            "size_bytes": artifact.size_bytes,
        },
        "signature": _show_signature(evidence.signature),
        "scan": _show_scan(evidence.scan),
        "card": _show_card(evidence),
        "license": {
            "declared": _clean(license_.declared),
            "expression": _clean(license_.expression),
        },
    }
    if lineage is not None:
        view["artifact"]["level"] = lineage.level
        view["artifact"]["completeness"] = lineage.completeness.value
        view["lineage"] = _show_lineage(lineage)
    _check_size(view, limit=limits.max_view_bytes)
    return view


def _show_signature(signature: SignatureEvidence) -> dict[str, Any]:
    return {
        "found": signature.found,
        "problem": _clean(signature.problem),
        "signers": list(signature.signers),
        "matches": signature.diff is not None and not signature.diff,
    }


def _show_scan(scan: ScanReport) -> dict[str, Any]:
    inside = [row for row in scan.coverage if row.status is not CoverageStatus.OUT_OF_SCOPE]
    return {
        "engine": scan.engine,
        "formats": sorted({row.format for row in inside}),
        "not_examined": len(scan.not_examined),
        "findings": [
            {
                "rule_id": finding.rule_id,
                "answer": finding.answer.value,
                "severity": finding.severity.value,
                "file": _clean(finding.location.file),
            }
            for finding in sorted(scan.findings, key=lambda f: (str(f.location), f.rule_id))
        ],
    }


def _show_card(evidence: Evidence) -> dict[str, Any] | None:
    card = evidence.card.card
    if card is None:
        return None
    return {
        "licenses": _clean_all(card.licenses),
        "base_models": _clean_all(card.base_models),
        "datasets": _clean_all(card.datasets),
        "languages": _clean_all(card.languages),
        "library_name": _clean(card.library_name),
        "pipeline_tag": _clean(card.pipeline_tag),
        "tags": _clean_all(card.tags),
        "has_body": card.has_body,
    }


def _show_lineage(lineage: LineageReport) -> list[dict[str, Any]]:
    first, *rest = lineage.nodes
    nodes = (first, *sorted(rest, key=lambda n: (n.depth, n.id)))
    # A step may have made very many nodes, and have very much to say: it is shown once.
    steps = {id(step): _show_step(step) for step in {id(n.step): n.step for n in nodes}.values()}
    return [_show_node(node) | steps[id(node.step)] for node in nodes]


def _show_node(node: LineageNode) -> dict[str, Any]:
    return {
        "id": _clean(node.id),
        "label": _clean(node.label),
        "origin": node.origin.value,
        "level": node.level,
        "own_level": node.own_level,
        "completeness": node.completeness.value,
        "chain_completeness": node.chain_completeness.value,
        "builder": _clean(node.builder),
        "kind": _clean(node.kind),
        "signers": list(node.signers),
        "made_at": node.made_at,
        "license": _clean(node.license),
        "depth": node.depth,
        "required": node.is_required,
        "problems": sorted({problem.kind.value for problem in node.problems}),
    }


def _show_step(step: StepRecord | None) -> dict[str, Any]:
    return {"parameters": _show_parameters(step), "inputs": _show_inputs(step)}


def _show_parameters(step: StepRecord | None) -> dict[str, str]:
    if step is None:
        return {}
    return {_clean(name): _clean(step.parameters[name]) for name in sorted(step.parameters)}


def _show_inputs(step: StepRecord | None) -> list[dict[str, Any]]:
    if step is None:
        return []
    return [
        {
            "name": _clean(entry.name),
            "uri": _clean(entry.uri),
            "role": _clean(entry.role),
            "digest": {_clean(name): _clean(entry.digest[name]) for name in sorted(entry.digest)},
        }
        for entry in step.inputs
    ]


def _clean_all(texts: tuple[str, ...]) -> list[str]:
    return [_clean(text) for text in texts]


def _clean(text: str) -> str:
    """Replace lone surrogates, which no string of CEL can hold."""
    return text.encode("utf-8", "replace").decode()


def _check_size(view: dict[str, Any], *, limit: int) -> None:
    size = 0
    pending: list[Any] = [view]
    while pending:
        value = pending.pop()
        size += _VALUE_BYTES
        if isinstance(value, str):
            size += len(value)
        elif isinstance(value, list):
            pending.extend(value)
        elif isinstance(value, dict):
            pending.extend(value.keys())
            pending.extend(value.values())
        if size > limit:
            subject = "what rules in CEL see"
            raise LimitExceededError("max_view_bytes", limit=limit, actual=size, subject=subject)
