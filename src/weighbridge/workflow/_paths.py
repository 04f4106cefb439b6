"""Paths: as callers give them, and as the rooms take them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.errors import InputError

if TYPE_CHECKING:
    from weighbridge.core.ports import StrPath

__all__ = ["to_optional_path", "to_path"]


def to_path(path: StrPath, *, what: str) -> Path:
    """Return ``path`` as a ``Path``.

    Args:
        path: From the user.
        what: What it is the path of, for messages: ``artifact``.

    Raises:
        InputError: It is empty, which ``Path`` would take for the current folder, or holds NUL.
    """
    text = os.fspath(path)
    if not text:
        raise InputError(f"the path of the {what} is empty; check the variable that it came from")
    if "\0" in text:
        raise InputError(f"the path of the {what} holds a NUL character")
    return Path(text)


def to_optional_path(path: StrPath | None, *, what: str) -> Path | None:
    """Return ``path`` as a ``Path``, None as None.

    Raises:
        InputError: As :func:`to_path`.
    """
    return None if path is None else to_path(path, what=what)
