"""Evidence to judge, built by code."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from weighbridge.core import (
    Answer,
    ArtifactEvidence,
    ArtifactKind,
    Attribution,
    Card,
    CardEvidence,
    Coverage,
    CoverageStatus,
    Digest,
    Evidence,
    Finding,
    LicenseEvidence,
    Location,
    ManifestDiff,
    Resource,
    ScanReport,
    Severity,
    SignatureEvidence,
)
from weighbridge.policy import CardRule, LicensesRule, Policy, ScanRule, SignatureRule, Signer

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

STRICT = Policy(
    name="weighbridge.toml",
    digest="sha256:" + "0" * 64,
    signers=(
        Signer("release", "release.pub", ("publisher",)),
        Signer("other", "other.pub", ("publisher",)),
    ),
    signature=SignatureRule(by=("release",)),
    scan=ScanRule(fail_on=Severity.MEDIUM, complete=True),
    licenses=LicensesRule(allow=("Apache-2.0", "MIT")),
    card=CardRule(profile="huggingface"),
)

FILES = ("README.md", "config.json", "model.safetensors")
SAME = ManifestDiff()


def by(*names: str) -> tuple[Attribution, ...]:
    """Return what verifying with keys of these names gives."""
    return tuple(Attribution(name, "key", "ab" * 32) for name in names)


def make_resource(name: str, *, content: str = "a", size_bytes: int = 10) -> Resource:
    return Resource(name=name, size_bytes=size_bytes, sha256=content * 64)


def make_finding(
    file: str = "evil.pkl",
    *,
    answer: Answer = Answer.FAIL,
    severity: Severity = Severity.CRITICAL,
    message: str = "would call os.system('id')",
) -> Finding:
    return Finding("WB-PKL-001", answer, severity, Location(file, (), 17), message)


def make_row(
    file: str, status: CoverageStatus = CoverageStatus.EXAMINED, reason: str = ""
) -> Coverage:
    return Coverage(Location(file), status, "unknown", reason)


def good_evidence() -> Evidence:
    """Return evidence that passes every rule of ``STRICT``."""
    return Evidence(
        artifact=ArtifactEvidence(
            path="model",
            kind=ArtifactKind.FOLDER,
            digest=Digest("ab" * 32),
            file_count=len(FILES),
            size_bytes=91_646_000,
        ),
        signature=SignatureEvidence(
            "model/model.sig", found=True, attributions=by("release"), diff=SAME
        ),
        scan=ScanReport("engine 1", (), tuple(make_row(file) for file in FILES)),
        card=CardEvidence(Card("README.md", licenses=("apache-2.0",), has_body=True)),
        license=LicenseEvidence(declared="apache-2.0", expression="Apache-2.0"),
    )


def with_findings(evidence: Evidence, *findings: Finding) -> Evidence:
    scan = replace(evidence.scan, findings=(*evidence.scan.findings, *findings))
    return replace(evidence, scan=scan)
