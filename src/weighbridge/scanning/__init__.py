"""Scan: what is dangerous in an artifact, and what was not looked at."""

from typing import TYPE_CHECKING

from weighbridge.scanning._inspector import ENGINE, build_inspector, conclude
from weighbridge.scanning._rules import find_rule, list_rules

if TYPE_CHECKING:
    from weighbridge.core import FileScan, Limits, PickleListing
    from weighbridge.core.ports import ByteSource

__all__ = ["ENGINE", "build_inspector", "conclude", "explain", "find_rule", "list_rules"]


def explain(
    source: "ByteSource",
    *,
    limits: "Limits",
    allowed: frozenset[tuple[str, str]] = frozenset(),
) -> "tuple[FileScan, tuple[PickleListing, ...]]":
    """Examine one file as the inspector does, and list the pickles in it, in containers too.

    It costs several times as much as a scan, in time and not in memory.

    Args:
        source: The bytes.
        limits: Bounds.
        allowed: (module, name) pairs in pickles that the user vouches for.

    Returns:
        What the inspector returns, and the pickles as they were met.
    """
    from weighbridge.scanning._explain import explain as write  # noqa: PLC0415 - seldom asked for

    return write(source, limits=limits, allowed=allowed)
