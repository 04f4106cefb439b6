"""Whose word counts for what: from verified statements to those that are believed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from weighbridge.core import (
    IN_PROCESS_BUILDER,
    MAX_BUILD_LEVEL,
    SELF_SIGNED_BUILDERS,
    SELF_SIGNED_LEVEL,
    ArtifactKind,
    Completeness,
    Decision,
    Environment,
    HumanReview,
    RootAcceptance,
    ScanClaim,
    SetAside,
    SignedFiles,
    StepRecord,
    TestResult,
    VerificationSummary,
)
from weighbridge.lineage._ids import list_ids, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from weighbridge.core import Claim, TrustMap

__all__ = ["Beliefs", "Said", "Step", "believe", "gather_said", "is_fresh", "put_aside"]

T = TypeVar("T")

_COMPLETENESS = {item.value: item.rank for item in Completeness}
_EARLY = "it is dated in the future"
_ROLES: Mapping[type, tuple[str, ...]] = {
    StepRecord: ("builder",),
    Environment: ("builder",),
    RootAcceptance: ("reviewer",),
    HumanReview: ("reviewer",),
    VerificationSummary: ("verifier",),
    SignedFiles: ("publisher",),
    TestResult: ("evaluator", "builder"),
    ScanClaim: ("scanner",),
}


class Said(NamedTuple, Generic[T]):
    """A statement that is believed: its content, and who with the right to say so signed it."""

    claim: Claim
    content: T
    signers: tuple[str, ...]


class Step(NamedTuple):
    """Provenance that is believed, the level that the trust map gives it, and a rank.

    The rank is that of the completeness of its inputs; ``files`` are the ids of what it says are
    files and no folders.
    """

    claim: Claim
    record: StepRecord
    signers: tuple[str, ...]
    level: int
    completeness: int
    files: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Beliefs:
    """Statements that are believed, by the id of each subject, in the order of their own ids.

    Attributes:
        steps: Provenance.
        acceptances: Of roots; those that ended too.
        summaries: Of a verifier and for a policy that count; those that are too old too.
        reviews: By reviewers.
        results: Of evaluations.
        environments: Of steps.
        others: Of types that say nothing about lineage, for reference.
        listings: OMS signatures, which have no artifact digest as subject.
        by_claim: Provenance by the hex of its statement.
        set_aside: What is not believed.
    """

    steps: dict[str, list[Step]] = field(default_factory=dict)
    acceptances: dict[str, list[Said[RootAcceptance]]] = field(default_factory=dict)
    summaries: dict[str, list[Said[VerificationSummary]]] = field(default_factory=dict)
    reviews: dict[str, list[Said[HumanReview]]] = field(default_factory=dict)
    results: dict[str, list[Said[TestResult]]] = field(default_factory=dict)
    environments: dict[str, list[Said[Environment]]] = field(default_factory=dict)
    others: dict[str, list[Said[None]]] = field(default_factory=dict)
    listings: list[Said[SignedFiles]] = field(default_factory=list)
    by_claim: dict[str, Step] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)
    set_aside: list[SetAside] = field(default_factory=list)


def believe(claims: Iterable[Claim], *, trust: TrustMap, at: datetime) -> Beliefs:
    """Sort statements by whether and for what they count; their order is nothing."""
    beliefs = Beliefs()
    for claim in _merge(claims):
        signers, reason = _hear(claim, trust, at)
        if reason:
            beliefs.set_aside.append(put_aside(claim, reason))
            continue
        beliefs.claims[claim.id.hex] = claim
        _keep(beliefs, claim, signers, trust)
    return beliefs


def put_aside(claim: Claim, reason: str, *, is_unrelated: bool = False) -> SetAside:
    """Return a statement that is not used."""
    subjects = tuple(
        ids[0] if (ids := list_ids(subject.digest)) else shown(subject.name)
        for subject in claim.subjects
    )
    where = f"statement {claim.id}"
    return SetAside(where, shown(claim.predicate_type), subjects, reason, is_unrelated)


def _read_completeness(record: StepRecord) -> int:
    """Return how well the step's inputs are known, as far as such a builder can know it."""
    group = record.facts.get("completeness")
    said = group.get("class") if isinstance(group, dict) else None
    rank = _COMPLETENESS.get(said, 0) if isinstance(said, str) else 0
    return min(rank, Completeness.DECLARED.rank) if record.builder == IN_PROCESS_BUILDER else rank


def _list_files(claim: Claim, record: StepRecord) -> frozenset[str]:
    """Return the ids of the outputs that were files, as whoever hashed them says."""
    kinds = record.facts.get("outputs")
    if not isinstance(kinds, dict) or ArtifactKind.FILE not in kinds.values():
        return frozenset()
    found: dict[bool, set[str]] = {True: set(), False: set()}
    for subject in claim.subjects:
        found[kinds.get(subject.name) == ArtifactKind.FILE].update(list_ids(subject.digest))
    return frozenset(found[True] - found[False])


def _merge(claims: Iterable[Claim]) -> list[Claim]:
    """Return each statement once, by whomever it is signed, in the order of ids."""
    merged: dict[str, Claim] = {}
    for claim in claims:
        seen = merged.setdefault(claim.id.hex, claim)
        if seen is not claim:
            people = {a.person: a for a in (*claim.attributions, *seen.attributions)}
            both = tuple(people[person] for person in sorted(people))
            merged[claim.id.hex] = replace(seen, attributions=both)
    return [merged[key] for key in sorted(merged)]


def _hear(claim: Claim, trust: TrustMap, at: datetime) -> tuple[tuple[str, ...], str]:
    """Return who may say this, or why nobody who signed it may."""
    if not claim.attributions:
        return (), "nobody who is trusted signed it"
    if claim.problem:
        return (), f"it cannot be read: {shown(claim.problem)}"
    content = claim.content
    if content is None:
        signers = tuple(name for name in claim.signers if trust.roles.get(name))
        return (
            signers,
            "" if signers else f"signed by {_join(claim.signers)}, who has no role in the policy",
        )
    wanted = _ROLES[type(content)]
    signers = tuple(
        name for name in claim.signers if not trust.roles.get(name, frozenset()).isdisjoint(wanted)
    )
    if not signers:
        return (
            (),
            f"signed by {_join(claim.signers)}, who is no {' or '.join(wanted)} in the policy",
        )
    if isinstance(content, StepRecord):
        return _hear_step(content, signers, trust)
    if isinstance(content, VerificationSummary):
        return _hear_summary(content, signers, trust, at)
    return ((), _EARLY) if _is_early(content, at) else (signers, "")


def _is_early(content: object, at: datetime) -> bool:
    """Return whether something speaks for an artifact that nobody can have said yet.

    What speaks against it counts all the same: a clock that is wrong must not silence a reviewer.
    """
    if isinstance(content, ScanClaim):
        return content.scanned_at > at
    if isinstance(content, HumanReview):
        return content.decision is Decision.APPROVE and content.reviewed_at > at
    return isinstance(content, RootAcceptance) and content.accepted_at > at


def _hear_step(
    record: StepRecord, signers: tuple[str, ...], trust: TrustMap
) -> tuple[tuple[str, ...], str]:
    entry = trust.builders.get(record.builder)
    if entry is None:
        return signers, ""
    speaking = tuple(name for name in signers if name in entry.signers)
    if not speaking:
        builder = shown(record.builder)
        return (), f"it names the builder {builder}, for which {_join(signers)} may not sign"
    return speaking, ""


def _hear_summary(
    summary: VerificationSummary, signers: tuple[str, ...], trust: TrustMap, at: datetime
) -> tuple[tuple[str, ...], str]:
    entry = trust.verifiers.get(summary.verifier)
    if entry is None:
        return (), f"the policy does not trust the verifier {shown(summary.verifier)}"
    speaking = tuple(name for name in signers if name in entry.signers)
    if not speaking:
        verifier = shown(summary.verifier)
        return (), f"it names the verifier {verifier}, for which {_join(signers)} may not sign"
    if summary.policy_digest not in entry.policies:
        return (), f"it is a verdict by another policy, {shown(summary.policy_digest)}"
    if not summary.passed:
        return (), "its verdict is not a pass"
    if summary.verified_at > at:
        return (), _EARLY
    return speaking, ""


def is_fresh(summary: VerificationSummary, trust: TrustMap, at: datetime) -> bool:
    """Return whether a verdict that is believed is young enough to stand for looking again."""
    most = timedelta(days=trust.verifiers[summary.verifier].max_age_days)
    return at - summary.verified_at <= most


def _keep(beliefs: Beliefs, claim: Claim, signers: tuple[str, ...], trust: TrustMap) -> None:
    content = claim.content
    if isinstance(content, StepRecord):
        level = _find_level(content.builder, trust)
        rank, files = _read_completeness(content), _list_files(claim, content)
        step = Step(claim, content, signers, level, rank, files)
        beliefs.by_claim[claim.id.hex] = step
        _put(beliefs.steps, claim, step)
    elif isinstance(content, RootAcceptance):
        _put(beliefs.acceptances, claim, Said(claim, content, signers))
    elif isinstance(content, VerificationSummary):
        _put(beliefs.summaries, claim, Said(claim, content, signers))
    elif isinstance(content, HumanReview):
        _put(beliefs.reviews, claim, Said(claim, content, signers))
    elif isinstance(content, TestResult):
        _put(beliefs.results, claim, Said(claim, content, signers))
    elif isinstance(content, Environment):
        _put(beliefs.environments, claim, Said(claim, content, signers))
    elif isinstance(content, SignedFiles):
        beliefs.listings.append(Said(claim, content, signers))
    else:
        _put(beliefs.others, claim, Said(claim, None, signers))


def _find_level(builder: str, trust: TrustMap) -> int:
    entry = trust.builders.get(builder)
    if entry is None:
        return 0
    most = SELF_SIGNED_LEVEL if builder in SELF_SIGNED_BUILDERS else MAX_BUILD_LEVEL
    return max(0, min(entry.level, most))


def gather_said(index: Mapping[str, list[T]], names: Sequence[str]) -> list[T]:
    """Return what is said of a node under any of its names, each statement once."""
    if len(names) == 1:
        return index.get(names[0], [])
    found = {id(value): value for name in names for value in index.get(name, ())}
    return list(found.values())


def _put(index: dict[str, list[T]], claim: Claim, value: T) -> None:
    for subject in claim.subjects:
        for name in list_ids(subject.digest):
            held = index.setdefault(name, [])
            if not held or held[-1] is not value:  # a digest may be a subject twice
                held.append(value)


def _join(names: tuple[str, ...]) -> str:
    return ", ".join(shown(name) for name in names)
