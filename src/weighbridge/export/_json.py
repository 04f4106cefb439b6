"""JSON documents: everything that is known, for programs. Described by the schemas beside."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

from weighbridge.core import Answer, ScanTerms, worst
from weighbridge.export._encodable import encodable
from weighbridge.export._report import (
    ScannedPath,
    count_coverage,
    judge_scan,
    scan_word,
    to_rfc3339,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.core import (
        ArtifactEvidence,
        Attribution,
        CardEvidence,
        Coverage,
        DocumentCheck,
        Finding,
        JsonValue,
        LicenseEvidence,
        LineageReport,
        Location,
        Manifest,
        ManifestDiff,
        Resource,
        Rule,
        ScanReport,
        SignatureEvidence,
        Verdict,
    )
    from weighbridge.export._report import CheckReport

__all__ = [
    "SCHEMA_IDS",
    "attribution_to_json",
    "diff_to_json",
    "load_schema",
    "location_to_json",
    "manifest_to_json",
    "rules_to_json",
    "scan_to_json",
    "scans_to_json",
    "to_json",
]

SCHEMA_IDS = {
    "check-v1": "https://weighbridge.dev/schemas/check/v1",
    "explain-v1": "https://weighbridge.dev/schemas/explain/v1",
    "human-review-v1": "https://weighbridge.dev/schemas/human-review/v1",
    "manifest-v1": "https://weighbridge.dev/schemas/manifest/v1",
    "root-acceptance-v1": "https://weighbridge.dev/schemas/root-acceptance/v1",
    "scan-statement-v1": "https://weighbridge.dev/schemas/scan-statement/v1",
    "scan-v1": "https://weighbridge.dev/schemas/scan/v1",
    "scans-v1": "https://weighbridge.dev/schemas/scans/v1",
    "trace-v1": "https://weighbridge.dev/schemas/trace/v1",
}


def load_schema(
    name: Literal[
        "check-v1",
        "explain-v1",
        "human-review-v1",
        "manifest-v1",
        "root-acceptance-v1",
        "scan-statement-v1",
        "scan-v1",
        "scans-v1",
        "trace-v1",
    ],
) -> JsonValue:
    """Return a JSON schema (2020-12) that ships with Weighbridge.

    Raises:
        KeyError: There is no schema of this name.
    """
    if name not in SCHEMA_IDS:
        raise KeyError(f"{name!r} is none of {', '.join(sorted(SCHEMA_IDS))}")
    from importlib import resources  # noqa: PLC0415 - no report needs it, and it loads slowly

    file = resources.files("weighbridge.export").joinpath(f"schemas/{name}.schema.json")
    schema: JsonValue = json.loads(file.read_text(encoding="utf-8"))
    return schema


def to_json(report: CheckReport) -> JsonValue:
    r"""Return the verdict and all its evidence, as ``check-v1.schema.json`` describes it.

    Nothing is left out or cut. Every string can be written as UTF-8: a name that is not UTF-8 on
    disk is given with its bytes as ``\xNN``.
    """
    verdict, evidence = report.verdict, report.evidence
    document: dict[str, JsonValue] = {
        "$schema": SCHEMA_IDS["check-v1"],
        "version": 1,
        "tool": {"name": "weighbridge", "version": report.version},
        "at": to_rfc3339(verdict.at),
        "answer": verdict.answer.value,
        "artifact": _artifact(evidence.artifact),
        "policy": {"name": verdict.policy, "digest": verdict.policy_digest or None},
        "rules": _rules(verdict),
        "not_checked": [{"what": item.what, "why": item.why} for item in verdict.not_checked],
        "signature": _signature(evidence.signature),
        "scan": _scan(evidence.scan),
        "card": _card(evidence.card),
        "license": _license(evidence.license),
        "lineage": _lineage(evidence.lineage),
        "document": _document(evidence.document),
    }
    return encodable(document)


def scan_to_json(report: ScanReport, *, answer: Answer | None = None) -> JsonValue:
    """Return a scan as ``scan-v1.schema.json`` describes it.

    Args:
        report: The scan.
        answer: What it was judged to be; None judges it as the built-in policy does.
    """
    return _scanned(ScannedPath("", report, answer or judge_scan(report), ScanTerms()))


def scans_to_json(scans: Sequence[ScannedPath]) -> JsonValue:
    """Return scans of one or of several paths.

    One is told as ``scan-v1.schema.json`` describes it; several are a list of such documents, with
    what they come to together, as ``scans-v1.schema.json`` describes it.
    """
    documents: list[JsonValue] = [_scanned(scan) for scan in scans]
    if len(documents) == 1:
        return documents[0]
    answers = tuple(scan.answer for scan in scans)
    return {
        "$schema": SCHEMA_IDS["scans-v1"],
        "version": 1,
        "answer": worst(answers).value if answers else Answer.UNKNOWN.value,
        "scans": documents,
    }


def _scanned(scan: ScannedPath) -> JsonValue:
    document: dict[str, JsonValue] = {
        "$schema": SCHEMA_IDS["scan-v1"],
        "version": 1,
        "path": scan.path,
        "artifact": None if scan.digest is None else str(scan.digest),
        "answer": scan.answer.value,
        "verdict": scan_word(scan.answer),
        "policy": {
            "name": scan.terms.policy,
            "digest": scan.terms.policy_digest or None,
            "fail_on": scan.terms.fail_on.value,
            "coverage": "complete" if scan.terms.complete else "any",
            "allow": [[*pair] for pair in sorted(scan.terms.allowed)],
            "is_warning": scan.terms.warn_only,
        },
        "claims": scan.claims or None,
        **_scan(scan.report),
    }
    return encodable(document)


def rules_to_json(rules: Sequence[Rule]) -> JsonValue:
    """Return rules of the scan with their texts."""
    return [
        {
            "rule_id": rule.rule_id,
            "answer": rule.answer.value,
            "severity": rule.severity.value,
            "title": rule.title,
            "what": rule.what,
            "example": rule.example,
            "fix": rule.fix,
            "cwe": list(rule.cwe),
            "atlas": list(rule.atlas),
        }
        for rule in rules
    ]


def manifest_to_json(manifest: Manifest) -> JsonValue:
    """Return a manifest as ``manifest-v1.schema.json`` describes it.

    ``artifact`` is the artifact digest, which anyone can recompute from ``resources``.
    """
    document: dict[str, JsonValue] = {
        "$schema": SCHEMA_IDS["manifest-v1"],
        "version": 1,
        "artifact": str(manifest.compute_digest()),
        "kind": manifest.kind.value,
        "label": manifest.label,
        "resources": [_resource(resource) for resource in manifest.resources],
        "left_out": list(manifest.left_out),
    }
    return encodable(document)


def _artifact(artifact: ArtifactEvidence) -> JsonValue:
    return {
        "path": artifact.path,
        "kind": artifact.kind.value,
        "digest": None if artifact.digest is None else str(artifact.digest),
        "file_count": artifact.file_count,
        "size_bytes": artifact.size_bytes,
        "left_out": list(artifact.left_out),
        "failures": [
            {"name": failure.name, "kind": failure.kind.value, "reason": failure.reason}
            for failure in artifact.failures
        ],
    }


def _rules(verdict: Verdict) -> JsonValue:
    return [
        {
            "rule": rule.rule,
            "answer": rule.answer.value,
            "reason": rule.reason,
            "names": list(rule.names),
            "remedy": rule.remedy,
            "is_warning": rule.is_warning,
            "waiver": rule.waiver,
        }
        for rule in verdict.rules
    ]


def _lineage(lineage: LineageReport | None) -> JsonValue:
    if lineage is None:
        return None
    from weighbridge.export._trace_json import lineage_to_json  # noqa: PLC0415 - seldom there

    return lineage_to_json(lineage)


def _document(document: DocumentCheck | None) -> JsonValue:
    if document is None:
        return None
    return {
        "path": document.path,
        "problem": document.problem,
        "entries": [
            {"place": e.place, "answer": e.answer.value, "message": e.message}
            for e in document.entries
        ],
    }


def _signature(signature: SignatureEvidence) -> JsonValue:
    return {
        "path": signature.path,
        "found": signature.found,
        "problem": signature.problem,
        "signers": list(signature.signers),
        "attributions": [attribution_to_json(a) for a in signature.attributions],
        "diff": None if signature.diff is None else diff_to_json(signature.diff),
    }


def attribution_to_json(attribution: Attribution) -> JsonValue:
    """Return whom a signature is by."""
    time = attribution.existed_by
    return {
        "signer": attribution.signer,
        "method": attribution.method,
        "identity": attribution.identity,
        "issuer": attribution.issuer,
        "existed_by": None if time is None else time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "notes": list(attribution.notes),
    }


def diff_to_json(diff: ManifestDiff) -> JsonValue:
    """Return what differs; a size or digest that is not known is null."""
    return {
        "changed": [
            {"expected": _resource(expected), "actual": _resource(actual)}
            for expected, actual in diff.changed
        ],
        "missing": [_resource(resource) for resource in diff.missing],
        "extra": [_resource(resource) for resource in diff.extra],
        "renamed": [
            {"expected": _resource(expected), "actual": _resource(actual)}
            for expected, actual in diff.renamed
        ],
    }


def _resource(resource: Resource) -> JsonValue:
    # A signature file does not record sizes; a manifest holds -1 for them.
    size_bytes = None if resource.size_bytes < 0 else resource.size_bytes
    return {"name": resource.name, "size_bytes": size_bytes, "sha256": resource.sha256 or None}


def _scan(report: ScanReport) -> dict[str, JsonValue]:
    count = count_coverage(report.coverage)
    return {
        "engine": report.engine,
        "findings": [_finding(finding) for finding in report.findings],
        "coverage_count": {
            "files": count.files,
            "examined": count.examined,
            "inert": count.inert,
            "not_examined": count.not_examined,
            "out_of_scope": count.out_of_scope,
        },
        "coverage": [_coverage(row) for row in report.coverage],
        "rules": rules_to_json(report.rules),
    }


def _finding(finding: Finding) -> JsonValue:
    return {
        "rule_id": finding.rule_id,
        "answer": finding.answer.value,
        "severity": finding.severity.value,
        "location": location_to_json(finding.location),
        "message": finding.message,
        "detail": finding.detail,
        "opcode": finding.opcode or None,
    }


def _coverage(row: Coverage) -> JsonValue:
    return {
        "location": location_to_json(row.location),
        "status": row.status.value,
        "format": row.format,
        "reason": row.reason,
        "size_bytes": row.size_bytes,
    }


def location_to_json(location: Location) -> JsonValue:
    """Return a place."""
    return {
        "file": location.file,
        "member": list(location.member),
        "offset_bytes": location.offset,
    }


def _card(evidence: CardEvidence) -> JsonValue:
    card = evidence.card
    declared: JsonValue = None
    if card is not None:
        declared = {
            "file": card.file,
            "licenses": list(card.licenses),
            "license_name": card.license_name,
            "license_link": card.license_link,
            "base_models": list(card.base_models),
            "datasets": list(card.datasets),
            "languages": list(card.languages),
            "library_name": card.library_name,
            "pipeline_tag": card.pipeline_tag,
            "tags": list(card.tags),
            "has_body": card.has_body,
        }
    return {"declared": declared, "problem": evidence.problem, "malformed": evidence.malformed}


def _license(license_: LicenseEvidence) -> JsonValue:
    return {
        "declared": license_.declared,
        "expression": license_.expression,
        "problem": license_.problem,
    }
