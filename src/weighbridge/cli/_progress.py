"""Progress on stderr, when somebody is looking and the work is long."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core.ports import Progress

__all__ = ["show_progress"]

# Less than this is hashed before a person could read a bar.
_SHOW_FROM_BYTES = 512 * 1024 * 1024


@contextmanager
def show_progress(words: str) -> Iterator[Progress | None]:
    """Yield a progress bar with bytes a second and the time left; None if stderr is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    bar = _Bar(words)
    try:
        yield bar
    finally:
        bar.stop()


class _Bar:
    """A bar of ``rich``, which is imported only when there is something to show."""

    def __init__(self, words: str) -> None:
        self._words = words
        self._stop = _nothing
        self._advance = _ignore

    def start(self, total_bytes: int) -> None:
        if total_bytes < _SHOW_FROM_BYTES:
            return
        from rich import progress  # noqa: PLC0415 - costs start-up time
        from rich.console import Console  # noqa: PLC0415

        bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.DownloadColumn(binary_units=True),
            progress.TransferSpeedColumn(),
            progress.TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        task = bar.add_task(self._words, total=total_bytes)
        bar.start()
        self._stop = bar.stop
        self._advance = lambda done_bytes: bar.advance(task, done_bytes)

    def advance(self, done_bytes: int) -> None:
        self._advance(done_bytes)

    def stop(self) -> None:
        self._stop()


def _nothing() -> None:
    """Stop nothing."""


def _ignore(done_bytes: int) -> None:
    """Show nothing."""
