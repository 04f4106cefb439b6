"""Laws of a gate as a whole: claims in, lineage, verdict."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from unit.lineage.samples import DAY, NOW, TRUST, accepted, claim, made, reviewed, sha
from unit.policy.policy_cases import good_evidence
from weighbridge.core import (
    Answer,
    Claim,
    Completeness,
    Decision,
    Dependency,
    Digest,
    HumanReview,
    LineageReport,
    ProblemKind,
    RootAcceptance,
    StepRecord,
    TestResult,
    Verdict,
)
from weighbridge.lineage import build_lineage
from weighbridge.policy import (
    EvaluationRule,
    LicensesRule,
    Policy,
    ProvenanceRule,
    ReviewRule,
    SourceRule,
    evaluate,
)

# The same examples everywhere; no deadline, because the first one loads slow packages.
LAW = settings(deadline=None, derandomize=True, max_examples=400)
NAMES = ("model", "data", "base", "raw", "tok", "end")


@st.composite
def some_steps(draw: st.DrawFn) -> Claim:
    """Return a step that made something from what comes later in the list, or fetched it."""
    what = draw(st.sampled_from(NAMES[:-1]))
    later = NAMES[NAMES.index(what) + 1 :]
    inputs: list[Any] = draw(st.lists(st.sampled_from(later), max_size=2, unique=True))
    kind = draw(st.sampled_from(["train", "train", "fetch"]))
    if kind == "fetch":
        uri = draw(st.sampled_from(["hf://org/x@" + "c0" * 20, "hf://evil/x"]))
        inputs = [Dependency("x", {"gitCommit": sha(what)[:40]}, uri=uri)]
    by = draw(st.sampled_from(["cluster", "cluster", "laptop"]))
    how = draw(st.sampled_from(["enforced", "observed", "declared"]))
    return made(what, *inputs, by=by, kind=kind, completeness=how)


@st.composite
def some_acceptances(draw: st.DrawFn) -> Claim:
    days = draw(st.sampled_from([30, 30, -1]))
    what = draw(st.sampled_from(NAMES))
    found = accepted(what, level=draw(st.integers(0, 3)), days=days)
    content = replace(
        found.content,  # type: ignore[type-var]
        license=draw(st.sampled_from(["MIT", "GPL-3.0-only", ""])),
        fetched_from=draw(st.sampled_from(["hf://org/x@" + "c0" * 20, "hf://evil/x", ""])),
    )
    return claim(content, what, by="ann")


@st.composite
def some_words(draw: st.DrawFn) -> Claim:
    what = draw(st.sampled_from(NAMES[:2]))
    if draw(st.booleans()):
        content = TestResult(draw(st.booleans()), {"acc": draw(st.sampled_from(["0.9", "0.5"]))})
        return claim(content, what, by="judge")
    decision = draw(st.sampled_from(["approve", "approve", "reject"]))
    by, ago = draw(st.sampled_from(["ann", "ben"])), draw(st.integers(0, 5))
    return reviewed(what, decision, by=by, ago=ago)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    depth = draw(st.sampled_from([None, None, 0, 1, 2]))
    completeness = draw(st.sampled_from(Completeness))
    return Policy(
        "p.toml",
        provenance=ProvenanceRule(draw(st.integers(0, 3)), completeness, depth=depth),
        source=SourceRule(("hf://org/*",), pinned=draw(st.booleans())),
        licenses=LicensesRule(("MIT", "Apache-2.0"), through_lineage=True),
        review=ReviewRule(("ann", "ben"), draw(st.integers(1, 2))),
        evaluation=(EvaluationRule("acc", Decimal("0.7")),),
    )


def judge(policy: Policy, claims: list[Claim]) -> tuple[LineageReport, Verdict]:
    report = build_lineage(Digest(sha("model")), claims, trust=TRUST, at=NOW)
    evidence = good_evidence()
    artifact = replace(evidence.artifact, digest=Digest(sha("model")))
    evidence = replace(evidence, artifact=artifact, lineage=report)
    return report, evaluate(policy, evidence, at=NOW)


def speaks_against(one: Claim, report: LineageReport) -> bool:
    """Return whether the pages name it as a line that can be dropped."""
    if isinstance(one.content, HumanReview):
        return one.content.decision is Decision.REJECT
    if isinstance(one.content, TestResult):
        return not one.content.passed or one.content.metrics["acc"] == "0.5"
    rejected = any(p.kind is ProblemKind.REJECTED for node in report.nodes for p in node.problems)
    return rejected and isinstance(one.content, StepRecord)


def contradict_each_other(claims: list[Claim]) -> bool:
    for kind in (StepRecord, RootAcceptance):
        names = [c.subjects[0].name for c in claims if isinstance(c.content, kind)]
        if len(set(names)) < len(names):
            return True
    return False


CLAIMS = st.lists(
    some_steps() | some_steps() | some_acceptances() | some_words(),
    min_size=1,
    max_size=8,
    unique_by=lambda one: one.id,
)


@LAW
@given(policies(), CLAIMS, st.data())
def test_dropping_a_line_never_turns_anything_to_pass(
    policy: Policy, claims: list[Claim], data: st.DataObject
) -> None:
    """Removing evidence never turns a verdict to pass, but for lines that speak against."""
    assume(not contradict_each_other(claims))
    report, before = judge(policy, claims)
    dropped = data.draw(st.sampled_from(claims))
    assume(not speaks_against(dropped, report))
    _, after = judge(policy, [one for one in claims if one is not dropped])
    answers = {rule.rule: rule.answer for rule in before.rules}
    for rule in after.rules:
        assert rule.answer is not Answer.PASS or answers[rule.rule] is Answer.PASS, rule


@LAW
@given(policies(), CLAIMS, st.randoms(use_true_random=False))
def test_the_verdict_does_not_depend_on_the_order_of_claims(
    policy: Policy, claims: list[Claim], random: Any
) -> None:
    shuffled = random.sample(claims, len(claims))
    assert judge(policy, shuffled)[1] == judge(policy, claims)[1]


@LAW
@given(policies(), CLAIMS, st.sampled_from(NAMES[:2]))
def test_a_reject_or_a_failed_test_never_turns_anything_to_pass(
    policy: Policy, claims: list[Claim], what: str
) -> None:
    _, before = judge(policy, claims)
    against = [
        claim(HumanReview(Decision.REJECT, "all", "", "ben", NOW - DAY / 2), what, by="ben"),
        claim(TestResult(passed=False, metrics={"acc": "0.1"}), what, by="judge"),
    ]
    answers = {rule.rule: rule.answer for rule in before.rules}
    for one in against:
        for rule in judge(policy, [*claims, one])[1].rules:
            assert rule.answer is not Answer.PASS or answers[rule.rule] is Answer.PASS, rule
