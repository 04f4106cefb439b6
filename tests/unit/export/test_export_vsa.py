"""A verdict as a verification summary claims no more than was verified."""

from __future__ import annotations

from dataclasses import replace

import pytest

from unit.export import lineages, samples
from weighbridge.core import (
    Answer,
    LineageProblem,
    LineageReport,
    Origin,
    ProblemKind,
    VerificationSummary,
    parse_statement,
    parse_summary,
)
from weighbridge.errors import IncompleteError, InputError
from weighbridge.export import CheckReport, to_summary


def read(report: CheckReport, policy_digest: str = "") -> VerificationSummary:
    statement = to_summary(
        report,
        verifier="https://example.com/verifier",
        resource_uri="hf://org/model",
        policy_digest=policy_digest,
    )
    return parse_summary(parse_statement(statement.payload))


def with_lineage(lineage: LineageReport | None, answer: Answer = Answer.PASS) -> CheckReport:
    report = samples.passing()
    return replace(
        report,
        verdict=replace(report.verdict, answer=answer),
        evidence=replace(report.evidence, lineage=lineage),
    )


def test_a_pass_claims_the_own_level_and_those_of_all_dependencies() -> None:
    summary = read(with_lineage(lineages.good()))
    assert summary.passed
    assert summary.level == 2  # of the package alone, whatever it was made from
    # quantize 2, train 3, clean 1, and the roots MiniLM 2, raw.csv 1, tokenizer 3, words 3.
    assert summary.dependency_levels == {1: 2, 2: 2, 3: 3}
    assert summary.policy_digest == samples.POLICY_DIGEST
    assert summary.policy_uri == "file:weighbridge.toml"
    assert summary.verified_at == samples.AT
    assert set(summary.inputs) == {str(claim.id) for claim in lineages.good().claims}


@pytest.mark.parametrize("answer", [Answer.FAIL, Answer.UNKNOWN])
def test_what_is_not_a_pass_is_failed_and_claims_no_level(answer: Answer) -> None:
    summary = read(with_lineage(lineages.good(), answer))
    assert (summary.passed, summary.level) == (False, None)


@pytest.mark.parametrize("lineage", [None, lineages.unjudged()])
def test_without_a_lineage_no_level_is_claimed(lineage: LineageReport | None) -> None:
    summary = read(with_lineage(lineage))
    assert summary.passed
    assert (summary.level, summary.dependency_levels, summary.inputs) == (None, None, ())


def test_dependencies_of_which_nothing_is_known_count_as_level_0() -> None:
    lineage = lineages.report(
        [lineages.built("model", "train"), lineages.unknown("data", depth=1)],
        [lineages.edge("model", "data", "data")],
        path=("model", "data"),
    )
    assert read(with_lineage(lineage)).dependency_levels == {0: 1}
    assert read(with_lineage(lineages.nothing())).level == 0


def test_a_problem_makes_a_level_worth_nothing() -> None:
    lineage = lineages.good()
    cycle = (LineageProblem(ProblemKind.CYCLE, "it was made from itself"),)
    bent = tuple(
        replace(node, problems=cycle) if node.label in {"package", "model"} else node
        for node in lineage.nodes
    )
    summary = read(with_lineage(replace(lineage, nodes=bent)))
    assert summary.level == 0
    assert summary.dependency_levels == {0: 1, 1: 2, 2: 2, 3: 2}


def test_the_dependencies_of_a_summary_are_counted_too() -> None:
    # The base is at 2 by a summary that counts {3: 4, 2: 1}; the part and its whole are at 2.
    assert read(with_lineage(lineages.summarised())).dependency_levels == {2: 4, 3: 4}


def test_a_summary_that_does_not_say_what_is_below_it_leaves_all_unsaid() -> None:
    lineage = lineages.summarised()
    claims = tuple(
        replace(claim, content=replace(claim.content, dependency_levels=None))
        if isinstance(claim.content, VerificationSummary)
        else claim
        for claim in lineage.claims
    )
    assert read(with_lineage(replace(lineage, claims=claims))).dependency_levels is None


def test_below_an_accepted_root_nothing_is_counted() -> None:
    base = lineages.root("base", depth=1)
    below = replace(lineages.built("older", "train", depth=2, level=0), is_required=False)
    nodes = [lineages.built("model", "train"), base, below]
    edges = [lineages.edge("model", "base", "base-model"), lineages.edge("base", "older", "data")]
    lineage = lineages.report(nodes, edges, path=("model",))
    assert read(with_lineage(lineage)).dependency_levels == {2: 1}
    # Where its own provenance is what counts, what it was made from is a dependency.
    nodes[1] = replace(base, origin=Origin.BUILT)
    lineage = lineages.report(nodes, edges, path=("model",))
    assert read(with_lineage(lineage)).dependency_levels == {2: 1, 0: 1}


def test_a_chain_of_ten_thousand_is_counted() -> None:
    assert read(with_lineage(lineages.chain(10_000))).dependency_levels == {2: 9_999}


def test_the_place_of_the_policy_on_this_machine_is_not_told() -> None:
    report = with_lineage(None)
    verdict = replace(report.verdict, policy="/home/somebody/secret plans/p?.toml")
    assert read(replace(report, verdict=verdict)).policy_uri == "file:p%3F.toml"


def test_a_policy_without_a_digest_needs_one() -> None:
    report = with_lineage(None)
    report = replace(report, verdict=replace(report.verdict, policy="built-in", policy_digest=""))
    with pytest.raises(InputError, match="no digest"):
        read(report)
    summary = read(report, policy_digest="sha256:" + "12" * 32)
    assert summary.policy_uri == "https://weighbridge.dev/policies/built-in"
    assert summary.policy_digest == "sha256:" + "12" * 32


def test_without_a_digest_there_is_nothing_to_speak_of() -> None:
    with pytest.raises(IncompleteError, match="not every file could be weighed"):
        read(samples.failing())
