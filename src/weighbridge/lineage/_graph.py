"""The graph: everything that an artifact was made from or is part of, and why each is believed."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from weighbridge.errors import LimitExceededError
from weighbridge.lineage._aliases import SURE
from weighbridge.lineage._believe import gather_said
from weighbridge.lineage._cuts import Ends, find_cut, list_expired
from weighbridge.lineage._ids import shown
from weighbridge.lineage._ranks import find_missing_ranks, list_rank_claims

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from weighbridge.core import Dependency, Limits, PolicyRoot, StepRecord, TrustMap
    from weighbridge.lineage._aliases import Aliases
    from weighbridge.lineage._believe import Beliefs, Step
    from weighbridge.lineage._cuts import Cut
    from weighbridge.lineage._inclusion import Folders, Place

__all__ = ["Fact", "Input", "Known", "Made", "gather_facts", "list_others"]


class Input(NamedTuple):
    """One thing that a step was made from, as a node."""

    target: str
    role: str
    name: str


class Made(NamedTuple):
    """One provenance of a node.

    Attributes:
        step: What is believed.
        inputs: The nodes that it was made from, sorted.
        missing: Which ranks are missing, in words; empty if none is.
        most: How much it can be worth, as a rank, by who bound the aliases that it went by.
    """

    step: Step
    inputs: tuple[Input, ...]
    missing: str
    most: int

    @property
    def own_rank(self) -> int:
        """0 if it cannot be believed, else one more than its level."""
        return 0 if self.missing else min(self.step.level + 1, self.most)

    @property
    def completeness(self) -> int:
        """How well its inputs are known, as a rank; what a missing rank took in is not."""
        return 0 if self.missing else self.step.completeness


class Fact(NamedTuple):
    """What is known of one node by itself.

    Attributes:
        id: Of the node.
        depth: Steps from the artifact, the shortest way.
        made: Its provenances, the best first.
        copies: Provenances that took it in and gave it out.
        wholes: The folders that it lies in.
        cut: What ends the chain here.
        expired: What once did.
        candidates: Ids that contradicting statements bind to this alias.
        is_conflict: Whether two of ``made`` disagree.
        is_cut_short: Whether not all folders could be looked at.
    """

    id: str
    depth: int
    made: tuple[Made, ...] = ()
    copies: tuple[Step, ...] = ()
    wholes: tuple[Place, ...] = ()
    cut: Cut | None = None
    expired: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    is_conflict: bool = False
    is_cut_short: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """Everything that the graph is made from.

    Attributes:
        beliefs: Statements that count.
        aliases: What they bind to what.
        folders: Whose files are known.
        roots: The policy's, by id.
        trust: The verifier's.
        at: When it is judged.
        limits: ``max_entries`` is for edges.
        folder_inputs: Ids of what steps by listed builders took in as folders.
        used: Hex of the statements that the graph rests on; grows.
        candidates: What an alias that is not usable may be; grows.
        steps: The inputs of each statement, found once; grows.
    """

    beliefs: Beliefs
    aliases: Aliases
    folders: Folders
    roots: dict[str, list[PolicyRoot]]
    trust: TrustMap
    at: datetime
    limits: Limits
    folder_inputs: frozenset[str] = frozenset()
    used: set[str] = field(default_factory=set)
    candidates: dict[str, tuple[str, ...]] = field(default_factory=dict)
    steps: dict[str, Made] = field(default_factory=dict)


def gather_facts(artifact: str, known: Known) -> list[Fact]:
    """Return what is known of the artifact and of all that it leads to; by depth, then id.

    Raises:
        LimitExceededError: More than ``max_entries`` edges.
    """
    depths = {artifact: 0}
    facts: list[Fact] = []
    level, depth, edges = [artifact], 0, 0
    while level:
        following: set[str] = set()
        for name in level:
            fact = _gather(name, depth, known)
            facts.append(fact)
            edges += sum(len(made.inputs) for made in fact.made) + len(fact.wholes)
            if edges > known.limits.max_entries:
                raise LimitExceededError(
                    "max_entries",
                    limit=known.limits.max_entries,
                    actual=edges,
                    subject="edges of the lineage",
                )
            following.update(item.target for made in fact.made for item in made.inputs)
            following.update(place.folder for place in fact.wholes)
        depth += 1
        level = sorted(name for name in following if name not in depths)
        depths.update(dict.fromkeys(level, depth))
    return [
        fact._replace(candidates=known.candidates[fact.id]) if fact.id in known.candidates else fact
        for fact in facts
    ]


def _gather(name: str, depth: int, known: Known) -> Fact:
    made: list[Made] = []
    copies: list[Step] = []
    for step, rank in _list_steps(name, known):
        known.used.add(step.claim.id.hex)
        found = _resolve_step(step, known)
        if any(item.target == name for item in found.inputs):
            copies.append(step)
        else:
            made.append(found if rank >= found.most else found._replace(most=rank))
    if len(made) > 1:
        made.sort(key=lambda one: _to_order(one, known.at))
    wholes, is_whole = _find_wholes(name, known)
    bound = known.aliases.find(name)
    if len(bound) > 1:
        known.used.update(bond.claim for bond in bound.values())
        known.candidates.setdefault(name, tuple(sorted(bound)))
    cut, expired = _find_end(known.aliases.list_names(name), known)
    return Fact(
        name,
        depth,
        made=tuple(made),
        copies=tuple(copies),
        wholes=tuple(wholes),
        cut=cut,
        expired=expired,
        is_conflict=len(made) > 1 and _is_conflict(made),
        is_cut_short=not is_whole,
    )


def _to_order(made: Made, at: datetime) -> tuple[int, int, float, str]:
    """Return where a provenance stands among others of a node: the best first, then the latest."""
    ended = made.step.record.finished_at
    age_s = (at - ended).total_seconds() if ended is not None and ended <= at else inf
    return -made.own_rank, -made.completeness, age_s, made.step.claim.id.hex


def _list_steps(name: str, known: Known) -> list[tuple[Step, int]]:
    """Return the provenance of a node under any of its names, and the rank of the best of these.

    A file that lists a folder's files has the folder's digest: that somebody had such a file made
    says nothing about the folder.
    """
    is_folder = name in known.folders.files or name in known.folder_inputs
    if name not in known.aliases.names:
        steps = known.beliefs.steps.get(name, ())
        return [(step, SURE) for step in steps if not (is_folder and name in step.files)]
    found: dict[str, tuple[Step, int]] = {}
    for alias, rank in known.aliases.rank_names(name).items():
        for step in known.beliefs.steps.get(alias, ()):
            if is_folder and alias in step.files:
                continue
            key = step.claim.id.hex
            if key not in found or found[key][1] < rank:
                found[key] = (step, rank)
    return list(found.values())


def _find_end(names: Sequence[str], known: Known) -> tuple[Cut | None, tuple[str, ...]]:
    """Return what ends the chain at a node, and what once did.

    Args:
        names: Its id, then its aliases.
        known: Everything.
    """
    beliefs = known.beliefs
    acceptances = gather_said(beliefs.acceptances, names)
    summaries = gather_said(beliefs.summaries, names)
    roots = known.roots.get(names[0], [])
    if not (acceptances or summaries or roots):
        return None, ()
    known.used.update(said.claim.id.hex for said in acceptances)
    known.used.update(said.claim.id.hex for said in summaries)
    ends = Ends(acceptances, summaries, roots)
    cut = find_cut(ends, trust=known.trust, at=known.at)
    return cut, tuple(list_expired(ends, trust=known.trust, at=known.at))


def _resolve_step(step: Step, known: Known) -> Made:
    """Return a step with its inputs as nodes."""
    key = step.claim.id.hex
    if key not in known.steps:
        followed = [_resolve_input(item, key, known) for item in step.record.followed]
        inputs = {item for item, _ in followed}
        most = min((rank for _, rank in followed), default=SURE)
        missing = find_missing_ranks(step.record, known.beliefs.by_claim)
        if step.record.byproducts:
            ranks = list_rank_claims(step.record).values()
            known.used.update(rank for rank in ranks if rank in known.beliefs.by_claim)
        known.steps[key] = Made(step, tuple(sorted(inputs)), missing, most)
    return known.steps[key]


def list_others(record: StepRecord) -> list[Dependency]:
    """Return what else went into a step: lock files, source, packages; these are no nodes."""
    return [
        *(item for item in record.inputs if item.is_lock_file),
        *(item for item in record.materials if item.role != "undeclared"),
    ]


def _resolve_input(item: Dependency, claim: str, known: Known) -> tuple[Input, int]:
    """Return the node that an input is, and the rank of whoever says so."""
    found = known.aliases.resolve(item.digest)
    known.used.update(found.claims)
    name = found.id or f"unnamed:{claim}/{shown(item.name)}"
    if len(found.candidates) > 1:
        known.candidates[name] = found.candidates
    return Input(name, shown(item.role), shown(item.name)), found.rank


def _find_wholes(name: str, known: Known) -> tuple[Sequence[Place], bool]:
    """Return the folders that a node lies in, and whether all could be looked at.

    What is known as a folder lies in another only with all its files: a file that holds the list of
    a folder's files has the digest of that folder.
    """
    if not (known.folders.files and name.startswith("sha256:")):
        return (), True
    if name in known.folders.files:
        places, is_whole = known.folders.find_folder(name)
    else:
        places, is_whole = known.folders.find_file(name.removeprefix("sha256:")), True
    return [place for place in places if place.folder != name], is_whole


def _is_conflict(made: Sequence[Made]) -> bool:
    """Return whether two provenances disagree in what was done, or to what.

    What a monitor saw besides may differ: a step that is run again reads other temporary files.
    """
    return len({_to_account(one) for one in made}) > 1


def _to_account(made: Made) -> tuple[str, frozenset[tuple[str, str]]]:
    return made.step.record.kind, frozenset(
        (item.role, item.name if item.target.startswith("unnamed:") else item.target)
        for item in made.inputs
        if item.role != "undeclared"
    )
