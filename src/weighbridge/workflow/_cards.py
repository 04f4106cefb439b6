"""Model cards: read in the one read that each file gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.core import ArtifactKind, CardEvidence
from weighbridge.formats import parse_card

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weighbridge.core import Limits
    from weighbridge.core.ports import ByteSource

__all__ = ["pick_card", "read_card"]

_CARD_NAME = "README.md"


def read_card(source: ByteSource, *, limits: Limits) -> CardEvidence | None:
    """Return what a file says as a model card; None if it is another file."""
    if source.name != _CARD_NAME:
        return None
    # One byte more than may be, so that the parser sees that it is too much.
    data = source.read_at(0, limits.max_card_bytes + 1)
    return parse_card(data, file=source.name, limits=limits)


def pick_card(kind: ArtifactKind, found: Iterable[CardEvidence | None]) -> CardEvidence:
    """Return the card among what :func:`read_card` gave for each file, or why there is none."""
    if kind is ArtifactKind.FILE:
        return CardEvidence(None, problem="a single file carries no model card")
    for card in found:
        if card is not None:
            return card
    return CardEvidence(None, problem=f"there is no {_CARD_NAME}")
