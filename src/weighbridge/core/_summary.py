"""Verification summaries: a verdict as a statement, for whoever does not want to look again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from weighbridge.core._statement import Statement, Subject

__all__ = ["SUMMARY_TYPE", "VerificationSummary", "build_summary", "parse_summary"]

SUMMARY_TYPE: Final = "https://slsa.dev/verification_summary/v1"


@dataclass(frozen=True, slots=True)
class VerificationSummary:
    """A SLSA Verification Summary Attestation.

    Attributes:
        verifier: Who judged, a URI.
        verified_at: When, aware.
        resource_uri: What was judged; a label.
        policy_uri: The policy's name; a label. May be empty.
        policy_digest: ``sha256:<hex>`` of the policy.
        passed: Whether the verdict was pass; unknown is not.
        level: The artifact's own SLSA Build level; None if the summary says none.
        dependency_levels: How many of all that it was made from, directly or not, have which
            SLSA Build level; None if the summary does not say.
        inputs: ``sha256:<hex>`` of the statements that the verdict rests on.

    Source:
        SLSA v1.0, Verification Summary Attestation.
    """

    verifier: str
    verified_at: datetime
    resource_uri: str
    policy_uri: str
    policy_digest: str
    passed: bool
    level: int | None = None
    dependency_levels: Mapping[int, int] | None = None
    inputs: tuple[str, ...] = field(default=())


def build_summary(summary: VerificationSummary, subjects: Sequence[Subject]) -> Statement:
    """Return the statement about ``subjects``."""
    raise NotImplementedError


def parse_summary(statement: Statement) -> VerificationSummary:
    """Read a verification summary, ours or another verifier's; the statement may be anybody's."""
    raise NotImplementedError
