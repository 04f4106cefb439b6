"""Aliases: which sha256 a commit, a tree, another hash or an OMS root leads to, if one does.

What is known by way of an alias is worth no more than the word of whoever bound it: a builder of
level 1 must not turn the base of a model of level 3 into something that was accepted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from weighbridge.core import (
    MAX_BUILD_LEVEL,
    HumanReview,
    RootAcceptance,
    StepRecord,
    VerificationSummary,
)
from weighbridge.lineage._ids import list_aliases, list_ids, name_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weighbridge.core import Claim
    from weighbridge.lineage._believe import Beliefs

__all__ = ["SURE", "Aliases", "Bond", "Resolved", "find_aliases"]

# One more than the highest level: as ranks of nodes are counted.
SURE = MAX_BUILD_LEVEL + 1
# Whoever says one of these could vouch for any digest, so may say which digest is which.
_BINDING = (StepRecord, RootAcceptance, HumanReview, VerificationSummary)

_REVISION = re.compile(r"hf://[!-?A-~]+@([0-9a-f]{40})")


class Bond(NamedTuple):
    """That an alias means a sha256: how far whoever says so is trusted, and the statement."""

    rank: int
    claim: str


class Resolved(NamedTuple):
    """What a set of digests means.

    Attributes:
        id: Of the node; empty if there is no digest.
        claims: The statements that this rests on, if it went by an alias.
        candidates: Ids that statements bind to it and that contradict each other.
        rank: One more than the level up to which those are trusted who say so.
    """

    id: str
    claims: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    rank: int = SURE


@dataclass(frozen=True, slots=True)
class Aliases:
    """What is bound to what, by whose word.

    Attributes:
        bound: Alias to ids of the form ``sha256:<hex>``, and these to who says so.
        names: ``sha256:<hex>`` to its aliases.
        resolved: What sets of digests mean, found once; grows.
    """

    bound: dict[str, dict[str, Bond]] = field(default_factory=dict)
    names: dict[str, set[str]] = field(default_factory=dict)
    resolved: dict[tuple[str, ...], Resolved] = field(default_factory=dict)

    def bind(self, alias: str, target: str, bond: Bond) -> None:
        """Note that a statement binds an alias; of several the best is kept, then the first."""
        if alias != target:
            targets = self.bound.setdefault(alias, {})
            if target not in targets or targets[target].rank < bond.rank:
                targets[target] = bond
            self.names.setdefault(target, set()).add(alias)

    def find(self, alias: str) -> Mapping[str, Bond]:
        """Return to which sha256 an alias is bound; several if statements contradict."""
        return self.bound.get(alias, {})

    def rank_names(self, name: str) -> dict[str, int]:
        """Return a node's id, then those of its aliases that mean nothing else, with their rank."""
        aliases = self.names.get(name)
        if not aliases:
            return {name: SURE}
        usable = sorted(alias for alias in aliases if len(self.bound[alias]) == 1)
        return {name: SURE} | {alias: self.bound[alias][name].rank for alias in usable}

    def list_names(self, name: str) -> list[str]:
        """Return those of a node's names that are as good as its id."""
        if name not in self.names:
            return [name]
        return [alias for alias, rank in self.rank_names(name).items() if rank == SURE]

    def resolve(self, digest: Mapping[str, str]) -> Resolved:
        """Return which node a set of digests means.

        An alias that is bound to nothing, or to several, stays what it is.
        """
        ids = list_ids(digest)
        if self.bound.keys().isdisjoint(ids):
            return Resolved(ids[0] if ids else name_digest(digest))
        if ids not in self.resolved:
            self.resolved[ids] = self._resolve(ids)
        return self.resolved[ids]

    def _resolve(self, ids: tuple[str, ...]) -> Resolved:
        found: dict[str, Bond] = {}
        for name in ids:
            for target, bond in self.find(name).items():
                if target not in found or found[target].rank < bond.rank:
                    found[target] = bond
        if len(found) != 1:
            return Resolved(ids[0], (), tuple(sorted(found)))
        ((target, bond),) = found.items()
        again = self.find(target)  # a sha256 that is an OMS root
        if len(again) != 1:
            return Resolved(target, (bond.claim,), (), bond.rank)
        ((listed, proof),) = again.items()
        return Resolved(listed, (bond.claim, proof.claim), (), min(bond.rank, proof.rank))


def find_aliases(beliefs: Beliefs, roots: Iterable[tuple[str, str, str]]) -> Aliases:
    """Gather what statements that are believed bind to each other.

    Args:
        beliefs: Whose sets of digests hold a sha256 and others; who accepted or fetched what a
            revision of Hugging Face is.
        roots: OMS root, artifact digest of the listing, and the statement, as publishers signed it.
    """
    aliases = Aliases()
    for root, target, proof in roots:
        aliases.bind(root, target, Bond(SURE, proof))
    for key, claim in beliefs.claims.items():
        if not isinstance(claim.content, _BINDING):
            continue
        step = beliefs.by_claim.get(key)
        bond = Bond(step.level + 1 if step else SURE, key)
        for digest in _list_sets(claim):
            if (ids := list_ids(digest)) and ids[0].startswith("sha256:"):
                for alias in list_aliases(digest):
                    aliases.bind(alias, ids[0], bond)
        if revision := _find_revision(claim):
            for target in list_ids(claim.subjects[0].digest):
                aliases.bind(f"gitCommit:{revision}", target, bond)
    return aliases


def _list_sets(claim: Claim) -> list[Mapping[str, str]]:
    """Return the sets of several digests in a statement."""
    found = [subject.digest for subject in claim.subjects if len(subject.digest) > 1]
    if isinstance(claim.content, StepRecord):
        found += [item.digest for item in claim.content.inputs if len(item.digest) > 1]
        found += [item.digest for item in claim.content.materials if len(item.digest) > 1]
    return found


def _find_revision(claim: Claim) -> str:
    """Return the revision that the statement's one subject is; empty if it says none."""
    content = claim.content
    if len(claim.subjects) != 1 or "sha256" not in claim.subjects[0].digest:
        return ""
    if isinstance(content, RootAcceptance):
        match = _REVISION.fullmatch(content.fetched_from)
    elif isinstance(content, StepRecord) and content.kind == "fetch" and len(content.inputs) == 1:
        match = _REVISION.fullmatch(content.inputs[0].uri)
    else:
        return ""
    return match[1] if match else ""
