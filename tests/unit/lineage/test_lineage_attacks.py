"""Attacks on a lineage, each by its name, and what goes wrong by itself."""

from __future__ import annotations

import itertools
import tracemalloc
from dataclasses import replace
from typing import Any

import pytest

from unit.lineage.samples import (
    CLUSTER,
    NOW,
    TRUST,
    accepted,
    claim,
    folder,
    lineage,
    made,
    node,
    problems,
    record,
    reviewed,
    sha,
    signed,
    summarized,
)
from weighbridge.core import (
    Attribution,
    Claim,
    Decision,
    DeniedDigest,
    Dependency,
    Digest,
    HumanReview,
    Limits,
    Manifest,
    Origin,
    ProblemKind,
    SetAside,
)
from weighbridge.errors import LimitExceededError

FILES = {"a.bin": "a", "b.bin": "b", "tokenizer/vocab.json": "v"}


def about(manifest: Manifest, *inputs: str | Dependency, **more: Any) -> Claim:
    return claim(record(*inputs, **more), {"sha256": manifest.compute_digest().hex}, by="cluster")


def takes(manifest: Manifest, name: str = "x") -> Dependency:
    return Dependency(name, {"sha256": manifest.compute_digest().hex}, role="base-model")


def test_swapped_shards_are_another_artifact() -> None:
    good = folder(FILES)
    swapped = folder({**FILES, "a.bin": "b", "b.bin": "a"})
    shards = [made(name) for name in ("a", "b", "v")]
    claims = (about(good), signed(FILES), *shards)
    assert lineage(good.compute_digest(), *claims, manifests=(good,)).level == 3
    report = lineage(swapped.compute_digest(), *claims, manifests=(swapped, good))
    assert (report.level, problems(report)) == (0, {ProblemKind.DEAD_END})
    assert report.edges == ()


def test_a_folder_that_lies_in_a_known_one_is_a_part_of_it() -> None:
    whole = folder({f"data/{name}": value for name, value in FILES.items()} | {"x": "x"})
    part = folder(FILES)
    report = lineage(part.compute_digest(), about(whole), manifests=(part, whole))
    assert (report.root.origin, report.level) == (Origin.PART, 3)
    assert (report.edges[0].name, report.edges[0].claim) == ("data", None)


@pytest.mark.parametrize("count", [3, 40])
def test_swapped_files_of_a_subset_are_no_subset(count: int) -> None:
    files = {f"{number:02}.bin": str(number) for number in range(count)}
    whole = folder({f"data/{name}": value for name, value in files.items()})
    for first, second in itertools.combinations(files, 2):
        swapped = folder({**files, first: files[second], second: files[first]})
        digest = swapped.compute_digest()
        report = lineage(digest, about(whole), manifests=(swapped, whole))
        assert problems(report) == {ProblemKind.DEAD_END}


def test_a_subset_lies_below_one_path_only() -> None:
    whole = folder({"p/a.bin": "a", "q/b.bin": "b"})
    part = folder({"a.bin": "a", "b.bin": "b"})
    report = lineage(part.compute_digest(), about(whole), manifests=(part, whole))
    assert problems(report) == {ProblemKind.DEAD_END}


def test_a_file_of_a_known_folder_is_a_part_of_it_and_no_folder_is_made_of_files() -> None:
    whole = folder(FILES)
    report = lineage("a", about(whole), manifests=(whole,))
    assert (report.root.origin, report.level) == (Origin.PART, 3)
    signed_list = lineage("a", about(whole), signed(FILES))
    assert (signed_list.root.origin, signed_list.level) == (Origin.PART, 3)
    for unproven in (signed(FILES, by="cluster"), signed(FILES, by=())):
        report = lineage("a", about(whole), unproven)
        assert problems(report) == {ProblemKind.DEAD_END}


def test_of_several_wholes_the_best_counts_and_the_others_are_not_required() -> None:
    good, bad = folder(FILES), folder({"a.bin": "a", "c": "c"})
    report = lineage("a", about(good), manifests=(bad, good))
    assert (report.level, len(report.edges), problems(report)) == (3, 2, set())


def test_a_part_of_what_was_made_from_it_tells_nothing_about_it() -> None:
    whole = folder(FILES)
    report = lineage(whole.compute_digest(), about(whole, "a"), manifests=(whole,))
    assert problems(report, "a") == {ProblemKind.DEAD_END}
    assert "part of what was made from it" in report.by_id()[node("a")].problems[0].message
    good = lineage(whole.compute_digest(), about(whole, "a"), made("a"), manifests=(whole,))
    assert (good.level, [e.kind for e in good.edges]) == (3, ["made-from"])


def test_a_file_that_lists_a_folder_does_not_stand_for_that_folder() -> None:
    evil = folder({"evil.bin": "evil"})
    listing = evil.to_sha256sum().decode()
    whole = folder({"SHA256SUMS": listing, "w": "w"})
    assert whole.resources[0].sha256 == evil.compute_digest().hex
    report = lineage(evil.compute_digest(), about(whole), manifests=(evil, whole))
    assert problems(report) == {ProblemKind.DEAD_END}


def test_an_oms_root_leads_to_the_list_that_was_signed_whatever_files_are_called() -> None:
    good, renamed = folder({"a": "1", "b": "2"}), folder({"a": "1", "c": "2"})
    root = good.compute_oms_root()
    assert root == renamed.compute_oms_root()
    by_root = Dependency("base", {"sha256": root.hex}, role="base-model")
    report = lineage("model", made("model", by_root), about(good), signed({"a": "1", "b": "2"}))
    assert (report.edges[0].target, report.level) == (str(good.compute_digest()), 3)
    report = lineage(renamed.compute_digest(), about(good), signed({"a": "1", "b": "2"}))
    assert problems(report) == {ProblemKind.DEAD_END}
    both = (signed({"a": "1", "b": "2"}), signed({"a": "1", "c": "2"}))
    report = lineage("model", made("model", by_root), about(good), *both)
    assert (report.level, problems(report)) == (0, {ProblemKind.ALIAS})
    assert report.edges[0].target == str(root)


def test_an_alias_of_an_ambiguous_root_is_not_usable_either() -> None:
    files = [{"a": "1", "b": "2"}, {"a": "1", "c": "2"}]
    root = folder(files[0]).compute_oms_root()
    other = Dependency("base", {"sha512": "ab" * 64}, role="base-model")
    bound = Dependency("x", {"sha512": "ab" * 64, "sha256": root.hex})
    claims = (made("model", other), made("o", bound), about(folder(files[0])))
    report = lineage("model", *claims, *map(signed, files))
    assert (report.edges[0].target, problems(report)) == (str(root), {ProblemKind.ALIAS})
    good = lineage("model", *claims, signed(files[0]))
    assert (good.level, good.edges[0].target) == (3, str(folder(files[0]).compute_digest()))


def test_an_alias_is_proven_by_a_statement_or_leads_nowhere() -> None:
    tree = Dependency("data", {"gitTree": "ab" * 20}, role="data")
    bound = Dependency("x", {"gitTree": "ab" * 20, "sha256": sha("data")})
    claims = (made("model", tree), made("data"))
    assert problems(lineage("model", *claims)) == {ProblemKind.DEAD_END}
    report = lineage("model", *claims, made("other", bound))
    assert (report.level, report.edges[0].target) == (3, node("data"))
    assert len(report.claims) == 3
    untrusted = lineage("model", *claims, made("other", bound, by="ann"))
    assert problems(untrusted) == {ProblemKind.DEAD_END}


def test_an_alias_that_is_bound_to_two_digests_is_not_usable() -> None:
    tree = Dependency("data", {"gitTree": "ab" * 20}, role="data")
    bound = [Dependency("x", {"gitTree": "ab" * 20, "sha256": sha(n)}) for n in ("data", "evil")]
    report = lineage("model", made("model", tree), made("data"), *(made("o", b) for b in bound))
    assert (report.level, problems(report)) == (0, {ProblemKind.ALIAS})


def test_a_weak_digest_matches_nothing() -> None:
    weak = Dependency("data", {"md5": "ab" * 16}, role="data")
    bound = Dependency("x", {"md5": "ab" * 16, "sha256": sha("data")})
    about_weak = claim(record(), {"md5": "ab" * 16}, by="cluster")
    report = lineage("model", made("model", weak), made("data"), made("o", bound), about_weak)
    assert report.edges[0].target == f"md5:{'ab' * 16}"
    assert problems(report) == {ProblemKind.DEAD_END}


@pytest.mark.parametrize("digest", [{"sha256": "AB" * 32}, {"sha256": "ab"}, {"sha512": "ab"}])
def test_a_digest_that_is_none_matches_nothing(digest: dict[str, str]) -> None:
    odd = Dependency("data", digest, role="data")
    report = lineage("model", made("model", odd), claim(record(), digest, by="cluster"))
    assert (report.level, problems(report)) == (0, {ProblemKind.DEAD_END})


def test_a_revision_is_what_somebody_accepted_or_fetched_under_its_address() -> None:
    revision = "hf://org/name@" + "ab" * 20
    by_revision = Dependency("base", {"gitCommit": "ab" * 20}, uri=revision, role="base-model")
    accepting = accepted("base", source=revision)
    report = lineage("model", made("model", by_revision), accepting)
    assert (report.level, report.edges[0].target) == (3, node("base"))
    fetched = made("base", by_revision, kind="fetch")
    report = lineage("model", made("model", by_revision), fetched)
    assert (report.edges[0].target, problems(report)) == (node("base"), {ProblemKind.DEAD_END})
    assert "only fetched" in report.nodes[1].problems[0].message
    assert lineage("model", made("model", by_revision), fetched, accepted("base")).level == 3


def test_a_dependency_without_any_digest_is_a_dead_end_of_its_own() -> None:
    nothing = Dependency("s3://x\x1b[2J", {}, role="data")
    report = lineage("model", made("model", nothing))
    assert report.nodes[1].id.startswith("unnamed:")
    assert report.nodes[1].id.isprintable()
    assert problems(report) == {ProblemKind.DEAD_END}


def test_a_builder_that_the_wrong_signer_claims_is_set_aside() -> None:
    trust = replace(TRUST, roles={**TRUST.roles, "mallory": frozenset({"builder"})})
    report = lineage("a", made("a", by="mallory"), trust=trust)
    assert problems(report) == {ProblemKind.DEAD_END}
    assert "mallory may not sign" in report.set_aside[0].reason
    assert CLUSTER in report.set_aside[0].reason


def test_a_signer_without_the_role_of_a_builder_says_nothing() -> None:
    trust = replace(TRUST, roles={**TRUST.roles, "cluster": frozenset({"reviewer"})})
    report = lineage("a", made("a"), trust=trust)
    assert "signed by cluster, who is no builder in the policy" in report.set_aside[0].reason


def test_a_statement_that_cannot_be_read_is_set_aside_with_the_reason() -> None:
    report = lineage("a", claim(None, "a", by="cluster", problem="kind is not known\x07"))
    assert report.set_aside[0].reason == "it cannot be read: kind is not known\\x07"


def test_what_was_set_aside_before_comes_first() -> None:
    given = SetAside("line 3", "", (), "nobody who is trusted signed it")
    report = lineage("a", made("b"), made("a", by="ann"), set_aside=(given,))
    assert report.set_aside[0] == given
    assert [s.is_unrelated for s in report.set_aside] == [False, False, True]


def test_a_statement_about_a_different_digest_says_nothing() -> None:
    report = lineage("a", made("other", "a"), accepted("other"), summarized("other"))
    assert problems(report) == {ProblemKind.DEAD_END}
    assert all(item.is_unrelated for item in report.set_aside)


def test_a_statement_in_two_envelopes_is_one() -> None:
    one, two = made("a", by="ann"), made("a", by="cluster")
    assert one.id == two.id
    report = lineage("a", one, two)
    assert (report.level, report.root.signers, report.set_aside) == (3, ("cluster",), ())
    assert report.claims[0].signers == ("ann", "cluster")


def test_a_chain_of_10_000_steps_is_followed_to_its_end() -> None:
    claims = [made(f"n{i}", f"n{i + 1}") for i in range(10_000)]
    report = lineage("n0", *claims)
    assert len(report.weakest_path) == len(report.nodes) == 10_001
    assert problems(report) == {ProblemKind.DEAD_END}
    good = lineage("n0", *claims, accepted("n10000", level=2))
    assert (good.level, problems(good)) == (2, set())
    circle = lineage("n0", *claims, made("n10000", "n0"))
    assert (circle.level, problems(circle)) == (0, {ProblemKind.CYCLE})


def test_a_circle_is_reported_on_each_member_that_nobody_accepted() -> None:
    claims = (made("a", "b"), made("b", "c"), made("c", "b"))
    report = lineage("a", *claims)
    assert report.level == 0
    assert problems(report, "b") == problems(report, "c") == {ProblemKind.CYCLE}
    assert problems(report, "a") == set()
    assert report.weakest_path == (node("a"), node("b"))
    cut = lineage("a", *claims, accepted("c", level=2))
    assert (cut.level, problems(cut)) == (2, set())


def test_what_was_only_made_from_itself_is_a_dead_end() -> None:
    report = lineage("a", made("a", "a", "x", kind="package"))
    assert problems(report) == {ProblemKind.DEAD_END}
    assert "only made from itself" in report.root.problems[0].message
    assert report.edges == ()
    copied = lineage("a", made("a", "a", "x", kind="package"), made("a"))
    assert (copied.level, problems(copied)) == (3, set())


def test_a_copy_by_another_name_is_a_copy() -> None:
    other = Dependency("in", {"sha512": "ab" * 64}, role="data")
    bound = Dependency("x", {"sha512": "ab" * 64, "sha256": sha("a")})
    report = lineage("a", made("a", other), made("o", bound))
    assert problems(report) == {ProblemKind.DEAD_END}


def test_provenances_that_disagree_are_a_conflict() -> None:
    claims = (made("a", "b"), made("a", "c"), accepted("b"), accepted("c"))
    report = lineage("a", *claims)
    assert (report.level, problems(report)) == (0, {ProblemKind.CONFLICT})
    assert report.completeness == "unknown"
    assert len(report.edges) == 2
    kinds = lineage("a", made("a", "b"), made("a", "b", kind="merge"), accepted("b"))
    assert problems(kinds) == {ProblemKind.CONFLICT}
    assert problems(lineage("a", *claims, accepted("a"))) == set()


def test_runs_that_agree_are_no_conflict_and_the_best_counts() -> None:
    seen = Dependency("/tmp/x", {"sha256": sha("tmp")}, role="undeclared")
    report = lineage(
        "a",
        made("a", "b", by="laptop", completeness="declared"),
        made("a", "b", materials=(seen,), salt="2"),
        made("a", "b", salt="3"),
        accepted("b"),
    )
    assert (report.level, report.completeness, problems(report)) == (3, "enforced", set())
    assert report.root.signers == ("cluster", "laptop")
    assert not report.by_id()[node("tmp")].is_required


def ranks(count: int, *, world_size: str | None = None, by: str = "cluster") -> list[Claim]:
    """Return the statements of all ranks and, last, the joined one about ``model``."""
    size = world_size or str(count)
    single = [
        made(f"rank {n}", "data", by=by, facts={"topology": {"rank": str(n), "worldSize": size}})
        for n in range(count)
    ]
    byproducts = tuple(
        Dependency("r", {"sha256": c.id.hex}, annotations={"predicateType": "p", "rank": str(n)})
        for n, c in enumerate(single)
    )
    joined = made("model", "data", facts={"topology": {"worldSize": size}}, byproducts=byproducts)
    return [*single, joined]


def test_all_ranks_have_to_be_there() -> None:
    report = lineage("model", *ranks(4), accepted("data"))
    assert (report.level, problems(report), len(report.claims)) == (3, set(), 6)
    for gone in range(4):
        some = [c for n, c in enumerate(ranks(4)) if n != gone]
        report = lineage("model", *some, accepted("data"))
        assert (report.level, problems(report)) == (0, {ProblemKind.MISSING_RANK})
        assert f"rank {gone} of 4" in report.root.problems[0].message
        assert report.completeness == "unknown"


@pytest.mark.parametrize("size", ["5", "9" * 12, "9" * 4000, "²", "-1", ""])
def test_more_ranks_than_statements_are_missing_however_many(size: str) -> None:
    report = lineage("model", *ranks(3, world_size=size or "x"), accepted("data"))
    assert problems(report) == {ProblemKind.MISSING_RANK}


def test_ranks_by_nobody_who_may_sign_or_of_another_number_are_missing() -> None:
    report = lineage("model", *ranks(2, by="ann"), accepted("data"))
    assert problems(report) == {ProblemKind.MISSING_RANK}
    first, second, joined = ranks(2)
    content = joined.content
    assert content is not None
    swapped = tuple(
        replace(item, annotations={**item.annotations, "rank": str(1 - n)})
        for n, item in enumerate(content.byproducts)  # type: ignore[union-attr]
    )
    changed = replace(joined, content=replace(content, byproducts=swapped))  # type: ignore[call-arg]
    report = lineage("model", first, second, changed, accepted("data"))
    assert problems(report) == {ProblemKind.MISSING_RANK}


def test_one_statement_does_not_stand_for_two_ranks() -> None:
    single = made("rank", "data")
    byproducts = tuple(
        Dependency(n, {"sha256": single.id.hex}, annotations={"predicateType": "p", "rank": n})
        for n in ("0", "1")
    )
    joined = made("model", facts={"topology": {"worldSize": "2"}}, byproducts=byproducts)
    assert problems(lineage("model", single, joined)) == {ProblemKind.MISSING_RANK}


def test_a_run_with_a_missing_rank_takes_nothing_from_one_that_agrees() -> None:
    report = lineage("model", *ranks(2)[1:], made("model", "data"), accepted("data"))
    assert (report.level, problems(report)) == (3, set())


def deny(what: str | Digest) -> Any:
    digest = Digest(sha(what)) if isinstance(what, str) else what
    return replace(TRUST, denied=(DeniedDigest(digest, "stolen\x1b"),))


def test_a_denied_ancestor_is_a_problem_wherever_it_is() -> None:
    claims = (made("a", "b"), accepted("b"), made("b", "c"))
    report = lineage("a", *claims, trust=deny("c"))
    below = report.by_id()[node("c")]
    assert [p.kind for p in below.problems] == [ProblemKind.DENIED]
    assert below.problems[0].message == "the policy denies it: stolen\\x1b"
    assert not below.is_required
    assert ProblemKind.DENIED in problems(lineage("b", *claims, trust=deny("b")), "b")


def test_a_denied_file_in_a_known_folder_a_root_and_a_material_are_problems() -> None:
    base = folder(FILES)
    claims = (made("model", takes(base)), about(base))
    for extra in ({"manifests": (base,)}, {}):
        listed = (signed(FILES),) if not extra else ()
        report = lineage("model", *claims, *listed, trust=deny("v"), **extra)
        assert ProblemKind.DENIED in problems(report)
        report = lineage("model", *claims, *listed, trust=deny(base.compute_oms_root()), **extra)
        assert ProblemKind.DENIED in problems(report)
    package = Dependency("evil", {"sha256": sha("evil")}, role="package")
    report = lineage("a", made("a", materials=(package,)), trust=deny("evil"))
    assert problems(report) == {ProblemKind.DENIED}


def test_a_denied_candidate_of_an_alias_is_a_problem() -> None:
    tree = Dependency("data", {"gitTree": "ab" * 20}, role="data")
    bound = [Dependency("x", {"gitTree": "ab" * 20, "sha256": sha(n)}) for n in ("data", "evil")]
    claims = (made("model", tree), *(made("o", b) for b in bound))
    report = lineage("model", *claims, trust=deny("evil"))
    assert problems(report) == {ProblemKind.ALIAS, ProblemKind.DENIED}


def test_a_reject_stands_until_the_same_reviewer_approves() -> None:
    claims = (made("a", "b"), accepted("b"), made("b", "c"))
    reject = reviewed("c", "reject", ago=5)
    report = lineage("a", *claims, reject)
    assert problems(report, "c") == {ProblemKind.REJECTED}
    lifts = {
        "later": (reviewed("c", ago=2), set()),
        "other reviewer": (reviewed("c", by="ben", ago=2), {ProblemKind.REJECTED}),
        "no reviewer": (reviewed("c", by="cluster", ago=2), {ProblemKind.REJECTED}),
        "earlier": (reviewed("c", ago=9), {ProblemKind.REJECTED}),
        "same moment": (reviewed("c", ago=5), {ProblemKind.REJECTED}),
        "ended": (reviewed("c", ago=2, days=0), {ProblemKind.REJECTED}),
        "not yet": (reviewed("c", ago=-2), {ProblemKind.REJECTED}),
    }
    for approve, expected in lifts.values():
        assert problems(lineage("a", *claims, reject, approve), "c") == expected
    by_nobody = lineage("a", *claims, reviewed("c", "reject", by="cluster"))
    assert problems(by_nobody, "c") == set()


def test_two_names_for_one_key_are_one_reviewer() -> None:
    reject = reviewed("a", "reject", ago=5)
    content = HumanReview(Decision.APPROVE, "all", "", "ann", NOW)
    approve = replace(
        claim(content, "a", by="ben"), attributions=(Attribution("ben", "key", "SHA256:ann"),)
    )
    assert problems(lineage("a", made("a"), reject, approve)) == set()


def test_one_name_may_stand_for_many_people() -> None:
    """Whoever signs another's reject again does not get to lift it, in whatever order it comes."""

    def signed(said: Claim, *who: str) -> Claim:
        people = tuple(Attribution("ann", "certificate", name, "CA") for name in who)
        return replace(said, attributions=people)

    reject, approve = reviewed("a", "reject", ago=5), reviewed("a", ago=1)
    for first, second in itertools.permutations(("ann@x", "zoe@x")):
        claims = [signed(reject, first), signed(reject, second), signed(approve, second)]
        for some in itertools.permutations(claims):
            report = lineage("a", made("a"), *some)
            assert problems(report) == {ProblemKind.REJECTED}
            assert report.root.reviews[0].identities == ("ann@x", "zoe@x")
        claims.append(signed(approve, first))
        assert problems(lineage("a", made("a"), *claims)) == set()


def test_a_reject_of_a_time_yet_to_come_stands() -> None:
    """A clock that is fast must not silence a reviewer."""
    reject = reviewed("c", "reject", ago=-1)
    report = lineage("a", made("a", "c"), made("c"), reject, reviewed("c"))
    assert problems(report, "c") == {ProblemKind.REJECTED}
    assert problems(lineage("a", made("a", "c"), made("c"), reject, reviewed("c", ago=-2)), "c")


def test_a_reject_of_a_file_counts_for_the_folder_that_holds_it() -> None:
    base = folder(FILES)
    reject = reviewed("v", "reject")
    report = lineage("m", made("m", takes(base)), about(base), reject, manifests=(base,))
    assert problems(report) == {ProblemKind.REJECTED}
    assert reject in report.claims


def test_folders_that_would_take_too_long_to_compare_are_said_to_be() -> None:
    whole, part = folder(FILES), folder({"a.bin": "a", "b.bin": "b"})
    limits = Limits(max_entries=0)
    report = lineage(part.compute_digest(), manifests=(part, whole), limits=limits)
    assert problems(report) == {ProblemKind.TOO_LARGE}


def test_more_claims_or_edges_than_the_limit_give_no_answer() -> None:
    with pytest.raises(LimitExceededError, match="max_claims"):
        lineage("a", made("a"), made("b"), limits=Limits(max_claims=1))
    with pytest.raises(LimitExceededError, match="max_entries"):
        lineage("a", made("a", "b", "c"), limits=Limits(max_entries=1))


def test_a_list_with_names_that_no_manifest_has_tells_nothing() -> None:
    files = {f"x\n{sha('b')}  y": "a", "z": "c"}
    report = lineage("a", about(folder(files)), signed(files))
    assert problems(report) == {ProblemKind.DEAD_END}


def test_50_000_statements_are_related_with_memory_linear_in_them() -> None:
    def measure(count: int) -> float:
        claims = [made(f"n{i}", f"n{i + 1}", f"n{i + 2}") for i in range(count)]
        claims += [accepted(f"n{count}"), accepted(f"n{count + 1}")]
        tracemalloc.start()
        report = lineage("n0", *claims)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (report.level, len(report.nodes)) == (3, count + 2)
        return peak / count

    assert measure(50_000) < 1.5 * measure(5_000)
