"""The checklists on a terminal: three lists, and what would satisfy what does not hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.core import Answer, printable
from weighbridge.export._wrap import count_cells, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.core import RuleResult

__all__ = ["checklist_to_text", "is_checklist_rule"]

_PREFIX = "checklist."
_MIN_WIDTH = 40
_MAX_SENTENCE = 2_000
_SYMBOLS = {Answer.PASS: "✔", Answer.FAIL: "✖", Answer.UNKNOWN: "?"}
_ASCII_SYMBOLS = {Answer.PASS: "+", Answer.FAIL: "x", Answer.UNKNOWN: "?"}
_CODES = {Answer.PASS: "1;32", Answer.FAIL: "1;31", Answer.UNKNOWN: "1;33"}


def is_checklist_rule(rule: RuleResult) -> bool:
    """Tell whether a rule of a verdict is an item of a checklist: ``checklist.LIST.ITEM``."""
    return rule.rule.startswith(_PREFIX) and rule.rule.count(".") > 1


def checklist_to_text(
    rules: Sequence[RuleResult], *, width: int, colour: bool, unicode: bool = True
) -> str:
    """Return the items of the checklists among ``rules``, list by list, in their order.

    An item has its name, what was looked at and found, and, unless it passes, what would satisfy
    it. Names from the artifact cannot act on the terminal.

    Args:
        rules: Of a verdict; those that are no item are left out.
        width: Columns; no line is longer. Below 40 counts as 40.
        colour: Whether to write ANSI colours. The symbols say the same without them.
        unicode: Whether the terminal shows more than ASCII.

    Returns:
        Lines joined by newlines, none at the end; empty if there is no item.
    """
    lists: dict[str, list[RuleResult]] = {}
    for rule in filter(is_checklist_rule, rules):
        lists.setdefault(rule.rule.split(".")[1], []).append(rule)
    blocks = []
    for name, items in lists.items():
        title = printable(name).capitalize()
        head = f"\x1b[1m{title}\x1b[0m" if colour else title
        lines = [f"{head}  {_count(items)}"]
        for item in items:
            lines += _to_lines(item, width=max(width, _MIN_WIDTH), colour=colour, unicode=unicode)
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _count(items: Sequence[RuleResult]) -> str:
    counts = {answer: sum(item.answer is answer for item in items) for answer in Answer}
    return (
        f"{counts[Answer.PASS]} pass, {counts[Answer.FAIL]} fail, {counts[Answer.UNKNOWN]} unknown"
    )


def _to_lines(item: RuleResult, *, width: int, colour: bool, unicode: bool) -> list[str]:
    symbol = (_SYMBOLS if unicode else _ASCII_SYMBOLS)[item.answer]
    mark = f"\x1b[{_CODES[item.answer]}m{symbol}\x1b[0m" if colour else symbol
    name = item.rule.split(".", 2)[2].replace("-", " ")
    told = wrap(_clean(f"{name}: {item.reason}", unicode=unicode), width - 4)
    lines = [f"  {mark} {told[0]}", *(f"    {line}" for line in told[1:])]
    if item.remedy:
        arrow = "→ " if unicode else "-> "
        first, *rest = wrap(_clean(item.remedy, unicode=unicode), width - 4 - count_cells(arrow))
        indent = " " * (4 + count_cells(arrow))
        lines += [f"    {arrow}{first}", *(indent + line for line in rest)]
    return lines


def _clean(text: str, *, unicode: bool) -> str:
    safe = printable(text, limit=_MAX_SENTENCE)
    if unicode or safe.isascii():
        return safe
    return safe.replace("…", "...").encode("ascii", "backslashreplace").decode("ascii")
