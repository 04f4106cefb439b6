"""Levels, completeness, cuts and the weakest path: what the trust map says, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from unit.lineage.samples import (
    CLUSTER,
    LAPTOP,
    NOW,
    TRUST,
    accepted,
    claim,
    lineage,
    made,
    node,
    problems,
    record,
    reviewed,
    root,
    sha,
    summarized,
)
from weighbridge.core import (
    BuilderTrust,
    Completeness,
    Dependency,
    EdgeKind,
    Environment,
    Origin,
    ProblemKind,
    TestResult,
    TrustMap,
)

IN_PROCESS = "https://weighbridge.dev/builders/in-process/v1"


def test_the_level_is_the_least_in_the_chain_and_the_path_leads_there() -> None:
    report = lineage(
        "model",
        made("model", "base", "data"),
        made("data", "raw", by="laptop"),
        accepted("base"),
        accepted("raw", level=2),
    )
    assert (report.level, report.root.own_level) == (1, 3)
    assert report.weakest_path == (node("model"), node("data"))
    assert report.by_id()[node("raw")].level == 2
    assert problems(report) == set()
    assert {n.id for n in report.required} == {node(n) for n in ("model", "base", "data", "raw")}


def test_an_artifact_of_which_nobody_says_anything_is_a_dead_end() -> None:
    report = lineage("model", label="m")
    assert report.root.origin is Origin.UNKNOWN
    assert (report.root.label, report.level, report.completeness) == ("m", 0, "unknown")
    assert problems(report) == {ProblemKind.DEAD_END}
    assert report.weakest_path == (node("model"),)
    assert report.is_judged
    assert not lineage("model", made("model"), trust=TrustMap()).is_judged


def test_a_dead_end_below_is_named_by_the_weakest_path() -> None:
    report = lineage("a", made("a", "b", "c"), made("b", "d"), accepted("c", level=0))
    assert report.weakest_path == (node("a"), node("b"), node("d"))
    assert problems(report, "d") == {ProblemKind.DEAD_END}
    assert problems(report, "a") == set()


def test_a_builder_that_is_not_listed_has_level_0_and_its_inputs_still_count() -> None:
    report = lineage("a", made("a", "b", builder="https://x.example"), accepted("b"))
    assert (report.level, report.root.origin) == (0, Origin.BUILT)
    assert report.edges[0].target == node("b")
    assert problems(report) == set()


def test_whoever_runs_a_step_with_its_own_key_is_never_more_than_level_1() -> None:
    trust = replace(TRUST, builders={LAPTOP: BuilderTrust(LAPTOP, ("laptop",), 3)})
    assert lineage("a", made("a", by="laptop"), trust=trust).level == 1


@pytest.mark.parametrize(
    ("said", "builder", "expected"),
    [
        ("enforced", CLUSTER, Completeness.ENFORCED),
        ("observed", CLUSTER, Completeness.OBSERVED),
        ("observed", IN_PROCESS, Completeness.DECLARED),
        ("perfect", CLUSTER, Completeness.UNKNOWN),
        ("", CLUSTER, Completeness.UNKNOWN),
    ],
)
def test_completeness_is_what_such_a_builder_can_know(
    said: str, builder: str, expected: Completeness
) -> None:
    report = lineage("a", made("a", builder=builder, completeness=said))
    assert report.completeness is report.root.completeness is expected


def test_the_chain_is_as_complete_as_its_weakest_step() -> None:
    report = lineage("a", made("a", "b"), made("b", "c", completeness="declared"), accepted("c"))
    assert report.root.completeness is Completeness.ENFORCED
    assert report.completeness is Completeness.DECLARED
    assert report.weakest_path == (node("a"), node("b"))


def test_completeness_that_is_no_object_is_unknown() -> None:
    report = lineage("a", made("a", facts={"completeness": "enforced"}))
    assert report.completeness is Completeness.UNKNOWN


def test_what_was_read_and_not_declared_is_an_input_and_other_materials_are_none() -> None:
    lock = Dependency("uv.lock", {"sha256": sha("lock")}, role="data", annotations={"lockFile": ""})
    package = Dependency("torch", {"sha256": sha("torch")}, role="package")
    seen = Dependency("/etc/x", {"sha256": sha("seen")}, role="undeclared")
    report = lineage("a", made("a", lock, materials=(package, seen)))
    assert [n.id for n in report.nodes] == [node("a"), node("seen")]
    assert report.root.step is not None
    assert lock in report.root.step.inputs
    assert problems(report, "seen") == {ProblemKind.DEAD_END}
    (problem,) = report.by_id()[node("seen")].problems
    assert problem.message.startswith("a step read it and had not declared it")


def test_what_one_step_declared_is_no_secret_of_another() -> None:
    seen = Dependency("/etc/x", {"sha256": sha("seen")}, role="undeclared")
    report = lineage("a", made("a", "b", materials=(seen,)), made("b", "seen"))
    (problem,) = report.by_id()[node("seen")].problems
    assert problem.message.startswith("nothing is known about where it is from")


def test_an_accepted_root_ends_what_is_required_and_has_a_licence() -> None:
    report = lineage("a", made("a", "b"), accepted("b", level=2), made("b", "c", by="laptop"))
    base = report.by_id()[node("b")]
    assert (base.origin, base.level, base.license) == (Origin.ACCEPTED, 2, "MIT")
    assert (base.reason, base.signers) == ("well known", ("ann",))
    assert base.acceptance is not None
    below = report.by_id()[node("c")]
    assert not below.is_required
    assert below.depth == 2
    assert problems(report) == set()
    assert report.level == 2


def test_provenance_that_gives_as_much_as_a_cut_is_shown_and_the_licence_stays() -> None:
    report = lineage("b", accepted("b", level=1), made("b", "c"), accepted("c"))
    assert (report.root.origin, report.level, report.root.license) == (Origin.BUILT, 3, "MIT")
    assert report.root.claim == made("b", "c").id
    assert [n.id for n in report.required] == [node("b")]


def test_a_root_of_the_policy_counts_until_it_ends() -> None:
    trust = replace(TRUST, roots=(root("b", level=2, days=1),))
    report = lineage("b", trust=trust)
    assert (report.root.origin, report.level) == (Origin.LISTED, 2)
    assert (report.root.license, report.root.reason) == ("Apache-2.0", "listed")
    assert report.root.claim is None
    later = lineage("b", trust=replace(TRUST, roots=(root("b", days=0),)))
    assert (later.root.origin, problems(later)) == (Origin.UNKNOWN, {ProblemKind.EXPIRED})


def test_an_acceptance_that_ended_or_has_not_begun_is_no_cut() -> None:
    report = lineage("b", accepted("b", days=0))
    assert (report.level, problems(report)) == (0, {ProblemKind.EXPIRED})
    early = lineage("b", accepted("b", at=NOW.replace(year=2027)))
    assert problems(early) == {ProblemKind.DEAD_END}
    assert "future" in early.set_aside[0].reason
    good = lineage("b", accepted("b", days=0), made("b"))
    assert problems(good) == set()


def test_a_fresh_summary_stands_for_all_below() -> None:
    report = lineage("a", made("a", "b"), summarized("b", level=3, below={2: 4, 3: 1, 0: 0}))
    base = report.by_id()[node("b")]
    assert (base.origin, base.level, base.signers) == (Origin.SUMMARY, 2, ("gate",))
    assert problems(report) == set()


@pytest.mark.parametrize(
    ("level", "below", "expected"),
    [
        (3, {3: 9, 0: 1}, 0),
        (None, {}, 0),
        (3, None, 0),
        (3, {}, 3),
        (9, {}, 3),
        (3, {-1: 1}, 0),
    ],
    ids=["hidden level 0", "no level", "nothing said of others", "alone", "too high", "too low"],
)
def test_a_summary_gives_no_more_than_it_says_of_everything(
    level: int | None, below: dict[int, int] | None, expected: int
) -> None:
    assert lineage("b", summarized("b", level=level, below=below)).level == expected


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"by": "cluster"}, "no verifier"),
        ({"by": "idle"}, "no verifier"),
        ({"verifier": "https://other.example"}, "does not trust the verifier"),
        ({"policy": "sha256:" + "cd" * 32}, "another policy"),
        ({"passed": False}, "not a pass"),
        ({"ago": -1}, "future"),
    ],
)
def test_a_summary_that_does_not_count_is_set_aside(change: dict[str, object], words: str) -> None:
    report = lineage("b", summarized("b", **change))  # type: ignore[arg-type]
    assert (report.level, problems(report)) == (0, {ProblemKind.DEAD_END})
    assert words in report.set_aside[0].reason
    assert not report.set_aside[0].is_unrelated


def test_a_replayed_old_summary_is_no_cut() -> None:
    report = lineage("b", summarized("b", ago=31))
    assert (report.level, problems(report)) == (0, {ProblemKind.EXPIRED})
    assert lineage("b", summarized("b", ago=30)).level == 3


def test_a_verifier_by_a_signer_who_may_not_speak_for_it_is_set_aside() -> None:
    trust = replace(TRUST, roles={**TRUST.roles, "cluster": frozenset({"verifier"})})
    report = lineage("b", summarized("b", by="cluster"), trust=trust)
    assert "may not sign" in report.set_aside[0].reason
    assert report.level == 0


def test_what_people_and_evaluations_say_is_with_its_digest() -> None:
    result = TestResult(passed=True, metrics={"accuracy": "0.9"})
    scai = Environment({"cpu": {"model": "x"}})
    report = lineage(
        "a",
        made("a", "b"),
        accepted("b"),
        claim(result, "a", by="judge"),
        claim(result, "a", by="ann", salt="2"),
        claim(scai, "a", by="cluster"),
        claim(scai, "a", by="judge", salt="2"),
        reviewed("a", ago=1),
        reviewed("a", by="ben", ago=2),
        reviewed("a", by="cluster"),
        claim(None, "a", by="cluster", predicate_type="trace"),
        claim(None, "a", by="idle", predicate_type="trace", salt="2"),
    )
    assert report.root.results == (result,)
    assert report.root.environment == scai
    assert [(r.signers, r.identities) for r in report.root.reviews] == [
        (("ben",), ("SHA256:ben",)),
        (("ann",), ("SHA256:ann",)),
    ]
    assert len(report.set_aside) == 4
    assert len(report.claims) == 7
    assert any(c.predicate_type == "trace" for c in report.claims)
    assert report.root.made_at == record().finished_at


def test_statements_about_something_else_are_named_as_such() -> None:
    report = lineage("a", made("a"), made("x", "y"), accepted("z"))
    assert [s.is_unrelated for s in report.set_aside] == [True, True]
    assert report.set_aside[0].subjects[0].startswith("sha256:")


def test_edges_are_what_was_said_once() -> None:
    report = lineage("a", made("a", "b"), made("a", "b", salt="again"), accepted("b"))
    (edge,) = report.edges
    assert (edge.kind, edge.role, edge.name) == (EdgeKind.MADE_FROM, "data", "b")
    assert edge.claim in {c.id for c in report.claims}
    assert report.by_id()[node("b")].label == "b"


def test_a_sound_copy_of_the_level_is_the_root_itself_if_all_are_equal() -> None:
    report = lineage("a", made("a", "b"), made("b"))
    assert report.weakest_path == (node("a"),)
