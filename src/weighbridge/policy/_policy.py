"""Policy: the rules to judge by, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from weighbridge.core import Severity

__all__ = [
    "CardRule",
    "LicensesRule",
    "Policy",
    "ScanRule",
    "SignatureRule",
    "Signer",
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


@dataclass(frozen=True, slots=True)
class ScanRule:
    """Nothing dangerous may be found.

    Attributes:
        fail_on: The mildest severity that counts.
        complete: Whether a file that was not examined makes the answer unknown.
    """

    fail_on: Severity
    complete: bool


@dataclass(frozen=True, slots=True)
class LicensesRule:
    """The declared licence must be known.

    Attributes:
        allow: The licences that are enough, as SPDX ids; None: any licence that can be told.
    """

    allow: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class CardRule:
    """There must be a model card.

    Attributes:
        profile: ``huggingface``: what Hugging Face asks of one. ``readable``: one that can be read.
    """

    profile: Literal["huggingface", "readable"]


@dataclass(frozen=True, slots=True)
class Policy:
    """What an artifact must fulfil. Integrity is always judged; a rule that is None is not.

    Attributes:
        name: Of its file, or ``built-in``; for people.
        digest: ``sha256:<hex>`` of the file's bytes; empty for the built-in policy.
        signers: Whose keys to try, in the order of the file.
        signature: The rule ``require.signature``.
        scan: The rule ``require.scan``.
        licenses: The rule ``require.licenses``.
        card: The rule ``require.card``.
        allowed: (module, name) pairs that the scan is told to trust.
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
