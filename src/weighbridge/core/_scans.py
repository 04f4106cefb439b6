"""How a scan is judged, and the statement that says what one came to."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from weighbridge._version import __version__
from weighbridge.core._answer import Answer, Severity
from weighbridge.core._findings import Coverage, CoverageStatus, Finding, Location, ScanReport
from weighbridge.core._predicates import check_type, take_object, take_text, take_time, to_time
from weighbridge.core._statement import Statement
from weighbridge.core._text import printable
from weighbridge.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from weighbridge.core._json import JsonValue
    from weighbridge.core._statement import Subject

__all__ = ["SCAN_TYPE", "ScanClaim", "ScanTerms", "build_scan", "parse_scan"]

SCAN_TYPE: Final = "https://weighbridge.dev/attestation/scan/v1"

_TOOL: Final = "weighbridge"
_MAX_LISTED: Final = 1_000  # findings, and so rows that were not examined; the rest are counted
_MAX_ALLOWED: Final = 10_000
_MAX_MEMBERS: Final = 64
_MAX_NAME: Final = 1_000
_MAX_MESSAGE: Final = 2_000
_MAX_WORD: Final = 200
_MAX_SCANNER: Final = 400
_MAX_COUNT: Final = 2**53 - 1
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_FIELDS: Final = frozenset(
    {
        *("tool", "engine", "configuration", "covered", "notCovered", "result", "findings"),
        *("scanner", "scannedAt"),
    }
)
_STATUSES: Final = {
    "examined": CoverageStatus.EXAMINED,
    "inert": CoverageStatus.INERT,
    "notExamined": CoverageStatus.NOT_EXAMINED,
    "outOfScope": CoverageStatus.OUT_OF_SCOPE,
}


@dataclass(frozen=True, slots=True)
class ScanTerms:
    """By what a scan is made and judged.

    Attributes:
        policy: The name of the policy; for people.
        policy_digest: ``sha256:<hex>`` of its file; empty for the built-in one.
        allowed: (module, name) pairs that a pickle may refer to, besides the built-in list.
        fail_on: The mildest severity that counts.
        complete: Whether anything that was not examined makes a pass unknown.
        warn_only: Whether the answer is told and does not count.
        weights: Whether every tensor is read; otherwise a sample of each.
        limits: (name, value) of limits that are not the default ones.
    """

    policy: str = "built-in"
    policy_digest: str = ""
    allowed: frozenset[tuple[str, str]] = frozenset()
    fail_on: Severity = Severity.MEDIUM
    complete: bool = True
    warn_only: bool = False
    weights: bool = False
    limits: tuple[tuple[str, int], ...] = ()

    def judge(self, report: ScanReport) -> Answer:
        """Return what the report comes to, whether it counts or only warns."""
        return report.judge(fail_on=self.fail_on, complete=self.complete)


@dataclass(frozen=True, slots=True)
class ScanClaim:
    """What somebody says that a scan of an artifact came to.

    Attributes:
        engine: Name and version of the engine and of its allow-list.
        terms: By what it was made and judged.
        answer: What it came to.
        counts: Rows of coverage, of files and of members, by what became of them.
        not_examined: Rows that were not examined; the first thousand.
        findings: The first thousand, worst first.
        findings_count: How many there were.
        scanner: Who signs, as the proof tells: a key's fingerprint, a name, an account.
        scanned_at: Aware.
        tool_version: Of Weighbridge.
    """

    engine: str
    terms: ScanTerms
    answer: Answer
    counts: Mapping[CoverageStatus, int]
    not_examined: tuple[Coverage, ...]
    findings: tuple[Finding, ...]
    findings_count: int
    scanner: str
    scanned_at: datetime
    tool_version: str = field(default=__version__)


def build_scan(
    report: ScanReport,
    terms: ScanTerms,
    subjects: Sequence[Subject],
    *,
    scanner: str,
    scanned_at: datetime,
) -> Statement:
    """Return the statement about ``subjects``: what was looked at, how, and what it came to.

    Args:
        report: The scan; of more than a thousand findings, and of as many rows that were not
            examined, the first are listed and all are counted.
        terms: By what it was made and judged.
        subjects: Each with a sha256, which has to come from the read that was scanned.
        scanner: Who signs.
        scanned_at: Aware.

    Raises:
        ParseError: A subject has no sha256, or a text is too long; says which.
    """
    missed = report.not_examined
    found = sorted(report.findings, key=_badness)
    counts = dict.fromkeys(_STATUSES, 0)
    names = {status: name for name, status in _STATUSES.items()}
    for row in report.coverage:
        counts[names[row.status]] += 1
    predicate: dict[str, JsonValue] = {
        "tool": {"name": _TOOL, "version": __version__},
        "engine": _cut(report.engine, _MAX_WORD),
        "configuration": _configuration(terms),
        "covered": {**counts},
        "notCovered": [_row(row) for row in missed[:_MAX_LISTED]],
        "result": terms.judge(report).value,
        "findings": {
            "total": len(found),
            "listed": [_finding(one) for one in found[:_MAX_LISTED]],
        },
        "scanner": scanner,
        "scannedAt": to_time(scanned_at),
    }
    statement = Statement.build(subjects, predicate_type=SCAN_TYPE, predicate=predicate)
    parse_scan(statement)
    return statement


def _cut(text: str, limit: int) -> str:
    """Return printable text that is no longer than ``limit``, whatever its escapes need."""
    return printable(text, limit=limit)[:limit]


def _badness(finding: Finding) -> tuple[int, int]:
    order = (Answer.FAIL, Answer.UNKNOWN, Answer.PASS)
    return order.index(finding.answer), -finding.severity.rank


def _configuration(terms: ScanTerms) -> JsonValue:
    return {
        "policy": _cut(terms.policy, _MAX_WORD) or "policy",
        "policyDigest": terms.policy_digest,
        "allow": [[*pair] for pair in sorted(terms.allowed)],
        "failOn": terms.fail_on.value,
        "coverage": "complete" if terms.complete else "any",
        "weights": "all" if terms.weights else "sample",
        "limits": dict(terms.limits),
    }


def _place(location: Location) -> dict[str, JsonValue]:
    members = [_cut(name, _MAX_NAME) for name in location.member[:_MAX_MEMBERS]]
    return {"file": _cut(location.file, _MAX_NAME), "member": [*members]}


def _row(row: Coverage) -> JsonValue:
    return {
        **_place(row.location),
        "format": _cut(row.format, _MAX_WORD),
        "reason": _cut(row.reason, _MAX_MESSAGE),
    }


def _finding(finding: Finding) -> JsonValue:
    told: dict[str, JsonValue] = {
        "rule": finding.rule_id,
        "answer": finding.answer.value,
        "severity": finding.severity.value,
        **_place(finding.location),
        "message": _cut(finding.message, _MAX_MESSAGE),
    }
    if finding.location.offset is not None:
        told["offset"] = finding.location.offset
    return told


def parse_scan(statement: Statement) -> ScanClaim:
    """Read what :func:`build_scan` writes, strictly; the statement may be anybody's.

    Raises:
        ParseError: It is of another type, has a field that is not known, or lacks one or has one
            that is not as the schema says; says where.
    """
    check_type(statement, SCAN_TYPE)
    where = "predicate"
    fields = take_object(statement.predicate, where=where, known=_FIELDS)
    for index, subject in enumerate(statement.subjects):
        if not _SHA256.fullmatch(subject.digest.get("sha256", "")):
            raise ParseError(
                "a subject has no sha256, so that nothing is pinned", where=f"subject[{index}]"
            )
    tool = take_object(fields.get("tool"), where=f"{where}.tool", known={"name", "version"})
    take_text(tool, "name", where=f"{where}.tool", limit=_MAX_WORD)
    counts = take_object(fields.get("covered"), where=f"{where}.covered", known=set(_STATUSES))
    found = take_object(
        fields.get("findings"), where=f"{where}.findings", known={"total", "listed"}
    )
    findings = _take_list(found, "listed", f"{where}.findings", _MAX_LISTED)
    total = _take_count(found, "total", f"{where}.findings")
    if total < len(findings):
        raise ParseError("fewer findings than are listed", where=f"{where}.findings.total")
    return ScanClaim(
        engine=take_text(fields, "engine", where=where, limit=_MAX_WORD),
        terms=_take_terms(fields.get("configuration")),
        answer=Answer(_take_choice(fields, "result", where, [one.value for one in Answer])),
        counts={
            status: _take_count(counts, name, f"{where}.covered")
            for name, status in _STATUSES.items()
        },
        not_examined=tuple(
            _take_row(item, f"{where}.notCovered[{index}]")
            for index, item in enumerate(_take_list(fields, "notCovered", where, _MAX_LISTED))
        ),
        findings=tuple(
            _take_finding(item, f"{where}.findings.listed[{index}]")
            for index, item in enumerate(findings)
        ),
        findings_count=total,
        scanner=take_text(fields, "scanner", where=where, limit=_MAX_SCANNER),
        scanned_at=take_time(fields, "scannedAt", where=where),
        tool_version=take_text(tool, "version", where=f"{where}.tool", limit=_MAX_WORD),
    )


def _take_list(fields: Mapping[str, Any], name: str, where: str, limit: int) -> list[Any]:
    items = fields.get(name)
    if not isinstance(items, list) or len(items) > limit:
        raise ParseError(f"a list of {limit:,} at most is wanted here", where=f"{where}.{name}")
    return items


def _take_count(fields: Mapping[str, Any], name: str, where: str) -> int:
    count = fields.get(name)
    if type(count) is not int or not 0 <= count <= _MAX_COUNT:
        raise ParseError("a number from 0 is wanted here", where=f"{where}.{name}")
    return count


def _take_choice(fields: Mapping[str, Any], name: str, where: str, choices: Sequence[str]) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or value not in choices:
        raise ParseError(f"{' or '.join(choices)} is wanted here", where=f"{where}.{name}")
    return value


def _take_terms(value: object) -> ScanTerms:
    where = "predicate.configuration"
    known = {"policy", "policyDigest", "allow", "failOn", "coverage", "weights", "limits"}
    fields = take_object(value, where=where, known=known)
    allowed = _take_list(fields, "allow", where, _MAX_ALLOWED)
    for index, pair in enumerate(allowed):
        at = f"{where}.allow[{index}]"
        if not isinstance(pair, list) or len(pair) != 2:  # noqa: PLR2004 - a pair
            raise ParseError("a module and a name are wanted here", where=at)
        for part in pair:
            take_text({"": part}, "", where=at, limit=_MAX_NAME)
    limits = fields.get("limits")
    if not isinstance(limits, dict):
        raise ParseError("an object is wanted here", where=f"{where}.limits")
    severities = [severity.value for severity in Severity]
    return ScanTerms(
        policy=take_text(fields, "policy", where=where, limit=_MAX_WORD),
        policy_digest=take_text(
            fields, "policyDigest", where=where, limit=_MAX_WORD, may_be_empty=True
        ),
        allowed=frozenset((module, name) for module, name in allowed),
        fail_on=Severity(_take_choice(fields, "failOn", where, severities)),
        complete=_take_choice(fields, "coverage", where, ("complete", "any")) == "complete",
        weights=_take_choice(fields, "weights", where, ("all", "sample")) == "all",
        limits=tuple(
            (name, _take_count(limits, name, f"{where}.limits")) for name in sorted(limits)
        ),
    )


def _take_place(fields: Mapping[str, Any], where: str) -> Location:
    offset = _take_count(fields, "offset", where) if "offset" in fields else None
    members = _take_list(fields, "member", where, _MAX_MEMBERS)
    file = _take_name(fields.get("file"), f"{where}.file")
    names = (_take_name(one, f"{where}.member[{i}]") for i, one in enumerate(members))
    return Location(file, tuple(names), offset)


def _take_name(value: object, where: str) -> str:
    """Read a name of a file or member, which may be blank: archives hold such members."""
    text = f"_{value}" if isinstance(value, str) else None
    return take_text({"": text}, "", where=where, limit=_MAX_NAME + 1).removeprefix("_")


def _take_row(value: object, where: str) -> Coverage:
    fields = take_object(value, where=where, known={"file", "member", "format", "reason"})
    return Coverage(
        _take_place(fields, where),
        CoverageStatus.NOT_EXAMINED,
        take_text(fields, "format", where=where, limit=_MAX_WORD),
        take_text(fields, "reason", where=where, limit=_MAX_MESSAGE, may_be_empty=True),
    )


def _take_finding(value: object, where: str) -> Finding:
    known = {"rule", "answer", "severity", "file", "member", "offset", "message"}
    fields = take_object(value, where=where, known=known)
    return Finding(
        rule_id=take_text(fields, "rule", where=where, limit=_MAX_WORD),
        answer=Answer(_take_choice(fields, "answer", where, [one.value for one in Answer])),
        severity=Severity(_take_choice(fields, "severity", where, [one.value for one in Severity])),
        location=_take_place(fields, where),
        message=take_text(fields, "message", where=where, limit=_MAX_MESSAGE),
    )
