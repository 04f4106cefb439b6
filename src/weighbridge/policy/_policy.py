"""Policy: the rules to judge by, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from weighbridge.core import Completeness, Severity, TrustMap

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from weighbridge.core import BuilderTrust, DeniedDigest, Digest, PolicyRoot, VerifierTrust

__all__ = [
    "AllowedDigest",
    "CardRule",
    "EvaluationRule",
    "FormatsRule",
    "LicensesRule",
    "OwnRule",
    "Policy",
    "ProvenanceRule",
    "ReproductionRule",
    "ReviewRule",
    "ScanRule",
    "SignatureRule",
    "Signer",
    "SourceRule",
    "built_in_policy",
]


@dataclass(frozen=True, slots=True)
class Signer:
    """Somebody whose word counts, known by a key, by a certificate or by an account.

    Exactly one of ``key``, ``certificate_authorities`` and ``issuer`` is not empty. Paths are as
    written: relative to the policy file unless absolute.

    Attributes:
        name: Its name in ``[trust.signers]``.
        key: Path of its public key.
        roles: What it may vouch for, as written; never empty.
        certificate_authorities: Paths of the certificates of the authorities that may certify it.
        identity: The name in its certificate, empty for any; or its account.
        issuer: Who vouches for the account.
        trust_config: Path of the client trust config of a Sigstore instance; empty: the public one.
        instance: Or the address of its update repository.
        timestamp_authorities: Paths of the certificates of those whose timestamps are believed.
    """

    name: str
    key: str
    roles: tuple[str, ...]
    certificate_authorities: tuple[str, ...] = ()
    identity: str = ""
    issuer: str = ""
    trust_config: str = ""
    instance: str = ""
    timestamp_authorities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SignatureRule:
    """The artifact must be signed by one of ``by``, which are names of signers."""

    by: tuple[str, ...]
    warn_only: bool = False


@dataclass(frozen=True, slots=True)
class ScanRule:
    """Nothing dangerous may be found.

    Attributes:
        fail_on: The mildest severity that counts.
        complete: Whether a file that was not examined makes the answer unknown.
        warn_only: Whether it is shown and does not count.
    """

    fail_on: Severity
    complete: bool
    warn_only: bool = False


@dataclass(frozen=True, slots=True)
class LicensesRule:
    """The declared licence must be known.

    Attributes:
        allow: The licences that are enough, as SPDX ids; None: any licence that can be told.
        through_lineage: Whether those of all roots count, too.
        warn_only: Whether it is shown and does not count.
    """

    allow: tuple[str, ...] | None
    through_lineage: bool = False
    warn_only: bool = False


@dataclass(frozen=True, slots=True)
class CardRule:
    """There must be a model card.

    Attributes:
        profile: ``huggingface``: what Hugging Face asks of one. ``readable``: one that can be read.
        warn_only: Whether it is shown and does not count.
    """

    profile: Literal["huggingface", "readable"]
    warn_only: bool = False


@dataclass(frozen=True, slots=True)
class ProvenanceRule:
    """It must be known how the artifact was made.

    Attributes:
        level: The SLSA Build level that is enough, 0 to 3.
        completeness: How well it must be known that no input is missing.
        depth: Over how many steps, 0 for the artifact alone; None: over all.
        max_age_days: How long ago the artifact's own step may have ended; None: any time.
        warn_only: Whether it is shown and does not count.
    """

    level: int
    completeness: Completeness = Completeness.UNKNOWN
    depth: int | None = None
    max_age_days: int | None = None
    warn_only: bool = False


@dataclass(frozen=True, slots=True)
class ReviewRule:
    """People must have looked at the artifact.

    Attributes:
        by: Names of signers with the role ``reviewer``, whose approvals count.
        at_least: How many different people of them have to approve.
        max_age_days: How old an approval may be; None: as old as it says itself.
        scope: What they must have looked at, exactly; empty: anything.
        warn_only: Whether it is shown and does not count.
    """

    by: tuple[str, ...]
    at_least: int = 1
    max_age_days: int | None = None
    scope: str = ""
    warn_only: bool = False


@dataclass(frozen=True, slots=True)
class EvaluationRule:
    """A metric must have been measured and be good enough.

    Attributes:
        name: Of the metric.
        at_least: The least value that is enough; None: no bound below.
        at_most: The greatest value that is enough; None: no bound above.
        by: Names of signers whose results count; empty: everybody's who may evaluate.
        warn_only: Whether it is shown and does not count.
    """

    name: str
    at_least: Decimal | None = None
    at_most: Decimal | None = None
    by: tuple[str, ...] = ()
    warn_only: bool = False


@dataclass(frozen=True, slots=True)
class ReproductionRule:
    """Making it again must have given the same, to a level: ``L2``."""

    level: str
    warn_only: bool = False


@dataclass(frozen=True, slots=True)
class FormatsRule:
    """Every file that is not inert must be of one of these formats, as the scan names them."""

    allow: tuple[str, ...]
    warn_only: bool = False


@dataclass(frozen=True, slots=True)
class SourceRule:
    """Every root must be from one of these places.

    Attributes:
        sources: Patterns of URIs.
        pinned: Whether the URI must name a revision that cannot change.
        warn_only: Whether it is shown and does not count.
    """

    sources: tuple[str, ...]
    pinned: bool = False
    warn_only: bool = False


@dataclass(frozen=True, slots=True)
class OwnRule:
    """A rule of ``[[rules]]``: a CEL expression that must be exactly true."""

    name: str
    require: str
    warn_only: bool = False


@dataclass(frozen=True, slots=True)
class AllowedDigest:
    """An artifact that the policy lets in although it does not fulfil some rules.

    Attributes:
        digest: Of the artifact.
        reason: Why; for people.
        expires: Until when, aware.
        rules: Names of the rules that are waived; empty: all but ``integrity`` and ``denied``.
    """

    digest: Digest
    reason: str
    expires: datetime
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """What an artifact must fulfil. Integrity is always judged; a rule that is None is not.

    Attributes:
        name: Of its file, or ``built-in``; for people.
        digest: ``sha256:<hex>`` of the file's bytes; empty for the built-in policy.
        signers: Whose keys to try, in the order of the file.
        signature: The rule ``require.signature``; so the other rules.
        scan: See above.
        licenses: See above.
        card: See above.
        provenance: See above.
        review: See above.
        evaluation: One for each metric.
        reproduction: See above.
        formats: See above.
        source: See above.
        own_rules: Those of ``[[rules]]``.
        allowed: (module, name) pairs that the scan is told to trust.
        builders: Who may speak for which builder.
        verifiers: Whose earlier verdicts stand for looking again.
        roots: Artifacts that may be without provenance.
        denied: What may never come in.
        waivers: What may come in all the same.
        profile: ``checklist``: the three checklists are answered too.
    """

    name: str
    digest: str = ""
    signers: tuple[Signer, ...] = ()
    signature: SignatureRule | None = None
    scan: ScanRule | None = None
    licenses: LicensesRule | None = None
    card: CardRule | None = None
    allowed: frozenset[tuple[str, str]] = frozenset()
    provenance: ProvenanceRule | None = None
    review: ReviewRule | None = None
    evaluation: tuple[EvaluationRule, ...] = ()
    reproduction: ReproductionRule | None = None
    formats: FormatsRule | None = None
    source: SourceRule | None = None
    own_rules: tuple[OwnRule, ...] = ()
    builders: tuple[BuilderTrust, ...] = ()
    verifiers: tuple[VerifierTrust, ...] = ()
    roots: tuple[PolicyRoot, ...] = ()
    denied: tuple[DeniedDigest, ...] = ()
    waivers: tuple[AllowedDigest, ...] = ()

    @property
    def trust(self) -> TrustMap:
        """Whose word counts for what, as the lineage needs it."""
        return TrustMap(
            roles={signer.name: frozenset(signer.roles) for signer in self.signers},
            builders={builder.builder: builder for builder in self.builders},
            verifiers={verifier.verifier: verifier for verifier in self.verifiers},
            roots=self.roots,
            denied=self.denied,
        )

    profile: Literal["", "checklist"] = ""


def built_in_policy() -> Policy:
    """Return the policy for whoever has none: integrity, nothing dangerous, a licence, a card.

    It trusts no signer; the verdict lists what it did not check.
    """
    return Policy(
        name="built-in",
        scan=ScanRule(fail_on=Severity.MEDIUM, complete=True),
        licenses=LicensesRule(allow=None),
        card=CardRule(profile="readable"),
    )
