"""What the checklists look at: the steps that trained, and what keeps them from being all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from weighbridge.core import (
    TRAINING_KINDS,
    Answer,
    EdgeKind,
    Origin,
    ProblemKind,
    printable,
    to_count,
)
from weighbridge.policy._results import name_node, to_sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from weighbridge.core import Evidence, LineageNode, LineageReport, StepRecord

__all__ = ["Judged", "View", "build_view", "judge_steps", "show"]

_CUTS = frozenset({Origin.ACCEPTED, Origin.LISTED, Origin.SUMMARY})
# A node of which nobody knows how it came to be, whatever else is said of it.
_UNSOUND = frozenset(
    {
        *(ProblemKind.CYCLE, ProblemKind.CONFLICT, ProblemKind.MISSING_RANK),
        *(ProblemKind.DEAD_END, ProblemKind.ALIAS, ProblemKind.TOO_LARGE),
    }
)
_SHOWN_CHARACTERS = 80


class Judged(NamedTuple):
    """What one item comes to: the answer, one sentence, and the files concerned."""

    answer: Answer
    reason: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """The lineage, as far as the checklists look at it.

    Attributes:
        lineage: The whole of it; None if ``problem`` says why it tells nothing.
        steps: Nodes that a step trained and on which the artifact's own level depends, nearest
            first; what lies at or below an accepted root or a summary is not among them.
        gaps: Of what in the chain nobody knows how it came to be, in half sentences: a step that
            trained may be hidden there.
        problem: Why the lineage tells nothing, half a sentence; empty if it tells something.
    """

    lineage: LineageReport | None
    steps: tuple[LineageNode, ...] = ()
    gaps: tuple[str, ...] = ()
    problem: str = ""


def show(text: str) -> str:
    """Return a stranger's word as it stands in a sentence; at most 80 characters."""
    return printable(text, limit=_SHOWN_CHARACTERS)


def build_view(evidence: Evidence) -> View:
    """Pick from the lineage what the checklists look at; linear in its nodes and edges."""
    report = evidence.lineage
    if report is None:
        return View(None, problem="its lineage was not looked at")
    if not report.is_judged:
        return View(None, problem="without a policy nobody's statements are believed")
    digest = evidence.artifact.digest
    if digest is None or str(digest) != report.artifact:
        return View(None, problem="the lineage is that of another artifact")
    required = report.required
    cut = _find_cuts(report)
    steps = tuple(
        node
        for node in required
        if node.step is not None
        and node.step.kind in TRAINING_KINDS
        and (node.id == report.artifact or node.id not in cut)
    )
    return View(report, steps, tuple(_list_gaps(required)))


def _find_cuts(report: LineageReport) -> frozenset[str]:
    """Return nodes that stand for all below them.

    A node that was made from something on which the artifact does not depend is one too: the policy
    lists it, or a summary speaks for it, although its provenance is known.
    """
    depends = {node.id for node in report.required}
    below = (
        edge.source
        for edge in report.edges
        if edge.kind is EdgeKind.MADE_FROM and edge.target not in depends
    )
    accepted = (
        node.id for node in report.nodes if node.origin in _CUTS or node.acceptance is not None
    )
    return frozenset((*below, *accepted))


def _list_gaps(nodes: Iterable[LineageNode]) -> Iterable[str]:
    for node in nodes:
        unsound = [problem for problem in node.problems if problem.kind in _UNSOUND]
        if node.origin is Origin.UNKNOWN:
            yield f"nothing that is believed says how {name_node(node)} came to be"
        elif unsound:
            words = printable(unsound[0].message, limit=200).removesuffix(".")
            yield f"of {name_node(node)} is not known how it came to be: {words}"


def judge_steps(view: View, judge: Callable[[LineageNode, StepRecord], Judged]) -> Judged:
    """Judge each step that trained; pass only if all do and nothing of the chain is unknown.

    Args:
        view: What to look at.
        judge: Says of one step what holds, in half a sentence that goes on behind its name.
    """
    if view.problem:
        return Judged(Answer.UNKNOWN, f"Nothing tells: {view.problem}")
    told: dict[Answer, list[tuple[LineageNode, Judged]]] = {answer: [] for answer in Answer}
    for node in view.steps:
        if node.step is not None:
            judged = judge(node, node.step)
            told[judged.answer].append((node, judged))
    for answer in (Answer.FAIL, Answer.UNKNOWN):
        if told[answer]:
            return _join(answer, told[answer])
    if view.gaps:
        rest = _more(len(view.gaps) - 1, "such place")
        return Judged(Answer.UNKNOWN, f"{to_sentence(view.gaps[0])}{rest}")
    if not told[Answer.PASS]:
        kinds = "train, fine-tune, merge, distil or quantize"
        return Judged(Answer.UNKNOWN, f"No step that is believed is of the kind {kinds}")
    return _join(Answer.PASS, told[Answer.PASS])


def _join(answer: Answer, told: list[tuple[LineageNode, Judged]]) -> Judged:
    node, judged = told[0]
    step = node.step.name if node.step is not None else node.label
    return Judged(
        answer,
        f"Step {show(step or node.label)}: {judged.reason}{_more(len(told) - 1, 'step')}",
        tuple(dict.fromkeys(name for _, one in told for name in one.names)),
    )


def _more(count: int, noun: str) -> str:
    if count <= 0:
        return ""
    return f" (and {to_count(count, f'more {noun}')})"
