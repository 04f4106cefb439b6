"""The rules, one function each: rule and evidence -> result. Pure.

Each answers PASS only for what it has seen: where evidence is missing it says FAIL or UNKNOWN.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from weighbridge.core import (
    Answer,
    ArtifactKind,
    CoverageStatus,
    ReadFailureKind,
    RuleResult,
    printable,
    to_size,
)
from weighbridge.policy._results import count, fail, more, pass_, to_names, to_sentence, unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.core import (
        ArtifactEvidence,
        Attribution,
        Card,
        Evidence,
        Finding,
        ManifestDiff,
        ReadFailure,
        ScanReport,
        SignatureEvidence,
    )
    from weighbridge.policy._policy import CardRule, ScanRule, SignatureRule

__all__ = ["judge_card", "judge_integrity", "judge_scan", "judge_signature"]


def judge_integrity(evidence: Evidence) -> RuleResult:
    """Judge whether the files could be hashed, stayed the same, and are those that were signed."""
    artifact, signature = evidence.artifact, evidence.signature
    if any(failure.kind is not ReadFailureKind.UNREADABLE for failure in artifact.failures):
        return fail(
            "integrity",
            _describe_failures(artifact.failures),
            names=_list_failed(artifact.failures),
            remedy="Replace links and devices by files, let writers finish, then check again.",
        )
    if signature.diff:
        return fail(
            "integrity",
            f"These are not the files that {_name_signature(signature)} lists:"
            f" {_describe_differing(signature.diff)}",
            names=_list_differing(signature.diff),
            remedy="Fetch the artifact again from its publisher, or have it signed again.",
        )
    if artifact.failures or artifact.digest is None:
        return unknown(
            "integrity",
            _describe_failures(artifact.failures),
            names=_list_failed(artifact.failures),
            remedy="Make every file readable for the user who checks, then check again.",
        )
    return _judge_comparison(artifact, signature)


def _judge_comparison(artifact: ArtifactEvidence, signature: SignatureEvidence) -> RuleResult:
    """Say what the files were compared with, all being hashed and no difference known."""
    size = f"{count(artifact.file_count, 'file')}, {to_size(artifact.size_bytes)}"
    file = _name_signature(signature)
    if not signature.found:
        return pass_("integrity", f"{size}; there is no signature file to compare with")
    if signature.diff is None:
        why = f": {printable(signature.problem)}" if signature.problem else ""
        return unknown(
            "integrity",
            f"{size}; they cannot be compared with {file}{why}",
            remedy="Name its signer in the policy, as a publisher, or get another signature.",
        )
    return pass_("integrity", f"{size}; they are the files that {file} lists")


def judge_signature(rule: SignatureRule, evidence: Evidence) -> RuleResult:
    """Judge whether one of the signers that the policy names vouches for exactly these files."""
    signature = evidence.signature
    file = _name_signature(signature)
    wanted = " or ".join(rule.by)
    remedy = f"Get a signature by {wanted}, or change require.signature."
    if not signature.found:
        return fail("signature", f"There is no signature file {file}", remedy=remedy)
    if signature.problem:
        reason = f"{file} cannot be used: {printable(signature.problem)}"
        return fail("signature", reason, remedy=remedy)
    vouching = [name for name in rule.by if name in signature.signers]
    if not vouching:
        others = ", ".join(signature.signers)
        by = f"{file} is signed by {others}" if others else f"No trusted key verifies {file}"
        return fail("signature", f"{by}; the policy asks for {wanted}", remedy=remedy)
    signer = ", ".join(vouching)
    if signature.diff is None:
        return unknown(
            "signature",
            f"{signer} signed {file}, but the files could not be compared with its list",
            remedy="Make every file readable for the user who checks, then check again.",
        )
    if signature.diff:
        return fail(
            "signature",
            f"{signer} signed other files than these; a signature vouches only for what it lists",
            names=_list_differing(signature.diff),
            remedy=f"Fetch what {signer} signed, or have this signed again.",
        )
    proofs = [_describe_proof(a) for a in signature.attributions if a.signer in vouching]
    how = "; ".join(filter(None, proofs))
    return pass_("signature", f"{signer} signed exactly these files{f' ({how})' if how else ''}")


def _describe_proof(attribution: Attribution) -> str:
    """Say how a signer was known; empty for a bare key, which the policy names itself."""
    words = []
    if attribution.method != "key":
        issuer = printable(attribution.issuer, limit=120)
        identity = printable(attribution.identity, limit=120)
        words.append(f"{attribution.method} of {identity}, by {issuer}")
    if attribution.existed_by is not None:
        words.append(f"before {attribution.existed_by:%Y-%m-%d %H:%M:%S} UTC")
    return ", ".join(words)


def judge_scan(rule: ScanRule, evidence: Evidence) -> RuleResult:
    """Judge what the scan found and what it did not look at."""
    report = evidence.scan
    answer = report.judge(fail_on=rule.fail_on, complete=rule.complete)
    if answer is Answer.FAIL:
        found = _pick_findings(report, rule, Answer.FAIL)
        return fail(
            "scan",
            _describe_findings(found),
            names=to_names(f.location.file for f in found),
            remedy="Do not load these files; ask the publisher for a version without them.",
        )
    if found := _pick_findings(report, rule, Answer.UNKNOWN):
        return unknown(
            "scan",
            _describe_findings(found),
            names=to_names(f.location.file for f in found),
            remedy="If you know it to be harmless, add what the finding names to"
            " require.scan.allow; else ask for another format, such as safetensors.",
        )
    missing = evidence.artifact.file_count - _count_scanned(evidence)
    if missing > 0:
        return unknown(
            "scan",
            f"The scan does not account for {count(missing, 'file')}",
            remedy="Scan the whole artifact, then check again.",
        )
    rows = sorted(report.not_examined, key=lambda row: (str(row.location), row.reason))
    names = to_names(row.location.file for row in rows)
    if answer is Answer.UNKNOWN:
        why = f" ({printable(rows[0].reason)})" if rows[0].reason else ""
        return unknown(
            "scan",
            f"{count(len(names), 'file')} not examined in full:"
            f" {printable(str(rows[0].location))}{why}{more(len(names) - 1)}",
            names=names,
            remedy='Remove what is not needed, or set require.scan.coverage = "any"'
            " if you accept what nobody looked at.",
        )
    return RuleResult("scan", Answer.PASS, _describe_clean(report, rule, names), names=names)


def judge_card(rule: CardRule, evidence: Evidence) -> RuleResult:
    """Judge whether there is a model card, and what it must say."""
    card = evidence.card.card
    required = rule.profile == "huggingface"
    if card is None:
        problem = printable(evidence.card.problem) or "there is no model card"
        if evidence.card.malformed:
            return fail("card", problem, remedy="Correct the metadata block of the card.")
        if evidence.artifact.kind is ArtifactKind.FILE:
            problem = "a single file has no place for a model card"
        answer = Answer.FAIL if required else Answer.UNKNOWN
        remedy = "Add a README.md that describes the model, or check its whole folder."
        return RuleResult("card", answer, to_sentence(problem), remedy=remedy)
    file = printable(card.file)
    if required and (lacks := _list_lacks(card)):
        return fail(
            "card",
            f"{file} lacks {' and '.join(lacks)}",
            names=(card.file,),
            remedy="Have the publisher complete the card.",
        )
    says = "has what Hugging Face asks for" if required else "can be read"
    return pass_("card", f"{file} {says}")


def _list_lacks(card: Card) -> list[str]:
    declared = {declared.lower() for declared in card.licenses}
    lacks = []
    if not declared or "unknown" in declared:
        lacks.append("a licence")
    if "other" in declared:
        lacks += [
            key
            for key, value in (
                ("license_name", card.license_name),
                ("license_link", card.license_link),
            )
            if not value
        ]
    if not card.has_body:
        lacks.append("a description below its metadata")
    return lacks


def _pick_findings(report: ScanReport, rule: ScanRule, answer: Answer) -> list[Finding]:
    """Return the findings that count and say ``answer``, worst first, else in order of place."""
    counted = (
        finding
        for finding in report.findings
        if finding.answer is answer and finding.severity.rank >= rule.fail_on.rank
    )
    return sorted(counted, key=_by_severity)


def _by_severity(finding: Finding) -> tuple[object, ...]:
    location = finding.location
    place = (location.file, location.member, -1 if location.offset is None else location.offset)
    return (-finding.severity.rank, *place, finding.rule_id, finding.message)


def _sort_failures(failures: Sequence[ReadFailure]) -> list[ReadFailure]:
    """Order by name, what is only unreadable last."""
    return sorted(failures, key=lambda f: (f.kind is ReadFailureKind.UNREADABLE, f.name))


def _list_failed(failures: Sequence[ReadFailure]) -> tuple[str, ...]:
    return to_names(failure.name for failure in _sort_failures(failures))


def _describe_failures(failures: Sequence[ReadFailure]) -> str:
    if not failures:
        return "The files could not be hashed"
    first = _sort_failures(failures)[0]
    return f"{printable(first.name)} {printable(first.reason)}{more(len(failures) - 1)}"


def _describe_differing(diff: ManifestDiff) -> str:
    parts = (diff.changed, diff.missing, diff.extra, diff.renamed)
    return printable(next(iter(diff.to_lines()))) + more(sum(map(len, parts)) - 1)


def _describe_findings(findings: Sequence[Finding]) -> str:
    first = findings[0]
    message = printable(first.message).removesuffix(".")
    return f"{printable(str(first.location))}: {message}{more(len(findings) - 1)}"


def _describe_clean(report: ScanReport, rule: ScanRule, not_examined: Sequence[str]) -> str:
    files = {row.location.file for row in report.coverage} - _list_out_of_scope(report)
    reason = f"Nothing dangerous in {count(len(files), 'file')}"
    milder = sum(f.severity.rank < rule.fail_on.rank for f in report.findings)
    if milder:
        reason += f"; {count(milder, 'finding')} below {rule.fail_on}"
    if not_examined:
        shown = printable(not_examined[0]) + more(len(not_examined) - 1)
        reason += f"; not examined in full, which the policy accepts: {shown}"
    return reason


def _count_scanned(evidence: Evidence) -> int:
    """Return how many of the files that were hashed the scan accounts for."""
    rows = {row.location.file for row in evidence.scan.coverage}
    failed = {failure.name for failure in evidence.artifact.failures}
    return len(rows - failed - _list_out_of_scope(evidence.scan))


def _list_out_of_scope(report: ScanReport) -> set[str]:
    outside = CoverageStatus.OUT_OF_SCOPE
    return {row.location.file for row in report.coverage if row.status is outside}


def _list_differing(diff: ManifestDiff) -> tuple[str, ...]:
    """Return the names that differ, those with changed content first, which tell most."""
    changed = (actual.name for _, actual in diff.changed)
    renamed = (resource.name for pair in diff.renamed for resource in pair)
    rest = (resource.name for resource in (*diff.missing, *diff.extra))
    return to_names((*changed, *renamed, *rest))


def _name_signature(signature: SignatureEvidence) -> str:
    return printable(PurePosixPath(signature.path).name or signature.path)
