"""SARIF 2.1.0: findings and failed rules for code scanning services and editors."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import quote

from weighbridge.core import Answer, ArtifactKind, Severity, printable
from weighbridge.export._report import counts, rule_words, to_rfc3339
from weighbridge.export._sarif_lineage import describe_lineage, list_other_results

if TYPE_CHECKING:
    from weighbridge.core import (
        ArtifactEvidence,
        Coverage,
        Evidence,
        Finding,
        JsonValue,
        Location,
        ReadFailure,
        RuleResult,
        Verdict,
    )
    from weighbridge.export._report import CheckReport
    from weighbridge.export._sarif_lineage import OtherResult

__all__ = ["to_sarif"]

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_HOME = "https://weighbridge.dev"
_BASE = "ARTIFACT"
_MAX_LOCATIONS = 100
_MAX_DETAIL_LINES = 40
_LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
_RANKS = {
    Severity.CRITICAL: 95.0,
    Severity.HIGH: 80.0,
    Severity.MEDIUM: 55.0,
    Severity.LOW: 25.0,
    Severity.INFO: 5.0,
}
_KINDS = {Answer.FAIL: "fail", Answer.UNKNOWN: "review", Answer.PASS: "informational"}
_SCORES = {  # what code scanning services sort by, out of ten
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "2.5",
    Severity.INFO: "0.5",
}
_FAMILIES = {
    "ART": "An entry of the artifact that cannot be weighed",
    "BIN": "A binary file that nobody vouches for",
    "CMP": "Compressed data that breaks off or is not what it says",
    "GGF": "A GGUF file that breaks its format",
    "NPY": "A NumPy file that breaks its format or holds objects",
    "PKL": "A pickle that does more than rebuild data",
    "SCN": "Something that the scan could not follow",
    "STN": "A safetensors file that breaks its format",
    "ZIP": "An archive that breaks its format or hides what it holds",
}
_NOTIFICATIONS = (
    ("WB-READ", "An entry of the artifact could not be read, so the artifact has no digest."),
    ("WB-NOT-EXAMINED", "A file or container member was not examined."),
)


def to_sarif(report: CheckReport) -> JsonValue:
    """Return one SARIF run.

    A finding is a result; so is a rule of the policy that fails (kind ``fail``) or cannot be
    answered (kind ``open``), as ``WB-GATE-<rule>``. A rule that only warns has the level
    ``warning``; one that is waived is suppressed, with the reason. What is wrong in the lineage is
    a result of kind ``review`` (``WB-LINEAGE-<problem>``), since rules judge it; an entry of a
    document that is not so is ``WB-DOCUMENT``. What was not examined is a notification. Paths
    are relative to the artifact and percent-encoded; an offset inside a member of a container is a
    property, since SARIF regions are those of the file on disk.

    Source:
        SARIF 2.1.0, sections 3.14 (run), 3.20 (invocation), 3.27 (result), 3.58 (notification).
    """
    verdict, evidence = report.verdict, report.evidence
    broken = tuple(r for r in verdict.rules if r.answer is not Answer.PASS or r.waiver)
    others = tuple(list_other_results(evidence))
    seen: Counter[str] = Counter()
    rules = _descriptors(evidence.scan.findings, broken)
    rules |= {one.rule_id: _descriptor(one.rule_id, one.about, page="report") for one in others}
    order = {rule_id: index for index, rule_id in enumerate(rules)}
    results = [_finding(finding, order, seen) for finding in evidence.scan.findings]
    results += [_broken_rule(rule, evidence.artifact, order, seen) for rule in broken]
    results += [_other(one, evidence.artifact, order, seen) for one in others]
    run: dict[str, JsonValue] = {
        "tool": {
            "driver": {
                "name": "Weighbridge",
                "version": report.version,
                "informationUri": _HOME,
                "rules": list(rules.values()),
                "notifications": [
                    {"id": name, "shortDescription": _message(about)}
                    for name, about in _NOTIFICATIONS
                ],
            }
        },
        "invocations": [_invocation(verdict, evidence)],
        "originalUriBaseIds": {
            _BASE: {"description": {"text": "The artifact: a folder, or the folder of a file."}}
        },
        "results": results,
        "properties": _properties(verdict, evidence),
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _text(text: str, *, limit: int = 2_000) -> str:
    """Return a message that no viewer acts on: no control characters, placeholders or links.

    Source:
        SARIF 2.1.0, sections 3.11.5 (braces are doubled) and 3.11.6 (embedded links).
    """
    safe = printable(text, limit=limit)
    return safe.replace("{", "{{").replace("}", "}}").replace("](", "] (")


def _message(text: str) -> dict[str, JsonValue]:
    return {"text": _text(text)}


def _gate_id(rule: RuleResult) -> str:
    return f"WB-GATE-{printable(rule.rule)}"


def _descriptors(
    findings: tuple[Finding, ...], broken: tuple[RuleResult, ...]
) -> dict[str, JsonValue]:
    """Describe every rule that has a result, in the order of the results."""
    severities: dict[str, Severity] = {}
    for finding in findings:
        known = severities.get(finding.rule_id, Severity.INFO)
        severities[finding.rule_id] = max(known, finding.severity, key=lambda one: one.rank)
    found = {rule_id: _found_rule(rule_id, worst) for rule_id, worst in severities.items()}
    return found | {_gate_id(rule): _gate_rule(rule) for rule in broken}


def _found_rule(rule_id: str, severity: Severity) -> JsonValue:
    family = rule_id.split("-")[1] if rule_id.count("-") > 1 else ""
    about = _FAMILIES.get(family, "Something that the scan found")
    properties: JsonValue = {"security-severity": _SCORES[severity], "tags": ["security"]}
    return {**_descriptor(rule_id, about, page="rules"), "properties": properties}


def _gate_rule(rule: RuleResult) -> JsonValue:
    about = f"The policy's rule {rule.rule} is not met"
    return {**_descriptor(_gate_id(rule), about, page="policy"), "properties": {"tags": ["policy"]}}


def _descriptor(rule_id: str, about: str, *, page: str) -> dict[str, JsonValue]:
    help_uri = f"{_HOME}/docs/{page}#{quote(rule_id.lower(), safe='')}"
    return {
        "id": rule_id,
        "name": "".join(part.title() for part in rule_id.split("-")),
        "shortDescription": _message(f"{about}."),
        "fullDescription": _message(f"{about}."),
        "help": _message(f"See {help_uri}"),
        "helpUri": help_uri,
    }


def _finding(finding: Finding, order: dict[str, int], seen: Counter[str]) -> JsonValue:
    failed = finding.answer is Answer.FAIL
    location = finding.location
    return {
        "ruleId": finding.rule_id,
        "ruleIndex": order[finding.rule_id],
        "kind": _KINDS[finding.answer],
        # Section 3.27.10: a result that does not fail has the level "none".
        "level": _LEVELS[finding.severity] if failed else "none",
        "rank": _RANKS[finding.severity],
        "message": {"text": _text(finding.message) + _detail(finding.detail)},
        "locations": [_location(location)],
        "partialFingerprints": _fingerprint(
            (finding.rule_id, location.file, *location.member, finding.message, finding.detail),
            seen,
        ),
        "properties": {"answer": finding.answer.value, "severity": finding.severity.value},
    }


def _detail(detail: str) -> str:
    """Return the lines of a detail, each below the other and safe."""
    if not detail:
        return ""
    lines = detail.split("\n")
    more = len(lines) - _MAX_DETAIL_LINES
    kept = ["", *(_text(line) for line in lines[:_MAX_DETAIL_LINES])]
    return "\n".join([*kept, f"… {more:,} more lines"] if more > 0 else kept)


def _broken_rule(
    rule: RuleResult, artifact: ArtifactEvidence, order: dict[str, int], seen: Counter[str]
) -> JsonValue:
    failed = rule.answer is Answer.FAIL or bool(rule.waiver)
    rule_id = _gate_id(rule)
    names = rule.names or (_whole(artifact),)
    more = len(names) - _MAX_LOCATIONS
    said = f"{rule_words(rule).rstrip('.')}. {rule.remedy}".rstrip()
    said += f" ({more:,} more files)" if more > 0 else ""
    level = "error" if counts(rule) else "warning"
    result: dict[str, JsonValue] = {
        "ruleId": rule_id,
        "ruleIndex": order[rule_id],
        "kind": "fail" if failed else "open",
        "level": level if failed else "none",
        "message": _message(said),
        "locations": [_file(name) for name in names[:_MAX_LOCATIONS]],
        "partialFingerprints": _fingerprint((rule_id, *rule.names), seen),
        "properties": {"answer": rule.answer.value, "isWarning": rule.is_warning},
    }
    if rule.waiver:  # section 3.35: somebody decided outside of the code
        told = _text(rule.waiver)
        result["suppressions"] = [{"kind": "external", "justification": told}]
    return result


def _other(
    one: OtherResult, artifact: ArtifactEvidence, order: dict[str, int], seen: Counter[str]
) -> JsonValue:
    return {
        "ruleId": one.rule_id,
        "ruleIndex": order[one.rule_id],
        "kind": one.kind,
        "level": "error" if one.kind == "fail" else "none",
        "message": _message(one.message),
        "locations": [_file(_whole(artifact))],
        "partialFingerprints": _fingerprint((one.rule_id, one.name, one.message), seen),
        "properties": {"about": printable(one.name)},
    }


def _whole(artifact: ArtifactEvidence) -> str:
    """Return what stands for the artifact itself, since services refuse results without a place."""
    return "./" if artifact.kind is ArtifactKind.FOLDER else artifact.path.rpartition("/")[2]


def _file(name: str) -> dict[str, JsonValue]:
    uri = quote(_to_bytes(name))
    if uri.startswith("/"):  # "//host/x" would lead out of the artifact
        uri = f"%2F{uri[1:]}"
    return {"physicalLocation": {"artifactLocation": {"uri": uri, "uriBaseId": _BASE}}}


def _to_bytes(name: str) -> bytes:
    """Return the bytes that a name has on disk (PEP 383), whatever the locale is."""
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return name.encode("utf-8", "replace")


def _location(location: Location) -> dict[str, JsonValue]:
    told = _file(location.file)
    if not location.member:
        if location.offset is not None:
            told["physicalLocation"]["region"] = {"byteOffset": location.offset}  # type: ignore[index, call-overload]
        return told
    told["logicalLocations"] = [
        {
            "name": printable(location.member[-1]),
            "fullyQualifiedName": printable(
                "!".join((location.file, *location.member)), limit=4_000
            ),
            "kind": "member",
        }
    ]
    if location.offset is not None:
        told["properties"] = {"memberOffsetBytes": location.offset}
    return told


def _fingerprint(parts: tuple[str, ...], seen: Counter[str]) -> JsonValue:
    """Name a result for comparison with later runs; offsets shift, so they are not part of it."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    key = digest.hexdigest()[:32]
    seen[key] += 1
    return {"weighbridge/v1": f"{key}:{seen[key]}"}


def _invocation(verdict: Verdict, evidence: Evidence) -> JsonValue:
    failures = evidence.artifact.failures
    return {
        "executionSuccessful": not failures,
        "endTimeUtc": to_rfc3339(verdict.at),
        "toolExecutionNotifications": [
            *(_failure(failure) for failure in failures),
            *(_not_examined(row) for row in evidence.scan.not_examined),
        ],
    }


def _failure(failure: ReadFailure) -> JsonValue:
    return {
        "level": "error",
        "descriptor": {"id": "WB-READ", "index": 0},
        "message": _message(f"{failure.name} {failure.reason}"),
        "locations": [_file(failure.name)],
        "properties": {"kind": failure.kind.value},
    }


def _not_examined(row: Coverage) -> JsonValue:
    reason = row.reason or "no reason given"
    return {
        "level": "warning",
        "descriptor": {"id": "WB-NOT-EXAMINED", "index": 1},
        "message": _message(f"{row.location} was not examined: {reason}"),
        "locations": [_location(row.location)],
    }


def _properties(verdict: Verdict, evidence: Evidence) -> JsonValue:
    digest, lineage = evidence.artifact.digest, evidence.lineage
    return {
        "answer": verdict.answer.value,
        "artifactDigest": None if digest is None else str(digest),
        "policy": printable(verdict.policy),
        "policyDigest": verdict.policy_digest or None,
        "scanEngine": printable(evidence.scan.engine),
        "notChecked": [printable(item.what) for item in verdict.not_checked],
        "lineage": None if lineage is None else describe_lineage(lineage),
    }
