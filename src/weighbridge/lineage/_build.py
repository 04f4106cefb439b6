"""From verified statements to the graph of what an artifact was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.core import (
    DEFAULT_LIMITS,
    ArtifactKind,
    LineageReport,
    StepRecord,
    collection_paused,
)
from weighbridge.errors import LimitExceededError
from weighbridge.lineage._aliases import find_aliases
from weighbridge.lineage._believe import believe, put_aside
from weighbridge.lineage._graph import Known, gather_facts
from weighbridge.lineage._inclusion import list_folders
from weighbridge.lineage._judge import judge
from weighbridge.lineage._report import find_weakest_path, list_edges, list_nodes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from weighbridge.core import (
        Claim,
        Digest,
        Limits,
        Manifest,
        PolicyRoot,
        SetAside,
        TrustMap,
    )
    from weighbridge.lineage._believe import Beliefs
    from weighbridge.lineage._graph import Fact

__all__ = ["build_lineage"]

_UNRELATED = "it is about something else"


@collection_paused()
def build_lineage(  # noqa: PLR0913 - each is one thing that is known
    artifact: Digest,
    claims: Sequence[Claim],
    *,
    trust: TrustMap,
    at: datetime,
    label: str = "",
    manifests: Sequence[Manifest] = (),
    set_aside: Sequence[SetAside] = (),
    limits: Limits = DEFAULT_LIMITS,
) -> LineageReport:
    """Relate verified statements to each other, starting at one artifact.

    Pure: no I/O and no clock; the same claims give the same report in any order. Nothing recurses,
    so a chain may be as long as it likes. Time and memory are linear in the claims and in the files
    of the manifests, but for sorting.

    Args:
        artifact: Its artifact digest.
        claims: Statements whose signatures hold, by signers that ``trust`` names.
        trust: Whose word counts for what; levels come from here and from nowhere else.
        at: When it is judged, aware: what ended, is too old or is dated in the future.
        label: What people call the artifact.
        manifests: Of what was weighed: the artifact, and whatever else is known by its files.
        set_aside: What whoever read the claims could not use; goes into the report first.
        limits: ``max_claims``; ``max_entries`` for edges, and eightfold for files compared.

    Returns:
        The artifact first. Without any claim it is a dead end, which is a problem.

    Raises:
        LimitExceededError: More claims or edges.
    """
    if len(claims) > limits.max_claims:
        raise LimitExceededError(
            "max_claims", limit=limits.max_claims, actual=len(claims), subject="claims"
        )
    beliefs = believe(claims, trust=trust, at=at)
    folders = list_folders(manifests, beliefs.listings, most=8 * limits.max_entries)
    if folders.files:
        folders.note_places(_list_wanted(artifact, beliefs, trust))
    known = Known(
        beliefs,
        find_aliases(beliefs, folders.listings),
        folders,
        _index_roots(trust.roots),
        trust=trust,
        at=at,
        limits=limits,
        folder_inputs=_list_folder_inputs(beliefs),
    )
    facts = gather_facts(str(artifact), known)
    judgement = judge(facts)
    nodes = list_nodes(facts, judgement, known, label=label)
    _note_used(known, facts)
    unrelated = (
        put_aside(claim, _UNRELATED, is_unrelated=True)
        for key, claim in beliefs.claims.items()
        if key not in known.used
    )
    return LineageReport(
        artifact=str(artifact),
        nodes=nodes,
        edges=list_edges(facts, judgement),
        level=nodes[0].level,
        completeness=nodes[0].chain_completeness,
        weakest_path=find_weakest_path(nodes, judgement),
        claims=tuple(claim for key, claim in beliefs.claims.items() if key in known.used),
        set_aside=(
            *sorted(set_aside, key=lambda item: item.is_unrelated),
            *beliefs.set_aside,
            *unrelated,
        ),
        is_judged=bool(trust.roles or trust.roots),
    )


def _list_wanted(artifact: Digest, beliefs: Beliefs, trust: TrustMap) -> set[str]:
    """Return the hex of all that could lie in a folder, or must not."""
    wanted = {artifact.hex, *(item.digest.hex for item in trust.denied)}
    for claim in beliefs.claims.values():
        for subject in claim.subjects:
            wanted.add(subject.digest.get("sha256", ""))
        if isinstance(claim.content, StepRecord):
            for item in (*claim.content.inputs, *claim.content.materials):
                wanted.add(item.digest.get("sha256", ""))
    return wanted


def _list_folder_inputs(beliefs: Beliefs) -> frozenset[str]:
    """Return what steps took in as folders, as builders that the policy lists say."""
    return frozenset(
        f"sha256:{item.digest['sha256']}"
        for step in beliefs.by_claim.values()
        if step.level
        for item in step.record.inputs
        if item.annotations.get("kind") == ArtifactKind.FOLDER and "sha256" in item.digest
    )


def _index_roots(roots: Iterable[PolicyRoot]) -> dict[str, list[PolicyRoot]]:
    index: dict[str, list[PolicyRoot]] = {}
    for root in roots:
        index.setdefault(str(root.digest), []).append(root)
    return index


def _note_used(known: Known, facts: Sequence[Fact]) -> None:
    """Note what was said about the nodes themselves, besides what they rest on."""
    beliefs, used = known.beliefs, known.used
    ids = {name for fact in facts for name in known.aliases.list_names(fact.id)}
    for kind in (beliefs.results, beliefs.environments, beliefs.others, beliefs.reviews):
        for name, said in kind.items():
            if name in ids:
                used.update(one.claim.id.hex for one in said)
    used.update(listing.claim for listing in known.folders.listings if listing.id in ids)
    for name, reviews in beliefs.reviews.items():
        places = known.folders.find_file(name.removeprefix("sha256:"))
        targets = known.aliases.find(name)
        if any(place.folder in ids for place in places) or not ids.isdisjoint(targets):
            used.update(said.claim.id.hex for said in reviews)
