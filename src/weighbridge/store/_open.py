"""Which store a name means."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from weighbridge.core import DEFAULT_LIMITS, printable
from weighbridge.errors import InputError
from weighbridge.store._folder import FolderStore

if TYPE_CHECKING:
    from weighbridge.core import Limits
    from weighbridge.core.ports import BundleStore, StrPath

__all__ = ["open_store"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")


def open_store(place: StrPath, *, limits: Limits = DEFAULT_LIMITS) -> BundleStore:
    """Return the store at ``place``; nothing is read or made yet.

    Args:
        place: The path of a folder, or ``file:`` and that path. A ``Path`` is a path whatever it
            looks like; a string that begins as a URI does is one (``./a:b`` is a path).
        limits: Bounds on what is read from it.

    Raises:
        InputError: It is empty, or a kind of store that is not known.
    """
    text = os.fspath(place)
    if not text or "\0" in text:
        raise InputError("the name of the store is empty or holds NUL; give the path of a folder")
    scheme = _SCHEME.match(text) if isinstance(place, str) else None
    if scheme is None:
        return FolderStore(Path(text), limits=limits)
    shown = printable(text, limit=80)
    if scheme[1].lower() != "file":
        raise InputError(
            f"{printable(scheme[1])}: is no kind of store that is known here; give a folder, as "
            "a path or as file:PATH"
        )
    parts = urlsplit(text)
    if parts.netloc not in ("", "localhost") or parts.query or parts.fragment:
        raise InputError(
            f"{shown} names no folder of this machine; write file:PATH, and %3F and %23 for ? and #"
        )
    path = unquote(parts.path)
    if not path or "\0" in path:
        raise InputError(f"{shown} names no folder; add its path")
    return FolderStore(Path(path), limits=limits)
