"""Lineages to judge, built by code: a model, trained from data and a base model."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

from unit.policy.policy_cases import AT, good_evidence
from unit.policy.policy_cases import by as by_key
from weighbridge.core import (
    Claim,
    Completeness,
    Decision,
    Dependency,
    Digest,
    EdgeKind,
    Evidence,
    HumanReview,
    LineageEdge,
    LineageNode,
    LineageProblem,
    LineageReport,
    Origin,
    ProblemKind,
    Review,
    RootAcceptance,
    StepRecord,
    Subject,
    TestResult,
)

CLUSTER = "https://example.com/cluster/v1"
MODEL, DATA, BASE, RAW = ("sha256:" + letters * 32 for letters in ("ab", "da", "b5", "ea"))
COMMIT = "c0" * 20
ENFORCED, OBSERVED = Completeness.ENFORCED, Completeness.OBSERVED
DECLARED, UNKNOWN = Completeness.DECLARED, Completeness.UNKNOWN


def make_step(kind: str = "train", *inputs: Dependency, **parameters: str) -> StepRecord:
    return StepRecord(
        kind=kind,
        name=kind,
        builder=CLUSTER,
        entry_point=(kind,),
        parameters=parameters,
        inputs=inputs,
        started_at=AT - timedelta(days=11),
        finished_at=AT - timedelta(days=10),
        invocation="urn:uuid:1",
    )


def make_built(id_: str, label: str, *, depth: int = 0, **changes: Any) -> LineageNode:
    """Return a node that the cluster built, at level 3 and observed."""
    node = LineageNode(
        id=id_,
        label=label,
        origin=Origin.BUILT,
        own_level=3,
        level=3,
        completeness=OBSERVED,
        chain_completeness=OBSERVED,
        is_required=True,
        depth=depth,
        builder=CLUSTER,
        kind="train",
        signers=("cluster",),
        made_at=AT - timedelta(days=10),
        step=make_step("train", lr="0.001"),
        claim=Digest("99" * 32),
    )
    return replace(node, **changes)


def make_accepted(id_: str, label: str, *, depth: int = 1, **changes: Any) -> LineageNode:
    """Return a root that somebody accepted, as level 2."""
    acceptance = RootAcceptance(
        reason="reviewed",
        fetched_from=f"hf://org/base@{COMMIT}",
        license="Apache-2.0",
        license_found="Apache-2.0",
        reviewer="alice",
        accepted_at=AT - timedelta(days=20),
        expires_at=AT + timedelta(days=20),
        max_level=2,
    )
    node = LineageNode(
        id=id_,
        label=label,
        origin=Origin.ACCEPTED,
        own_level=2,
        level=2,
        completeness=ENFORCED,
        chain_completeness=ENFORCED,
        is_required=True,
        depth=depth,
        signers=("alice",),
        license="Apache-2.0",
        acceptance=acceptance,
        claim=Digest("98" * 32),
    )
    return replace(node, **changes)


def make_unknown(id_: str, label: str, *, depth: int = 1, **changes: Any) -> LineageNode:
    """Return a dead end."""
    problem = LineageProblem(ProblemKind.DEAD_END, "nobody says where this is from")
    node = LineageNode(
        id=id_,
        label=label,
        origin=Origin.UNKNOWN,
        own_level=0,
        level=0,
        completeness=UNKNOWN,
        chain_completeness=UNKNOWN,
        is_required=True,
        depth=depth,
        problems=(problem,),
    )
    return replace(node, **changes)


def make_fetched(id_: str, label: str, *uris: str, depth: int = 1, **changes: Any) -> LineageNode:
    """Return what a step brought here."""
    inputs = tuple(Dependency(uri, {}, uri=uri) for uri in uris)
    changes = {"license": "MIT", "step": make_step("fetch", *inputs), "kind": "fetch", **changes}
    return make_built(id_, label, depth=depth, **changes)


def edge(source: str, target: str, *, kind: EdgeKind = EdgeKind.MADE_FROM) -> LineageEdge:
    return LineageEdge(source, target, kind, role="data")


def make_report(
    *nodes: LineageNode, edges: tuple[LineageEdge, ...] = (), **changes: Any
) -> LineageReport:
    """Return a report whose levels follow from its nodes."""
    required = [node for node in nodes if node.is_required]
    level = min(node.own_level for node in required)
    completeness = min((node.completeness for node in required), key=lambda c: c.rank)
    first = replace(nodes[0], level=level, chain_completeness=completeness)
    weakest = min(required, key=lambda node: (node.own_level, node.depth, node.id))
    path = (first.id,) if weakest.id == first.id else (first.id, weakest.id)
    report = LineageReport(first.id, (first, *nodes[1:]), edges, level, completeness, path)
    return replace(report, **changes)


def good_lineage() -> LineageReport:
    """Return a model, trained from cleaned data (from a fetched set) and an accepted base."""
    return make_report(
        make_built(MODEL, "model", step=make_step("train", lr="0.001")),
        make_accepted(BASE, "base"),
        make_built(DATA, "data", depth=1, kind="clean"),
        make_fetched(RAW, "raw", f"hf://org/raw@{COMMIT}", depth=2),
        edges=(edge(MODEL, BASE), edge(MODEL, DATA), edge(DATA, RAW)),
    )


def with_lineage(lineage: LineageReport | None, evidence: Evidence | None = None) -> Evidence:
    return replace(evidence or good_evidence(), lineage=lineage)


def change_node(report: LineageReport, id_: str, **changes: Any) -> LineageReport:
    nodes = tuple(replace(n, **changes) if n.id == id_ else n for n in report.nodes)
    return replace(report, nodes=nodes)


def add_problem(
    report: LineageReport, id_: str, kind: ProblemKind, message: str = "something is wrong"
) -> LineageReport:
    node = report.by_id()[id_]
    problems = (*node.problems, LineageProblem(kind, message))
    return change_node(report, id_, problems=problems)


def make_review(
    *signers: str,
    decision: Decision = Decision.APPROVE,
    days_ago: float = 1,
    expires_in_days: float | None = None,
    scope: str = "training data",
    identities: tuple[str, ...] = (),
    note: str = "",
) -> Review:
    expires = None if expires_in_days is None else AT + timedelta(days=expires_in_days)
    said = HumanReview(
        decision=decision,
        scope=scope,
        note=note,
        reviewer=signers[0],
        reviewed_at=AT - timedelta(days=days_ago),
        expires_at=expires,
    )
    claim = Digest(hashlib.sha256(repr((signers, said)).encode()).hexdigest())
    return Review(claim, signers, identities or tuple(f"id of {s}" for s in signers), said)


def with_reviews(*reviews: Review) -> Evidence:
    return with_lineage(change_node(good_lineage(), MODEL, reviews=reviews))


def make_result(*, passed: bool = True, failed: tuple[str, ...] = (), **metrics: str) -> TestResult:
    return TestResult(passed, metrics, failed)


def with_results(*results: TestResult, by: dict[int, str] | None = None) -> Evidence:
    """Return evidence with results; ``by`` says who signed the claim of which."""
    claims = tuple(
        Claim(
            Digest(f"{index:064x}"),
            (Subject("model", {"sha256": MODEL.removeprefix("sha256:")}),),
            "https://in-toto.io/attestation/test-result/v0.1",
            by_key(signer),
            results[index],
        )
        for index, signer in (by or {}).items()
    )
    report = change_node(good_lineage(), MODEL, results=results)
    return with_lineage(replace(report, claims=claims))
