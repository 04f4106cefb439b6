"""Reading the small documents around an artifact: keys, signatures, policies."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from weighbridge.core import printable
from weighbridge.errors import InputError, LimitExceededError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read_document"]


def read_document(path: Path, *, what: str, limit_name: str, limit_bytes: int) -> bytes:
    """Read a small file whole.

    Symbolic links are followed: the path is the user's own. A pipe or device is refused, not
    waited for; the size is judged before anything is read.

    Args:
        path: The file.
        what: What it is, for messages: ``signature file``.
        limit_name: The field of ``Limits`` that bounds it.
        limit_bytes: That bound.

    Raises:
        InputError: Missing, not a regular file, or unreadable.
        LimitExceededError: Larger than ``limit_bytes``.
    """
    shown = printable(str(path))
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise InputError(f"there is no {what} at {shown}") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot read the {what} {shown}: {reason.lower()}") from error
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"the {what} {shown} is not a regular file")
        if status.st_size > limit_bytes:
            raise LimitExceededError(
                limit_name, limit=limit_bytes, actual=status.st_size, subject=shown
            )
        try:
            data = file.read(limit_bytes + 1)
        except OSError as error:
            raise InputError(f"cannot read the {what} {shown}: {error.strerror}") from error
    if len(data) > limit_bytes:  # it grew meanwhile, or says that it is empty as /proc does
        raise LimitExceededError(limit_name, limit=limit_bytes, actual=len(data), subject=shown)
    return data
