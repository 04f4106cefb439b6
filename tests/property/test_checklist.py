"""Laws of the checklists, each with the sentence that it tests."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from unit.policy.checklist_cases import ARTIFACT, BASE, DATA, RAW, TRAINING, trained_evidence
from weighbridge.core import (
    Answer,
    CardEvidence,
    Evidence,
    LineageProblem,
    LineageReport,
    Origin,
    ProblemKind,
)
from weighbridge.policy import judge_checklist

NODES = (ARTIFACT, BASE, DATA, RAW)
PARAMETERS = st.dictionaries(
    st.sampled_from(["seed", "random_state", "deterministic", "lr"]),
    st.sampled_from(["42", "none", "true", "false", ""]),
)
KINDS = st.sampled_from(["train", "fine-tune", "merge", "convert", "clean"])


@st.composite
def records(draw: st.DrawFn) -> object:
    """A record of a step with some of what a good one has."""
    return replace(
        TRAINING,
        kind=draw(KINDS),
        parameters=draw(PARAMETERS),
        inputs=tuple(i for i in TRAINING.inputs if draw(st.integers(0, 4))),
        materials=tuple(i for i in TRAINING.materials if draw(st.integers(0, 4))),
        facts={n: v for n, v in TRAINING.facts.items() if draw(st.integers(0, 4))},
    )


@st.composite
def evidences(draw: st.DrawFn) -> Evidence:
    """What is known of an artifact: good and bad, complete and not."""
    evidence = trained_evidence(draw(records()))
    report = evidence.lineage
    assert report is not None
    nodes = list(report.nodes)
    for index, node in enumerate(nodes):
        if draw(st.booleans()) and node.id != ARTIFACT:
            step = draw(st.none() | records())
            nodes[index] = replace(node, step=step, origin=draw(st.sampled_from(Origin)))
        if draw(st.integers(0, 4)) == 0:
            kind = draw(st.sampled_from(ProblemKind))
            nodes[index] = replace(nodes[index], problems=(LineageProblem(kind, "It is so."),))
    return replace(evidence, lineage=replace(report, nodes=tuple(nodes)))


def forget(report: LineageReport, gone: str) -> LineageReport:
    """Return the lineage without what is said of one node: nothing below is reached by it."""
    edges = tuple(edge for edge in report.edges if edge.source != gone)
    reached, found = {ARTIFACT}, [ARTIFACT]
    while found:
        current = found.pop()
        for edge in edges:
            if edge.source == current and edge.target not in reached:
                reached.add(edge.target)
                found.append(edge.target)
    nodes = []
    for node in report.nodes:
        if node.id not in reached:
            continue
        if node.id == gone:
            stays = node.acceptance is not None or node.origin is Origin.LISTED
            origin = node.origin if stays else Origin.UNKNOWN
            nodes.append(
                replace(node, origin=origin, step=None, environment=None, results=(), claim=None)
            )
        else:
            nodes.append(node)
    kept = tuple(edge for edge in edges if edge.source in reached)
    return replace(report, nodes=tuple(nodes), edges=kept)


@st.composite
def removals(draw: st.DrawFn, evidence: Evidence) -> Evidence:
    """The same evidence with something of it gone."""
    report = evidence.lineage
    assert report is not None
    which = draw(st.sampled_from(["lineage", "node", "environment", "results", "claims", "others"]))
    if which == "lineage":
        return replace(evidence, lineage=None)
    if which == "node":
        return replace(evidence, lineage=forget(report, draw(st.sampled_from(NODES))))
    if which in ("environment", "results"):
        empty: object = None if which == "environment" else ()
        nodes = tuple(replace(node, **{which: empty}) for node in report.nodes)  # type: ignore[arg-type]
        return replace(evidence, lineage=replace(report, nodes=nodes))
    if which == "claims":
        return replace(evidence, lineage=replace(report, claims=()))
    signature = replace(evidence.signature, attributions=(), diff=None)
    return replace(evidence, signature=signature, card=CardEvidence(None, "none"), files={})


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_removing_evidence_never_turns_an_item_to_pass(data: st.DataObject) -> None:
    """ "removing evidence never turns it to pass" """
    evidence = data.draw(evidences())
    less = data.draw(removals(evidence))
    before = {rule.rule: rule.answer for rule in judge_checklist(evidence)}
    for rule in judge_checklist(less):
        if before[rule.rule] is not Answer.PASS:
            assert rule.answer is not Answer.PASS, (rule, before[rule.rule])


@settings(max_examples=100, deadline=None)
@given(evidence=evidences(), data=st.data())
def test_a_failure_more_never_turns_an_item_to_pass(
    evidence: Evidence, data: st.DataObject
) -> None:
    """ "adding evidence of failure never turns a verdict to pass" """
    report = evidence.lineage
    assert report is not None
    problem = LineageProblem(data.draw(st.sampled_from(ProblemKind)), "It is so.")
    which = data.draw(st.sampled_from(NODES))
    nodes = tuple(
        replace(node, problems=(*node.problems, problem)) if node.id == which else node
        for node in report.nodes
    )
    before = {rule.rule: rule.answer for rule in judge_checklist(evidence)}
    worse = replace(evidence, lineage=replace(report, nodes=nodes))
    for rule in judge_checklist(worse):
        assert rule.answer is not Answer.PASS or before[rule.rule] is Answer.PASS


@settings(max_examples=60, deadline=None)
@given(evidence=evidences())
def test_what_no_room_can_tell_never_passes(evidence: Evidence) -> None:
    """ "An item whose evidence no room can produce yet is unknown, never pass." """
    told = {rule.rule: rule.answer for rule in judge_checklist(evidence)}
    assert told["checklist.security.input-validation-for-inference"] is Answer.UNKNOWN
    assert told["checklist.security.resource-limits-for-inference"] is Answer.UNKNOWN
