"""The three answers, and how bad a finding is."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Answer", "Severity", "worst"]


class Answer(StrEnum):
    """What a rule, a scan or a verdict says. "Not checked" is UNKNOWN, never PASS."""

    PASS = "pass"
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
    """Join answers: FAIL if any fails, else UNKNOWN if any is unknown or there are none, else PASS."""
    if Answer.FAIL in answers:
        return Answer.FAIL
    if Answer.UNKNOWN in answers or not answers:
        return Answer.UNKNOWN
    return Answer.PASS
