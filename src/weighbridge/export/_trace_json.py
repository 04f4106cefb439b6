"""A lineage for programs, as ``trace-v1.schema.json`` describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from weighbridge.export._encodable import encodable
from weighbridge.export._report import to_rfc3339
from weighbridge.export._trace import judge_trace

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from weighbridge.core import (
        Claim,
        Digest,
        JsonValue,
        LineageEdge,
        LineageNode,
        LineageReport,
        Review,
        RootAcceptance,
        SetAside,
        StepRecord,
    )

__all__ = ["lineage_to_json", "to_trace_json"]

T = TypeVar("T")

_SCHEMA_ID = "https://weighbridge.dev/schemas/trace/v1"


def to_trace_json(report: LineageReport) -> JsonValue:
    """Return the whole lineage; see :func:`weighbridge.export.to_trace_json`."""
    return encodable({"$schema": _SCHEMA_ID, "version": 1, **lineage_to_json(report)})


def lineage_to_json(report: LineageReport) -> dict[str, JsonValue]:
    """Return the lineage without the name of its schema, to stand in another document.

    Steps and environments stand once each, however many nodes they made: their size is theirs to
    choose who ran them.
    """
    steps = _number(node.step for node in report.nodes)
    environments = _number(node.environment for node in report.nodes)
    return {
        "answer": judge_trace(report).value,
        "artifact": report.artifact,
        "is_judged": report.is_judged,
        "level": report.level,
        "completeness": report.completeness.value,
        "weakest_path": list(report.weakest_path),
        "nodes": [
            {
                **_node(node),
                "step": None if node.step is None else steps[id(node.step)][0],
                "environment": None
                if node.environment is None
                else environments[id(node.environment)][0],
            }
            for node in report.nodes
        ],
        "steps": [_step(step) for _, step in steps.values()],
        "environments": [
            {name: dict(values) for name, values in environment.attributes.items()}
            for _, environment in environments.values()
        ],
        "edges": [_edge(edge) for edge in report.edges],
        "claims": [_claim(claim) for claim in report.claims],
        "set_aside": [_set_aside(item) for item in report.set_aside],
    }


def _time(at: datetime | None) -> JsonValue:
    return None if at is None else to_rfc3339(at)


def _digest(digest: Digest | None) -> JsonValue:
    return None if digest is None else str(digest)


def _number(values: Iterable[T | None]) -> dict[int, tuple[int, T]]:
    """Return each value once, with its place, by identity."""
    found: dict[int, tuple[int, T]] = {}
    for value in values:
        if value is not None:
            found.setdefault(id(value), (len(found), value))
    return found


def _node(node: LineageNode) -> dict[str, JsonValue]:
    return {
        "id": node.id,
        "label": node.label,
        "origin": node.origin.value,
        "own_level": node.own_level,
        "level": node.level,
        "completeness": node.completeness.value,
        "chain_completeness": node.chain_completeness.value,
        "is_required": node.is_required,
        "depth": node.depth,
        "builder": node.builder,
        "kind": node.kind,
        "signers": list(node.signers),
        "made_at": _time(node.made_at),
        "license": node.license,
        "claim": _digest(node.claim),
        "reason": node.reason,
        "problems": [{"kind": p.kind.value, "message": p.message} for p in node.problems],
        "acceptance": None if node.acceptance is None else _acceptance(node.acceptance),
        "reviews": [_review(review) for review in node.reviews],
        "results": [
            {"passed": r.passed, "metrics": dict(r.metrics), "failed": list(r.failed)}
            for r in node.results
        ],
    }


def _step(step: StepRecord) -> JsonValue:
    """Return what a person would ask about a step; its statement has every package."""
    return {
        "name": step.name,
        "entry_point": list(step.entry_point),
        "parameters": dict(step.parameters),
        "inputs": [
            {"name": d.name, "role": d.role, "uri": d.uri, "digest": dict(d.digest)}
            for d in step.inputs
        ],
        "material_count": len(step.materials),
        "source": step.source,
        "source_path": step.source_path,
        "invocation": step.invocation,
        "started_at": _time(step.started_at),
        "finished_at": _time(step.finished_at),
    }


def _acceptance(acceptance: RootAcceptance) -> JsonValue:
    return {
        "reason": acceptance.reason,
        "fetched_from": acceptance.fetched_from,
        "license": acceptance.license,
        "license_found": acceptance.license_found,
        "reviewer": acceptance.reviewer,
        "accepted_at": _time(acceptance.accepted_at),
        "expires_at": _time(acceptance.expires_at),
        "max_level": acceptance.max_level,
    }


def _review(review: Review) -> JsonValue:
    said = review.review
    return {
        "claim": str(review.claim),
        "signers": list(review.signers),
        "identities": list(review.identities),
        "decision": said.decision.value,
        "scope": said.scope,
        "note": said.note,
        "reviewed_at": _time(said.reviewed_at),
        "expires_at": _time(said.expires_at),
    }


def _edge(edge: LineageEdge) -> JsonValue:
    return {
        "source": edge.source,
        "target": edge.target,
        "kind": edge.kind.value,
        "role": edge.role,
        "name": edge.name,
        "claim": _digest(edge.claim),
    }


def _claim(claim: Claim) -> JsonValue:
    return {
        "id": str(claim.id),
        "predicate_type": claim.predicate_type,
        "subjects": [{"name": s.name, "digest": dict(s.digest)} for s in claim.subjects],
        "signers": list(claim.signers),
        "problem": claim.problem,
    }


def _set_aside(item: SetAside) -> JsonValue:
    return {
        "where": item.where,
        "predicate_type": item.predicate_type,
        "subjects": list(item.subjects),
        "reason": item.reason,
        "is_unrelated": item.is_unrelated,
    }
