"""Aliases: which sha256 a commit, a tree, another hash or an OMS root leads to, if one does."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from weighbridge.core import RootAcceptance, StepRecord
from weighbridge.lineage._ids import list_aliases, list_ids, name_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weighbridge.core import Claim
    from weighbridge.lineage._believe import Beliefs

__all__ = ["Aliases", "Resolved", "find_aliases"]

_REVISION = re.compile(r"hf://[!-?A-~]+@([0-9a-f]{40})")


class Resolved(NamedTuple):
    """What a set of digests means.

    Attributes:
        id: Of the node; empty if there is no digest.
        claims: The statements that this rests on, if it went by an alias.
        candidates: Ids that statements bind to it and that contradict each other.
    """

    id: str
    claims: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Aliases:
    """What is bound to what, by whose word.

    Attributes:
        bound: Alias to ids of the form ``sha256:<hex>``, and these to the first statement that
            says so.
        names: ``sha256:<hex>`` to its aliases.
    """

    bound: dict[str, dict[str, str]] = field(default_factory=dict)
    names: dict[str, set[str]] = field(default_factory=dict)

    def bind(self, alias: str, target: str, claim: str) -> None:
        """Note that a statement binds an alias; the first in the order of ids is kept."""
        if alias != target:
            self.bound.setdefault(alias, {}).setdefault(target, claim)
            self.names.setdefault(target, set()).add(alias)

    def find(self, alias: str) -> Mapping[str, str]:
        """Return to which sha256 an alias is bound; several if statements contradict."""
        return self.bound.get(alias, {})

    def list_names(self, name: str) -> list[str]:
        """Return a node's id, then those of its aliases that mean nothing else."""
        aliases = self.names.get(name)
        if not aliases:
            return [name]
        return [name, *sorted(alias for alias in aliases if len(self.bound[alias]) == 1)]

    def resolve(self, digest: Mapping[str, str]) -> Resolved:
        """Return which node a set of digests means.

        An alias that is bound to nothing, or to several, stays what it is.
        """
        ids = list_ids(digest)
        found: dict[str, str] = {}
        for name in ids:
            if name in self.bound:
                found.update(self.bound[name])
        if len(found) != 1:
            return Resolved(ids[0] if ids else name_digest(digest), (), tuple(sorted(found)))
        ((target, claim),) = found.items()
        again = self.bound.get(target, {})  # a sha256 that is an OMS root
        if len(again) != 1:
            return Resolved(target, (claim,))
        ((listed, proof),) = again.items()
        return Resolved(listed, (claim, proof))


def find_aliases(beliefs: Beliefs, roots: Iterable[tuple[str, str, str]]) -> Aliases:
    """Gather what statements that are believed bind to each other.

    Args:
        beliefs: Whose sets of digests hold a sha256 and others; who accepted or fetched what a
            revision of Hugging Face is.
        roots: OMS root, artifact digest of the listing, and the statement, as publishers signed it.
    """
    aliases = Aliases()
    for root, target, proof in roots:
        aliases.bind(root, target, proof)
    for key, claim in beliefs.claims.items():
        for digest in _list_sets(claim):
            if (ids := list_ids(digest)) and ids[0].startswith("sha256:"):
                for alias in list_aliases(digest):
                    aliases.bind(alias, ids[0], key)
        if revision := _find_revision(claim):
            for target in list_ids(claim.subjects[0].digest):
                aliases.bind(f"gitCommit:{revision}", target, key)
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
