"""Lineage: what an artifact was made from, as far as verified statements tell."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from weighbridge.core._digest import Digest
    from weighbridge.core._people import Decision, HumanReview, RootAcceptance
    from weighbridge.core._scans import ScanClaim
    from weighbridge.core._statement import Attribution, Subject
    from weighbridge.core._step import Completeness, StepRecord
    from weighbridge.core._summary import VerificationSummary

    ClaimContent: TypeAlias = (
        StepRecord
        | RootAcceptance
        | HumanReview
        | ScanClaim
        | VerificationSummary
        | "SignedFiles"
        | "TestResult"
        | "Environment"
    )

__all__ = [
    "Claim",
    "EdgeKind",
    "Environment",
    "LineageEdge",
    "LineageNode",
    "LineageProblem",
    "LineageReport",
    "Origin",
    "ProblemKind",
    "Review",
    "SetAside",
    "SignedFiles",
    "TestResult",
]


@dataclass(frozen=True, slots=True)
class SignedFiles:
    """A verified OpenSSF Model Signing list of files: what proves an alias, and what lies in what.

    Attributes:
        root: The OMS root digest, which does not cover names.
        files: POSIX path to sha256 in hex; empty if the list has another hash or shards.
    """

    root: Digest
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TestResult:
    """What an evaluation gave.

    Attributes:
        passed: Whether it says ``PASSED`` (``WARNED`` and ``FAILED`` are not).
        metrics: Name to a decimal number, as text.
        failed: Names of tests that failed.

    Source:
        in-toto Attestation Framework, test-result v0.1; ``metrics`` is ours, which readers of the
        predicate ignore.
    """

    __test__ = False  # pytest would take it for a class of tests

    passed: bool
    metrics: Mapping[str, str]
    failed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Environment:
    """What a step ran on: the attributes of a SCAI statement, by name."""

    attributes: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Claim:
    """A verified statement, once, however many envelopes brought it.

    Attributes:
        id: The sha256 of its payload.
        subjects: What it is about.
        predicate_type: Its type.
        attributions: Whom all its envelopes are by, sorted by the verifier's names for them, each
            person once: one name may stand for all whom an authority certifies.
        content: What it says, if its type is known and it can be read; else None.
        problem: Why there is no content although the type is known; empty if there is no reason.
    """

    id: Digest
    subjects: tuple[Subject, ...]
    predicate_type: str
    attributions: tuple[Attribution, ...]
    content: ClaimContent | None = None
    problem: str = ""

    @property
    def signers(self) -> tuple[str, ...]:
        """The verifier's names for whoever signed, each once."""
        return tuple(dict.fromkeys(attribution.signer for attribution in self.attributions))


class Origin(StrEnum):
    """Why a node is believed to be what it is; in falling order of how much is known."""

    BUILT = "built"  # provenance by a trusted signer
    SUMMARY = "summary"  # a fresh verdict by a trusted verifier stands for all below
    ACCEPTED = "accepted"  # a root that a reviewer accepted
    LISTED = "listed"  # a root that the policy lists
    PART = "part"  # a file or subset of something that is known
    UNKNOWN = "unknown"  # nothing is known: a dead end


class EdgeKind(StrEnum):
    """How two nodes belong together."""

    MADE_FROM = "made-from"
    PART_OF = "part-of"


class ProblemKind(StrEnum):
    """What can be wrong with a node."""

    CYCLE = "cycle"
    CONFLICT = "conflict"
    MISSING_RANK = "missing-rank"
    DEAD_END = "dead-end"
    EXPIRED = "expired"
    REJECTED = "rejected"
    DENIED = "denied"
    ALIAS = "ambiguous-alias"
    TOO_LARGE = "too-large"


@dataclass(frozen=True, slots=True)
class LineageProblem:
    """Something wrong with a node, in one sentence."""

    kind: ProblemKind
    message: str


@dataclass(frozen=True, slots=True)
class Review:
    """A human review by somebody with the role ``reviewer``.

    Attributes:
        claim: The statement.
        signers: Reviewers who signed it, by the verifier's names for them.
        identities: How each of them is known (fingerprint, name, account), in the same order: two
            names for one key are one reviewer.
        review: What it says.
    """

    claim: Digest
    signers: tuple[str, ...]
    identities: tuple[str, ...]
    review: HumanReview

    @property
    def decision(self) -> Decision:
        """What it came to."""
        return self.review.decision


@dataclass(frozen=True, slots=True)
class LineageNode:
    """One artifact in a lineage.

    Attributes:
        id: ``sha256:<hex>``; ``ALGORITHM:<hex>`` where no sha256 is known (``gitCommit``);
            ``unnamed:<claim>/<name>`` of a dependency without any digest.
        label: What a statement calls it; never trusted.
        origin: Why it is believed.
        own_level: The SLSA Build level by the trust map, 0 to 3; of this node alone.
        level: The least level of it and of all that it was made from.
        completeness: How well it is known that none of its inputs is missing; of this node alone.
            ENFORCED for a root and for a summary: no inputs are to be known.
        chain_completeness: The least completeness of it and of all that it was made from.
        is_required: Whether the artifact's own level depends on it; False for what is only below a
            root that is accepted or a summary.
        depth: Steps from the artifact, the shortest way; 0 for itself.
        builder: The builder's id; empty if it was not built.
        kind: What the step did: ``train``; empty if it was not built.
        signers: Who says so, by the verifier's names for them.
        made_at: When the step ended, as it says; None if nobody knows.
        license: SPDX expression, of a root; empty if nobody says.
        claim: The statement that ``origin`` rests on; None for LISTED, PART and UNKNOWN.
        step: The record of the step; None if it was not built.
        environment: What the step ran on; None if nobody says.
        acceptance: The root acceptance that counts; None without one.
        reviews: Of this digest, in the order of time, then of claim.
        results: Of evaluations of this digest, by trusted signers; in the order of claim.
        reason: Why it is accepted or listed, in words of people; may be empty.
        problems: What is wrong with it, sorted.
    """

    id: str
    label: str
    origin: Origin
    own_level: int
    level: int
    completeness: Completeness
    chain_completeness: Completeness
    is_required: bool
    depth: int
    builder: str = ""
    kind: str = ""
    signers: tuple[str, ...] = ()
    made_at: datetime | None = None
    license: str = ""
    claim: Digest | None = None
    step: StepRecord | None = None
    environment: Environment | None = None
    acceptance: RootAcceptance | None = None
    reviews: tuple[Review, ...] = ()
    results: tuple[TestResult, ...] = ()
    reason: str = ""
    problems: tuple[LineageProblem, ...] = ()


@dataclass(frozen=True, slots=True)
class LineageEdge:
    """That one node was made from another, or is part of it.

    Attributes:
        source: The id of what was made, or of the part.
        target: The id of what it was made from, or of the whole.
        kind: Which of the two.
        role: What the input was to the step: ``data``, ``base-model``; empty for a part.
        name: What the step calls it, or the path inside the whole; a label.
        claim: The statement that says so; None for a part, which manifests prove.
    """

    source: str
    target: str
    kind: EdgeKind
    role: str = ""
    name: str = ""
    claim: Digest | None = None


@dataclass(frozen=True, slots=True)
class SetAside:
    """A statement that was not used, and why.

    Attributes:
        where: Which line of which file, or which entry of a store; for people.
        predicate_type: As it says; empty if it cannot be read.
        subjects: What it says it is about, ``sha256:<hex>``; labels where there is no sha256.
        reason: Why it was not used: nobody who is trusted signed it, the signer has no role for it,
            it is about something else, it cannot be read.
        is_unrelated: Whether that is only because it is about something else.
    """

    where: str
    predicate_type: str
    subjects: tuple[str, ...]
    reason: str
    is_unrelated: bool = False


@dataclass(frozen=True, slots=True)
class LineageReport:
    """All that verified statements tell of how an artifact came to be.

    Attributes:
        artifact: The id of the node that was asked for.
        nodes: That node first, then by depth and id.
        edges: Sorted by source, target and name.
        level: The least SLSA Build level in the chain.
        completeness: The least completeness in the chain.
        weakest_path: Ids from the artifact down to the node that has ``level``; among equals the
            one with the least completeness, then the shortest, then the first by id.
        claims: The statements that the graph rests on.
        set_aside: What was not used; what nobody trusted signed first.
        is_judged: Whether there was a trust map; without one nothing can be believed.
    """

    artifact: str
    nodes: tuple[LineageNode, ...]
    edges: tuple[LineageEdge, ...]
    level: int
    completeness: Completeness
    weakest_path: tuple[str, ...]
    claims: tuple[Claim, ...] = field(default=(), repr=False)
    set_aside: tuple[SetAside, ...] = ()
    is_judged: bool = True

    @property
    def root(self) -> LineageNode:
        """The node of the artifact that was asked for."""
        return self.nodes[0]

    @property
    def required(self) -> tuple[LineageNode, ...]:
        """The nodes on which the artifact's own level depends."""
        return tuple(node for node in self.nodes if node.is_required)

    def by_id(self) -> Mapping[str, LineageNode]:
        """Return the nodes by id."""
        return MappingProxyType({node.id: node for node in self.nodes})
