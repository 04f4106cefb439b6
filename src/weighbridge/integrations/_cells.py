"""The cells that a live kernel executed: in which order, which text by digest, how they ended."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.core import JsonValue

__all__ = ["Cell", "CellLog", "CellState", "digest_cells", "to_facts"]

# More are in the digest and the count, and not in the list.
_MOST_LISTED = 10_000


class CellState(StrEnum):
    """How a cell ended."""

    OK = "true"
    RAISED = "false"
    RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Cell:
    """One execution of a cell.

    Attributes:
        index: Its place in the order of execution, from 0.
        count: The number that the kernel gave it, as in ``In [3]``; 0 if it gave none.
        sha256: Of its source as it was sent, in UTF-8; the text itself is not kept.
        state: How it ended.
    """

    index: int
    count: int
    sha256: str
    state: CellState


class CellLog:
    """Takes down cells as IPython tells of them.

    Attributes:
        before: How many executions the kernel had counted before.
    """

    def __init__(self, before: int) -> None:
        """Begin with nothing."""
        self.before = before
        self._cells: list[Cell] = []
        self._running: list[tuple[object, int]] = []
        self._executions = 0
        self._told = 0

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Those that began, in that order."""
        return tuple(self._cells)

    @property
    def silent(self) -> int:
        """How many executions a front end asked for silently, so that IPython tells no source."""
        return self._executions - self._told

    def count_execution(self) -> None:
        """Take down that something is executed (``pre_execute``)."""
        self._executions += 1

    def begin(self, info: Any) -> None:  # noqa: ANN401 - IPython's ExecutionInfo
        """Take down a cell that begins (``pre_run_cell``)."""
        self._told += 1
        self._running.append((info, self._add(info)))

    def end(self, result: Any) -> None:  # noqa: ANN401 - IPython's ExecutionResult
        """Take down how a cell ended (``post_run_cell``)."""
        info = result.info
        index = next((i for running, i in self._running if running is info), None)
        if index is None:  # it began before anybody looked: the one that loaded us
            index = self._add(info)
            if result.execution_count:  # releases of IPython count at the beginning or at the end
                self.before = result.execution_count - 1
        self._running = [(running, i) for running, i in self._running if running is not info]
        state = CellState.OK if result.success else CellState.RAISED
        count = result.execution_count or 0
        self._cells[index] = replace(self._cells[index], count=count, state=state)

    def _add(self, info: Any) -> int:  # noqa: ANN401
        index = len(self._cells)
        source = str(info.raw_cell).encode("utf-8", "surrogatepass")
        digest = hashlib.sha256(source).hexdigest()
        self._cells.append(Cell(index, 0, digest, CellState.RUNNING))
        return index


def digest_cells(cells: Sequence[Cell]) -> str:
    r"""Return the sha256 of the list: a line ``INDEX COUNT SHA256 STATE\n`` for each."""
    whole = hashlib.sha256()
    for cell in cells:
        whole.update(f"{cell.index} {cell.count} {cell.sha256} {cell.state}\n".encode("ascii"))
    return whole.hexdigest()


def to_facts(log: CellLog, *, first: int) -> dict[str, JsonValue]:
    """Return what is recorded of the cells.

    Args:
        log: All of them: what a step finds in memory, any earlier cell may have put there.
        first: The index of the cell in which the step began.
    """
    cells = log.cells
    return {
        "cells": [
            {
                "index": str(cell.index),
                "count": str(cell.count),
                "sha256": cell.sha256,
                "ok": cell.state.value,
            }
            for cell in cells[:_MOST_LISTED]
        ],
        "cellCount": str(len(cells)),
        "cellsSha256": digest_cells(cells),
        "firstOfStep": str(first),
        "before": str(log.before),
        "silent": str(log.silent),
    }
