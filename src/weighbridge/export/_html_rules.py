"""The rules that something was found by, explained on the page itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.export._html_parts import section
from weighbridge.export._markup import Markup, element, markup

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weighbridge.core import Rule

__all__ = ["show_rules"]


def show_rules(rules: Iterable[Rule]) -> Markup:
    """Return a section with the texts of each rule; nothing if there is none."""
    shown = [_rule(rule) for rule in sorted(rules, key=lambda one: one.rule_id)]
    if not shown:
        return markup("")
    note = "what was found, and what to do about it"
    return section("Rules of the scan", *shown, name="explained", note=note)


def _rule(rule: Rule) -> Markup:
    terms = [("What", rule.what), ("Example", rule.example), ("What to do", rule.fix)]
    links = [f"CWE-{number}" for number in rule.cwe] + [f"MITRE ATLAS {x}" for x in rule.atlas]
    terms += [("See", ", ".join((*links, f"weighbridge rules {rule.rule_id}")))]
    return element(
        "details",
        element(
            "summary",
            element("code", rule.rule_id),
            markup(" "),
            element("strong", rule.title),
        ),
        element(
            "dl", *(element("div", element("dt", a), element("dd", *_words(b))) for a, b in terms)
        ),
        id=f"rule-{rule.rule_id}",
    )


def _words(text: str) -> list[Markup | str]:
    """Return words of a rule, with what stands between backticks as code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return [text]
    return [element("code", part) if index % 2 else part for index, part in enumerate(parts)]
