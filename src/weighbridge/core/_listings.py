"""What a pickle does, step by step, as people read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weighbridge.core._scans import ScanTerms

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
        folded: How many opcodes the run stands for, 1 if nobody counted; 0 for a single one.
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
        opcodes: How many were carried out, folded ones included, but none of a tail of data that
            nobody counted.
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
        path: As it was given; ``-`` for bytes and standard input.
        terms: By what it was scanned.
    """

    report: ScanReport
    pickles: tuple[PickleListing, ...]
    path: str = "-"
    terms: ScanTerms = field(default_factory=ScanTerms)
