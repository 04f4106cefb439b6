"""What only shows when the files of a folder are compared with each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from weighbridge.core import Finding
    from weighbridge.scanning._facts import Fact

__all__ = ["check_folder"]


def check_folder(facts: Iterable[Fact]) -> Iterator[Finding]:
    """Yield what contradicts itself between the files of one artifact.

    Args:
        facts: What each file said, in any order.
    """
    del facts  # nothing is compared yet
    yield from ()
