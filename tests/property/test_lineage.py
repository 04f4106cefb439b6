"""Laws of a lineage, over random graphs with random trust.

"Level of a node = min(own level, levels of all it was made from)", and "adding evidence of failure
never turns a verdict to pass; removing evidence never does; the order of claims never matters".
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from unit.lineage.samples import (
    CLUSTER,
    LAPTOP,
    NOW,
    TRUST,
    accepted,
    claim,
    folder,
    made,
    record,
    reviewed,
    sha,
    signed,
    summarized,
)
from weighbridge.core import (
    BuilderTrust,
    Claim,
    Completeness,
    DeniedDigest,
    Dependency,
    Digest,
    LineageReport,
    Origin,
    PolicyRoot,
    RootAcceptance,
    StepRecord,
    TrustMap,
)
from weighbridge.lineage import build_lineage

NAMES = [f"n{number}" for number in range(6)]
# Two folders, one a subset of the other, whose files are nodes too.
SMALL = {"x": "n3", "y": "n4"}
LARGE = {"p/x": "n3", "p/y": "n4", "z": "n5"}
FOLDERS = [folder(files).compute_digest().hex for files in (SMALL, LARGE)]
HEXES = [*map(sha, NAMES), *FOLDERS]
OTHER = "https://other.example"
SIGNERS = st.sampled_from(["cluster", "laptop"])
NODES = st.sampled_from(HEXES)
CLASSES = st.sampled_from(list(Completeness))


def to_dependency(value: str, role: str = "data") -> Dependency:
    return Dependency(value[:4], {"sha256": value}, role=role)


@st.composite
def provenances(draw: st.DrawFn, *, acyclic: bool) -> Claim:
    subject = draw(st.sampled_from(range(len(HEXES) - 1 if acyclic else len(HEXES))))
    pool = HEXES[subject + 1 :] if acyclic else HEXES
    inputs = draw(st.lists(st.sampled_from(pool), max_size=3, unique=True))
    seen = draw(st.lists(st.sampled_from(pool), max_size=1))
    signer = draw(SIGNERS)
    builder = draw(st.sampled_from([{"cluster": CLUSTER, "laptop": LAPTOP}[signer], OTHER]))
    step = record(
        *map(to_dependency, inputs),
        builder=builder,
        kind=draw(st.sampled_from(["train", "train", "train", "merge"])),
        completeness=draw(CLASSES),
        materials=tuple(to_dependency(value, "undeclared") for value in seen),
    )
    return claim(step, {"sha256": HEXES[subject]}, by=signer)


@st.composite
def cuts(draw: st.DrawFn) -> Claim:
    name, level = draw(st.sampled_from(NAMES)), draw(st.integers(0, 3))
    if draw(st.booleans()):
        return accepted(name, level=level, days=draw(st.sampled_from([-1, 30])))
    below = {draw(st.integers(0, 3)): 1}
    return summarized(name, level=level, below=below, ago=draw(st.sampled_from([1, 90])))


@st.composite
def trusts(draw: st.DrawFn) -> TrustMap:
    cluster = BuilderTrust(CLUSTER, ("cluster",), draw(st.integers(0, 3)))
    laptop = BuilderTrust(LAPTOP, ("laptop",), draw(st.integers(0, 1)))
    roots = draw(st.lists(st.builds(to_root, NODES, st.integers(0, 3)), max_size=2))
    return replace(TRUST, builders={CLUSTER: cluster, LAPTOP: laptop}, roots=tuple(roots))


def to_root(value: str, level: int) -> PolicyRoot:
    return PolicyRoot(Digest(value), "listed", max_level=level)


REJECTS = st.builds(
    lambda name, decision, ago: reviewed(name, decision, ago=ago),
    st.sampled_from(NAMES),
    st.sampled_from(["approve", "reject"]),
    st.integers(0, 3),
)
LISTS = st.sampled_from([signed(SMALL), signed(LARGE)])


def steps(*, acyclic: bool = False) -> st.SearchStrategy[list[Claim]]:
    return st.lists(provenances(acyclic=acyclic), max_size=14)


ANY = st.builds(
    lambda *parts: [item for part in parts for item in part],
    steps(),
    st.lists(cuts(), max_size=4),
    st.lists(LISTS, max_size=2),
    st.lists(REJECTS, max_size=2),
)


def build(claims: Sequence[Claim], trust: TrustMap, artifact: str = HEXES[0]) -> LineageReport:
    return build_lineage(Digest(artifact), claims, trust=trust, at=NOW)


def has_problem(report: LineageReport) -> bool:
    return any(node.problems for node in report.required)


def to_account(step: StepRecord) -> object:
    return step.kind, frozenset((i.role, i.digest["sha256"]) for i in step.inputs)


def contradicts(one: Claim, claims: Sequence[Claim]) -> bool:
    """Return whether another provenance of the same digest says something else."""
    if not isinstance(one.content, StepRecord):
        return False
    account = to_account(one.content)
    return any(
        isinstance(other.content, StepRecord)
        and other.subjects == one.subjects
        and to_account(other.content) != account
        for other in claims
    )


@settings(max_examples=200, deadline=None)
@given(claims=ANY, trust=trusts(), artifact=NODES, seed=st.integers())
def test_the_order_of_claims_is_nothing(
    claims: list[Claim], trust: TrustMap, artifact: str, seed: int
) -> None:
    shuffled = random.Random(seed).sample(claims, len(claims))
    assert build(claims, trust, artifact) == build(shuffled, trust, artifact)


def find_naively(value: str, claims: Sequence[Claim], trust: TrustMap, memo: dict[str, int]) -> int:
    """Return the rank of a node by the definition, recursively: -1 if not to be believed."""
    if value not in memo:
        about = [c for c in claims if c.subjects[0].digest["sha256"] == value]
        ranks = [root.max_level for root in trust.roots if root.digest.hex == value]
        for one in about:
            content = one.content
            if isinstance(content, RootAcceptance):
                ranks += [content.max_level] if content.expires_at > NOW else []
            elif not isinstance(content, StepRecord) and content is not None:
                fresh = (NOW - content.verified_at).days <= 30  # type: ignore[union-attr]
                below = content.dependency_levels  # type: ignore[union-attr]
                ranks += [min(content.level, *below)] if fresh else []  # type: ignore[union-attr]
        made_by = [c.content for c in about if isinstance(c.content, StepRecord)]
        if len({to_account(step) for step in made_by}) == 1:
            for step in made_by:
                entry = trust.builders.get(step.builder)
                taken = (*step.inputs, *step.materials)
                parts = [find_naively(i.digest["sha256"], claims, trust, memo) for i in taken]
                ranks.append(min((entry.level if entry else 0, *parts)))
        memo[value] = max(ranks, default=-1)
    return memo[value]


@settings(max_examples=200, deadline=None)
@given(claims=steps(acyclic=True), ends=st.lists(cuts(), max_size=4), trust=trusts())
def test_the_level_is_that_of_the_definition(
    claims: list[Claim], ends: list[Claim], trust: TrustMap
) -> None:
    report = build([*claims, *ends], trust)
    memo: dict[str, int] = {}
    for node in report.nodes:
        value = node.id.removeprefix("sha256:")
        rank = find_naively(value, [*claims, *ends], trust, memo)
        assert node.level == max(rank, 0)
        if node.is_required:
            local = [p for p in node.problems if p.kind != "rejected"]
            assert not (rank >= 0 and local)
    assert has_problem(report) == (memo[HEXES[0]] < 0)


@settings(max_examples=400, deadline=None)
@given(claims=ANY, trust=trusts(), artifact=NODES, data=st.data())
def test_less_evidence_never_gives_more(
    claims: list[Claim], trust: TrustMap, artifact: str, data: st.DataObject
) -> None:
    supporting = [
        c for c in claims if c.content is not None and type(c.content).__name__ != "HumanReview"
    ]
    assume(supporting)
    gone = data.draw(st.sampled_from(supporting))
    assume(not contradicts(gone, claims))
    before = build(claims, trust, artifact)
    after = build([c for c in claims if c.id != gone.id], trust, artifact)
    assert after.level <= before.level
    assert after.completeness.rank <= before.completeness.rank
    doubts = [p for n in before.required for p in n.problems if p.kind != "rejected"]
    assert not doubts or has_problem(after)


@settings(max_examples=200, deadline=None)
@given(claims=ANY, trust=trusts(), artifact=NODES, bad=st.sampled_from(NAMES))
def test_evidence_of_failure_never_gives_more(
    claims: list[Claim], trust: TrustMap, artifact: str, bad: str
) -> None:
    before = build(claims, trust, artifact)
    denied = replace(trust, denied=(DeniedDigest(Digest(sha(bad)), "no"),))
    worse = [build([*claims, reviewed(bad, "reject", ago=0)], trust, artifact)]
    worse.append(build(claims, denied, artifact))
    if any(is_made(bad, one) for one in claims):
        worse.append(build([*claims, made(bad, "other", kind="distil")], trust, artifact))
    for after in worse:
        assert after.level <= before.level
        assert after.completeness.rank <= before.completeness.rank
        assert not has_problem(before) or has_problem(after)


def is_made(name: str, one: Claim) -> bool:
    """Return whether a claim says how something was made, and not only from itself."""
    step, value = one.content, sha(name)
    if not isinstance(step, StepRecord) or one.subjects[0].digest["sha256"] != value:
        return False
    return all(item.digest["sha256"] != value for item in (*step.inputs, *step.materials))


@settings(max_examples=200, deadline=None)
@given(claims=ANY, trust=trusts(), artifact=NODES, extra=ANY)
def test_what_nobody_trusted_says_changes_nothing_but_what_is_set_aside(
    claims: list[Claim], trust: TrustMap, artifact: str, extra: list[Claim]
) -> None:
    untrusted = [
        replace(c, id=Digest(sha(f"{c.id}{index}")), attributions=by)
        for index, c in enumerate(extra)
        for by in ((), (replace(c.attributions[0], signer="idle"),))[index % 2 :][:1]
    ]
    before = build(claims, trust, artifact)
    after = build([*claims, *untrusted], trust, artifact)
    assert len(after.set_aside) == len(before.set_aside) + len(untrusted)
    assert replace(after, set_aside=()) == replace(before, set_aside=())


@settings(max_examples=200, deadline=None)
@given(claims=ANY, trust=trusts(), artifact=NODES)
def test_a_report_holds_together(claims: list[Claim], trust: TrustMap, artifact: str) -> None:
    report = build(claims, trust, artifact)
    nodes: Mapping[str, object] = report.by_id()
    assert len(nodes) == len(report.nodes)
    assert report.nodes[0].id == report.artifact == report.weakest_path[0]
    assert [(n.depth, n.id) for n in report.nodes] == sorted((n.depth, n.id) for n in report.nodes)
    steps_there = {(edge.source, edge.target) for edge in report.edges}
    path = report.weakest_path
    assert all(pair in steps_there for pair in itertools.pairwise(path))
    end = report.by_id()[path[-1]]
    assert end.level == report.level
    for node in report.nodes:
        assert node.level <= node.own_level
        built = {edge.target for edge in report.edges if edge.source == node.id}
        assert built <= nodes.keys()
        if node.origin is Origin.UNKNOWN:
            assert node.level == 0
    assert report.level == min(node.level for node in report.required)
    assert len(report.claims) + len(report.set_aside) == len({c.id for c in claims})
