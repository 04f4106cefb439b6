"""One line of the table, and what its makers share."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
MIB = 1024 * 1024
WEIGHBRIDGE = str(BIN / "weighbridge")
IMPORT_CLICK = (str(BIN / "python"), "-c", "import click")

# Either ("job", NAME, ...), a function of _jobs timed inside its process, ("peer", NAME), one of
# _peers in its environment, or a command timed whole.
Job = tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """One line of the table.

    ``ratio`` is ours / reference for costs that must stay low (``at_least`` False), and reference /
    ours for speeds that must stay high. Without ``limit`` it is shown for orientation.
    """

    name: str
    prepare: Callable[[Path], Path]
    ours: Job
    reference: Job | None
    limit: float | None
    at_least: bool = False
    unit: str = "seconds"
    turns: int | None = None  # pairs of measurements; one is taken without warming up before it
    shares: int = 1  # what is measured is told for each of so many parts

    def ratio(self, ours: float, reference: float) -> float:
        return reference / ours if self.at_least else ours / reference / self.shares

    def is_met(self, ratio: float) -> bool:
        if self.limit is None:
            return True
        return ratio >= self.limit if self.at_least else ratio <= self.limit

    def describe(self, ours: float, reference: float) -> str:
        if self.reference is None and self.unit == "seconds":
            return f"{ours * 1000:.0f} ms"
        if self.unit in {"flagged", "passed"}:
            return f"{ours:.1%} of the files"
        if self.reference is None:
            return f"{ours:.1f} MiB above the interpreter"
        return f"{ours * 1000:.0f} ms / {reference * 1000:.0f} ms"


def find_model(_: Path) -> Path:
    model = ROOT / ".cache" / "all-MiniLM-L6-v2"
    subprocess.run([ROOT / "scripts" / "demo-model", model], check=True)
    return model
