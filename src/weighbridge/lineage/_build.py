"""From verified statements to the graph of what an artifact was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.core import DEFAULT_LIMITS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from weighbridge.core import Claim, Digest, Limits, LineageReport, Manifest, SetAside, TrustMap

__all__ = ["build_lineage"]


def build_lineage(  # noqa: PLR0913 - each is one thing that is known
    artifact: Digest,
    claims: Sequence[Claim],
    *,
    trust: TrustMap,
    at: datetime,
    label: str = "",
    manifests: Sequence[Manifest] = (),
    set_aside: Sequence[SetAside] = (),
    limits: Limits = DEFAULT_LIMITS,
) -> LineageReport:
    """Relate verified statements to each other, starting at one artifact."""
    raise NotImplementedError
