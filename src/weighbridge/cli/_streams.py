"""Who writes to the standard streams."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["keep_stdout"]

_STDOUT, _STDERR = 1, 2


@contextmanager
def keep_stdout(is_kept: bool) -> Iterator[None]:  # noqa: FBT001 - there is nothing else to say
    """Send to stderr what is printed inside, by programs too: stdout is one JSON document then.

    Args:
        is_kept: Whether to do it.
    """
    if not is_kept:
        yield
        return
    sys.stdout.flush()
    try:
        kept = os.dup(_STDOUT)
    except OSError:  # it is closed
        yield
        return
    try:
        os.dup2(_STDERR, _STDOUT)
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, _STDOUT)
        os.close(kept)
