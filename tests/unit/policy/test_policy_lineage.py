"""The rules about lineage: provenance, licences through it, sources, denied, reviews, results."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from unit.policy.lineage_cases import (
    BASE,
    COMMIT,
    DATA,
    DECLARED,
    ENFORCED,
    MODEL,
    OBSERVED,
    RAW,
    UNKNOWN,
    add_problem,
    change_node,
    edge,
    good_lineage,
    make_accepted,
    make_built,
    make_fetched,
    make_report,
    make_result,
    make_review,
    make_step,
    make_unknown,
    with_lineage,
    with_results,
    with_reviews,
)
from unit.policy.policy_cases import AT, FILES, STRICT, good_evidence
from weighbridge.core import (
    Answer,
    Claim,
    CoverageStatus,
    Decision,
    DeniedDigest,
    Dependency,
    Digest,
    EdgeKind,
    Evidence,
    LicenseEvidence,
    LineageReport,
    Origin,
    PolicyRoot,
    ProblemKind,
    RuleResult,
    SetAside,
    Subject,
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
    SourceRule,
    evaluate,
)

PASS, FAIL, DUNNO = Answer.PASS, Answer.FAIL, Answer.UNKNOWN
REJECT = Decision.REJECT


def judge(evidence: Evidence, **rules: Any) -> RuleResult:
    """Return the result of the one rule that is given."""
    policy = Policy("p.toml", **{**rules, "roots": rules.get("roots", ())})
    always = {"integrity", "enforcement"}
    (result,) = [r for r in evaluate(policy, evidence, at=AT).rules if r.rule not in always]
    return result


def provenance(report: LineageReport | None, *args: Any, **kwargs: Any) -> RuleResult:
    return judge(with_lineage(report), provenance=ProvenanceRule(*args, **kwargs))


EVERY_LINEAGE_RULE: dict[str, Any] = {
    "provenance": ProvenanceRule(0),
    "source": SourceRule(("hf://org/*",)),
    "review": ReviewRule(("alice",)),
    "evaluation": (EvaluationRule("accuracy", at_least=Decimal(0)),),
    "own_rules": (OwnRule("mine", "lineage.size() > 0 || true"),),
    "licenses": LicensesRule(("Apache-2.0",), through_lineage=True),
}


@pytest.mark.parametrize("rule", EVERY_LINEAGE_RULE)
@pytest.mark.parametrize("lineage", [None, replace(good_lineage(), is_judged=False)])
def test_without_a_judged_lineage_nothing_passes(rule: str, lineage: LineageReport | None) -> None:
    result = judge(with_lineage(lineage), **{rule: EVERY_LINEAGE_RULE[rule]})
    assert result.answer is DUNNO
    assert "Nobody has looked" in result.reason
    assert result.remedy


# provenance


def test_a_good_chain_passes_and_the_weakest_path_is_named() -> None:
    result = provenance(good_lineage(), 2, OBSERVED)
    assert result.answer is PASS
    assert "weakest path: model <- base" in result.reason
    assert "level 2" in result.reason


def test_the_level_of_the_whole_chain_counts() -> None:
    result = provenance(good_lineage(), 3)
    assert result.answer is FAIL
    assert "Build level 2, and the policy asks for 3; lowest at base" in result.reason
    assert result.names == (BASE,)


@pytest.mark.parametrize(("depth", "answer"), [(0, PASS), (1, FAIL), (2, FAIL), (None, FAIL)])
def test_depth_bounds_how_far_is_looked(depth: int | None, answer: Answer) -> None:
    assert provenance(good_lineage(), 3, depth=depth).answer is answer


def test_completeness_counts_as_deep_as_the_rule_asks() -> None:
    report = make_report(
        make_built(MODEL, "model"),
        make_built(DATA, "data", depth=1, completeness=DECLARED, chain_completeness=DECLARED),
        edges=(edge(MODEL, DATA),),
    )
    result = provenance(report, 3, OBSERVED)
    assert result.answer is FAIL
    assert "is declared, and the policy asks for observed; least at data" in result.reason
    assert provenance(report, 3, OBSERVED, depth=0).answer is PASS
    assert provenance(report, 3, DECLARED).answer is PASS


def test_a_report_that_knows_less_than_its_nodes_is_believed() -> None:
    assert provenance(replace(good_lineage(), level=1), 2).answer is FAIL
    assert provenance(replace(good_lineage(), completeness=UNKNOWN), 2, OBSERVED).answer is FAIL


BAD = ("CYCLE", "CONFLICT", "MISSING_RANK", "ALIAS", "TOO_LARGE", "DEAD_END")


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("where", [MODEL, BASE, RAW])
def test_problems_of_what_is_required_fail(kind: str, where: str) -> None:
    report = add_problem(good_lineage(), where, ProblemKind[kind], "this is odd.")
    result = provenance(report, 1)
    assert result.answer is FAIL
    assert "this is odd" in result.reason
    assert where in result.names
    assert result.remedy


def test_what_expired_fails_unless_a_step_made_it_or_level_0_is_enough() -> None:
    unknown = make_unknown(DATA, "data", problems=())
    report = make_report(make_built(MODEL, "model"), unknown, edges=(edge(MODEL, DATA),))
    report = add_problem(report, DATA, ProblemKind.EXPIRED, "the acceptance by alice ended")
    result = provenance(report, 1)
    assert result.answer is FAIL
    assert "the acceptance by alice ended" in result.reason
    assert "accepted again" in result.remedy
    assert provenance(report, 0).answer is PASS
    made = add_problem(good_lineage(), MODEL, ProblemKind.EXPIRED)
    assert provenance(made, 2).answer is PASS


def test_problems_deeper_than_the_rule_looks_do_not_count() -> None:
    report = add_problem(good_lineage(), RAW, ProblemKind.CYCLE)
    assert provenance(report, 1, depth=1).answer is PASS
    assert provenance(report, 1, depth=2).answer is FAIL


def test_problems_of_what_is_not_required_do_not_count() -> None:
    report = add_problem(good_lineage(), RAW, ProblemKind.CYCLE)
    report = change_node(report, RAW, is_required=False)
    assert provenance(report, 1).answer is PASS


def test_a_dead_end_is_good_enough_for_level_0_only() -> None:
    report = make_report(
        make_built(MODEL, "model"), make_unknown(DATA, "data"), edges=(edge(MODEL, DATA),)
    )
    assert provenance(report, 0).answer is PASS
    assert provenance(report, 0, DECLARED).answer is FAIL
    result = provenance(report, 1)
    assert result.answer is FAIL
    assert "weighbridge accept" in result.remedy


def test_without_provenance_of_its_own_nothing_passes() -> None:
    """Absence never passes, whatever the level."""
    report = make_report(make_unknown(MODEL, "model", depth=0))
    aside = SetAside("claims.jsonl:1", "x", (), "nobody who is trusted signed it")
    for level in range(4):
        result = provenance(replace(report, set_aside=(aside,)), level)
        assert result.answer is FAIL
        assert "1 statement set aside, the first because: nobody" in result.reason


def test_what_hides_below_a_root_counts_for_what_is_made_from_it() -> None:
    """Depth looks at each node's own level; below a root there are none to look at."""
    report = make_report(
        make_built(MODEL, "model"),
        make_built(BASE, "base", depth=1, level=1),
        make_unknown(RAW, "raw", depth=2, is_required=False),
        edges=(edge(MODEL, BASE), edge(BASE, RAW)),
    )
    assert provenance(report, 2, depth=1).answer is PASS
    assert provenance(report, 2, depth=2).answer is FAIL


@pytest.mark.parametrize(("days", "answer"), [(10, PASS), (9, FAIL), (11, PASS)])
def test_age_is_that_of_the_artifact_itself(days: int, answer: Answer) -> None:
    assert provenance(good_lineage(), 1, max_age_days=days).answer is answer


def test_age_that_nobody_knows_is_unknown_and_the_future_fails() -> None:
    unknown = change_node(good_lineage(), MODEL, made_at=None)
    assert provenance(unknown, 1, max_age_days=99).answer is DUNNO
    future = change_node(good_lineage(), MODEL, made_at=AT + timedelta(seconds=1))
    assert provenance(future, 1, max_age_days=99).answer is FAIL


# licenses through the lineage


def licenses(report: LineageReport, *allow: str, **kwargs: Any) -> RuleResult:
    rule = LicensesRule(allow or ("Apache-2.0", "MIT"), through_lineage=True)
    return judge(with_lineage(report), licenses=rule, **kwargs)


def test_licenses_of_all_roots_count() -> None:
    result = licenses(good_lineage())
    assert result.answer is PASS
    assert "2 roots" in result.reason
    refused = licenses(good_lineage(), "Apache-2.0")
    assert refused.answer is FAIL
    assert "made from raw" in refused.reason
    assert "MIT" in refused.reason


def test_a_root_without_a_license_is_unknown() -> None:
    result = licenses(change_node(good_lineage(), BASE, license=""))
    assert (result.answer, result.names) == (DUNNO, (BASE,))
    assert licenses(change_node(good_lineage(), BASE, license="n o")).answer is DUNNO


def test_the_license_of_a_listed_root_is_that_of_the_policy() -> None:
    report = change_node(good_lineage(), BASE, origin=Origin.LISTED, acceptance=None, license="")
    root = PolicyRoot(Digest.parse(BASE), "ours", license="MIT")
    assert licenses(report, roots=(root,)).answer is PASS
    assert licenses(report, roots=(replace(root, expires=AT),)).answer is DUNNO
    assert licenses(report, roots=(replace(root, license="GPL-3.0-only"),)).answer is FAIL


def test_the_artifacts_own_license_still_counts() -> None:
    rule = LicensesRule(("MIT",), through_lineage=True)
    report = change_node(good_lineage(), BASE, license="MIT")
    assert judge(with_lineage(report), licenses=rule).answer is FAIL
    evidence = replace(with_lineage(report), license=LicenseEvidence())
    assert judge(evidence, licenses=rule).answer is DUNNO
    bad_root = replace(with_lineage(good_lineage()), license=LicenseEvidence())
    assert judge(bad_root, licenses=rule).answer is FAIL


def test_licenses_of_dead_ends_and_summaries_are_unknown() -> None:
    for report in (
        make_report(make_unknown(MODEL, "model", depth=0)),
        make_report(make_built(MODEL, "model")),
        change_node(good_lineage(), BASE, origin=Origin.SUMMARY, acceptance=None, license=""),
    ):
        assert licenses(report).answer is DUNNO


# source


def source(report: LineageReport, *patterns: str, pinned: bool = True, **kw: Any) -> RuleResult:
    rule = SourceRule(patterns or ("hf://org/*",), pinned=pinned)
    return judge(with_lineage(report), source=rule, **kw)


def test_every_root_must_be_from_a_place_that_is_named() -> None:
    assert source(good_lineage()).answer is PASS
    result = source(good_lineage(), "hf://org/base")
    assert result.answer is FAIL
    assert f"raw (sha256:{'ea' * 6}) is from hf://org/raw@{COMMIT}" in result.reason
    assert result.names == (RAW,)


@pytest.mark.parametrize(
    ("uri", "pattern", "fits"),
    [
        ("hf://org/base", "hf://org/*", True),
        ("hf://org/base@main", "hf://org/base", True),
        ("hf://org/base@main", "hf://org/base@main", True),
        ("hf://org/base@other", "hf://org/base@main", False),
        ("hf://org/a/b", "hf://org/*", False),
        ("hf://org/a/b", "hf://org/**", True),
        ("hf://org/", "hf://org/*", False),
        ("hf://org/", "hf://org/**", False),
        ("hf://org", "hf://org/**", False),
        ("hf://organ/base", "hf://org/*", False),
        ("hf://org/bert-base-en", "hf://org/bert-*-en", True),
        ("hf://org/bert-en", "hf://org/bert-*-en", False),
        ("hf://org/bert-x-fr", "hf://org/bert-*-en", False),
        ("hf://org/../evil/x", "hf://org/**", False),
        ("hf://org/x/..", "hf://org/**", False),
        ("hf://org/%2e%2e/evil", "hf://org/**", False),
        ("hf://org\\evil/x", "hf://org*/x", False),
        ("https://example.com/x?y=z", "https://example.com/**", False),
        ("https://example.com@evil.com/x", "https://example.com/**", False),
        ("HF://org/base", "hf://org/*", False),
        ("hf://org/b\u0430se", "hf://org/*", False),
        ("", "hf://org/*", False),
        ("hf://org/" + "a" * 100_000, "hf://org/" + "*a" * 1_000 + "*b", False),
    ],
)
def test_patterns(uri: str, pattern: str, fits: bool) -> None:  # noqa: FBT001
    report = make_report(make_fetched(MODEL, "model", uri, depth=0))
    expected = PASS if fits else FAIL
    assert source(report, pattern, pinned=False).answer is expected


@pytest.mark.parametrize(
    ("revision", "pinned"),
    [
        ("@" + COMMIT, True),
        ("@" + "a" * 64, True),
        ("@sha256:" + "a" * 64, True),
        ("", False),
        ("@main", False),
        ("@" + "c" * 39, False),
        ("@" + "C" * 40, False),
    ],
)
def test_pinned_is_what_cannot_change(revision: str, pinned: bool) -> None:  # noqa: FBT001
    report = make_report(make_fetched(MODEL, "model", f"hf://org/base{revision}", depth=0))
    assert source(report).answer is (PASS if pinned else FAIL)
    assert source(report, pinned=False).answer is PASS


def test_a_recorded_commit_pins_what_was_fetched() -> None:
    fetched = Dependency("x", {"gitCommit": COMMIT}, uri="hf://org/base@main")
    node = make_fetched(MODEL, "model", depth=0, step=make_step("fetch", fetched))
    assert source(make_report(node)).answer is PASS


def test_every_uri_of_a_fetch_counts_and_none_is_unknown() -> None:
    two = make_fetched(MODEL, "m", f"hf://org/a@{COMMIT}", f"hf://evil/b@{COMMIT}", depth=0)
    assert source(make_report(two)).answer is FAIL
    assert source(make_report(make_fetched(MODEL, "m", depth=0))).answer is DUNNO


def test_roots_without_a_place_are_unknown_unless_the_policy_lists_them() -> None:
    report = make_report(
        make_built(MODEL, "model"), make_unknown(DATA, "data"), edges=(edge(MODEL, DATA),)
    )
    assert source(report).answer is DUNNO
    root = PolicyRoot(Digest.parse(DATA), "ours")
    assert source(report, roots=(root,)).answer is PASS
    assert source(make_report(make_built(MODEL, "model"))).answer is DUNNO


def test_what_was_built_above_a_root_that_is_accepted_counts_as_that_root() -> None:
    accepted = make_accepted(BASE, "base")
    report = make_report(
        make_built(MODEL, "model"),
        replace(accepted, origin=Origin.BUILT),
        make_unknown(RAW, "raw", depth=2, is_required=False),
        edges=(edge(MODEL, BASE), edge(BASE, RAW)),
    )
    assert source(report).answer is PASS
    elsewhere = replace(accepted.acceptance, fetched_from="hf://evil/base")
    assert source(change_node(report, BASE, acceptance=elsewhere)).answer is FAIL


def test_a_place_that_is_wrong_does_not_outweigh_a_good_chain() -> None:
    """Dropping the line that says the wrong one may not help."""
    accepted = make_accepted(MODEL, "model", depth=0).acceptance
    wrong = replace(accepted, fetched_from="hf://evil/x")  # type: ignore[type-var]
    assert source(change_node(good_lineage(), MODEL, acceptance=wrong)).answer is PASS


def test_what_was_fetched_and_made_is_from_either() -> None:
    claim = Claim(
        Digest("77" * 32),
        (Subject("model", {"sha256": MODEL.removeprefix("sha256:")}),),
        "https://slsa.dev/provenance/v1",
        (),
        make_step("fetch", Dependency("x", {}, uri="hf://evil/x")),
    )
    assert source(replace(good_lineage(), claims=(claim,))).answer is PASS
    alone = make_report(make_unknown(MODEL, "model", depth=0), claims=(claim,))
    assert source(alone).answer is FAIL
    good = replace(claim, content=make_step("fetch", Dependency("x", {}, uri="hf://org/x")))
    assert source(replace(alone, claims=(good,)), pinned=False).answer is PASS
    assert source(replace(alone, claims=(claim, good)), pinned=False).answer is PASS


def test_a_part_is_from_where_the_whole_is() -> None:
    part = make_built(MODEL, "shard", origin=Origin.PART, builder="", kind="", step=None)
    report = make_report(
        part, make_accepted(BASE, "base"), edges=(edge(MODEL, BASE, kind=EdgeKind.PART_OF),)
    )
    assert source(report).answer is PASS
    assert source(report, "hf://other/*").answer is FAIL


def test_a_cycle_and_a_chain_of_10_000_end() -> None:
    ids = [f"sha256:{index:064x}" for index in range(10_000)]
    nodes = [make_built(id_, "n", depth=index) for index, id_ in enumerate(ids)]
    edges = tuple(edge(a, b) for a, b in zip(ids, [*ids[1:], ids[0]], strict=True))
    report = make_report(*nodes, edges=edges)
    assert source(report).answer is DUNNO
    assert provenance(report, 3).answer is PASS


# formats


def with_rows(*rows: tuple[str, CoverageStatus, str]) -> Evidence:
    good = good_evidence()
    by_file = {row.location.file: row for row in good.scan.coverage}
    changed = {
        file: replace(by_file[file], status=status, format=format_)
        for file, status, format_ in rows
    }
    coverage = tuple({**by_file, **changed}.values())
    return replace(good, scan=replace(good.scan, coverage=coverage))


EXAMINED, INERT, NOT = (
    CoverageStatus.EXAMINED,
    CoverageStatus.INERT,
    CoverageStatus.NOT_EXAMINED,
)


def with_model(format_: str, status: CoverageStatus = EXAMINED) -> Evidence:
    readme, config, model = FILES
    return with_rows((readme, INERT, "markdown"), (config, INERT, "json"), (model, status, format_))


@pytest.mark.parametrize(
    ("evidence", "answer"),
    [
        (with_model("safetensors"), PASS),
        (with_model("Safetensors"), PASS),
        (with_model("gguf"), PASS),
        (with_model("pickle"), FAIL),
        (with_model("pickle", NOT), FAIL),
        (with_model("unknown", NOT), DUNNO),
        (with_model("raw tensors", INERT), PASS),
        (with_rows((FILES[1], NOT, "json")), FAIL),
    ],
)
def test_formats_are_what_the_scan_says(evidence: Evidence, answer: Answer) -> None:
    result = judge(evidence, formats=FormatsRule(("safetensors", "gguf")))
    assert result.answer is answer
    assert bool(result.remedy) is (answer is not PASS)


def test_formats_of_files_that_nobody_scanned_are_unknown() -> None:
    evidence = with_model("safetensors")
    scan = replace(evidence.scan, coverage=evidence.scan.coverage[1:])
    rule = FormatsRule(("safetensors",))
    assert judge(replace(evidence, scan=scan), formats=rule).answer is DUNNO
    empty = replace(evidence.scan, coverage=())
    nothing = replace(evidence.artifact, file_count=0)
    unseen = replace(evidence, scan=empty, artifact=nothing)
    assert judge(unseen, formats=rule).answer is DUNNO


# denied

POISON = DeniedDigest(Digest("66" * 32), "poisoned")


def with_files(evidence: Evidence, sha256: str = "aa" * 32) -> Evidence:
    return replace(evidence, files={**dict.fromkeys(FILES[1:], "11" * 32), FILES[0]: sha256})


def denied(evidence: Evidence, *entries: DeniedDigest) -> RuleResult:
    policy = Policy("p", scan=STRICT.scan, denied=entries or (POISON,))
    verdict = evaluate(policy, evidence, at=AT)
    result = next(r for r in verdict.rules if r.rule == "denied")
    assert (verdict.answer is FAIL) is (result.answer is FAIL)
    return result


def test_denied_is_looked_for_in_the_artifact_its_files_and_its_lineage() -> None:
    good = with_files(with_lineage(good_lineage()))
    assert denied(good).answer is PASS
    assert denied(good, DeniedDigest(Digest("ab" * 32), "bad")).reason.endswith("denied: bad")
    assert denied(with_files(good, "66" * 32)).names == (FILES[0],)
    assert denied(good, DeniedDigest(Digest.parse(RAW), "stolen")).names == (RAW,)
    marked = add_problem(good_lineage(), RAW, ProblemKind.DENIED, "it is denied: stolen")
    below = change_node(marked, RAW, is_required=False)
    assert denied(with_files(with_lineage(below))).answer is FAIL


def test_denied_is_unknown_where_not_everything_was_compared() -> None:
    good = with_files(with_lineage(good_lineage()))
    assert denied(replace(good, files={})).answer is DUNNO
    assert denied(replace(good, lineage=None)).answer is DUNNO


def test_what_is_denied_is_never_waived() -> None:
    waiver = AllowedDigest(Digest("ab" * 32), "please", expires=AT + timedelta(days=1))
    evidence = with_files(with_lineage(good_lineage()), "66" * 32)
    policy = Policy("p", scan=STRICT.scan, denied=(POISON,), waivers=(waiver,))
    assert evaluate(policy, evidence, at=AT).answer is FAIL


# review


def review(evidence: Evidence, *by: str, **kwargs: Any) -> RuleResult:
    return judge(evidence, review=ReviewRule(by or ("alice", "bob"), **kwargs))


def test_an_approval_by_somebody_who_is_named_passes() -> None:
    result = review(with_reviews(make_review("alice")))
    assert result.answer is PASS
    assert "Approved by alice" in result.reason


@pytest.mark.parametrize(
    "evidence",
    [
        with_reviews(),
        with_reviews(make_review("carol")),
        with_reviews(make_review("alice", days_ago=-1)),
        with_reviews(make_review("alice", expires_in_days=0)),
        with_reviews(make_review("alice", days_ago=91)),
        with_reviews(make_review("alice", scope="licence")),
    ],
)
def test_what_is_no_approval_of_today_does_not_count(evidence: Evidence) -> None:
    result = review(evidence, max_age_days=90, scope="training data")
    assert result.answer is FAIL
    assert "0 approvals that count, and the policy asks for 1 by alice or bob" in result.reason


def test_a_quorum_counts_people_not_names() -> None:
    two = with_reviews(make_review("alice"), make_review("bob"))
    assert review(two, at_least=2).answer is PASS
    together = with_reviews(make_review("alice", "bob"))
    assert review(together, at_least=2).answer is PASS
    one_key = with_reviews(
        make_review("alice", identities=("k",)), make_review("bob", identities=("k",))
    )
    assert review(one_key, at_least=2).answer is FAIL
    twice = with_reviews(make_review("alice"), make_review("alice", days_ago=2))
    assert review(twice, at_least=2).answer is FAIL


def test_a_later_reject_beats_an_earlier_approval_and_is_lifted_by_a_later_one() -> None:
    first = make_review("alice", days_ago=9)
    reject = make_review("alice", decision=REJECT, days_ago=8, note="it is biased")
    lifted = make_review("alice", days_ago=7)
    result = review(with_reviews(first, reject))
    assert result.answer is FAIL
    assert "alice rejected it" in result.reason
    assert "it is biased" in result.reason
    assert review(with_reviews(first, reject, lifted)).answer is PASS
    expired = make_review("alice", days_ago=7, expires_in_days=-1)
    assert review(with_reviews(first, reject, expired)).answer is FAIL
    at_once = make_review("alice", days_ago=8)
    assert review(with_reviews(reject, at_once)).answer is FAIL


def test_any_reviewers_reject_stands_whatever_others_say() -> None:
    reject = make_review("carol", decision=REJECT, days_ago=3)
    assert review(with_reviews(make_review("alice"), reject)).answer is FAIL
    assert review(with_reviews(make_review("alice"), reject, make_review("bob"))).answer is FAIL


def test_a_reject_by_the_same_key_under_another_name_stands() -> None:
    approve = make_review("alice", days_ago=5, identities=("k",))
    reject = make_review("old-alice", decision=REJECT, days_ago=4, identities=("k",))
    assert review(with_reviews(approve, reject)).answer is FAIL


def test_a_reject_of_tomorrow_counts_today() -> None:
    """A clock that is wrong must not silence a reviewer."""
    reject = make_review("carol", decision=REJECT, days_ago=-1)
    assert review(with_reviews(make_review("alice"), reject)).answer is FAIL


def test_a_reject_of_anything_it_was_made_from_fails() -> None:
    report = change_node(good_lineage(), MODEL, reviews=(make_review("alice"),))
    report = add_problem(report, RAW, ProblemKind.REJECTED, "bob rejected it: stolen")
    result = review(with_lineage(change_node(report, RAW, is_required=False)))
    assert (result.answer, result.names) == (FAIL, (RAW,))
    assert "bob rejected it: stolen" in result.reason


# evaluation


def metric(evidence: Evidence, **kwargs: Any) -> RuleResult:
    bounds = {key: Decimal(kwargs.pop(key)) for key in ("at_least", "at_most") if key in kwargs}
    return judge(evidence, evaluation=(EvaluationRule("accuracy", **bounds, **kwargs),))


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        ("0.92", PASS),
        ("0.9200", PASS),
        ("1", PASS),
        ("9.3e-1", PASS),
        ("0.9199999999999999999999", FAIL),
        ("-1", FAIL),
        ("NaN", FAIL),
        ("Infinity", FAIL),
        ("0,99", FAIL),
        ("95%", FAIL),
        ("1e999999999999", FAIL),
        ("", FAIL),
        ("\u0661", FAIL),
    ],
)
def test_a_metric_is_compared_as_a_decimal_number(value: str, answer: Answer) -> None:
    result = metric(with_results(make_result(accuracy=value)), at_least="0.92")
    assert result.rule == "evaluation.accuracy"
    assert result.answer is answer


def test_every_result_counts_and_none_may_have_failed() -> None:
    good, bad = make_result(accuracy="0.95"), make_result(accuracy="0.5")
    assert metric(with_results(good, bad), at_least="0.92").answer is FAIL
    assert metric(with_results(good, bad), at_most="0.96").answer is PASS
    failed = make_result(passed=False, accuracy="0.95")
    assert metric(with_results(good, failed), at_least="0.92").answer is FAIL
    named = make_result(passed=False, failed=("accuracy",))
    assert metric(with_results(good, named), at_least="0.92").answer is FAIL
    other = make_result(passed=False, speed="1")
    assert metric(with_results(good, other), at_least="0.92").answer is PASS


def test_a_metric_that_nobody_measured_is_unknown() -> None:
    for evidence in (with_results(), with_results(make_result(speed="1"))):
        result = metric(evidence, at_least="0")
        assert result.answer is DUNNO
        assert "no evaluation of accuracy" in result.reason


def test_by_says_whose_results_count() -> None:
    good = make_result(accuracy="0.95")
    assert metric(with_results(good), at_least="0", by=("lab",)).answer is DUNNO
    assert metric(with_results(good, by={0: "lab"}), at_least="0", by=("lab",)).answer is PASS
    assert metric(with_results(good, by={0: "x"}), at_least="0", by=("lab",)).answer is DUNNO


# reproduction, warnings, waivers


def test_reproduction_is_always_unknown_and_says_why() -> None:
    result = judge(with_lineage(good_lineage()), reproduction=ReproductionRule("L2"))
    assert result.answer is DUNNO
    assert "This version cannot tell" in result.reason


def test_a_warning_is_shown_and_does_not_count() -> None:
    provenance_ = ProvenanceRule(3, warn_only=True)
    policy = replace(STRICT, provenance=provenance_)
    verdict = evaluate(policy, with_lineage(good_lineage()), at=AT)
    (shown,) = [rule for rule in verdict.rules if rule.rule == "provenance"]
    assert (shown.answer, shown.is_warning) == (FAIL, True)
    assert verdict.answer is PASS
    enforced = replace(policy, provenance=replace(provenance_, warn_only=False))
    assert evaluate(enforced, with_lineage(good_lineage()), at=AT).answer is FAIL


def test_a_policy_that_only_warns_is_never_pass() -> None:
    policy = Policy("p", card=CardRule("huggingface", warn_only=True))
    verdict = evaluate(policy, good_evidence(), at=AT)
    assert verdict.answer is DUNNO
    assert [(r.rule, r.answer) for r in verdict.rules][-1] == ("enforcement", DUNNO)
    assert evaluate(Policy("p"), good_evidence(), at=AT).answer is DUNNO
    assert evaluate(Policy("p", denied=(POISON,)), good_evidence(), at=AT).answer is DUNNO


WAIVER = AllowedDigest(Digest("ab" * 32), "until v2 is out.", expires=AT + timedelta(days=1))


def waived(waiver: AllowedDigest, evidence: Evidence | None = None) -> dict[str, RuleResult]:
    policy = replace(
        STRICT,
        licenses=LicensesRule(("MIT",)),
        reproduction=ReproductionRule("L1"),
        evaluation=(EvaluationRule("accuracy", Decimal(1)),),
        waivers=(waiver,),
    )
    verdict = evaluate(policy, evidence or with_lineage(good_lineage()), at=AT)
    return {rule.rule: rule for rule in verdict.rules}


def test_a_waiver_lets_in_what_the_policy_names_by_digest() -> None:
    rules = waived(WAIVER)
    assert {rule.answer for rule in rules.values()} == {PASS}
    assert rules["licenses"].waiver == (
        "The policy allows this artifact until 2026-01-03 03:04 UTC: until v2 is out."
    )
    assert "MIT" in rules["licenses"].reason
    assert rules["card"].waiver == ""
    other = waived(replace(WAIVER, digest=Digest("cd" * 32)))
    assert other["licenses"].answer is FAIL


def test_a_waiver_concerns_its_rules_only() -> None:
    rules = waived(replace(WAIVER, rules=("licenses", "evaluation")))
    assert rules["licenses"].answer is PASS
    assert rules["evaluation.accuracy"].answer is PASS
    assert rules["reproduction"].answer is DUNNO
    rules = waived(replace(WAIVER, rules=("evaluation.accuracy",)))
    assert rules["evaluation.accuracy"].answer is PASS
    assert rules["licenses"].answer is FAIL


def test_a_waiver_that_ended_is_said() -> None:
    rules = waived(replace(WAIVER, expires=AT))
    assert rules["licenses"].answer is FAIL
    assert "[[allowed]] says of it ended on 2026-01-02 03:04 UTC" in rules["licenses"].remedy


def test_integrity_is_never_waived() -> None:
    evidence = with_lineage(good_lineage())
    broken = replace(evidence, signature=replace(evidence.signature, problem="x", diff=None))
    assert waived(WAIVER, broken)["integrity"].answer is DUNNO


def test_a_warning_is_not_waived() -> None:
    policy = Policy("p", scan=ScanRule(STRICT.scan.fail_on, complete=True), waivers=(WAIVER,))  # type: ignore[union-attr]
    policy = replace(policy, reproduction=ReproductionRule("L1", warn_only=True))
    (shown,) = [
        rule
        for rule in evaluate(policy, good_evidence(), at=AT).rules
        if rule.rule == "reproduction"
    ]
    assert (shown.answer, shown.waiver) == (DUNNO, "")


# what never differs


def test_the_order_of_nodes_reviews_and_results_does_not_matter() -> None:
    reviews = tuple(
        make_review(name, days_ago=days, decision=decision)
        for name in ("alice", "bob", "carol")
        for days, decision in ((3, Decision.APPROVE), (4, REJECT))
    )
    results = (make_result(accuracy="0.9"), make_result(accuracy="0.95"))
    report = change_node(good_lineage(), MODEL, reviews=reviews, results=results)
    for id_ in (RAW, BASE):
        report = add_problem(report, id_, ProblemKind.ALIAS, f"two of {id_}")
    policy = Policy("p", **{**EVERY_LINEAGE_RULE, "own_rules": ()})
    expected = evaluate(policy, with_lineage(report), at=AT)
    random = Random(0)
    for _ in range(20):
        first, *rest = report.nodes
        first = replace(
            first,
            reviews=tuple(random.sample(reviews, len(reviews))),
            results=tuple(random.sample(results, len(results))),
        )
        nodes = (first, *random.sample(rest, len(rest)))
        edges = tuple(random.sample(report.edges, len(report.edges)))
        shuffled = replace(report, nodes=nodes, edges=edges)
        assert evaluate(policy, with_lineage(shuffled), at=AT) == expected


def test_everything_that_is_said_is_safe_to_print() -> None:
    hostile = "\x1b[2J\u202e" + "x" * 1_000
    report = change_node(good_lineage(), BASE, label=hostile, license=hostile)
    report = add_problem(report, RAW, ProblemKind.ALIAS, hostile)
    report = add_problem(report, DATA, ProblemKind.REJECTED, hostile)
    report = change_node(report, MODEL, results=(make_result(accuracy=hostile),))
    accepted = replace(make_accepted(BASE, "b").acceptance, fetched_from=hostile)
    report = change_node(report, BASE, acceptance=accepted)
    rules = {**EVERY_LINEAGE_RULE, "denied": (POISON,), "provenance": ProvenanceRule(3, ENFORCED)}
    for result in evaluate(Policy("p", **rules), with_lineage(report), at=AT).rules:
        assert (result.reason + result.remedy).isprintable(), result
