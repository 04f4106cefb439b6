"""The judgement: policy and evidence -> verdict."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING

from weighbridge.core import (
    DEFAULT_LIMITS,
    Answer,
    NotChecked,
    RuleResult,
    Verdict,
    printable,
    worst,
)
from weighbridge.errors import InputError
from weighbridge.policy._cel import judge_own_rules
from weighbridge.policy._files import judge_denied, judge_formats
from weighbridge.policy._licenses import judge_licenses
from weighbridge.policy._lineage_roots import find_policy_roots
from weighbridge.policy._people import judge_evaluation, judge_review
from weighbridge.policy._provenance import judge_provenance
from weighbridge.policy._results import unknown
from weighbridge.policy._rules import judge_card, judge_integrity, judge_scan, judge_signature
from weighbridge.policy._source import judge_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from weighbridge.core import Evidence, Limits
    from weighbridge.policy._policy import AllowedDigest, Policy

__all__ = ["evaluate"]


def evaluate(
    policy: Policy, evidence: Evidence, *, at: datetime, limits: Limits = DEFAULT_LIMITS
) -> Verdict:
    """Judge ``evidence``; no I/O, no clock: the same inputs give the same verdict.

    Integrity is judged first and always, then what the policy denies, then every rule of the
    policy, each exactly once. The order of findings, of coverage rows, of reviews and of nodes
    behind the first does not matter. Where no rule is enforced the answer is never PASS.

    Args:
        policy: What to judge by.
        evidence: What is known.
        at: When it is judged; aware.
        limits: ``max_view_bytes`` applies to rules in CEL.

    Raises:
        InputError: ``at`` has no time zone.
        MissingExtraError: The policy has rules in CEL, and the extra ``cel`` is not installed.
    """
    if at.utcoffset() is None:
        raise InputError("a verdict needs a time with a time zone; pass an aware datetime")
    rules = [judge_integrity(evidence)]
    if policy.denied:
        rules.append(judge_denied(policy.denied, evidence))
    always = len(rules)
    rules += (
        replace(result, is_warning=warn_only)
        for result, warn_only in _judge(policy, evidence, at=at, limits=limits)
    )
    rules[always:] = _waive(rules[always:], policy, evidence, at=at)
    if all(rule.is_warning for rule in rules[always:]):
        rules.append(_say_not_enforced())
    return Verdict(
        answer=worst(tuple(rule.answer for rule in rules if not rule.is_warning)),
        rules=tuple(rules),
        not_checked=_list_not_checked(policy),
        policy=policy.name,
        policy_digest=policy.digest,
        at=at.astimezone(UTC),
    )


def _judge(
    policy: Policy, evidence: Evidence, *, at: datetime, limits: Limits
) -> Iterator[tuple[RuleResult, bool]]:
    """Yield what each rule says, and whether it is a warning only."""
    yield from _judge_content(policy, evidence, at=at)
    yield from _judge_lineage(policy, evidence, at=at)
    own = judge_own_rules(policy.own_rules, evidence, at=at, limits=limits)
    yield from zip(own, (rule.warn_only for rule in policy.own_rules), strict=True)
    if evidence.document is not None:
        from weighbridge.policy._document import judge_document  # noqa: PLC0415 - seldom

        yield judge_document(evidence.document), False
    if policy.profile == "checklist":
        from weighbridge.policy._checklist import judge_checklist  # noqa: PLC0415 - seldom

        yield from ((result, False) for result in judge_checklist(evidence))


def _judge_content(
    policy: Policy, evidence: Evidence, *, at: datetime
) -> Iterator[tuple[RuleResult, bool]]:
    if policy.signature:
        yield judge_signature(policy.signature, evidence), policy.signature.warn_only
    if policy.scan:
        yield judge_scan(policy.scan, evidence), policy.scan.warn_only
    if policy.formats:
        yield judge_formats(policy.formats, evidence), policy.formats.warn_only
    if policy.licenses:
        listed = find_policy_roots(policy.roots, at=at)
        result = judge_licenses(policy.licenses, evidence, listed=listed)
        yield result, policy.licenses.warn_only
    if policy.card:
        yield judge_card(policy.card, evidence), policy.card.warn_only


def _judge_lineage(
    policy: Policy, evidence: Evidence, *, at: datetime
) -> Iterator[tuple[RuleResult, bool]]:
    if policy.provenance:
        result = judge_provenance(policy.provenance, evidence, at=at)
        yield result, policy.provenance.warn_only
    if policy.source:
        listed = find_policy_roots(policy.roots, at=at)
        yield judge_source(policy.source, evidence, listed=listed), policy.source.warn_only
    if policy.review:
        yield judge_review(policy.review, evidence, at=at), policy.review.warn_only
    for rule in policy.evaluation:
        yield judge_evaluation(rule, evidence), rule.warn_only
    if policy.reproduction:
        result = unknown(
            "reproduction",
            f"This version cannot tell whether making it again gives the same to level"
            f" {printable(policy.reproduction.level)}",
            remedy="Use a version that can, or set warn-only on require.reproduction.",
        )
        yield result, policy.reproduction.warn_only


def _say_not_enforced() -> RuleResult:
    return unknown(
        "enforcement",
        "The policy enforces no rule: whatever it has only warns",
        remedy="Remove warn-only from the rules that shall count.",
    )


def _waive(
    rules: list[RuleResult], policy: Policy, evidence: Evidence, *, at: datetime
) -> list[RuleResult]:
    """Let the artifact in where the policy says so by its digest, and say why."""
    digest = evidence.artifact.digest
    waivers = [waiver for waiver in policy.waivers if waiver.digest == digest]
    if not waivers:
        return rules
    return [_waive_one(rule, waivers[0], at=at) for rule in rules]


def _waive_one(rule: RuleResult, waiver: AllowedDigest, *, at: datetime) -> RuleResult:
    group = rule.rule.partition(".")[0] if rule.rule.startswith("evaluation.") else rule.rule
    concerned = not waiver.rules or {rule.rule, group} & set(waiver.rules)
    if rule.is_warning or rule.answer is Answer.PASS or not concerned:
        return rule
    if at >= waiver.expires:
        ended = f"{waiver.expires:%Y-%m-%d %H:%M} UTC"
        return replace(rule, remedy=f"{rule.remedy} What [[allowed]] says of it ended on {ended}.")
    why = printable(waiver.reason, limit=200).removesuffix(".")
    until = f"{waiver.expires:%Y-%m-%d %H:%M} UTC"
    return replace(
        rule,
        answer=Answer.PASS,
        remedy="",
        waiver=f"The policy allows this artifact until {until}: {why}.",
    )


def _list_not_checked(policy: Policy) -> tuple[NotChecked, ...]:
    if policy.digest:
        unasked = "the policy does not require it"
        unsigned = unmade = unasked
    else:
        unasked = "no policy requires it"
        unsigned = "without a policy nobody's signature is trusted"
        unmade = "without a policy nobody's statement is trusted"
    through = policy.licenses is not None and policy.licenses.through_lineage
    optional: tuple[tuple[object, str, str], ...] = (
        (policy.signature, "who signed it", unsigned),
        (policy.scan, "whether it holds dangerous content", unasked),
        (policy.formats, "formats: which there may be", unasked),
        (policy.licenses, "which licence it declares", unasked),
        (policy.card, "whether it has a model card", unasked),
        (policy.provenance, "provenance: how it was made", unmade),
        (through, "licences of the lineage: of what it was made from", unmade),
        (policy.source, "source: where it is from", unmade),
        (policy.review, "review: whether a person has reviewed it", unmade),
        (policy.evaluation, "evaluation: whether it is good at its task", unmade),
        (
            policy.reproduction,
            "reproduction: whether making it again gives the same",
            "this version cannot judge it",
        ),
    )
    return tuple(NotChecked(what, why) for rule, what, why in optional if not rule)
