"""Problems: what is wrong with a node, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.core import LineageProblem, ProblemKind
from weighbridge.lineage._graph import list_others
from weighbridge.lineage._ids import shown
from weighbridge.lineage._reviews import find_rejects

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weighbridge.core import DeniedDigest
    from weighbridge.lineage._graph import Fact, Known

_KINDS = tuple(ProblemKind)

__all__ = ["Against", "find_against", "find_dead_end", "find_problems", "to_order"]


@dataclass(frozen=True, slots=True)
class Against:
    """What speaks against digests, whatever speaks for them.

    Attributes:
        denied: Id to the policy's reason.
        rejected: Id to the rejects that stand.
        inside: Id of a folder to files in it that are denied or rejected: path and id.
        roots: Id of a folder to its OMS root, which may be what is denied.
    """

    denied: Mapping[str, str]
    rejected: Mapping[str, list[str]]
    inside: Mapping[str, list[tuple[str, str]]]
    roots: Mapping[str, str]


def _list_denied(denied: Iterable[DeniedDigest]) -> dict[str, str]:
    """Return the policy's reasons by id; of two for one digest the first in the order of words."""
    found: dict[str, str] = {}
    for item in sorted(denied, key=lambda d: (d.digest, d.reason)):
        found.setdefault(str(item.digest), item.reason)
    return found


def _list_rejected(known: Known) -> dict[str, list[str]]:
    """Return the rejects that stand, by id of what was rejected."""
    found = {name: find_rejects(said, known.at) for name, said in known.beliefs.reviews.items()}
    return {name: rejects for name, rejects in found.items() if rejects}


def find_against(known: Known) -> Against:
    """Return what speaks against digests, and which known folders hold one of these."""
    denied, rejected = _list_denied(known.trust.denied), _list_rejected(known)
    inside: dict[str, list[tuple[str, str]]] = {}
    for name in sorted({*denied, *rejected}):
        for place in known.folders.find_file(name.removeprefix("sha256:")):
            inside.setdefault(place.folder, []).append((place.path, name))
    roots = known.folders.find_roots() if denied or rejected else {}
    return Against(denied, rejected, inside, roots)


def find_problems(
    fact: Fact, against: Against, known: Known, *, is_believed: bool, is_circle: bool
) -> list[LineageProblem]:
    """Return what is wrong with a node by itself, in no order; a dead end is not for this to tell.

    What is denied or rejected stays so whatever else is known. All others are problems of a node
    that nothing else makes good.

    Args:
        fact: What is known of it.
        against: What is denied and rejected.
        known: All aliases.
        is_believed: Whether something makes it good.
        is_circle: Whether it was made from itself, by way of others.
    """
    if is_believed and not (against.denied or against.rejected):
        return []
    found = {*_find_denied(fact, against, known), *_find_rejected(fact, against, known)}
    if not is_believed:
        found |= set(_find_doubts(fact, is_circle=is_circle))
    return list(found)


def to_order(problem: LineageProblem) -> tuple[int, str]:
    """Return where a problem stands among others."""
    return _KINDS.index(problem.kind), problem.message


def find_dead_end(fact: Fact, *, is_undeclared: bool = False) -> LineageProblem:
    """Return why nothing is known of a node about which nothing else is to be said.

    Args:
        fact: What is known of it.
        is_undeclared: Whether it is only there because a step read it that had not declared it.
    """
    if fact.copies:
        if any(step.record.kind == "fetch" for step in fact.copies):
            words = "it was only fetched, and nobody says how it was made; accept it or list it"
        else:
            words = "it was only made from itself; nothing says where it is from"
    elif fact.wholes:
        words = "it is only known as a part of what was made from it"
    elif fact.id.startswith("unnamed:"):
        words = "the statement gives no digest of it, so that nothing can be known about it"
    elif is_undeclared:
        words = (
            "a step read it and had not declared it, and nothing is known about where it is from;"
            " keep it from the step, or accept it"
        )
    else:
        words = "nothing is known about where it is from; get its claims, or accept it"
    return LineageProblem(ProblemKind.DEAD_END, words)


def _find_denied(fact: Fact, against: Against, known: Known) -> Iterable[LineageProblem]:
    denied = against.denied
    for name in _list_names(fact, against, known):
        if name in denied:
            yield _to_denied("it", denied[name])
    for path, name in against.inside.get(fact.id, ()):
        if name in denied:
            yield _to_denied(f"{shown(path)} in it", denied[name])
    steps = (*(made.step for made in fact.made), *fact.copies)
    for step in steps:
        for item in list_others(step.record):
            name = f"sha256:{item.digest.get('sha256', '')}"
            if name in denied:
                yield _to_denied(f"{shown(item.name)}, which went into it,", denied[name])


def _to_denied(what: str, reason: str) -> LineageProblem:
    return LineageProblem(ProblemKind.DENIED, f"the policy denies {what}: {shown(reason)}")


def _find_rejected(fact: Fact, against: Against, known: Known) -> Iterable[LineageProblem]:
    rejected = against.rejected
    for name in _list_names(fact, against, known):
        for words in rejected.get(name, ()):
            yield LineageProblem(ProblemKind.REJECTED, words)
    for path, name in against.inside.get(fact.id, ()):
        for words in rejected.get(name, ()):
            yield LineageProblem(ProblemKind.REJECTED, f"{shown(path)} in it: {words}")


def _list_names(fact: Fact, against: Against, known: Known) -> list[str]:
    """Return all ids that a node has, or may have."""
    names = {fact.id, *fact.candidates}
    names.update(against.roots[name] for name in tuple(names) if name in against.roots)
    for name in tuple(names):
        names |= known.aliases.names.get(name, set())
    return sorted(names)


def _find_doubts(fact: Fact, *, is_circle: bool) -> Iterable[LineageProblem]:
    if is_circle:
        words = "it was made from itself, by way of others"
        yield LineageProblem(ProblemKind.CYCLE, words)
    if fact.is_conflict:
        yield LineageProblem(ProblemKind.CONFLICT, _to_conflict(fact))
    for made in fact.made:
        if made.missing:
            yield LineageProblem(ProblemKind.MISSING_RANK, made.missing)
    for words in fact.expired:
        yield LineageProblem(ProblemKind.EXPIRED, words)
    if fact.candidates:
        first, second, *_ = fact.candidates
        words = f"statements contradict each other in what it is: {first} or {second}"
        yield LineageProblem(ProblemKind.ALIAS, words)
    if fact.is_cut_short:
        words = "in which folders it lies was not found out: they hold too many files"
        yield LineageProblem(ProblemKind.TOO_LARGE, words)


def _to_conflict(fact: Fact) -> str:
    said = sorted(
        {
            f"{made.step.record.kind} by {', '.join(map(shown, made.step.signers))}"
            for made in fact.made
        }
    )
    return f"{len(fact.made):,} statements disagree about how it was made: {'; '.join(said[:4])}"
