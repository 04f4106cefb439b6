"""Trust: whose word counts for what, as the verifier decides it. Never read from a statement."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from weighbridge.core._digest import Digest

__all__ = [
    "DVC_BUILDER",
    "IN_PROCESS_BUILDER",
    "LOCAL_BUILDER",
    "LOCAL_VERIFIER",
    "MAX_BUILD_LEVEL",
    "MLFLOW_BUILDER",
    "NOTEBOOK_BUILDER",
    "SELF_SIGNED_BUILDERS",
    "SELF_SIGNED_LEVEL",
    "BuilderTrust",
    "DeniedDigest",
    "PolicyRoot",
    "TrustMap",
    "VerifierTrust",
]

MAX_BUILD_LEVEL: Final = 3
# Who judges where nobody says another name.
LOCAL_VERIFIER: Final = "https://weighbridge.dev/verifiers/local/v1"
# A program that signs for itself, and so could sign anything; a live notebook; a command that
# somebody runs on a machine of their own.
IN_PROCESS_BUILDER: Final = "https://weighbridge.dev/builders/in-process/v1"
NOTEBOOK_BUILDER: Final = "https://weighbridge.dev/builders/notebook/v1"
LOCAL_BUILDER: Final = "https://weighbridge.dev/builders/local/v1"
# Whoever copies what another tool noted, and saw nothing of it.
DVC_BUILDER: Final = "https://weighbridge.dev/builders/import-dvc/v1"
MLFLOW_BUILDER: Final = "https://weighbridge.dev/builders/import-mlflow/v1"
# Whoever runs these holds the key in the process that does the work, or on a machine of their own;
# what they sign for is of this level at most.
SELF_SIGNED_LEVEL: Final = 1
SELF_SIGNED_BUILDERS: Final = frozenset(
    {IN_PROCESS_BUILDER, NOTEBOOK_BUILDER, LOCAL_BUILDER, DVC_BUILDER, MLFLOW_BUILDER}
)


@dataclass(frozen=True, slots=True)
class BuilderTrust:
    """Who may speak for a builder, and how far it is trusted.

    Attributes:
        builder: The builder id, a URI.
        signers: Names of signers with the role ``builder``.
        level: The SLSA Build level that what it built has at most, 0 to 3.
    """

    builder: str
    signers: tuple[str, ...]
    level: int


@dataclass(frozen=True, slots=True)
class VerifierTrust:
    """Whose earlier verdicts stand for looking again.

    Attributes:
        verifier: The verifier id, a URI.
        signers: Names of signers with the role ``verifier``.
        policies: ``sha256:<hex>`` of the policies whose verdicts count.
        max_age_days: How old a verdict may be.
    """

    verifier: str
    signers: tuple[str, ...]
    policies: tuple[str, ...]
    max_age_days: int


@dataclass(frozen=True, slots=True)
class PolicyRoot:
    """An artifact without provenance that the policy itself accepts.

    Attributes:
        digest: Of the artifact.
        reason: Why; for people.
        license: The licence under which it was taken, as an SPDX expression; may be empty.
        max_level: The level that it counts as, at most.
        expires: Until when, aware; None: for as long as the policy stands.
    """

    digest: Digest
    reason: str
    license: str = ""
    max_level: int = MAX_BUILD_LEVEL
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeniedDigest:
    """What must not come in, whoever says what about it; of an artifact, or of a file in one."""

    digest: Digest
    reason: str


@dataclass(frozen=True, slots=True)
class TrustMap:
    """All of the verifier's trust, as far as a lineage depends on it.

    Attributes:
        roles: Name of each signer to its roles.
        builders: By builder id.
        verifiers: By verifier id.
        roots: Accepted by the policy.
        denied: Denied by the policy.
    """

    roles: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    builders: Mapping[str, BuilderTrust] = field(default_factory=lambda: MappingProxyType({}))
    verifiers: Mapping[str, VerifierTrust] = field(default_factory=lambda: MappingProxyType({}))
    roots: tuple[PolicyRoot, ...] = ()
    denied: tuple[DeniedDigest, ...] = ()
