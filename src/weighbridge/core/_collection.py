"""Collection: when the garbage collector is not to look."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["collection_paused"]


@contextmanager
def collection_paused() -> Iterator[None]:
    """Keep the search for cyclic garbage from running; a context, or a decorator.

    It visits everything that is alive, again and again while hundreds of thousands of values are
    built, and finds nothing: they hold no cycles. What is not used any more is freed all the same.
    For steps that are bounded and do not wait; hashing is not one. In a program with threads
    whoever found the collector running starts it again, so that it may run early and never stays
    stopped.
    """
    was_running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_running:
            gc.enable()
