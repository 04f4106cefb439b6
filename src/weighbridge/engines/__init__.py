"""Engines: where work runs."""

from __future__ import annotations

import os
from contextvars import copy_context
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextvars import Context

__all__ = ["ThreadExecutor"]

A = TypeVar("A")
B = TypeVar("B")


def _take_over(context: Context) -> None:
    for variable, value in context.items():
        variable.set(value)


class ThreadExecutor:
    """Runs tasks on threads of this process; hashing releases the interpreter's lock.

    Args:
        workers: How many at once; by default one for each processor that this process may use.
    """

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers or len(os.sched_getaffinity(0))

    @property
    def workers(self) -> int:
        """How many tasks run at once."""
        return self._workers

    def map(self, function: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
        """Yield ``function(item)`` in the items' order; the first error is raised."""
        tasks = list(items)
        if self._workers == 1 or len(tasks) <= 1:
            yield from map(function, tasks)
            return
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - costs start-up time

        # Whose work it is (see provenance.unwatched) is known in the threads as well.
        pool = ThreadPoolExecutor(
            self._workers,
            thread_name_prefix="weighbridge",
            initializer=_take_over,
            initargs=(copy_context(),),
        )
        try:
            yield from pool.map(function, tasks)
        finally:
            # After an error or an interrupt, running tasks are not waited for.
            pool.shutdown(wait=False, cancel_futures=True)
