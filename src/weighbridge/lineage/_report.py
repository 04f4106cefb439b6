"""The report: nodes, edges and the weakest path, in an order that depends on nothing but them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.core import (
    Completeness,
    EdgeKind,
    LineageEdge,
    LineageNode,
    Origin,
    ProblemKind,
)
from weighbridge.lineage._believe import gather_said
from weighbridge.lineage._ids import shown
from weighbridge.lineage._problems import find_against, find_dead_end, find_problems, to_order
from weighbridge.lineage._reviews import list_reviews

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from weighbridge.core import Claim, Digest, Environment, LineageProblem
    from weighbridge.lineage._graph import Fact, Known, Made
    from weighbridge.lineage._judge import Choice, Judgement
    from weighbridge.lineage._problems import Against

__all__ = ["find_weakest_path", "list_edges", "list_nodes"]

_ORDER = tuple(Completeness)
_UNDECLARED = "undeclared"
_LAST = "\U0010ffff"  # behind every name that people can be shown


@dataclass(frozen=True, slots=True)
class _Called:
    """How those speak of a node that took it in."""

    label: str
    is_undeclared: bool


def list_nodes(
    facts: Sequence[Fact], judgement: Judgement, known: Known, *, label: str
) -> tuple[LineageNode, ...]:
    """Return a node for each fact, in their order; ``label`` is that of the first."""
    against = find_against(known)
    labels = _find_labels(facts)
    if label:
        labels[facts[0].id] = shown(label)
    undeclared = _find_undeclared(facts)
    return tuple(
        _build_node(
            index,
            fact,
            judgement,
            known=known,
            against=against,
            called=_Called(labels[fact.id], is_undeclared=fact.id in undeclared),
        )
        for index, fact in enumerate(facts)
    )


def list_edges(facts: Sequence[Fact], judgement: Judgement) -> tuple[LineageEdge, ...]:
    """Return all edges, sorted; what several statements say, once.

    That something lies in what was made from it is no edge, unless it is believed for that.
    """
    edges: dict[tuple[str, str, str, str, EdgeKind], LineageEdge] = {}
    places = {fact.id: index for index, fact in enumerate(facts)}
    for index, fact in enumerate(facts):
        for made in fact.made:
            claim = made.step.claim.id
            for target, role, name in made.inputs:
                key = (fact.id, target, name, role, EdgeKind.MADE_FROM)
                seen = edges.get(key)
                if seen is None or (seen.claim is not None and claim < seen.claim):
                    edges[key] = LineageEdge(fact.id, target, key[4], role, name, claim)
        for at, place in enumerate(fact.wholes):
            is_chosen = judgement.choices[index].whole == at
            if is_chosen or places[place.folder] not in judgement.leading_back[index]:
                name = shown(place.path)
                key = (fact.id, place.folder, name, "", EdgeKind.PART_OF)
                edges[key] = LineageEdge(fact.id, place.folder, key[4], "", name)
    return tuple(edges[key] for key in sorted(edges))


def find_weakest_path(nodes: Sequence[LineageNode], judgement: Judgement) -> tuple[str, ...]:
    """Return the ids from the artifact to the node that its level comes from.

    Of several the one whose own inputs are known worst, then the nearest, then the first by id.
    """
    ranks, choices = judgement.ranks, judgement.choices
    came_from = {0: -1}
    level, distance = [0], 0
    best: tuple[int, int, str] | None = None
    end = 0
    while level:
        for index in level:
            is_end = choices[index].value == ranks[index] or not choices[index].needs
            if not is_end and not judgement.is_circle[index]:
                continue
            found = (nodes[index].completeness.rank, distance, nodes[index].id)
            if best is None or found < best:
                best, end = found, index
        following: dict[int, int] = {}
        for index in level:
            for item in choices[index].needs:
                if ranks[item] == ranks[0] and item not in came_from:
                    following.setdefault(item, index)
        came_from |= following
        level, distance = sorted(following, key=lambda item: nodes[item].id), distance + 1
    path = []
    while end >= 0:
        path.append(nodes[end].id)
        end = came_from[end]
    return tuple(reversed(path))


def _find_labels(facts: Sequence[Fact]) -> dict[str, str]:
    """Return what statements call each node: the provenance itself, else what it went into."""
    labels: dict[str, str] = {}
    for fact in facts:
        for made in fact.made:
            for target, _, name in made.inputs:
                if name and name < labels.get(target, _LAST):
                    labels[target] = name
    called: dict[str, dict[tuple[str, str], str]] = {}
    for fact in facts:
        steps = (fact.made[0].step,) if fact.made else fact.copies[:1]
        algorithm, _, value = fact.id.partition(":")
        own = ""
        for step in steps:
            key = step.claim.id.hex
            if key not in called:
                called[key] = _index_subjects(step.claim)
            own = called[key].get((algorithm, value), "")
        labels[fact.id] = shown(own) if own else labels.get(fact.id, "")
    return labels


def _find_undeclared(facts: Sequence[Fact]) -> set[str]:
    """Return the ids that steps took in and none declared."""
    declared: set[str] = set()
    read: set[str] = set()
    for fact in facts:
        for made in fact.made:
            for target, role, _ in made.inputs:
                (read if role == _UNDECLARED else declared).add(target)
    return read - declared


def _index_subjects(claim: Claim) -> dict[tuple[str, str], str]:
    """Return what a statement calls each digest; of several names the first."""
    names: dict[tuple[str, str], str] = {}
    for subject in claim.subjects:
        for item in subject.digest.items():
            if subject.name:
                names[item] = min(subject.name, names.get(item, subject.name))
    return names


def _build_node(
    index: int,
    fact: Fact,
    judgement: Judgement,
    *,
    known: Known,
    against: Against,
    called: _Called,
) -> LineageNode:
    beliefs, sound = known.beliefs, _list_sound(fact)
    names = known.aliases.list_names(fact.id)
    rank, choice = judgement.ranks[index], judgement.choices[index]
    level, cut = max(rank - 1, 0), fact.cut
    made = _choose_made(fact, choice)
    record = made.step.record if made else None
    origin = _find_origin(fact, choice)
    is_required = judgement.is_required[index]
    complete = judgement.completeness[index]
    problems = find_problems(
        fact, against, known, is_believed=rank > 0, is_circle=judgement.is_circle[index]
    )
    if is_required and _is_dead_end(choice, problems):
        problems = [*problems, find_dead_end(fact, is_undeclared=called.is_undeclared)]
    return LineageNode(
        id=fact.id,
        label=called.label,
        origin=origin,
        own_level=max([level, *[one.own_rank - 1 for one in sound]]),
        level=level,
        completeness=_ORDER[max([complete, *[one.completeness for one in sound]])],
        chain_completeness=_ORDER[complete],
        is_required=is_required,
        depth=fact.depth,
        builder=record.builder if record else "",
        kind=record.kind if record else "",
        signers=_find_signers(fact, origin),
        made_at=record.finished_at if record else None,
        license=cut.license if cut else "",
        claim=_find_claim(fact, origin, made),
        step=record,
        environment=_choose_environment(fact.id, known, made),
        acceptance=cut.acceptance if cut else None,
        reviews=list_reviews(gather_said(beliefs.reviews, names)),
        results=tuple([said.content for said in gather_said(beliefs.results, names)]),
        reason=cut.reason if cut and origin is cut.origin else "",
        problems=tuple(sorted(problems, key=to_order)),
    )


def _choose_made(fact: Fact, choice: Choice) -> Made | None:
    if choice.made >= 0:
        return fact.made[choice.made]
    return fact.made[0] if fact.made else None


def _find_origin(fact: Fact, choice: Choice) -> Origin:
    if choice.made >= 0:
        return Origin.BUILT
    if fact.cut:
        return fact.cut.origin
    return Origin.PART if choice.whole >= 0 else Origin.UNKNOWN


def _find_signers(fact: Fact, origin: Origin) -> tuple[str, ...]:
    if origin is Origin.BUILT:
        if len(fact.made) == 1:
            return fact.made[0].step.signers
        return tuple(sorted({name for made in fact.made for name in made.step.signers}))
    return fact.cut.signers if fact.cut else ()


def _find_claim(fact: Fact, origin: Origin, made: Made | None) -> Digest | None:
    if origin is Origin.BUILT and made:
        return made.step.claim.id
    return fact.cut.claim if fact.cut else None


def _list_sound(fact: Fact) -> list[Made]:
    return [] if fact.is_conflict else [made for made in fact.made if not made.missing]


def _is_dead_end(choice: Choice, problems: Iterable[LineageProblem]) -> bool:
    """Return whether nothing is known of a node, and nothing else says so."""
    if choice.made >= 0 or choice.needs or choice.value:
        return False
    return all(p.kind in (ProblemKind.DENIED, ProblemKind.REJECTED) for p in problems)


def _choose_environment(name: str, known: Known, made: Made | None) -> Environment | None:
    """Return what the step ran on; of several statements one by whoever signed the provenance."""
    said = known.beliefs.environments.get(name)
    if not said:
        return None
    signers = frozenset(made.step.signers if made else ())
    ours = (one.content for one in said if not signers.isdisjoint(one.signers))
    return next(ours, said[0].content)
