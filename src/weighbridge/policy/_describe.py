"""A policy in words: what it demands, whom it trusts, what it makes an exception for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.core import Completeness, printable
from weighbridge.policy._people import to_bounds
from weighbridge.policy._results import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.policy._policy import (
        EvaluationRule,
        LicensesRule,
        OwnRule,
        Policy,
        ProvenanceRule,
        ReviewRule,
        ScanRule,
        Signer,
        SourceRule,
    )

__all__ = ["Demand", "describe_policy"]


@dataclass(frozen=True, slots=True)
class Demand:
    """One thing that a policy says, in words.

    Attributes:
        kind: ``rule``, ``trust``, ``root``, ``denied`` or ``allowed``.
        name: Of the rule as in a verdict, of the signer, the builder or the verifier; or a digest.
        text: One sentence.
        warn_only: Whether it is shown and does not count.
    """

    kind: str
    name: str
    text: str
    warn_only: bool = False


def describe_policy(policy: Policy) -> tuple[Demand, ...]:
    """Say in words what a policy demands, in the order in which it is judged, then whom it trusts.

    Every text is safe to print.
    """
    return (
        *_describe_rules(policy),
        *_describe_trust(policy),
        *_describe_exceptions(policy),
    )


def _describe_rules(policy: Policy) -> Iterator[Demand]:
    yield Demand(
        "rule",
        "integrity",
        "Every file can be hashed and stays as it is meanwhile; if there is a signature file, the"
        " files are exactly those that it lists. This is always asked.",
    )
    if policy.denied:
        yield Demand(
            "rule",
            "denied",
            "Neither the artifact, nor a file in it, nor anything that it is known to be made from"
            f" is among what is denied ({count(len(policy.denied), 'digest')}). Nothing lifts it.",
        )
    yield from _describe_content(policy)
    yield from _describe_lineage(policy)
    for own in policy.own_rules:
        yield _rule(own.name, _tell_own(own), warn_only=own.warn_only)


def _describe_content(policy: Policy) -> Iterator[Demand]:
    if rule := policy.signature:
        text = f"It is signed by {_either(rule.by)}, and the files are exactly those that were."
        yield _rule("signature", text, warn_only=rule.warn_only)
    if scan := policy.scan:
        text = _tell_scan(scan, vouched=len(policy.allowed))
        yield _rule("scan", text, warn_only=scan.warn_only)
    if formats := policy.formats:
        allowed = printable(", ".join(formats.allow))
        text = f"Every file that is not inert is of one of these formats: {allowed}."
        yield _rule("formats", text, warn_only=formats.warn_only)
    if licenses := policy.licenses:
        yield _rule("licenses", _tell_licenses(licenses), warn_only=licenses.warn_only)
    if card := policy.card:
        text = (
            "There is a model card with all that Hugging Face asks for."
            if card.profile == "huggingface"
            else "There is a model card that can be read."
        )
        yield _rule("card", text, warn_only=card.warn_only)


def _describe_lineage(policy: Policy) -> Iterator[Demand]:
    if provenance := policy.provenance:
        yield _rule("provenance", _tell_provenance(provenance), warn_only=provenance.warn_only)
    if source := policy.source:
        yield _rule("source", _tell_source(source), warn_only=source.warn_only)
    if review := policy.review:
        yield _rule("review", _tell_review(review), warn_only=review.warn_only)
    for rule in policy.evaluation:
        yield _rule(f"evaluation.{rule.name}", _tell_metric(rule), warn_only=rule.warn_only)
    if reproduction := policy.reproduction:
        text = (
            f"Making it again gives the same, to level {reproduction.level}. This version cannot"
            " tell: the answer is always unknown."
        )
        yield _rule("reproduction", text, warn_only=reproduction.warn_only)


def _rule(name: str, text: str, *, warn_only: bool) -> Demand:
    return Demand("rule", printable(name), text, warn_only=warn_only)


def _either(names: tuple[str, ...]) -> str:
    return " or ".join(printable(name) for name in names)


def _tell_scan(rule: ScanRule, *, vouched: int) -> str:
    text = f"A scan finds nothing that is {rule.fail_on} or worse"
    text += ", and leaves no file unexamined." if rule.complete else "; it may leave files out."
    if vouched:
        text += f" {count(vouched, 'name')} that pickles refer to are vouched for."
    return text


def _tell_licenses(rule: LicensesRule) -> str:
    if rule.allow is None:
        return "The model card declares a licence that can be told."
    allowed = printable(", ".join(rule.allow), limit=2_000)
    text = f"The model card declares a licence among these: {allowed}."
    if rule.through_lineage:
        text += " Everything from outside that it was made from is under one of them, too."
    return text


def _tell_provenance(rule: ProvenanceRule) -> str:
    if rule.depth is None:
        over = "it and all that it was made from"
    elif rule.depth == 0:
        over = "it alone"
    else:
        over = f"it and what it was made from, {count(rule.depth, 'step')} deep"
    text = f"Trusted builders made {over}, at SLSA Build level {rule.level} or above"
    if rule.completeness is not Completeness.UNKNOWN:
        text += f"; that no input is missing is {rule.completeness} or better"
    text += ". Roots that are accepted or listed count as their level."
    if rule.max_age_days is not None:
        text += f" It was made at most {count(rule.max_age_days, 'day')} ago."
    return text


def _tell_source(rule: SourceRule) -> str:
    places = printable(", ".join(rule.sources), limit=2_000)
    text = f"Everything from outside that it was made from is from one of these places: {places}"
    return f"{text}, at a fixed revision." if rule.pinned else f"{text}."


def _tell_review(rule: ReviewRule) -> str:
    people = count(rule.at_least, "person") if rule.at_least == 1 else f"{rule.at_least} people"
    text = f"{people} among {printable(', '.join(rule.by))} approved it"
    if rule.scope:
        text += f" for {printable(rule.scope)}"
    if rule.max_age_days is not None:
        text += f", at most {count(rule.max_age_days, 'day')} ago"
    return f"{text}, and no reject by any reviewer stands."


def _tell_metric(rule: EvaluationRule) -> str:
    by = _either(rule.by) if rule.by else "somebody who may evaluate"
    return f"{printable(rule.name)} was measured by {by} and is {to_bounds(rule)}."


def _tell_own(rule: OwnRule) -> str:
    return f"This is true: {printable(' '.join(rule.require.split()), limit=4_000)}"


def _describe_trust(policy: Policy) -> Iterator[Demand]:
    for signer in policy.signers:
        roles = ", ".join(signer.roles)
        text = f"{_tell_signer(signer)} may speak as {roles}."
        yield Demand("trust", printable(signer.name), text)
    for builder in policy.builders:
        text = (
            f"What it made is at most level {builder.level}, if {_either(builder.signers)} says so."
        )
        yield Demand("trust", printable(builder.builder), text)
    for verifier in policy.verifiers:
        text = (
            f"Its verdicts stand for looking again, if {_either(verifier.signers)} signed them, for"
            f" {count(verifier.max_age_days, 'day')}. Only for {', '.join(verifier.policies)}."
        )
        yield Demand("trust", printable(verifier.verifier), text)


def _tell_signer(signer: Signer) -> str:
    if signer.key:
        return f"Whoever holds the key {printable(signer.key)}"
    if signer.certificate_authorities:
        files = printable(", ".join(signer.certificate_authorities))
        whom = printable(signer.identity) or "whoever it certifies"
        return f"By a certificate of {files}, {whom}"
    return f"{printable(signer.identity)}, for whom {printable(signer.issuer)} vouches,"


def _describe_exceptions(policy: Policy) -> Iterator[Demand]:
    for root in policy.roots:
        license_ = f", under {printable(root.license)}" if root.license else ""
        until = f", until {root.expires:%Y-%m-%d %H:%M} UTC" if root.expires else ""
        text = f"It may be without provenance, as level {root.max_level}{license_}{until}"
        yield Demand("root", str(root.digest), f"{text}: {printable(root.reason)}")
    for denied in policy.denied:
        text = f"It never comes in: {printable(denied.reason)}"
        yield Demand("denied", str(denied.digest), text)
    for waiver in policy.waivers:
        rules = printable(", ".join(waiver.rules)) or "all rules but integrity and denied"
        text = f"It comes in without {rules}, until {waiver.expires:%Y-%m-%d %H:%M} UTC"
        yield Demand("allowed", str(waiver.digest), f"{text}: {printable(waiver.reason)}")
