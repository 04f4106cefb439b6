"""Verdict: what a policy says of the evidence, rule by rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from weighbridge.core._answer import Answer

__all__ = ["NotChecked", "RuleResult", "Verdict"]


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What one rule says.

    Attributes:
        rule: Its name in the policy: ``signature``, ``scan``, ...
        answer: Pass, fail or unknown.
        reason: One sentence: why.
        names: The files concerned, if any; the most telling first.
        remedy: What to do next, one sentence; empty for a pass.
        is_warning: Whether the policy says ``warn-only``: shown, and not counted in the verdict.
        waiver: Why the policy lets this artifact in all the same, one sentence; empty if it does
            not. ``answer`` is PASS then, and ``reason`` what it was before.
    """

    rule: str
    answer: Answer
    reason: str
    names: tuple[str, ...] = ()
    remedy: str = ""
    is_warning: bool = False
    waiver: str = ""


@dataclass(frozen=True, slots=True)
class NotChecked:
    """Something that a gate could check and this policy did not ask for."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer, and everything needed to understand it.

    Attributes:
        answer: FAIL if any rule fails, else UNKNOWN if any is unknown, else PASS; rules that only
            warn do not count.
        rules: In the order of the policy; never empty.
        not_checked: What this verdict says nothing about.
        policy: The policy's name (its file's path, or ``built-in``), for people.
        policy_digest: ``sha256:<hex>`` of the policy's bytes; empty for the built-in one.
        at: When it was judged, aware UTC.
    """

    answer: Answer
    rules: tuple[RuleResult, ...]
    not_checked: tuple[NotChecked, ...]
    policy: str
    policy_digest: str
    at: datetime
