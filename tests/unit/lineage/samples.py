"""Statements to relate, made in one line each. No signatures: a claim is what a verifier leaves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from support import digest_of as sha
from weighbridge.core import (
    ArtifactKind,
    Attribution,
    BuilderTrust,
    Claim,
    Decision,
    Dependency,
    Digest,
    HumanReview,
    LineageReport,
    Manifest,
    PolicyRoot,
    ProblemKind,
    Resource,
    RootAcceptance,
    SignedFiles,
    StepRecord,
    Subject,
    TrustMap,
    VerificationSummary,
    VerifierTrust,
)
from weighbridge.lineage import build_lineage

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
CLUSTER = "https://example.com/cluster/v1"
LAPTOP = "https://weighbridge.dev/builders/local/v1"
VERIFIER = "https://example.com/gate"
POLICY = "sha256:" + "ab" * 32

TRUST = TrustMap(
    roles=MappingProxyType(
        {
            "cluster": frozenset({"builder"}),
            "laptop": frozenset({"builder"}),
            "ann": frozenset({"reviewer"}),
            "ben": frozenset({"reviewer"}),
            "gate": frozenset({"verifier"}),
            "release": frozenset({"publisher"}),
            "judge": frozenset({"evaluator"}),
            "idle": frozenset(),
        }
    ),
    builders=MappingProxyType(
        {
            CLUSTER: BuilderTrust(CLUSTER, ("cluster",), 3),
            LAPTOP: BuilderTrust(LAPTOP, ("laptop",), 1),
        }
    ),
    verifiers=MappingProxyType({VERIFIER: VerifierTrust(VERIFIER, ("gate",), (POLICY,), 30)}),
)


def node(name: str) -> str:
    return f"sha256:{sha(name)}"


def to_subject(what: str | Mapping[str, str]) -> Subject:
    return Subject(what, {"sha256": sha(what)}) if isinstance(what, str) else Subject("", what)


def to_input(what: str | Dependency) -> Dependency:
    return Dependency(what, {"sha256": sha(what)}, role="data") if isinstance(what, str) else what


def claim(
    content: Any,
    *subjects: str | Mapping[str, str],
    by: str | Iterable[str] = (),
    salt: str = "",
    problem: str = "",
    predicate_type: str = "https://example.com/type",
) -> Claim:
    names = sorted([by] if isinstance(by, str) else by)
    return Claim(
        Digest(sha(f"{content!r}{subjects!r}{salt}")),
        tuple(map(to_subject, subjects)),
        predicate_type,
        tuple(Attribution(name, "key", f"SHA256:{name}") for name in names),
        content,
        problem,
    )


def record(
    *inputs: str | Dependency,
    builder: str = CLUSTER,
    kind: str = "train",
    completeness: str = "enforced",
    **more: Any,
) -> StepRecord:
    facts = {"completeness": {"class": completeness}, **more.pop("facts", {})}
    return StepRecord(
        kind=kind,
        name=kind,
        builder=builder,
        entry_point=("python", "x.py"),
        parameters={},
        inputs=tuple(map(to_input, inputs)),
        started_at=NOW - DAY,
        finished_at=NOW - DAY,
        invocation="urn:x",
        facts=facts,
        **more,
    )


def made(
    what: str | Iterable[str], *inputs: str | Dependency, by: str = "cluster", **more: Any
) -> Claim:
    """Return provenance of one or several made-up artifacts."""
    salt = more.pop("salt", "")
    if by == "laptop":
        more.setdefault("builder", LAPTOP)
    subjects = (what,) if isinstance(what, str) else tuple(what)
    return claim(record(*inputs, **more), *subjects, by=by, salt=salt)


def accepted(
    what: str | Mapping[str, str],
    *,
    by: str = "ann",
    level: int = 3,
    days: int = 30,
    at: datetime = NOW - DAY,
    source: str = "https://example.com/x",
) -> Claim:
    content = RootAcceptance("well known", source, "MIT", "mit", "ann", at, NOW + days * DAY, level)
    return claim(content, what, by=by)


def reviewed(
    what: str, decision: str = "approve", *, by: str = "ann", ago: float = 1, days: int | None = 30
) -> Claim:
    expires = None if days is None else NOW + days * DAY
    content = HumanReview(Decision(decision), "all", "", by, NOW - ago * DAY, expires)
    return claim(content, what, by=by)


def summarized(
    what: str,
    *,
    by: str = "gate",
    level: int | None = 3,
    below: Mapping[int, int] | None = MappingProxyType({3: 2}),
    ago: float = 1,
    **more: Any,
) -> Claim:
    content = VerificationSummary(
        verifier=more.get("verifier", VERIFIER),
        verified_at=NOW - ago * DAY,
        resource_uri="",
        policy_uri="",
        policy_digest=more.get("policy", POLICY),
        passed=more.get("passed", True),
        level=level,
        dependency_levels=None if below is None else dict(below),
    )
    return claim(content, what, by=by)


def folder(files: Mapping[str, str]) -> Manifest:
    """Return a folder, from paths to made-up contents."""
    resources = tuple(Resource(path, 1, sha(files[path])) for path in sorted(files))
    return Manifest(ArtifactKind.FOLDER, "folder", resources)


def signed(files: Mapping[str, str], *, by: str = "release", salt: str = "") -> Claim:
    """Return the OMS signature of a folder."""
    manifest = folder(files)
    root = manifest.compute_oms_root()
    listed = {resource.name: resource.sha256 for resource in manifest.resources}
    return claim(SignedFiles(root, listed), {"sha256": root.hex}, by=by, salt=salt)


def root(what: str, *, level: int = 3, days: int | None = None) -> PolicyRoot:
    expires = None if days is None else NOW + days * DAY
    return PolicyRoot(Digest(sha(what)), "listed", "Apache-2.0", level, expires)


def lineage(what: str | Digest, *claims: Claim, **more: Any) -> LineageReport:
    artifact = Digest(sha(what)) if isinstance(what, str) else what
    return build_lineage(artifact, claims, **{"trust": TRUST, "at": NOW, **more})


def problems(report: LineageReport, what: str | None = None) -> set[ProblemKind]:
    """Return the kinds of problems of one node, or of all that are required."""
    nodes = report.required if what is None else (report.by_id()[node(what)],)
    return {problem.kind for one in nodes for problem in one.problems}
