"""What SARIF tells besides findings and rules: the lineage, and a document kept by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from weighbridge.core import Answer, printable
from weighbridge.export._report import find_lineage
from weighbridge.export._trace import judge_trace, list_problems, name_node, weakest_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import Evidence, JsonValue, LineageReport

__all__ = ["OtherResult", "describe_lineage", "list_other_results"]

_MAX_RESULTS = 1_000


class OtherResult(NamedTuple):
    """One result.

    Attributes:
        rule_id: ``WB-LINEAGE-CYCLE``, ``WB-DOCUMENT``.
        about: What the rule is about.
        kind: ``fail``, ``open`` or ``review``.
        name: What it concerns: the id of a node, the place in the document.
        message: One sentence.
    """

    rule_id: str
    about: str
    kind: str
    name: str
    message: str


def list_other_results(evidence: Evidence) -> Iterator[OtherResult]:
    """Yield what is wrong in the lineage, then what in the document is not so or cannot be told.

    Of each at most 1,000. A problem of the lineage is for review: whether it matters, the rules of
    the policy say, and theirs are the results that fail.
    """
    lineage, document = find_lineage(evidence), evidence.document
    problems = list(list_problems(lineage))[:_MAX_RESULTS] if lineage and lineage.is_judged else []
    for node, problem in problems:
        kind = problem.kind.value
        about = f"Something that the artifact was made from has a problem: {kind}"
        message = f"{name_node(node)}: {problem.message}"
        yield OtherResult(f"WB-LINEAGE-{kind.upper()}", about, "review", node.id, message)
    about = "A document kept by hand says something that is not so"
    if document is not None and document.problem:
        yield OtherResult("WB-DOCUMENT", about, "open", document.path, document.problem)
    entries = [] if document is None else list(document.entries)
    told = [entry for entry in entries if entry.answer is not Answer.PASS]
    for entry in told[:_MAX_RESULTS]:
        kind = "fail" if entry.answer is Answer.FAIL else "open"
        message = f"{entry.place}: {entry.message}"
        yield OtherResult("WB-DOCUMENT", about, kind, entry.place, message)


def describe_lineage(lineage: LineageReport) -> JsonValue:
    """Return what the whole chain comes to, as properties of the run."""
    return {
        "answer": judge_trace(lineage).value,
        "level": lineage.level,
        "completeness": lineage.completeness.value,
        "weakestPath": printable(weakest_words(lineage), limit=2_000),
        "artifacts": len(lineage.nodes),
        "setAside": len(lineage.set_aside),
    }
