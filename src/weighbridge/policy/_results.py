"""Results of rules, and the words that they share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.core import Answer, RuleResult, printable, short_id
from weighbridge.core import to_count as count

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weighbridge.core import Evidence, LineageNode, LineageReport

__all__ = [
    "count",
    "fail",
    "get_lineage",
    "more",
    "name_node",
    "pass_",
    "to_names",
    "to_path_words",
    "to_sentence",
    "unknown",
    "unknown_lineage",
]

_SHOWN_CHARACTERS = 60
_SHOWN_STEPS = 6


def pass_(rule: str, reason: str) -> RuleResult:
    """Return a pass, with what was seen."""
    return RuleResult(rule, Answer.PASS, reason)


def fail(rule: str, reason: str, *, names: tuple[str, ...] = (), remedy: str) -> RuleResult:
    """Return a fail, with what to do next."""
    return RuleResult(rule, Answer.FAIL, reason, names=names, remedy=remedy)


def unknown(rule: str, reason: str, *, names: tuple[str, ...] = (), remedy: str) -> RuleResult:
    """Return that nothing tells, with what would."""
    return RuleResult(rule, Answer.UNKNOWN, reason, names=names, remedy=remedy)


def get_lineage(evidence: Evidence) -> LineageReport | None:
    """Return the lineage if there is one that rests on somebody's trust; else None."""
    lineage = evidence.lineage
    return lineage if lineage is not None and lineage.is_judged else None


def unknown_lineage(rule: str) -> RuleResult:
    """Return the answer of every rule about lineage where nobody looked at it."""
    return unknown(
        rule,
        "Nobody has looked at how this was made: no statements were verified",
        remedy="Check it with its claims (claims.jsonl) and a policy that says whom to trust.",
    )


def more(number: int) -> str:
    """Return `` (and 3 more)``; nothing for none."""
    return f" (and {number:,} more)" if number > 0 else ""


def to_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return each once, in order."""
    return tuple(dict.fromkeys(names))


def to_sentence(text: str) -> str:
    """Begin with a capital, unless the first word is the name of a file."""
    first = text.split(maxsplit=1)[0]
    return text if "." in first else text[0].upper() + text[1:]


def name_node(node: LineageNode) -> str:
    """Return what a node is called, and enough of its id to find it."""
    label = printable(node.label, limit=_SHOWN_CHARACTERS)
    id_ = printable(short_id(node.id))
    return f"{label} ({id_})" if label else id_


def to_path_words(report: LineageReport) -> str:
    """Return the weakest path, from the artifact down: ``model <- data <- raw``."""
    nodes = report.by_id()
    path = [nodes[id_] for id_ in report.weakest_path if id_ in nodes]
    words = [printable(node.label or node.id, limit=_SHOWN_CHARACTERS) for node in path]
    if len(words) > _SHOWN_STEPS:
        left_out = len(words) - _SHOWN_STEPS + 1
        half = _SHOWN_STEPS // 2
        words = [*words[:half], f"… {left_out:,} steps …", *words[left_out + half :]]
    return " <- ".join(words)
