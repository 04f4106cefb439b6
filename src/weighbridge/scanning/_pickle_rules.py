"""The rules of the pickle engine: one literal table. ``docs/rules/pickle.md`` explains each."""

from __future__ import annotations

from dataclasses import dataclass

from weighbridge.core import Answer, Severity

__all__ = ["PICKLE_RULES", "PickleRule"]


@dataclass(frozen=True, slots=True)
class PickleRule:
    """A rule: its stable id, its title, and what a match of it says."""

    rule_id: str
    title: str
    answer: Answer
    severity: Severity


def _rule(number: int, title: str, answer: Answer, severity: Severity) -> PickleRule:
    return PickleRule(f"WB-PKL-{number:03d}", title, answer, severity)


PICKLE_RULES: dict[str, PickleRule] = {
    "dangerous-call": _rule(1, "Dangerous call", Answer.FAIL, Severity.CRITICAL),
    "dangerous-name": _rule(2, "Dangerous name", Answer.FAIL, Severity.HIGH),
    "foreign-call": _rule(3, "Call into the standard library", Answer.FAIL, Severity.HIGH),
    "unknown-call": _rule(4, "Unknown callable", Answer.UNKNOWN, Severity.MEDIUM),
    "unknown-name": _rule(5, "Unknown name", Answer.UNKNOWN, Severity.MEDIUM),
    "computed-name": _rule(6, "Computed name", Answer.FAIL, Severity.CRITICAL),
    "dotted-name": _rule(7, "Dotted name", Answer.FAIL, Severity.HIGH),
    "computed-call": _rule(8, "Call of a computed object", Answer.FAIL, Severity.CRITICAL),
    "misuse": _rule(9, "Listed name used in an unlisted way", Answer.FAIL, Severity.HIGH),
    "changed-global": _rule(10, "Change of a class or function", Answer.FAIL, Severity.CRITICAL),
    "extension": _rule(11, "Extension code", Answer.FAIL, Severity.HIGH),
    "broken": _rule(12, "Broken after it acted", Answer.FAIL, Severity.HIGH),
    "persistent-id": _rule(13, "Unknown persistent id", Answer.UNKNOWN, Severity.MEDIUM),
    "elsewhere": _rule(14, "Data in another place", Answer.UNKNOWN, Severity.MEDIUM),
    "not-followed": _rule(15, "Not followed", Answer.UNKNOWN, Severity.MEDIUM),
    "source-code": _rule(16, "Source code carried along", Answer.PASS, Severity.LOW),
    "limit": _rule(17, "A limit was met", Answer.UNKNOWN, Severity.MEDIUM),
    "frame": _rule(18, "Frame that unpicklers read differently", Answer.FAIL, Severity.HIGH),
    "unlisted-use": _rule(19, "Use that nobody vouches for", Answer.UNKNOWN, Severity.MEDIUM),
}
