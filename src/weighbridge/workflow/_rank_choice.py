"""What a caller says about ranks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from weighbridge.core.ports import StrPath

__all__ = ["RankChoice"]


@dataclass(frozen=True, slots=True)
class RankChoice:
    """Whether a step is one rank of a distributed job, and which.

    Attributes:
        rank: ``R/N``; ``none``; or ``auto``: what ``RANK`` and ``WORLD_SIZE`` say.
        job: The job's name, the same for all ranks and another for each run; empty: the launcher's.
        folder: Where the ranks leave their reports; by default ``NAME.ranks`` beside the first
            output ``NAME``.
        gather_wait_s: Rank 0 waits so long for the others and joins them then; None: it does not.
        apart: For joining: whether a rank may have ended before another began.
        tell: Is told whom rank 0 waits for.
    """

    rank: str = "auto"
    job: str = ""
    folder: StrPath | None = None
    gather_wait_s: float | None = None
    apart: bool = False
    tell: Callable[[str], None] | None = None
