"""Reviews: what people with the role of a reviewer found, and which rejects stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.core import Decision, Review
from weighbridge.lineage._ids import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from weighbridge.core import HumanReview
    from weighbridge.lineage._believe import Said

__all__ = ["find_rejects", "list_reviews"]


def list_reviews(said: Iterable[Said[HumanReview]]) -> tuple[Review, ...]:
    """Return reviews in the order of time, then of their statements."""
    found = []
    for one in said:
        people = [a for a in one.claim.attributions if a.signer in one.signers]
        names, identities = tuple(a.signer for a in people), tuple(a.identity for a in people)
        found.append(Review(one.claim.id, names, identities, one.content))
    return tuple(sorted(found, key=lambda r: (r.review.reviewed_at, r.claim)))


def find_rejects(said: Sequence[Said[HumanReview]], at: datetime) -> list[str]:
    """Return the rejects that stand, one sentence each.

    Of each reviewer the latest review counts; of two at the same moment the reject. Whoever signs
    with the same proof (key, name, account) is one reviewer. An approval that has ended lifts
    nothing.
    """
    latest: dict[tuple[str, str, str], tuple[datetime, bool, str]] = {}
    for one in said:
        review = one.content
        is_reject = review.decision is Decision.REJECT
        if not is_reject and review.expires_at is not None and at >= review.expires_at:
            continue
        for attribution in one.claim.attributions:
            if attribution.signer not in one.signers:
                continue
            who = (attribution.method, attribution.identity, attribution.issuer)
            words = (
                f"{shown(attribution.signer)} rejected it on {review.reviewed_at:%Y-%m-%d}"
                f"{': ' if review.note else ''}{shown(review.note)}"
            )
            found = (review.reviewed_at, is_reject, words)
            latest[who] = max(latest.get(who, found), found)
    return sorted({words for _, is_reject, words in latest.values() if is_reject})
