"""Rules in CEL: the result must be exactly true, any error denies."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from support import ROOT
from unit.policy.lineage_cases import (
    MODEL,
    add_problem,
    change_node,
    good_lineage,
    make_built,
    make_report,
    make_step,
    with_lineage,
)
from unit.policy.policy_cases import AT, good_evidence, make_finding, with_findings
from weighbridge.core import (
    DEFAULT_LIMITS,
    Answer,
    CardEvidence,
    Dependency,
    Evidence,
    ProblemKind,
    RuleResult,
)
from weighbridge.policy import OwnRule, Policy, evaluate
from weighbridge.policy._cel import _list_nests
from weighbridge.policy._view import build_view

GOOD = with_lineage(good_lineage())


def judge(expression: str, evidence: Evidence = GOOD, **limits: int) -> RuleResult:
    policy = Policy("p.toml", own_rules=(OwnRule("mine", expression),))
    bounds = replace(DEFAULT_LIMITS, **limits)
    verdict = evaluate(policy, evidence, at=AT, limits=bounds)
    (result,) = [rule for rule in verdict.rules if rule.rule == "mine"]
    assert verdict.answer is result.answer
    return result


@pytest.mark.parametrize(
    "expression",
    [
        "true",
        "view == 1",
        f"artifact.digest == '{MODEL}' && artifact.kind == 'folder'",
        "artifact.file_count == 3 && artifact.size_bytes > 1000",
        "artifact.level == 2 && artifact.completeness == 'observed'",
        "signature.found && signature.matches && 'release' in signature.signers",
        "scan.not_examined == 0 && scan.findings.size() == 0",
        "scan.formats.all(f, f == 'unknown')",
        "card.has_body && card.licenses == ['apache-2.0']",
        "license.expression == 'Apache-2.0'",
        "at == timestamp('2026-01-02T03:04:05Z')",
        "lineage.size() == 4 && lineage[0].id == artifact.digest && lineage[0].depth == 0",
        'lineage.all(n, n.builder != "https://weighbridge.dev/builders/local/v1")',
        "lineage.exists(n, n.kind == 'train' && double(n.parameters.lr) < 0.01)",
        "lineage.all(n, n.made_at == null || at - n.made_at < duration('720h'))",
        "lineage.all(n, n.required && n.problems == [])",
        "lineage.exists(n, n.inputs.exists(i, i.uri.startsWith('hf://org/')))",
        "lineage.filter(n, n.origin == 'accepted').all(n, n.license == 'Apache-2.0')",
    ],
)
def test_what_is_exactly_true_passes(expression: str) -> None:
    result = judge(expression)
    assert result.answer is Answer.PASS, result


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("false", "it is false"),
        ("1", "it gives int, not true"),
        ("'true'", "it gives str, not true"),
        ("null", "it gives NoneType, not true"),
        ("[true]", "it gives list, not true"),
        ("1 / 0 == 1", "division by zero"),
        ("linage.size() > 0", "'linage'"),
        ("lineage.all(n, n.levell > 0)", "'levell'"),
        ("lineage[9].level > 0", ""),
        ("lineage.all(n, n.level > '0')", ""),
        ("lineage.size() > 0 &&", "Syntax error"),
        ("nothing()", "nothing"),
        ("card.licenses[0] + 1 == 2", ""),
    ],
)
def test_everything_else_denies_with_the_words_of_the_engine(expression: str, words: str) -> None:
    result = judge(expression)
    assert result.answer is Answer.FAIL
    assert result.reason.startswith("The policy's own rule denies: ")
    assert words in result.reason
    assert result.reason.isprintable()
    assert result.remedy


def test_asking_for_a_lineage_that_nobody_looked_at_is_unknown() -> None:
    nobody = with_lineage(None)
    assert judge("true || lineage.size() > 0", nobody).answer is Answer.UNKNOWN
    unjudged = with_lineage(replace(good_lineage(), is_judged=False))
    assert judge("lineage.all(n, n.level > 0)", unjudged).answer is Answer.UNKNOWN
    assert judge("signature.found", nobody).answer is Answer.PASS


def test_without_a_card_there_is_null() -> None:
    evidence = replace(GOOD, card=CardEvidence(None, "none"))
    assert judge("card == null", evidence).answer is Answer.PASS
    assert judge("card.has_body", evidence).answer is Answer.FAIL


def test_hostile_letters_deny_nothing_else() -> None:
    report = change_node(good_lineage(), MODEL, label="\ud800\x00\u202e")
    assert judge("lineage.size() == 4", with_lineage(report)).answer is Answer.PASS


def test_problems_are_seen() -> None:
    report = add_problem(good_lineage(), MODEL, ProblemKind.MISSING_RANK)
    expression = "lineage[0].problems == ['missing-rank']"
    assert judge(expression, with_lineage(report)).answer is Answer.PASS


def test_a_view_that_is_too_large_denies() -> None:
    result = judge("true", max_view_bytes=1_000)
    assert result.answer is Answer.FAIL
    assert "max_view_bytes = 1,000" in result.reason
    long = change_node(good_lineage(), MODEL, step=make_step("train", x="y" * 100_000))
    assert judge("true", with_lineage(long), max_view_bytes=50_000).answer is Answer.FAIL
    assert judge("true", max_view_bytes=50_000).answer is Answer.PASS


def test_loops_inside_loops_over_a_long_lineage_deny_instead_of_taking_hours() -> None:
    nodes = [make_built(f"sha256:{index:064x}", "n") for index in range(5_000)]
    evidence = with_lineage(make_report(*nodes))
    assert judge("lineage.all(n, n.signers.all(s, s == 'cluster'))", evidence).answer is Answer.PASS
    result = judge("lineage.all(a, lineage.all(b, a.level == b.level))", evidence)
    assert result.answer is Answer.FAIL
    assert "25,000,000 turns" in result.reason
    small = judge("lineage.all(a, lineage.all(b, a.level >= 0 && b.level >= 0))")
    assert small.answer is Answer.PASS


@pytest.mark.parametrize(
    ("expression", "nesting"),
    [
        ("true", 0),
        ("lineage.all(n, true)", 1),
        ("lineage.all(n, true) && lineage.exists(n, true)", 1),
        ("lineage.filter(n, (n.level > 0)).all(n, true)", 1),
        ("lineage . all (a, lineage.map(b, b).exists(b, true))", 2),
        ("lineage.all(a, (lineage).all(b, true))", 2),
        ("n == 'lineage.all(' && x == \"lineage.all(lineage.all(\"", 0),
        ("lineage.all(a, lineage.all(b, scan.findings.all(c, true)))", 3),
        ("true // lineage.all(", 0),
        ("))))", 0),
    ],
)
def test_loops_are_counted(expression: str, nesting: int) -> None:
    assert max(long for long, _ in _list_nests(expression)) == nesting


def test_findings_are_seen_in_one_order() -> None:
    findings = [make_finding(name) for name in ("b.pkl", "a.pkl", "c.pkl")]
    views = [
        build_view(with_findings(good_evidence(), *order), at=AT, limits=DEFAULT_LIMITS)
        for order in (findings, findings[::-1])
    ]
    assert views[0] == views[1]


def _list_names(value: Any, place: str = "") -> set[str]:
    if isinstance(value, list):
        return {place}.union(*(_list_names(item, place) for item in value))
    if not isinstance(value, dict) or place.endswith((".parameters", ".digest")):
        return {place}
    inner = (_list_names(item, f"{place}.{key}".lstrip(".")) for key, item in value.items())
    return {place, *set().union(*inner)} - {""}


def test_the_documentation_names_all_that_is_seen_and_nothing_else() -> None:
    step = make_step("train", Dependency("x", {"sha256": "00"}, uri="hf://o/x"))
    evidence = with_findings(with_lineage(change_node(good_lineage(), MODEL, step=step)))
    evidence = with_findings(evidence, make_finding())
    seen = _list_names(build_view(evidence, at=AT, limits=DEFAULT_LIMITS))
    page = (ROOT / "docs" / "policy" / "cel.md").read_text()
    documented = set(re.findall(r"^\| `([a-z_.]+)` \|", page, re.MULTILINE))
    assert documented == seen


def test_examples_of_the_documentation_are_cel() -> None:
    page = (ROOT / "docs" / "policy" / "cel.md").read_text()
    examples = re.findall(r"^require = '(.*)'$", page, re.MULTILINE)
    assert len(examples) >= 4
    at = datetime(2026, 1, 2, tzinfo=UTC)
    for example in examples:
        policy = Policy("p", own_rules=(OwnRule("x", example),))
        (result,) = [r for r in evaluate(policy, GOOD, at=at).rules if r.rule == "x"]
        assert result.answer is Answer.PASS or "it is false" in result.reason, result
