"""Paths inside an artifact, as a person names them to leave something out."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING

from weighbridge.core._text import printable
from weighbridge.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

__all__ = ["covers", "parse_ignored", "refuse_one"]

_GLOB = frozenset("*?[")


def covers(paths: AbstractSet[str], name: str) -> bool:
    """Return whether one of ``paths`` is ``name`` or a folder above it."""
    if not paths:
        return False
    parts = name.split("/")
    return any("/".join(parts[:count]) in paths for count in range(1, len(parts) + 1))


def refuse_one(several: object, *, what: str) -> None:
    """Refuse one path where several belong; a string would be taken letter by letter.

    Args:
        several: From a caller; what is in it is judged elsewhere.
        what: What they are, for messages: ``paths to ignore``.

    Raises:
        InputError: It is one string or one path.
    """
    if isinstance(several, (str, bytes, PathLike)):
        raise InputError(f"the {what} are one string or path; give a list of them")


def parse_ignored(paths: Iterable[str]) -> frozenset[str]:
    """Read paths that are to be left out: exact, from the artifact's folder, with ``/``.

    A leading ``./`` and a ``/`` at the end, as a shell completes it, are taken off.

    Raises:
        InputError: One string instead of several; or a path that is empty, absolute, holds ``..``,
            ``.``, a line break or a backslash, or a character that looks like a pattern.

    Source:
        OpenSSF Model Signing v1.0, section 6.2.1: exact relative paths, never patterns.
    """
    refuse_one(paths, what="paths to ignore")
    return frozenset(map(_parse_one, paths))


def _parse_one(path: str) -> str:
    name = path.removeprefix("./").removesuffix("/")
    shown = printable(repr(path), limit=200)
    if not _GLOB.isdisjoint(name):
        raise InputError(f"{shown} looks like a pattern; name each path to ignore exactly")
    if not {"", ".", ".."}.isdisjoint(name.split("/")) or not {"\\", "\n", "\r", "\0"}.isdisjoint(
        name
    ):
        raise InputError(
            f"{shown} cannot be ignored: give a plain path inside the artifact, such as logs/a.txt"
        )
    return name
