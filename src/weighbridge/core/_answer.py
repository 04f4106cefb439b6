"""The three answers, and how bad a finding is."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Answer", "Severity", "worst"]


class Answer(StrEnum):
    """What a rule, a scan or a verdict says. "Not checked" is UNKNOWN, never PASS."""

    PASS = "pass"  # noqa: S105 - an answer, not a password
    FAIL = "fail"
    UNKNOWN = "unknown"


class Severity(StrEnum):
    """How much harm a finding can do, mildest first; the order is that of ``rank``."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Return 0 for INFO up to 4 for CRITICAL."""
        return _RANKS[self]


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


def worst(answers: tuple[Answer, ...]) -> Answer:
    """Join answers: FAIL beats UNKNOWN beats PASS; no answers at all are UNKNOWN."""
    if Answer.FAIL in answers:
        return Answer.FAIL
    if Answer.UNKNOWN in answers or not answers:
        return Answer.UNKNOWN
    return Answer.PASS
