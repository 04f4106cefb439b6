"""The rules of the scan on a terminal: their list, or the page of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.export._style import BOLD, DIM, MIN_WIDTH, Style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.core import Rule

__all__ = ["rules_to_text"]


def rules_to_text(
    rules: Sequence[Rule], *, is_page: bool, width: int, colour: bool, unicode: bool = True
) -> str:
    """Return a page for each rule, or a line for each."""
    style = Style(max(width, MIN_WIDTH), colour=colour, unicode=unicode)
    if is_page:
        return "\n\n".join("\n".join(_page(style, rule)) for rule in rules)
    lines = []
    for rule in rules:
        first, *rest = style.hang(f"{rule.rule_id:<11}  {rule.severity.value:<8}  ", rule.title)
        mark = style.mark(rule.answer, rule.severity.value)
        lines += [first.replace(rule.severity.value, mark, 1), *rest]
    return "\n".join(lines)


def _page(style: Style, rule: Rule) -> list[str]:
    lines = style.title(rule.rule_id, rule.title)
    told = f"answer {rule.answer.value}, severity {rule.severity.value}"
    lines += ["", style.mark(rule.answer, f"{style.symbol(rule.answer)} {told}")]
    for name, text in (("What", rule.what), ("Example", rule.example), ("What to do", rule.fix)):
        lines += ["", style.paint(name, BOLD), *style.hang("  ", text)]
    links = [f"https://cwe.mitre.org/data/definitions/{number}.html" for number in rule.cwe]
    links += [f"https://atlas.mitre.org/techniques/{name}" for name in rule.atlas]
    links.append(f"https://weighbridge.dev/rules/{rule.rule_id}")
    lines += ["", style.paint("See", BOLD)]
    return lines + [line for link in links for line in style.hang("  ", link, DIM)]
