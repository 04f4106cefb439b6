"""One file, examined by the same engines, with every pickle listed step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.core import Location
from weighbridge.scanning._inspector import inspect
from weighbridge.scanning._pickle._trace import PickleTracer

if TYPE_CHECKING:
    from weighbridge.core import FileScan, Limits, PickleListing
    from weighbridge.core.ports import ByteSource

__all__ = ["explain"]

_CHANCE = "PERSID"
_PICKLES = frozenset({"pickle", "joblib", "torch-legacy"})


def explain(
    source: ByteSource, *, limits: Limits, allowed: frozenset[tuple[str, str]] = frozenset()
) -> tuple[FileScan, tuple[PickleListing, ...]]:
    """Examine one file as the inspector does, and list the pickles in it, in containers too.

    It costs several times as much as a scan, in time and not in memory.

    Args:
        source: The bytes.
        limits: Bounds.
        allowed: (module, name) pairs in pickles that the user vouches for.

    Returns:
        What the inspector returns, and the pickles as they were met.
    """
    tracer = PickleTracer()
    scan = inspect(source, limits=limits, allowed=allowed, weights=False, tracer=tracer)
    # What begins with the letter P, an opcode, and is told as something else is no pickle.
    told = {row.location for row in scan.coverage if row.format in _PICKLES}
    told |= {Location(one.location.file, one.location.member) for one in scan.findings}
    listings = (
        one
        for one in tracer.listings
        if not (one.steps and one.steps[0].opcode == _CHANCE)
        or Location(one.location.file, one.location.member) in told
    )
    return scan, tuple(listings)
