"""Laws of the judgement, for any policy and any evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from unit.policy.lineage_cases import (
    BASE,
    DATA,
    MODEL,
    RAW,
    add_problem,
    change_node,
    good_lineage,
    make_result,
    make_review,
    with_lineage,
)
from unit.policy.policy_cases import AT, FILES, make_finding, with_findings
from weighbridge.core import (
    Answer,
    CardEvidence,
    Completeness,
    CoverageStatus,
    Decision,
    DeniedDigest,
    Digest,
    Evidence,
    LicenseEvidence,
    LineageReport,
    Origin,
    PolicyRoot,
    ProblemKind,
    Severity,
    SignatureEvidence,
    Verdict,
    worst,
)
from weighbridge.policy import (
    AllowedDigest,
    CardRule,
    EvaluationRule,
    FormatsRule,
    LicensesRule,
    OwnRule,
    Policy,
    ProvenanceRule,
    ReproductionRule,
    ReviewRule,
    ScanRule,
    SignatureRule,
    SourceRule,
    evaluate,
)

# The same examples everywhere; no deadline, because the first one loads slow packages.
LAW = settings(deadline=None, derandomize=True, max_examples=150)
NODES = (MODEL, BASE, DATA, RAW)
PEOPLE = ("alice", "bob", "carol")
BOOLS = st.booleans()
# Rules that say that nothing bad is there pass on less; those that ask for something do not.
OWN = (
    "lineage.exists(n, n.kind == 'train')",
    "lineage.exists(n, n.origin == 'accepted' && n.license == 'MIT')",
    "signature.matches && artifact.level >= 1",
    "card != null && card.has_body",
)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Return any policy of rules that require; some of them only warn."""
    days = st.none() | st.integers(1, 40)
    names = st.lists(st.sampled_from(PEOPLE), min_size=1, unique=True).map(tuple)
    licenses = st.lists(st.sampled_from(["Apache-2.0", "MIT", "GPL-3.0-only"]), min_size=1)
    rules: dict[str, st.SearchStrategy[Any]] = {
        "signature": st.builds(SignatureRule, st.just(("release",)), BOOLS),
        "scan": st.builds(ScanRule, st.sampled_from(Severity), BOOLS, BOOLS),
        "licenses": st.builds(LicensesRule, licenses.map(tuple), BOOLS, BOOLS),
        "card": st.builds(CardRule, st.sampled_from(["huggingface", "readable"]), BOOLS),
        "provenance": st.builds(
            ProvenanceRule,
            st.integers(0, 3),
            st.sampled_from(Completeness),
            st.none() | st.integers(0, 3),
            days,
            BOOLS,
        ),
        "review": st.builds(
            ReviewRule, names, st.integers(1, 2), days, st.sampled_from(["", "data"]), BOOLS
        ),
        "source": st.builds(
            SourceRule, st.sampled_from([("hf://org/*",), ("hf://other/*",)]), BOOLS, BOOLS
        ),
        "formats": st.builds(FormatsRule, st.just(("unknown-but-allowed", "pickle")), BOOLS),
        "evaluation": st.builds(
            EvaluationRule, st.just("accuracy"), st.sampled_from([Decimal(0), Decimal("0.9")])
        ).map(lambda rule: (rule,)),
        "reproduction": st.just(ReproductionRule("L1", warn_only=True)),
        "own_rules": st.sampled_from(OWN).map(lambda text: (OwnRule("own", text),)),
        "denied": st.just((DeniedDigest(Digest("66" * 32), "bad"),)),
        "roots": st.just((PolicyRoot(Digest.parse(BASE), "ours", license="MIT"),)),
        "waivers": st.builds(
            AllowedDigest,
            st.just(Digest.parse(MODEL)),
            st.just("why"),
            st.sampled_from([AT - timedelta(1), AT + timedelta(1)]),
            st.sampled_from([("card",), ("provenance", "licenses")]),
        ).map(lambda waiver: (waiver,)),
    }
    chosen = draw(st.sets(st.sampled_from(sorted(rules)), min_size=1, max_size=5))
    return Policy("p.toml", **{name: draw(rules[name]) for name in sorted(chosen)})


@st.composite
def lineages(draw: st.DrawFn) -> LineageReport:
    report = good_lineage()
    for id_ in draw(st.sets(st.sampled_from(NODES), max_size=2)):
        level = draw(st.integers(0, 3))
        changes = draw(
            st.sampled_from(
                [
                    {"own_level": level, "level": min(level, report.by_id()[id_].level)},
                    {"completeness": Completeness.DECLARED},
                    {"license": "MIT"},
                    {"license": ""},
                    {"is_required": id_ == MODEL},
                    {"made_at": None},
                    {"acceptance": None},
                ]
            )
        )
        report = change_node(report, id_, **changes)
    for id_, kind in draw(
        st.sets(st.tuples(st.sampled_from(NODES), st.sampled_from(ProblemKind)), max_size=1)
    ):
        report = add_problem(report, id_, kind)
    reviews = draw(st.lists(some_reviews(), max_size=4, unique_by=lambda review: review.claim))
    values = draw(st.lists(st.sampled_from(["0.95", "0.5", "x"]), max_size=2))
    results = tuple(make_result(passed=draw(BOOLS), accuracy=value) for value in values)
    return change_node(report, MODEL, reviews=tuple(reviews), results=results)


def some_reviews() -> st.SearchStrategy[Any]:
    return st.builds(
        make_review,
        st.sampled_from(PEOPLE),
        decision=st.sampled_from([Decision.APPROVE, Decision.APPROVE, Decision.REJECT]),
        days_ago=st.sampled_from([-1, 1, 2, 30, 60]),
        expires_in_days=st.sampled_from([None, -1, 1]),
        scope=st.sampled_from(["data", "code"]),
    )


@st.composite
def evidences(draw: st.DrawFn) -> Evidence:
    evidence = with_lineage(draw(lineages()))
    files = dict.fromkeys(FILES, "11" * 32)
    evidence = replace(evidence, files=files)
    format_ = draw(st.sampled_from(["unknown", "pickle", "unknown-but-allowed"]))
    coverage = tuple(replace(row, format=format_) for row in evidence.scan.coverage)
    evidence = replace(evidence, scan=replace(evidence.scan, coverage=coverage))
    if draw(BOOLS):
        evidence = replace(evidence, signature=replace(evidence.signature, attributions=()))
    return evidence


def judge(policy: Policy, evidence: Evidence) -> Verdict:
    return evaluate(policy, evidence, at=AT)


def assert_nothing_passes_anew(before: Verdict, after: Verdict) -> None:
    """Neither the verdict nor any single rule may have become pass."""
    assert after.answer is not Answer.PASS or before.answer is Answer.PASS
    answers = {rule.rule: rule.answer for rule in before.rules}
    for rule in after.rules:
        assert rule.answer is not Answer.PASS or answers[rule.rule] is Answer.PASS, rule


def _on_lineage(change: Callable[[LineageReport], LineageReport]) -> Callable[[Evidence], Evidence]:
    return lambda evidence: with_lineage(change(evidence.lineage), evidence)  # type: ignore[arg-type]


def _reject(report: LineageReport) -> LineageReport:
    reject = make_review("carol", decision=Decision.REJECT, days_ago=0)
    return change_node(report, MODEL, reviews=(*report.root.reviews, reject))


def _fail_test(report: LineageReport) -> LineageReport:
    failed = make_result(passed=False, accuracy="0.1")
    return change_node(report, MODEL, results=(*report.root.results, failed))


def _mark(id_: str, kind: ProblemKind) -> Callable[[LineageReport], LineageReport]:
    return lambda report: add_problem(report, id_, kind)


ADD_FAILURE: list[Callable[[Evidence], Evidence]] = [
    lambda evidence: with_findings(evidence, make_finding(FILES[2])),
    lambda evidence: replace(evidence, files={**evidence.files, FILES[0]: "66" * 32}),
    _on_lineage(_reject),
    _on_lineage(_fail_test),
    *(_on_lineage(_mark(id_, kind)) for id_ in NODES for kind in ProblemKind),
]


@LAW
@given(policies(), evidences(), st.sampled_from(ADD_FAILURE))
def test_adding_evidence_of_failure_never_turns_a_verdict_to_pass(
    policy: Policy, evidence: Evidence, add: Callable[[Evidence], Evidence]
) -> None:
    assert_nothing_passes_anew(judge(policy, evidence), judge(policy, add(evidence)))


def _drop_reviews(report: LineageReport) -> LineageReport:
    """Drop approvals; a reject is the exception that the pages name."""
    rejects = tuple(r for r in report.root.reviews if r.decision is Decision.REJECT)
    return change_node(report, MODEL, reviews=rejects)


def _drop_results(report: LineageReport) -> LineageReport:
    return change_node(report, MODEL, results=())


def _forget(id_: str) -> Callable[[LineageReport], LineageReport]:
    """Return what is left if nobody says anything about a node: it is a dead end."""

    def forget(report: LineageReport) -> LineageReport:
        node = report.by_id()[id_]
        changed = change_node(
            report,
            id_,
            origin=Origin.UNKNOWN,
            own_level=0,
            level=0,
            completeness=Completeness.UNKNOWN,
            chain_completeness=Completeness.UNKNOWN,
            kind="",
            builder="",
            step=None,
            acceptance=None,
            license="",
            made_at=None,
            signers=(),
        )
        changed = add_problem(changed, id_, ProblemKind.DEAD_END)
        edges = tuple(edge for edge in report.edges if edge.source != id_)
        if node.is_required:
            changed = replace(changed, level=0, completeness=Completeness.UNKNOWN)
        return replace(changed, edges=edges)

    return forget


REMOVE: list[Callable[[Evidence], Evidence]] = [
    lambda evidence: with_lineage(None, evidence),
    _on_lineage(lambda report: replace(report, is_judged=False)),
    _on_lineage(_drop_reviews),
    _on_lineage(_drop_results),
    *(_on_lineage(_forget(id_)) for id_ in NODES),
    lambda evidence: replace(evidence, files={}),
    lambda evidence: replace(evidence, license=LicenseEvidence()),
    lambda evidence: replace(evidence, card=CardEvidence(None, "there is none")),
    lambda evidence: replace(
        evidence, signature=SignatureEvidence(evidence.signature.path, found=False)
    ),
    lambda evidence: replace(
        evidence, scan=replace(evidence.scan, coverage=evidence.scan.coverage[1:])
    ),
    lambda evidence: replace(
        evidence,
        scan=replace(
            evidence.scan,
            coverage=tuple(
                replace(row, status=CoverageStatus.NOT_EXAMINED, format="unknown")
                for row in evidence.scan.coverage
            ),
        ),
    ),
    lambda evidence: replace(evidence, artifact=replace(evidence.artifact, digest=None)),
]


@LAW
@given(policies(), evidences(), st.sampled_from(REMOVE))
def test_removing_evidence_never_turns_a_verdict_to_pass(
    policy: Policy, evidence: Evidence, remove: Callable[[Evidence], Evidence]
) -> None:
    assert_nothing_passes_anew(judge(policy, evidence), judge(policy, remove(evidence)))


@LAW
@given(policies(), evidences(), st.randoms(use_true_random=False))
def test_the_verdict_does_not_depend_on_the_order_of_anything(
    policy: Policy, evidence: Evidence, random: Any
) -> None:
    def shuffle(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(random.sample(values, len(values)))

    report = evidence.lineage
    assert report is not None
    first, *rest = report.nodes
    first = replace(first, reviews=shuffle(first.reviews), results=shuffle(first.results))
    shuffled = replace(report, nodes=(first, *shuffle(tuple(rest))), edges=shuffle(report.edges))
    scan = replace(
        evidence.scan,
        coverage=shuffle(evidence.scan.coverage),
        findings=shuffle(evidence.scan.findings),
    )
    files = dict(shuffle(tuple(evidence.files.items())))
    other = replace(evidence, lineage=shuffled, scan=scan, files=files)
    assert judge(policy, other) == judge(policy, evidence)


def _warn(rule: Any, *, only: bool) -> Any:
    if isinstance(rule, tuple):
        return tuple(_warn(entry, only=only) for entry in rule)
    names = {field.name for field in fields(rule)}
    return replace(rule, warn_only=only) if "warn_only" in names else rule


@LAW
@given(policies(), evidences(), st.data())
def test_a_rule_that_only_warns_never_changes_what_another_says(
    policy: Policy, evidence: Evidence, data: st.DataObject
) -> None:
    """``warn-only``: shown as such, never counted as pass."""
    names = [
        field.name
        for field in fields(policy)
        if field.name not in ("name", "digest", "allowed") and getattr(policy, field.name)
    ]
    name = data.draw(st.sampled_from(names))
    answers = []
    for only in (False, True):
        changed = replace(policy, **{name: _warn(getattr(policy, name), only=only)})
        rules = judge(changed, evidence).rules
        answers.append(
            {
                rule.rule: rule.answer
                for rule in rules
                if rule.rule.partition(".")[0] not in (name, "own", "enforcement")
            }
        )
    assert answers[0] == answers[1]


@LAW
@given(policies(), evidences())
def test_pass_means_that_every_enforced_rule_passed_and_that_there_is_one(
    policy: Policy, evidence: Evidence
) -> None:
    verdict = judge(policy, evidence)
    enforced = [rule for rule in verdict.rules if not rule.is_warning]
    assert verdict.answer is worst(tuple(rule.answer for rule in enforced))
    if verdict.answer is Answer.PASS:
        asked = [rule for rule in enforced if rule.rule not in ("integrity", "denied")]
        assert asked
        assert all(rule.answer is Answer.PASS for rule in enforced)
    for rule in verdict.rules:
        assert bool(rule.remedy) is (rule.answer is not Answer.PASS)
        assert not rule.waiver or (rule.answer is Answer.PASS and not rule.is_warning)


@LAW
@given(policies(), evidences())
def test_a_warning_never_helps(policy: Policy, evidence: Evidence) -> None:
    """If all rules only warn the verdict is never pass."""
    warned = {
        field.name: _warn(getattr(policy, field.name), only=True)
        for field in fields(policy)
        if field.name not in ("name", "digest", "allowed") and getattr(policy, field.name)
    }
    assume(warned)
    assert judge(replace(policy, **warned), evidence).answer is not Answer.PASS
