"""SARIF 2.1.0: findings and failed rules for code scanning services and editors."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from weighbridge.core import Answer, ArtifactKind, printable
from weighbridge.export._report import counts, rule_words, to_rfc3339
from weighbridge.export._sarif_lineage import describe_lineage, list_other_results
from weighbridge.export._sarif_parts import (
    BASE,
    build_log,
    descriptor,
    fingerprint,
    message,
    place_file,
    refer_taxa,
    safe_text,
    tell_finding,
    tell_not_examined,
    tell_rules,
)

if TYPE_CHECKING:
    from weighbridge.core import (
        ArtifactEvidence,
        Evidence,
        JsonValue,
        ReadFailure,
        RuleResult,
        Verdict,
    )
    from weighbridge.export._report import CheckReport
    from weighbridge.export._sarif_lineage import OtherResult

__all__ = ["to_sarif"]

_MAX_LOCATIONS = 100


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
    rules = tell_rules(evidence.scan)
    rules |= {_gate_id(rule): _gate_rule(rule) for rule in broken}
    rules |= {one.rule_id: descriptor(one.rule_id, one.about, page="report") for one in others}
    order = {rule_id: index for index, rule_id in enumerate(rules)}
    taxa = refer_taxa(evidence.scan.rules)
    results = [tell_finding(finding, order, seen, taxa=taxa) for finding in evidence.scan.findings]
    results += [_broken_rule(rule, evidence.artifact, order, seen) for rule in broken]
    results += [_other(one, evidence.artifact, order, seen) for one in others]
    return build_log(
        version=report.version,
        rules=rules,
        found=evidence.scan.rules,
        invocation=_invocation(verdict, evidence),
        bases={BASE: "The artifact: a folder, or the folder of a file."},
        results=results,
        properties=_properties(verdict, evidence),
    )


def _gate_id(rule: RuleResult) -> str:
    return f"WB-GATE-{printable(rule.rule)}"


def _gate_rule(rule: RuleResult) -> JsonValue:
    about = f"The policy's rule {rule.rule} is not met"
    return {**descriptor(_gate_id(rule), about, page="policy"), "properties": {"tags": ["policy"]}}


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
        "message": message(said),
        "locations": [place_file(name) for name in names[:_MAX_LOCATIONS]],
        "partialFingerprints": fingerprint((rule_id, *rule.names), seen),
        "properties": {"answer": rule.answer.value, "isWarning": rule.is_warning},
    }
    if rule.waiver:  # section 3.35: somebody decided outside of the code
        told = safe_text(rule.waiver)
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
        "message": message(one.message),
        "locations": [place_file(_whole(artifact))],
        "partialFingerprints": fingerprint((one.rule_id, one.name, one.message), seen),
        "properties": {"about": printable(one.name)},
    }


def _whole(artifact: ArtifactEvidence) -> str:
    """Return what stands for the artifact itself, since services refuse results without a place."""
    return "./" if artifact.kind is ArtifactKind.FOLDER else artifact.path.rpartition("/")[2]


def _invocation(verdict: Verdict, evidence: Evidence) -> JsonValue:
    failures = evidence.artifact.failures
    return {
        "executionSuccessful": not failures,
        "endTimeUtc": to_rfc3339(verdict.at),
        "toolExecutionNotifications": [
            *(_failure(failure) for failure in failures),
            *(tell_not_examined(row) for row in evidence.scan.not_examined),
        ],
    }


def _failure(failure: ReadFailure) -> JsonValue:
    return {
        "level": "error",
        "descriptor": {"id": "WB-READ", "index": 0},
        "message": message(f"{failure.name} {failure.reason}"),
        "locations": [place_file(failure.name)],
        "properties": {"kind": failure.kind.value},
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
