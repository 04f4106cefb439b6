"""The checklists on a terminal."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from unit.policy.checklist_cases import trained_evidence
from unit.policy.policy_cases import good_evidence
from weighbridge.core import Answer, RuleResult
from weighbridge.export._checklist_text import checklist_block, is_checklist_rule
from weighbridge.export._style import MIN_WIDTH, Style
from weighbridge.export._wrap import count_cells
from weighbridge.policy import CHECKLIST_RULES, judge_checklist


def show(rules: tuple[RuleResult, ...], **changes: object) -> str:
    values = {"width": 80, "colour": False, "unicode": True, **changes}
    values["width"] = max(values["width"], MIN_WIDTH)  # type: ignore[call-overload]
    return "\n".join(checklist_block(Style(**values), rules))  # type: ignore[arg-type]


def test_three_lists_with_what_was_found_and_what_would_satisfy() -> None:
    text = show(judge_checklist(trained_evidence()))
    heads = [line for line in text.splitlines() if line and not line.startswith(" ")]
    assert heads == [
        "Dependencies  8 pass, 0 fail, 0 unknown",
        "Security  3 pass, 0 fail, 2 unknown",
        "Reproducibility  6 pass, 0 fail, 0 unknown",
    ]
    flat = " ".join(text.split())
    assert "✔ framework versions pinned: Step sft: torch 2.1.0+cu121" in flat
    assert "? resource limits for inference: No evidence" in flat
    assert flat.count("→ ") == 2


def test_other_rules_are_left_out() -> None:
    others = (
        RuleResult("scan", Answer.PASS, "fine"),
        RuleResult("checklist.", Answer.PASS, "fine"),
        RuleResult("checklists.a.b", Answer.PASS, "fine"),
    )
    assert show(others) == ""
    assert not any(map(is_checklist_rule, others))
    assert all(is_checklist_rule(RuleResult(name, Answer.PASS, "x")) for name in CHECKLIST_RULES)


def test_it_can_be_told_in_ascii_and_in_colour() -> None:
    rules = judge_checklist(good_evidence())
    plain = show(rules, unicode=False)
    assert plain.isascii()
    assert "  ? " in plain
    assert "    -> " in plain
    coloured = show(rules, colour=True)
    assert "\x1b[1;33m?\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == show(rules)


@given(st.text(max_size=60), st.integers(0, 120), st.sampled_from(Answer))
def test_no_line_is_wider_and_nothing_acts_on_the_terminal(
    text: str, width: int, answer: Answer
) -> None:
    rule = RuleResult(f"checklist.{text}.{text}", answer, text, remedy=text)
    for line in show((rule,), width=width).splitlines():
        assert line.isprintable()
        if line.startswith(" "):
            assert count_cells(line) <= max(width, 40)
