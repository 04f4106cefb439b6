"""What ``weighbridge inspect`` prints of a claims file."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from weighbridge.cli._materials import describe_material, material_to_json
from weighbridge.core import (
    Completeness,
    CoverageStatus,
    HumanReview,
    RootAcceptance,
    ScanClaim,
    TestResult,
    VerificationSummary,
    printable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from weighbridge.core import Dependency, JsonValue, StepRecord, Subject
    from weighbridge.workflow import InspectedClaim

__all__ = ["claims_to_json", "claims_to_lines"]

_NAMES = {
    RootAcceptance: "root acceptance",
    HumanReview: "human review",
    VerificationSummary: "verification summary",
    TestResult: "test result",
    ScanClaim: "scan",
}
_MOST_SHOWN = 10
_COMMIT_DIGITS = 12
_MOST_DIGESTS = 3


def claims_to_lines(path: str, claims: Sequence[InspectedClaim]) -> Iterator[str]:
    """Yield what each claim says, the oldest first."""
    yield f"claims:    {printable(path)}, {len(claims):,}"
    for number, claim in enumerate(claims, 1):
        yield ""
        yield from _describe(number, claim)


def claims_to_json(path: str, claims: Sequence[InspectedClaim]) -> JsonValue:
    """Return the same for machines, with each statement whole."""
    return {
        "verified": False,
        "claims_file": printable(path),
        "claims": [
            {
                **(material_to_json(claim.bundle.material) if claim.bundle else {}),
                "predicate_type": claim.statement.predicate_type if claim.statement else None,
                "subjects": [
                    {"name": subject.name, "digest": dict(subject.digest)}
                    for subject in (claim.statement.subjects if claim.statement else ())
                ],
                "predicate": dict(claim.statement.predicate) if claim.statement else None,
                "problem": claim.problem,
            }
            for claim in claims
        ],
    }


def _describe(number: int, claim: InspectedClaim) -> Iterator[str]:
    if claim.bundle is None or claim.statement is None:
        yield f"{number}. cannot be read: {printable(claim.problem)}"
        return
    statement = claim.statement
    what = printable(statement.predicate_type.removeprefix("https://"), limit=80)
    if type(claim.content) in _NAMES:
        what = _NAMES[type(claim.content)]
    if claim.record is not None:
        what = f"{claim.record.kind} step {printable(claim.record.name, limit=80)!r}"
    yield f"{number}. {what}"
    if claim.problem:
        yield f"   problem:  {printable(claim.problem)}"
    made = "made" if claim.record is not None else "about"
    yield from _list(f"{made}:", [_describe_subject(item) for item in statement.subjects])
    if claim.record is not None:
        yield from _describe_step(claim.record)
    for label, text in _describe_content(claim.content):
        yield f"   {label + ':':9} {printable(text, limit=400)}"
    yield f"   signed:   with {describe_material(claim.bundle.material)}"


def _describe_content(content: object) -> list[tuple[str, str]]:
    """Return what a person or a verifier says, as labels and words."""
    match content:
        case RootAcceptance():
            found = content.license_found or "none"
            return [
                ("reason", content.reason),
                ("from", content.fetched_from),
                ("licence", f"{content.license}; found in the artifact: {found}"),
                ("level", f"{content.max_level} at most"),
                ("by", content.reviewer),
                ("when", _describe_life(content.accepted_at, content.expires_at)),
            ]
        case HumanReview():
            return [
                ("result", f"{content.decision.value}, for {content.scope}"),
                *([("note", content.note)] if content.note else []),
                ("by", content.reviewer),
                ("when", _describe_life(content.reviewed_at, content.expires_at)),
            ]
        case VerificationSummary():
            return [
                ("result", "passed" if content.passed else "failed"),
                ("level", "none" if content.level is None else str(content.level)),
                ("below", _describe_levels(content.dependency_levels)),
                ("by", content.verifier),
                ("policy", f"{content.policy_digest} {content.policy_uri}".rstrip()),
                ("when", f"{content.verified_at:%Y-%m-%d %H:%M:%S} UTC"),
            ]
        case TestResult():
            metrics = [f"{name} {value}" for name, value in sorted(content.metrics.items())]
            shown = [*metrics[:_MOST_SHOWN], *(["..."] if len(metrics) > _MOST_SHOWN else [])]
            result = "passed" if content.passed else "not passed"
            return [("result", "; ".join([result, *shown]))]
        case ScanClaim():
            return _describe_scan(content)
    return []


def _describe_scan(scan: ScanClaim) -> list[tuple[str, str]]:
    """Say what a scan came to, with what, and what nobody has looked at."""
    counts = [
        f"{count:,} {status.value.replace('-', ' ')}" for status, count in scan.counts.items()
    ]
    missed = [f"{row.location}: {row.reason}" for row in scan.not_examined[:_MOST_SHOWN]]
    more = scan.counts[CoverageStatus.NOT_EXAMINED] - len(missed)
    missed += [f"and {more:,} more"] if missed and more > 0 else []
    found = [f"{one.rule_id} at {one.location}: {one.message}" for one in scan.findings]
    told = found[:_MOST_SHOWN]
    rest = scan.findings_count - len(told)
    terms = scan.terms
    weights = "all tensors" if terms.weights else "a sample of each tensor"
    allowed = ", ".join(f"{module}.{name}" for module, name in sorted(terms.allowed))
    limits = ", ".join(f"{name} = {value:,}" for name, value in terms.limits)
    coverage = "complete" if terms.complete else "any"
    return [
        ("result", f"{scan.answer.value}; {scan.findings_count:,} found"),
        *(("found", one) for one in told),
        *([("found", f"and {rest:,} more")] if told and rest > 0 else []),
        ("looked", f"{', '.join(counts)} (files and members); {weights}"),
        *(("not", one) for one in missed),
        ("engine", f"{scan.engine}; weighbridge {scan.tool_version}"),
        ("policy", f"{terms.policy} {terms.policy_digest}".rstrip()),
        ("counts", f"{terms.fail_on.value} and worse, coverage {coverage}"),
        *([("allowed", allowed)] if allowed else []),
        *([("limits", limits)] if limits else []),
        ("by", scan.scanner),
        ("when", f"{scan.scanned_at:%Y-%m-%d %H:%M:%S} UTC"),
    ]


def _describe_levels(levels: Mapping[int, int] | None) -> str:
    if levels is None:
        return "not told"
    told = [f"{count:,} of level {level}" for level, count in sorted(levels.items()) if count > 0]
    return ", ".join(told) or "nothing"


def _describe_life(since: datetime, until: datetime | None) -> str:
    end = f"until {until:%Y-%m-%d %H:%M:%S} UTC" if until else "no end of its own"
    return f"{since:%Y-%m-%d %H:%M:%S} UTC, {end}"


def _describe_times(record: StepRecord) -> str:
    began, ended = (
        f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else ""
        for moment in (record.started_at, record.finished_at)
    )
    if record.started_at is None or record.finished_at is None:
        known = (
            f"began {began}, end not recorded" if began else f"ended {ended}, begin not recorded"
        )
        return known if began or ended else "not recorded"
    duration_s = (record.finished_at - record.started_at).total_seconds()
    if duration_s < 0:
        return f"began {began}, and ended before that, {ended}"
    return f"{began}, for {duration_s:,.0f} s"


def _describe_subject(subject: Subject) -> str:
    return f"{_to_digest(subject.digest)}  {printable(subject.name, limit=80)}"


def _describe_step(record: StepRecord) -> Iterator[str]:
    inputs = [f"{_to_digest(item.digest)}  {_to_name(item)}" for item in record.inputs]
    yield from _list("from:", inputs or ["nothing that was declared"])
    sources = [item for item in record.materials if item.role == "source"]
    yield from _list("code:", [_describe_source(item) for item in sources])
    yield f"   by:       {printable(record.builder)}"
    yield f"   when:     {_describe_times(record)}"
    yield f"   command:  {printable(shlex.join(record.entry_point))}"
    yield f"   inputs:   {_describe_completeness(record.facts.get('completeness'))}"
    yield from _list("gap:", _read_gaps(record.facts.get("completeness")))
    undeclared = [_to_name(item) for item in record.materials if item.role == "undeclared"]
    yield from _list("read too:", undeclared)
    yield from _list("problem:", _read_texts(record.facts.get("problems", ())))


def _describe_completeness(said: Any) -> str:  # noqa: ANN401 - JSON of a stranger
    if not isinstance(said, dict):
        return "unknown"
    found, count = (printable(str(said.get(name, "unknown"))) for name in ("class", "undeclared"))
    if found not in list(Completeness):
        found = f"unknown, since {found!r} is no class"
    return f"{found}; read and not declared: {count}"


def _read_gaps(said: Any) -> Sequence[str]:  # noqa: ANN401 - JSON of a stranger
    return _read_texts(said.get("gaps", ()) if isinstance(said, dict) else ())


def _read_texts(said: Any) -> Sequence[str]:  # noqa: ANN401 - JSON of a stranger
    if not isinstance(said, Sequence) or isinstance(said, str):
        return (f"not told as a list: {printable(str(said), limit=200)}",)
    return [printable(str(one), limit=400) for one in said]


def _describe_source(source: Dependency) -> str:
    """Return a commit; whether something differs from it is unknown unless it is said."""
    digits = printable(source.digest.get("gitCommit", ""), limit=80)[:_COMMIT_DIGITS]
    state = {"true": "with changes", "false": "without changes"}.get(
        source.annotations.get("dirty", ""), "changes unknown"
    )
    where = "" if source.name == "source" else f", {printable(source.name, limit=80)}"
    return f"commit {digits or 'unknown'}, {state}{where} {printable(source.uri)}".rstrip()


def _list(label: str, items: Sequence[str]) -> Iterator[str]:
    for index, item in enumerate(items[:_MOST_SHOWN]):
        yield f"   {label if index == 0 else '':9} {item}"
    if len(items) > _MOST_SHOWN:
        yield f"   {'':9} and {len(items) - _MOST_SHOWN:,} more"


def _to_digest(digest: Any) -> str:  # noqa: ANN401 - JSON of a stranger
    return ", ".join(
        f"{printable(name)}:{printable(value)}" for name, value in [*digest.items()][:_MOST_DIGESTS]
    )


def _to_name(item: Dependency) -> str:
    name = printable(item.name, limit=120)
    return f"{name} ({printable(item.uri, limit=200)})" if item.uri else name
