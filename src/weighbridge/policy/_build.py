"""From the tables of a policy file to a policy: what concerns several tables is checked here."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from weighbridge.core import (
    SELF_SIGNED_BUILDERS,
    SELF_SIGNED_LEVEL,
    BuilderTrust,
    Completeness,
    DeniedDigest,
    Digest,
    PolicyRoot,
    Severity,
    VerifierTrust,
    printable,
)
from weighbridge.errors import ParseError
from weighbridge.policy._cel import check_expression
from weighbridge.policy._policy import (
    AllowedDigest,
    CardRule,
    EvaluationRule,
    FormatsRule,
    LicensesRule,
    OwnRule,
    Policy,
    ProvenanceRule,
    ReproductionRule,
    ReviewRule,
    ScanRule,
    SignatureRule,
    SourceRule,
)
from weighbridge.policy._signers import build_signer, check_roles

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weighbridge.policy._policy import Signer
    from weighbridge.policy._schema import Document, EvaluationTable, RequireTable

__all__ = ["build_policy"]

_NOT_WAIVED = frozenset({"integrity", "denied"})
# Names of results, which no rule of somebody's own may have.
_TAKEN = frozenset(
    {
        *("integrity", "denied", "enforcement", "signature", "scan", "formats", "licenses"),
        *("card", "provenance", "source", "review", "evaluation", "reproduction"),
    }
)


def build_policy(document: Document, *, name: str, digest: str) -> Policy:
    """Check what concerns several tables, and leave pydantic's values behind.

    Raises:
        MissingExtraError: There are rules in CEL, and the extra is not installed.
        ParseError: As for ``parse_policy``.
    """
    try:
        policy = _build(document, name=name, digest=digest)
        _check_digests(document)
        _check_waived(policy)
    except ParseError as error:
        message = str(error).removesuffix(f" (at {error.where})")
        raise ParseError(f"{printable(name)}: {message}", where=error.where) from error
    return policy


def _build(document: Document, *, name: str, digest: str) -> Policy:
    require = document.require
    if not require.model_fields_set and not document.rules:
        raise ParseError("there is no rule; add one, such as scan = {}", where="require")
    signers = {
        signer: build_signer(signer, table) for signer, table in document.trust.signers.items()
    }
    allowed = require.scan.allow if require.scan else ()
    return Policy(
        name=name,
        digest=digest,
        signers=tuple(signers.values()),
        signature=_build_signature(require, signers),
        scan=_build_scan(require),
        licenses=_build_licenses(require),
        card=_build_card(require),
        allowed=frozenset((module, attribute) for module, attribute in allowed),
        provenance=_build_provenance(require),
        review=_build_review(require, signers),
        evaluation=_build_evaluation(require, signers),
        reproduction=_build_reproduction(require),
        formats=_build_formats(require),
        source=_build_source(require),
        own_rules=_build_own_rules(document),
        builders=_build_builders(document, signers),
        verifiers=_build_verifiers(document, signers),
        roots=_build_roots(document),
        denied=tuple(DeniedDigest(Digest.parse(d.digest), d.reason) for d in document.denied),
        waivers=_build_waivers(document),
    )


def _build_signature(require: RequireTable, signers: Mapping[str, Signer]) -> SignatureRule | None:
    if (table := require.signature) is None:
        return None
    check_roles(table.by, signers, roles=("publisher",), where="require.signature.by")
    return SignatureRule(by=tuple(table.by), warn_only=table.warn_only)


def _build_scan(require: RequireTable) -> ScanRule | None:
    if (table := require.scan) is None:
        return None
    complete = table.coverage == "complete"
    return ScanRule(Severity(table.fail_on), complete, warn_only=table.warn_only)


def _build_licenses(require: RequireTable) -> LicensesRule | None:
    if (table := require.licenses) is None:
        return None
    return LicensesRule(
        tuple(table.allow), through_lineage=table.through_lineage, warn_only=table.warn_only
    )


def _build_card(require: RequireTable) -> CardRule | None:
    if (table := require.card) is None:
        return None
    return CardRule(profile=table.profile, warn_only=table.warn_only)


def _build_provenance(require: RequireTable) -> ProvenanceRule | None:
    if (table := require.provenance) is None:
        return None
    return ProvenanceRule(
        table.level,
        Completeness(table.completeness),
        depth=None if table.depth < 0 else table.depth,
        max_age_days=table.max_age_days,
        warn_only=table.warn_only,
    )


def _build_review(require: RequireTable, signers: Mapping[str, Signer]) -> ReviewRule | None:
    if (table := require.review) is None:
        return None
    check_roles(table.by, signers, roles=("reviewer",), where="require.review.by")
    if table.at_least > len(table.by):
        message = (
            f"{table.at_least} reviewers are needed and {len(table.by)} named;"
            " name more, or need fewer"
        )
        raise ParseError(message, where="require.review.at-least")
    return ReviewRule(
        tuple(table.by),
        table.at_least,
        max_age_days=table.max_age_days,
        scope=table.scope or "",
        warn_only=table.warn_only,
    )


def _build_evaluation(
    require: RequireTable, signers: Mapping[str, Signer]
) -> tuple[EvaluationRule, ...]:
    rules: dict[str, EvaluationRule] = {}
    for index, table in enumerate(require.evaluation or ()):
        where = f"require.evaluation[{index}]"
        if table.name in rules:
            message = f"{table.name!r} is listed twice; write both bounds into one entry"
            raise ParseError(message, where=f"{where}.name")
        roles = ("evaluator", "builder")
        check_roles(table.by or (), signers, roles=roles, where=f"{where}.by")
        rules[table.name] = _build_metric(table, where)
    return tuple(rules.values())


def _build_metric(table: EvaluationTable, where: str) -> EvaluationRule:
    at_least = None if table.at_least is None else Decimal(table.at_least)
    at_most = None if table.at_most is None else Decimal(table.at_most)
    if at_least is None and at_most is None:
        raise ParseError("there is no bound; add 'at-least' or 'at-most'", where=where)
    if at_least is not None and at_most is not None and at_least > at_most:
        message = "no number is within these bounds; 'at-least' is above 'at-most'"
        raise ParseError(message, where=where)
    return EvaluationRule(
        table.name, at_least, at_most, by=tuple(table.by or ()), warn_only=table.warn_only
    )


def _build_reproduction(require: RequireTable) -> ReproductionRule | None:
    if (table := require.reproduction) is None:
        return None
    return ReproductionRule(table.level, warn_only=table.warn_only)


def _build_formats(require: RequireTable) -> FormatsRule | None:
    if (table := require.formats) is None:
        return None
    return FormatsRule(tuple(table.allow), warn_only=table.warn_only)


def _build_source(require: RequireTable) -> SourceRule | None:
    if (table := require.source) is None:
        return None
    pinned = table.revision == "pinned"
    return SourceRule(tuple(table.from_), pinned=pinned, warn_only=table.warn_only)


def _build_own_rules(document: Document) -> tuple[OwnRule, ...]:
    rules: dict[str, OwnRule] = {}
    for index, table in enumerate(document.rules):
        where = f"rules[{index}]"
        if table.name in _TAKEN or table.name.startswith("evaluation."):
            message = f"{table.name!r} is the name of a rule of Weighbridge's; take another"
            raise ParseError(message, where=f"{where}.name")
        if table.name in rules:
            message = f"{table.name!r} is the name of two rules; take another"
            raise ParseError(message, where=f"{where}.name")
        check_expression(table.require, where=f"{where}.require")
        rules[table.name] = OwnRule(table.name, table.require, warn_only=table.warn_only)
    return tuple(rules.values())


def _build_builders(document: Document, signers: Mapping[str, Signer]) -> tuple[BuilderTrust, ...]:
    for uri, table in document.trust.builders.items():
        where = f"trust.builders.{uri}"
        check_roles(table.signers, signers, roles=("builder",), where=f"{where}.signers")
        if uri in SELF_SIGNED_BUILDERS and table.level > SELF_SIGNED_LEVEL:
            message = (
                f"{table.level} is too much: whoever runs this builder signs for itself, or for"
                " what nobody saw, so that it is level 1 at most; write 1 or 0"
            )
            raise ParseError(message, where=f"{where}.level")
    return tuple(
        BuilderTrust(uri, tuple(table.signers), table.level)
        for uri, table in document.trust.builders.items()
    )


def _build_verifiers(
    document: Document, signers: Mapping[str, Signer]
) -> tuple[VerifierTrust, ...]:
    for uri, table in document.trust.verifiers.items():
        where = f"trust.verifiers.{uri}.signers"
        check_roles(table.signers, signers, roles=("verifier",), where=where)
    return tuple(
        VerifierTrust(uri, tuple(table.signers), tuple(table.policies), table.max_age_days)
        for uri, table in document.trust.verifiers.items()
    )


def _build_roots(document: Document) -> tuple[PolicyRoot, ...]:
    return tuple(
        PolicyRoot(
            Digest.parse(root.digest),
            root.reason,
            license=root.license or "",
            max_level=root.max_level,
            expires=root.expires,
        )
        for root in document.roots
    )


def _build_waivers(document: Document) -> tuple[AllowedDigest, ...]:
    return tuple(
        AllowedDigest(
            Digest.parse(table.digest),
            table.reason,
            expires=table.expires,
            rules=tuple(table.rules or ()),
        )
        for table in document.allowed
    )


def _check_digests(document: Document) -> None:
    """Refuse two words about one digest: which of them holds could only be guessed."""
    denied = {table.digest for table in document.denied}
    lists: tuple[tuple[str, Iterable[str]], ...] = (
        ("roots", (table.digest for table in document.roots)),
        ("denied", (table.digest for table in document.denied)),
        ("allowed", (table.digest for table in document.allowed)),
    )
    for key, digests in lists:
        seen: set[str] = set()
        for index, digest in enumerate(digests):
            where = f"{key}[{index}].digest"
            if digest in seen:
                raise ParseError(f"{digest} is listed twice; remove one", where=where)
            if key != "denied" and digest in denied:
                message = f"{digest} is in 'denied', too, which nothing lifts; remove one"
                raise ParseError(message, where=where)
            seen.add(digest)


def _check_waived(policy: Policy) -> None:
    names = {rule.name for rule in policy.own_rules}
    names |= {f"evaluation.{rule.name}" for rule in policy.evaluation}
    for index, waiver in enumerate(policy.waivers):
        for place, rule in enumerate(waiver.rules):
            where = f"allowed[{index}].rules[{place}]"
            if rule in _NOT_WAIVED:
                raise ParseError(f"{rule!r} is never waived; remove it", where=where)
            required = rule in _TAKEN and bool(getattr(policy, rule, None))
            if rule not in names and not required:
                message = f"there is no rule {rule!r} in this policy; name one that it has"
                raise ParseError(message, where=where)
