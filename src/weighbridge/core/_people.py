"""What people say about an artifact: that it may be a root, and what a review came to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from weighbridge.core._statement import Statement, Subject

__all__ = [
    "HUMAN_REVIEW_TYPE",
    "ROOT_ACCEPTANCE_TYPE",
    "Decision",
    "HumanReview",
    "RootAcceptance",
    "build_acceptance",
    "build_review",
    "parse_acceptance",
    "parse_review",
]

ROOT_ACCEPTANCE_TYPE: Final = "https://weighbridge.dev/attestation/root-acceptance/v1"
HUMAN_REVIEW_TYPE: Final = "https://weighbridge.dev/attestation/human-review/v1"


class Decision(StrEnum):
    """What a review came to."""

    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class RootAcceptance:
    """Somebody takes an artifact without provenance as it is.

    Attributes:
        reason: Why; for people.
        fetched_from: Where it is from, a URI, as the reviewer says it.
        license: The licence under which it was taken, an SPDX expression.
        license_found: As the artifact itself declares it; empty if it declares none.
        reviewer: Who looked, as the signer's proof tells: a key's fingerprint, a name, an account.
        accepted_at: Aware.
        expires_at: Until when it counts, aware.
        max_level: The SLSA Build level that it counts as, at most; 0 to 3.
    """

    reason: str
    fetched_from: str
    license: str
    license_found: str
    reviewer: str
    accepted_at: datetime
    expires_at: datetime
    max_level: int


@dataclass(frozen=True, slots=True)
class HumanReview:
    """What a person found who looked at an artifact.

    Attributes:
        decision: Approve or reject.
        scope: What was looked at: ``training data``; for people.
        note: What is to be said; may be empty.
        reviewer: As in :class:`RootAcceptance`.
        reviewed_at: Aware.
        expires_at: Until when an approval counts, aware; None: no end of its own.
    """

    decision: Decision
    scope: str
    note: str
    reviewer: str
    reviewed_at: datetime
    expires_at: datetime | None = None


def build_acceptance(acceptance: RootAcceptance, subjects: Sequence[Subject]) -> Statement:
    """Return the statement that accepts ``subjects``."""
    raise NotImplementedError


def parse_acceptance(statement: Statement) -> RootAcceptance:
    """Read what :func:`build_acceptance` writes, strictly; the statement may be anybody's."""
    raise NotImplementedError


def build_review(review: HumanReview, subjects: Sequence[Subject]) -> Statement:
    """Return the statement about ``subjects``."""
    raise NotImplementedError


def parse_review(statement: Statement) -> HumanReview:
    """Read what :func:`build_review` writes, strictly; the statement may be anybody's."""
    raise NotImplementedError
