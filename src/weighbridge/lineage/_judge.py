"""Judgement: what each node is worth, what it has to rest on, and which problems that leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from weighbridge.core import MAX_BUILD_LEVEL, Completeness
from weighbridge.lineage._order import Rule, derive, find_circles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.lineage._graph import Fact

__all__ = ["Choice", "Judgement", "judge"]

# A whole is not worth less for being asked for one part.
_BEST_RANK = MAX_BUILD_LEVEL + 1
_BEST_COMPLETENESS = Completeness.ENFORCED.rank


class Choice(NamedTuple):
    """Why a node is believed, and the nodes that this needs.

    Attributes:
        made: Which provenance, by its place in ``Fact.made``; -1 if none.
        whole: Which folder, by its place in ``Fact.wholes``; -1 if none.
        value: The rank of this reason by itself.
        needs: The nodes, by their places.
    """

    made: int
    whole: int
    value: int
    needs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What follows from all facts together; each list has the order of the facts.

    Attributes:
        ranks: 0 for what is not to be believed, else one more than the level.
        completeness: The least completeness of the chain, as a rank.
        choices: Why each node is believed; for rank 0 what would have to be.
        is_circle: Whether a node was made from itself, by way of others.
        is_required: Whether the artifact depends on it.
        leading_back: The folders, by place, that were themselves made from the node in them.
    """

    ranks: list[int]
    completeness: list[int]
    choices: list[Choice]
    is_circle: list[bool]
    is_required: list[bool]
    leading_back: list[frozenset[int]]


def judge(facts: Sequence[Fact]) -> Judgement:
    """Judge the artifact, which is the first, and all that it leads to."""
    places = {fact.id: index for index, fact in enumerate(facts)}
    inputs = [
        [tuple(sorted({places[item.target] for item in made.inputs})) for made in fact.made]
        for fact in facts
    ]
    wholes = [[places[place.folder] for place in fact.wholes] for fact in facts]
    complete = derive(len(facts), _list_completeness_rules(facts, inputs, wholes)).values
    rules, reasons = _list_rank_rules(facts, inputs, wholes, complete=complete)
    ranks, chosen = derive(len(facts), rules)
    circles = _find_circles(facts, ranks, inputs)
    leading_back = _find_leading_back(facts, inputs, wholes)
    choices = []
    for index, fact in enumerate(facts):
        if chosen[index] < 0:
            back = leading_back[index]
            choices.append(_choose_unsound(fact, inputs[index], wholes[index], back))
        else:
            reason = reasons[chosen[index]]
            # Nothing below a cut is needed, even where provenance gives more than the cut.
            choices.append(reason._replace(needs=()) if fact.cut else reason)
    return Judgement(ranks, complete, choices, circles, _find_required(choices), leading_back)


def _list_completeness_rules(
    facts: Sequence[Fact], inputs: list[list[tuple[int, ...]]], wholes: list[list[int]]
) -> list[Rule]:
    rules: list[Rule] = []
    for head, fact in enumerate(facts):
        if fact.cut:
            rules.append(Rule(head, _BEST_COMPLETENESS, (), 0))
            continue
        if fact.is_conflict:
            continue
        rules += [
            Rule(head, made.completeness, needs, 0)
            for made, needs in zip(fact.made, inputs[head], strict=True)
            if made.completeness
        ]
        rules += [Rule(head, _BEST_COMPLETENESS, (whole,), 0) for whole in wholes[head]]
    return rules


def _list_rank_rules(
    facts: Sequence[Fact],
    inputs: list[list[tuple[int, ...]]],
    wholes: list[list[int]],
    *,
    complete: list[int],
) -> tuple[list[Rule], list[Choice]]:
    """Return why each node may be believed. Two provenances that disagree are no reason at all."""
    count = len(facts)
    rules: list[Rule] = []
    reasons: list[Choice] = []

    def add(head: int, choice: Choice, order: int) -> None:
        rules.append(Rule(head, choice.value, choice.needs, order))
        reasons.append(choice)

    for head, fact in enumerate(facts):
        if fact.cut:
            # After all provenance that gives as much, the farthest first.
            add(head, Choice(-1, -1, fact.cut.level + 1, ()), count - head)
        if fact.is_conflict:
            continue
        for index, made in enumerate(fact.made):
            if made.own_rank:
                add(head, Choice(index, -1, made.own_rank, inputs[head][index]), 0)
        for index, whole in enumerate(wholes[head]):
            # Last; of several wholes the one first that is known best.
            order = 1 + count + (_BEST_COMPLETENESS - complete[whole]) * count + whole
            add(head, Choice(-1, index, _BEST_RANK, (whole,)), order)
    return rules, reasons


def _find_circles(
    facts: Sequence[Fact], ranks: list[int], inputs: list[list[tuple[int, ...]]]
) -> list[bool]:
    edges = [() if ranks[index] else _unite(inputs[index]) for index in range(len(facts))]
    return [number >= 0 for number in find_circles(edges)]


def _find_leading_back(
    facts: Sequence[Fact], inputs: list[list[tuple[int, ...]]], wholes: list[list[int]]
) -> list[frozenset[int]]:
    """Return for each node the wholes that were themselves made from it: they tell nothing."""
    if not any(wholes):
        return [frozenset()] * len(facts)
    edges = [(*_unite(inputs[index]), *wholes[index]) for index in range(len(facts))]
    circles = find_circles(edges)
    return [
        frozenset(whole for whole in wholes[index] if circles[index] == circles[whole] >= 0)
        for index in range(len(facts))
    ]


def _unite(inputs: list[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the nodes of all provenances."""
    if len(inputs) == 1:
        return inputs[0]
    return tuple(sorted({item for needs in inputs for item in needs}))


def _choose_unsound(
    fact: Fact, inputs: list[tuple[int, ...]], wholes: list[int], leading_back: frozenset[int]
) -> Choice:
    """Return what a node that is not to be believed would have to rest on."""
    if fact.made:
        is_own = fact.is_conflict or all(made.missing for made in fact.made)
        return Choice(0, -1, 0 if is_own else fact.made[0].own_rank, _unite(inputs))
    for index, whole in enumerate(wholes):
        if whole not in leading_back:
            return Choice(-1, index, _BEST_RANK, (whole,))
    return Choice(-1, -1, 0, ())


def _find_required(choices: Sequence[Choice]) -> list[bool]:
    is_required = [False] * len(choices)
    waiting = [0]
    is_required[0] = True
    while waiting:
        for item in choices[waiting.pop()].needs:
            if not is_required[item]:
                is_required[item] = True
                waiting.append(item)
    return is_required
