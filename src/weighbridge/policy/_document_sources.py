"""What the signed lineage says that a document kept by hand can be held against."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from weighbridge.core import (
    Dependency,
    InputClass,
    Origin,
    classify_input,
    find_training,
    list_inputs,
    printable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.core import Digest, LineageNode, LineageReport

__all__ = [
    "Address",
    "Candidate",
    "Index",
    "Sources",
    "find_sources",
    "parse_address",
    "show",
    "to_sha256",
]

_SHOWN_CHARACTERS = 120

_HEX = re.compile(r"(?:sha256[:=])?([0-9a-f]{64})")
_HUB = re.compile(
    r"(?:hf://|https?://(?:www\.)?huggingface\.co/)(?:datasets/|models/)?"
    r"(?P<repo>[\w.\-]+/[\w.\-]+?)(?:@(?P<at>[\w.\-]+)|/(?:tree|resolve|blob)/(?P<tree>[\w.\-]+).*)?/?"
)
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.\-]*/[A-Za-z0-9][\w.\-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REVISION_KEYS = ("revision", "version", "commit")


class Address(NamedTuple):
    """Where something is from, comparable: ``hub`` or ``other``, the place, and a revision."""

    kind: str
    place: str
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One thing that went into a step of the lineage.

    Attributes:
        id: Of its node.
        kind: What it was to the step.
        names: What statements call it.
        addresses: Where it is from, as far as that is an address.
        revisions: Commits and versions that statements give it.
        license: As its root acceptance or the policy says.
        sizes: In bytes, as text.
        is_known: Whether anything is known of how it came to be.
    """

    id: str
    kind: InputClass
    names: frozenset[str]
    addresses: frozenset[Address]
    revisions: frozenset[str]
    license: str
    sizes: frozenset[str]
    is_known: bool


@dataclass(frozen=True, slots=True)
class Sources:
    """The lineage, arranged for comparing.

    Attributes:
        root: The artifact's node; None if nothing of the lineage is believed.
        root_source: The same as a candidate, for what a root acceptance says of it.
        candidates: What went into its steps, by id.
        training: What a document calls the training; usually one node.
    """

    root: LineageNode | None = None
    root_source: Candidate | None = None
    candidates: tuple[Candidate, ...] = ()
    training: tuple[LineageNode, ...] = ()

    def index(self, kind: InputClass) -> Index:
        """Return the models, or the data, for looking up; what cannot be told is among both."""
        by_id: dict[str, Candidate] = {}
        for one in self.candidates:
            if one.kind in (kind, InputClass.OTHER):
                by_id[one.id] = _join(by_id[one.id], one) if one.id in by_id else one
        several = tuple(by_id[id_] for id_ in sorted(by_id, reverse=True))
        return Index(
            by_id,
            by_place={address.place: one for one in several for address in one.addresses},
            by_name={name: one for one in several for name in one.names},
            ids=tuple(sorted(by_id)),
            has_digests=all(one.id.startswith("sha256:") for one in several),
            has_addresses=all(one.addresses for one in several),
            is_known=all(one.is_known for one in several),
        )


@dataclass(frozen=True, slots=True)
class Index:
    """The models, or the data, of a lineage, for looking up.

    Attributes:
        by_id: By the id of the node.
        by_place: By each address, without revision.
        by_name: By each name; of several with one name the first by id.
        ids: Sorted.
        has_digests: Whether all of them have a sha256.
        has_addresses: Whether of all of them it is known where they are from.
        is_known: Whether of all of them it is known how they came to be.
    """

    by_id: Mapping[str, Candidate]
    by_place: Mapping[str, Candidate]
    by_name: Mapping[str, Candidate]
    ids: tuple[str, ...]
    has_digests: bool
    has_addresses: bool
    is_known: bool


def show(text: str) -> str:
    """Return a stranger's word as it stands in a sentence; at most 120 characters."""
    return printable(text, limit=_SHOWN_CHARACTERS)


def to_sha256(text: str) -> str:
    """Return the hex of ``sha256:<hex>`` or of bare hex, in lower case; empty if it is neither."""
    match = _HEX.fullmatch(text.strip().lower())
    return match[1] if match else ""


def parse_address(text: str) -> Address | None:
    """Return an address that can be compared; None for a path or a word.

    The ways to name a repository of the Hugging Face Hub (``hf://``, its web page, ``ORG/NAME``)
    are one.
    """
    if match := _HUB.fullmatch(text):
        return Address("hub", match["repo"], match["at"] or match["tree"] or "")
    if _HUB_ID.fullmatch(text):
        return Address("hub", text)
    if "://" not in text:
        return None
    place, mark, end = text.rstrip("/").rpartition("@")
    if mark and _COMMIT.fullmatch(end):
        return Address("other", place, end)
    return Address("other", text.rstrip("/"))


def find_sources(report: LineageReport | None, digest: Digest | None) -> Sources:
    """Arrange a lineage; linear in its edges.

    Empty if nothing of it is believed, or if it is not that of the artifact with ``digest``.
    """
    if report is None or not report.is_judged or report.root.origin is Origin.UNKNOWN:
        return Sources()
    if digest is None or report.artifact != str(digest):
        return Sources()
    nodes = report.by_id()
    found: dict[tuple[str, InputClass], Candidate] = {}
    for edge, item in list_inputs(report):
        kind = classify_input(item)
        kind = InputClass.OTHER if kind in (InputClass.CODE, InputClass.LOCK) else kind
        kind = InputClass.OTHER if edge.role in ("dependency", "") else kind
        one = _to_candidate(edge.target, kind, item, nodes.get(edge.target))
        before = found.get((edge.target, kind))
        found[edge.target, kind] = one if before is None else _join(before, one)
    root = _to_candidate(report.artifact, InputClass.MODEL, Dependency("", {}), report.root)
    return Sources(report.root, root, tuple(found.values()), find_training(report))


def _to_candidate(
    id_: str, kind: InputClass, item: Dependency, node: LineageNode | None
) -> Candidate:
    acceptance = node.acceptance if node is not None else None
    texts = (item.uri, acceptance.fetched_from if acceptance is not None else "")
    addresses = {a for text in texts if "://" in text and (a := parse_address(text)) is not None}
    addresses = {a for a in addresses if not a.place.startswith("file://")}
    revisions = {a.revision for a in addresses if a.revision}
    revisions |= {item.digest[name] for name in ("gitCommit",) if name in item.digest}
    revisions |= {item.annotations[key] for key in _REVISION_KEYS if key in item.annotations}
    label = node.label if node is not None else ""
    return Candidate(
        id_,
        kind,
        frozenset(filter(None, (item.name, label))),
        frozenset(addresses),
        frozenset(revisions),
        node.license if node is not None else "",
        frozenset(filter(None, (item.annotations.get("bytes"),))),
        node is not None and node.origin is not Origin.UNKNOWN,
    )


def _join(one: Candidate, other: Candidate) -> Candidate:
    return Candidate(
        one.id,
        one.kind,
        one.names | other.names,
        one.addresses | other.addresses,
        one.revisions | other.revisions,
        one.license or other.license,
        one.sizes | other.sizes,
        one.is_known and other.is_known,
    )
