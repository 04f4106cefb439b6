"""A lineage to judge, built by code: a model that was fine-tuned from a root, on cleaned data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from unit.policy.policy_cases import FILES, good_evidence
from weighbridge.core import (
    Claim,
    Completeness,
    Dependency,
    Digest,
    EdgeKind,
    Environment,
    Evidence,
    LineageEdge,
    LineageNode,
    LineageReport,
    Origin,
    RootAcceptance,
    StepRecord,
    Subject,
    TestResult,
)

BEGAN = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
ARTIFACT = "sha256:" + "ab" * 32
BASE = "sha256:" + "be" * 32
DATA = "sha256:" + "da" * 32
RAW = "sha256:" + "aa" * 32
COMMIT = "c0ffee00" * 5
LOCK = "10" * 32
SCRIPT = "5c" * 32
LOG = "1f" * 32


def make_package(name: str, version: str, **annotations: str) -> Dependency:
    return Dependency(
        name,
        {"sha256": "ee" * 32},
        uri=f"pkg:pypi/{name}@{version}",
        role="package",
        annotations={"check": "pass", "digestOf": "RECORD", **annotations},
    )


TRAINING = StepRecord(
    kind="fine-tune",
    name="sft",
    builder="https://example.com/cluster/v1",
    entry_point=("python", "train.py"),
    parameters={"seed": "42", "lr": "1e-4", "deterministic": "true"},
    inputs=(
        Dependency("base-model", {"sha256": "be" * 32}, "hf://org/base@" + "7" * 40, "base-model"),
        Dependency("data", {"sha256": "da" * 32}, "file:data/train.parquet", "data"),
        Dependency("lock", {"sha256": LOCK}, "file:uv.lock", "lock", {"lockFile": "uv.lock"}),
    ),
    started_at=BEGAN,
    finished_at=BEGAN + timedelta(hours=2),
    invocation="urn:uuid:1",
    materials=(
        Dependency("entry-point", {"sha256": SCRIPT}, "file:train.py", "entry-point"),
        Dependency(
            "source",
            {"gitCommit": COMMIT},
            "git+https://example.com/repo@refs/heads/main",
            "source",
            {"dirty": "false", "detached": "false", "shallow": "false", "path": "."},
        ),
        Dependency("cpython", {"sha256": "3e" * 32}, "", "interpreter", {"version": "3.11.4"}),
        make_package("torch", "2.1.0%2Bcu121"),
        make_package("numpy", "1.26.4"),
    ),
    facts={
        "accelerator": {"kind": "gpu", "model-0": "NVIDIA H100 80GB HBM3", "driver": "550.54"},
        "determinism": {"CUBLAS_WORKSPACE_CONFIG": ":4096:8", "torch.deterministic": "false"},
        "environment": {"variables": {"PYTHONHASHSEED": "0"}, "removed": []},
    },
    source="git+https://example.com/repo@refs/heads/main",
    source_path=".",
)
ENVIRONMENT = Environment(
    {
        "cpu": {"model": "AMD EPYC 9654", "count": "96"},
        "torch": {"version": "2.1.0", "cuda.build": "12.1", "cudnn.version": "8902"},
        "gpu": {"driver": "550.54", "0.model": "NVIDIA H100 80GB HBM3"},
    }
)
ACCEPTANCE = RootAcceptance(
    reason="widely used",
    fetched_from="hf://org/base",
    license="Apache-2.0",
    license_found="apache-2.0",
    reviewer="SHA256:x",
    accepted_at=BEGAN,
    expires_at=BEGAN + timedelta(days=365),
    max_level=2,
)
CLEANING = replace(
    TRAINING,
    kind="clean",
    name="clean",
    parameters={},
    inputs=(Dependency("raw", {"sha256": "aa" * 32}, "file:raw.csv", "raw"),),
    materials=(),
    facts={},
)


def make_node(id_: str, label: str, origin: Origin, depth: int, **others: object) -> LineageNode:
    values: dict[str, object] = {
        "own_level": 2,
        "level": 2,
        "completeness": Completeness.OBSERVED,
        "chain_completeness": Completeness.OBSERVED,
        "is_required": True,
        "signers": ("cluster",),
        **others,
    }
    return LineageNode(id_, label, origin, depth=depth, **values)  # type: ignore[arg-type]


def make_edge(source: str, target: str, role: str) -> LineageEdge:
    return LineageEdge(source, target, EdgeKind.MADE_FROM, role=role, name=role)


def good_report(record: StepRecord = TRAINING) -> LineageReport:
    claim = Claim(
        Digest("c1" * 32),
        (Subject("model", {"sha256": "ab" * 32}), Subject("log", {"sha256": LOG})),
        "https://slsa.dev/provenance/v1",
        (),
        record,
    )
    nodes = (
        make_node(
            ARTIFACT,
            "model",
            Origin.BUILT,
            0,
            kind=record.kind,
            builder=record.builder,
            step=record,
            environment=ENVIRONMENT,
            claim=claim.id,
            results=(TestResult(passed=True, metrics={"accuracy": "0.93"}),),
        ),
        make_node(BASE, "base", Origin.ACCEPTED, 1, acceptance=ACCEPTANCE, license="Apache-2.0"),
        make_node(DATA, "train.parquet", Origin.BUILT, 1, kind="clean", step=CLEANING),
        make_node(RAW, "raw.csv", Origin.LISTED, 2, license="MIT", reason="ours"),
    )
    edges = (
        make_edge(ARTIFACT, BASE, "base-model"),
        make_edge(ARTIFACT, DATA, "data"),
        make_edge(DATA, RAW, "raw"),
    )
    return LineageReport(
        ARTIFACT, nodes, edges, 2, Completeness.OBSERVED, (ARTIFACT,), claims=(claim,)
    )


def trained_evidence(record: StepRecord = TRAINING) -> Evidence:
    """Return evidence that satisfies every item that any evidence can satisfy."""
    files = {name: f"{index:02x}" * 32 for index, name in enumerate(FILES)}
    return replace(
        good_evidence(), lineage=good_report(record), files={**files, "logs/run.txt": LOG}
    )


def with_record(**changes: object) -> Evidence:
    """Return that evidence with another record of the training."""
    return trained_evidence(replace(TRAINING, **changes))  # type: ignore[arg-type]


def with_facts(**changes: Mapping[str, object]) -> Evidence:
    facts = {name: value for name, value in {**TRAINING.facts, **changes}.items() if value}
    return with_record(facts=facts)


def with_materials(keep: Callable[[Dependency], bool], *more: Dependency) -> Evidence:
    return with_record(materials=(*filter(keep, TRAINING.materials), *more))


def with_inputs(keep: Callable[[Dependency], bool], *more: Dependency) -> Evidence:
    return with_record(inputs=(*filter(keep, TRAINING.inputs), *more))


def with_report(evidence: Evidence, **changes: object) -> Evidence:
    assert evidence.lineage is not None
    return replace(evidence, lineage=replace(evidence.lineage, **changes))  # type: ignore[arg-type]


def with_node(evidence: Evidence, id_: str, **changes: object) -> Evidence:
    """Return evidence whose node of that id is changed."""
    assert evidence.lineage is not None
    nodes = tuple(
        replace(node, **changes) if node.id == id_ else node  # type: ignore[arg-type]
        for node in evidence.lineage.nodes
    )
    return with_report(evidence, nodes=nodes)
