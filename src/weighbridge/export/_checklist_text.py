"""The checklists on a terminal: three lists, and what would satisfy what does not hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.core import Answer
from weighbridge.export._style import BOLD

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from weighbridge.core import RuleResult
    from weighbridge.export._style import Style

__all__ = ["checklist_block", "count_items", "group_checklists", "is_checklist_rule", "name_item"]

_PREFIX = "checklist."


def is_checklist_rule(rule: RuleResult) -> bool:
    """Tell whether a rule of a verdict is an item of a checklist: ``checklist.LIST.ITEM``."""
    return rule.rule.startswith(_PREFIX) and rule.rule.count(".") > 1


def group_checklists(rules: Iterable[RuleResult]) -> dict[str, list[RuleResult]]:
    """Return the items of each checklist among ``rules``, both in their order."""
    lists: dict[str, list[RuleResult]] = {}
    for rule in filter(is_checklist_rule, rules):
        lists.setdefault(rule.rule.split(".")[1], []).append(rule)
    return lists


def name_item(item: RuleResult) -> str:
    """Return what a person calls an item: ``random seeds documented``."""
    return item.rule.split(".", 2)[2].replace("-", " ")


def count_items(items: Sequence[RuleResult]) -> str:
    """Say how many items of a list pass, fail and are unknown."""
    counts = {answer: sum(item.answer is answer for item in items) for answer in Answer}
    return (
        f"{counts[Answer.PASS]} pass, {counts[Answer.FAIL]} fail, {counts[Answer.UNKNOWN]} unknown"
    )


def checklist_block(style: Style, rules: Iterable[RuleResult]) -> list[str]:
    """Return the items of the checklists among ``rules`` as lines, list by list, in their order.

    An item has its name, what was looked at and found, and, unless it passes, what would satisfy
    it.
    """
    lines: list[str] = []
    for name, items in group_checklists(rules).items():
        lines += [""] if lines else []
        title = style.shorten(style.clean(name).capitalize(), style.width // 2)
        lines += style.title(title, count_items(items))
        lines += [line for item in items for line in _to_lines(style, item)]
    return lines


def _to_lines(style: Style, item: RuleResult) -> list[str]:
    symbol, colour = style.rule_mark(item)
    words = f"{name_item(item)}: {item.reason}" + (f" {item.waiver}" if item.waiver else "")
    first, *rest = style.hang(f"  {symbol} ", words)
    lines = [f"  {style.paint(symbol, BOLD, colour)}" + first[2 + len(symbol) :], *rest]
    if item.remedy:
        lines += style.hang("    → " if style.unicode else "    -> ", item.remedy)
    return lines
