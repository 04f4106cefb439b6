"""Cuts: where a chain may end, because somebody whose word counts took an artifact as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from weighbridge.core import MAX_BUILD_LEVEL, Origin
from weighbridge.lineage._believe import is_fresh
from weighbridge.lineage._ids import shown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from weighbridge.core import (
        Digest,
        PolicyRoot,
        RootAcceptance,
        TrustMap,
        VerificationSummary,
    )
    from weighbridge.lineage._believe import Said

__all__ = ["Cut", "Ends", "find_cut", "list_expired"]

_KINDS = (Origin.SUMMARY, Origin.ACCEPTED, Origin.LISTED)


@dataclass(frozen=True, slots=True)
class Cut:
    """What ends a chain.

    Attributes:
        origin: SUMMARY, ACCEPTED or LISTED.
        level: The SLSA Build level that it gives.
        signers: Who says so.
        claim: The statement; None for the policy itself.
        reason: Why, in words of people.
        license: As whoever took it says.
        acceptance: The acceptance that counts, whether or not it is what gives most.
    """

    origin: Origin
    level: int
    signers: tuple[str, ...] = ()
    claim: Digest | None = None
    reason: str = ""
    license: str = ""
    acceptance: RootAcceptance | None = None


class Ends(NamedTuple):
    """Whatever may end a chain at one node.

    Attributes:
        acceptances: Of it, by reviewers.
        summaries: Of it, by verifiers and for policies that count.
        roots: Those of the policy for its digest.
    """

    acceptances: Sequence[Said[RootAcceptance]]
    summaries: Sequence[Said[VerificationSummary]]
    roots: Sequence[PolicyRoot]


def find_cut(ends: Ends, *, trust: TrustMap, at: datetime) -> Cut | None:
    """Return what ends a chain at a node; of several what gives the highest level.

    Args:
        ends: What may.
        trust: How old summaries may be.
        at: When it is judged.
    """
    acceptance = _choose_acceptance(ends.acceptances, at)
    cuts = [
        Cut(Origin.SUMMARY, _find_level(said.content), said.signers, said.claim.id)
        for said in ends.summaries
        if is_fresh(said.content, trust, at)
    ]
    root = max(
        (root for root in ends.roots if root.expires is None or at < root.expires),
        key=lambda root: (root.max_level, root.license, root.reason),
        default=None,
    )
    content = acceptance.content if acceptance else None
    license_ = content.license if content else root.license if root else ""
    if acceptance and content:
        level = _to_level(content.max_level)
        cuts.append(
            Cut(
                Origin.ACCEPTED,
                level,
                acceptance.signers,
                acceptance.claim.id,
                reason=content.reason,
            )
        )
    if root:
        cuts.append(Cut(Origin.LISTED, _to_level(root.max_level), reason=root.reason))
    best = max(
        cuts,
        key=lambda cut: (cut.level, -_KINDS.index(cut.origin), cut.claim.hex if cut.claim else ""),
        default=None,
    )
    if best is None:
        return None
    if root and best.origin is Origin.LISTED:
        license_ = root.license
    return Cut(
        best.origin,
        best.level,
        best.signers,
        best.claim,
        reason=best.reason,
        license=license_,
        acceptance=content,
    )


def list_expired(ends: Ends, *, trust: TrustMap, at: datetime) -> list[str]:
    """Return what once ended the chain at a node and does not any more, one sentence each."""
    return [
        *(
            f"the acceptance by {', '.join(map(shown, said.signers))} ended on "
            f"{said.content.expires_at:%Y-%m-%d}"
            for said in ends.acceptances
            if at >= said.content.expires_at
        ),
        *(
            f"the policy lists it as a root until {root.expires:%Y-%m-%d}"
            for root in ends.roots
            if root.expires is not None and at >= root.expires
        ),
        *(
            f"the verdict of {shown(said.content.verifier)} of "
            f"{said.content.verified_at:%Y-%m-%d} is older than the "
            f"{trust.verifiers[said.content.verifier].max_age_days:,} days that the policy allows"
            for said in ends.summaries
            if not is_fresh(said.content, trust, at)
        ),
    ]


def _choose_acceptance(
    said: Sequence[Said[RootAcceptance]], at: datetime
) -> Said[RootAcceptance] | None:
    """Return the acceptance that gives most; among equals the one that holds longest."""
    return max(
        (one for one in said if at < one.content.expires_at),
        key=lambda one: (one.content.max_level, one.content.expires_at, one.claim.id.hex),
        default=None,
    )


def _find_level(summary: VerificationSummary) -> int:
    """Return the level that a summary gives the whole chain; what it does not say is level 0."""
    if summary.level is None or summary.dependency_levels is None:
        return 0
    counted = (level for level, count in summary.dependency_levels.items() if count > 0)
    return _to_level(min((summary.level, *counted)))


def _to_level(level: int) -> int:
    return max(0, min(level, MAX_BUILD_LEVEL))
