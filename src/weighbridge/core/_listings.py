"""What a pickle does, step by step, as people read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weighbridge.core._findings import Location, ScanReport

__all__ = ["Explanation", "PickleListing", "PickleStep"]


@dataclass(frozen=True, slots=True)
class PickleStep:
    """One opcode, or a run of opcodes that only build data.

    Attributes:
        offset: Of the opcode; of the first of a run.
        opcode: Its name; empty for a run.
        argument: As it stands in the pickle, printable and cut.
        effect: What it does, in words.
        folded: How many opcodes the run stands for; 0 for a single one.
    """

    offset: int
    opcode: str
    argument: str
    effect: str
    folded: int = 0


@dataclass(frozen=True, slots=True)
class PickleListing:
    """One pickle.

    Attributes:
        location: Where; the offset is that of its first opcode.
        steps: By offset.
        opcodes: How many were carried out, folded ones included.
        is_whole: Whether its last opcode is STOP.
    """

    location: Location
    steps: tuple[PickleStep, ...]
    opcodes: int
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the engines made of one file.

    Attributes:
        report: The scan.
        pickles: Every pickle in it, in containers too, as they were met.
    """

    report: ScanReport
    pickles: tuple[PickleListing, ...]
