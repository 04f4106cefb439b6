"""The judgement: policy and evidence -> verdict."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from weighbridge.core import NotChecked, Verdict, worst
from weighbridge.errors import InputError
from weighbridge.policy._checklist import judge_checklist
from weighbridge.policy._rules import (
    judge_card,
    judge_integrity,
    judge_licenses,
    judge_scan,
    judge_signature,
)

if TYPE_CHECKING:
    from datetime import datetime

    from weighbridge.core import Evidence
    from weighbridge.policy._policy import Policy

__all__ = ["evaluate"]

# What a gate could check and this version cannot.
_NOT_YET = (
    ("provenance", "how it was made"),
    ("lineage", "what it was made from, and under which licences"),
    ("review", "whether a person has reviewed it"),
    ("evaluation", "whether it is good at its task"),
    ("reproduction", "whether making it again gives the same"),
)


def evaluate(policy: Policy, evidence: Evidence, *, at: datetime) -> Verdict:
    """Judge ``evidence``; no I/O, no clock: the same inputs give the same verdict.

    Integrity is judged first and always, then every rule of the policy, each exactly once. The
    order of findings and of coverage rows does not matter.

    Args:
        policy: What to judge by.
        evidence: What is known.
        at: When it is judged; aware.

    Raises:
        InputError: ``at`` has no time zone.
    """
    if at.utcoffset() is None:
        raise InputError("a verdict needs a time with a time zone; pass an aware datetime")
    rules = [judge_integrity(evidence)]
    if policy.signature:
        rules.append(judge_signature(policy.signature, evidence))
    if policy.scan:
        rules.append(judge_scan(policy.scan, evidence))
    if policy.licenses:
        rules.append(judge_licenses(policy.licenses, evidence))
    if policy.card:
        rules.append(judge_card(policy.card, evidence))
    if policy.profile == "checklist":
        rules += judge_checklist(evidence)
    return Verdict(
        answer=worst(tuple(rule.answer for rule in rules)),
        rules=tuple(rules),
        not_checked=_list_not_checked(policy),
        policy=policy.name,
        policy_digest=policy.digest,
        at=at.astimezone(UTC),
    )


def _list_not_checked(policy: Policy) -> tuple[NotChecked, ...]:
    if policy.digest:
        unasked = "the policy does not require it"
        unsigned = unasked
    else:
        unasked = "no policy requires it"
        unsigned = "without a policy nobody's signature is trusted"
    optional = (
        (policy.signature, "who signed it", unsigned),
        (policy.scan, "whether it holds dangerous content", unasked),
        (policy.licenses, "which licence it declares", unasked),
        (policy.card, "whether it has a model card", unasked),
    )
    unjudged = [NotChecked(what, why) for rule, what, why in optional if rule is None]
    later = [
        NotChecked(f"{name}: {what}", "this version cannot judge it") for name, what in _NOT_YET
    ]
    return (*unjudged, *later)
