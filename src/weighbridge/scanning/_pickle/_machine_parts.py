"""The memo of the symbolic machine, and how a run of it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weighbridge.scanning._pickle._values import Made, Value

__all__ = ["Memo", "Outcome"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run of the machine ended.

    Attributes:
        end: Offset behind the last opcode that was carried out.
        problem: Why it ended early; empty after STOP.
        value: What STOP returned.
        frame_end: Where the last frame claims to end; 0 without frames.
        ops: Opcodes that were carried out.
        wrapper: A joblib array wrapper whose array follows at ``end``; then the machine has
            stopped half-way and goes on with ``resume``.
        limited: Whether a limit ended it.
        unknown: Whether it ended early because this engine does not know how it goes on.
        split: Whether it ended early inside a frame, so that unpicklers may differ on the rest.
    """

    end: int
    problem: str = ""
    value: Value = None
    frame_end: int = 0
    ops: int = 0
    wrapper: Made | None = None
    limited: bool = False
    unknown: bool = False
    split: bool = False


class Memo:
    """The memo: a list as long as indices come in order, as picklers write them, else a dict."""

    __slots__ = ("dense", "sparse")

    def __init__(self) -> None:
        self.dense: list[Value] = []
        self.sparse: dict[int, Value] = {}

    def __len__(self) -> int:
        return len(self.dense) + len(self.sparse)

    def copy(self) -> Memo:
        """Return a memo with the same slots."""
        twin = Memo()
        twin.dense, twin.sparse = [*self.dense], {**self.sparse}
        return twin

    def put(self, index: int, value: Value) -> None:
        """Set a slot."""
        dense = self.dense
        if index == len(dense):
            dense.append(value)
            while self.sparse and len(dense) in self.sparse:
                dense.append(self.sparse.pop(len(dense)))
        elif 0 <= index < len(dense):
            dense[index] = value
        else:
            self.sparse[index] = value

    def get(self, index: int) -> Value:
        """Return a slot.

        Raises:
            KeyError: It was never set.
        """
        if 0 <= index < len(self.dense):
            return self.dense[index]
        return self.sparse[index]
