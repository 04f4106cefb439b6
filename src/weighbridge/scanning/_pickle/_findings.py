"""The findings about one run of bytes: each once, and no more than anybody reads."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from weighbridge.core import Answer, Finding, printable
from weighbridge.scanning._pickle._judge_parts import tell_left_out
from weighbridge.scanning._pickle._values import Global, Value, render
from weighbridge.scanning._rules._pickle import PICKLE_RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import Location
    from weighbridge.scanning._context import ScanContext

__all__ = ["Findings"]

_SHOWN_CHARS = 400


class Findings:
    """What was found; what more there is than ``max_findings`` is only counted."""

    def __init__(self, at: Location, context: ScanContext) -> None:
        self._at = at
        self._context = context
        self._found: dict[tuple[str, str], Finding] = {}
        self._left_out = dict.fromkeys(Answer, 0)
        self._said: dict[str, int] = {}

    def record(self, rule: str, message: str, *, at: int, detail: str = "") -> None:
        """Keep a finding, once for the same words."""
        key = (rule, detail or message)
        if key in self._found:
            return
        entry = PICKLE_RULES[rule]
        if len(self._found) >= self._context.limits.max_findings:
            self._left_out[entry.answer] += 1
            return
        self._found[key] = Finding(
            rule_id=entry.rule_id,
            answer=entry.answer,
            severity=entry.severity,
            location=replace(self._at, offset=at),
            message=f"{entry.title}: the pickle {message}.",
            detail=printable(detail, limit=_SHOWN_CHARS),
        )

    def _has_said(self, rule: str) -> bool:
        """Return whether enough was said under a rule; what more there is, is then only counted."""
        self._said[rule] = self._said.get(rule, 0) + 1
        enough = self._said[rule] > self._context.limits.max_findings
        if enough:
            self._left_out[PICKLE_RULES[rule].answer] += 1
        return enough

    def _record_unlisted(self, message: str, at: int, shown: Value) -> None:
        if not self._has_said("unlisted-use"):
            self.record("unlisted-use", message, at=at, detail=f"{message}: {render(shown)}")

    def _record_unknown(self, rule: str, message: str, name: Global, at: int) -> None:
        entry = f"allow = [[{json.dumps(name.module)}, {json.dumps(name.name)}]]"
        self.record(rule, f"{message}, which nobody vouches for", at=at, detail=entry)

    def adopt(self, findings: tuple[Finding, ...]) -> None:
        """Keep findings about bytes inside these."""
        for finding in findings:
            if len(self._found) >= self._context.limits.max_findings:
                self._left_out[finding.answer] += 1
                continue
            self._found[str(finding.location), finding.rule_id + finding.message] = finding

    def has(self, finding: Finding) -> bool:
        """Return whether the same rule has found the same thing already."""
        return any(
            (known.rule_id, known.detail) == (finding.rule_id, finding.detail)
            for known in self._found.values()
        )

    def has_found(self, rule_ids: frozenset[str]) -> bool:
        """Return whether one of these rules has found something."""
        return any(finding.rule_id in rule_ids for finding in self._found.values())

    def _tell_left_out(self) -> Iterator[Finding]:
        """Yield the finding that stands for those that are not listed, if there are any."""
        left_out = sum(self._left_out.values())
        if left_out:
            fails = self._left_out[Answer.FAIL] > 0
            yield tell_left_out(self._at, left_out, fails=fails)
