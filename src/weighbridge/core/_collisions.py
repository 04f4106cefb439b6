"""Collisions: names that are two files here and one file elsewhere."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["find_collisions"]


def find_collisions(names: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Group the names that are the same where case or Unicode form does not count.

    A file collides with another file or with a folder. Two spellings of a folder are reported
    only if files in them collide: nothing is lost where they become one.

    Args:
        names: POSIX paths of files, each once.

    Returns:
        Groups of at least two spellings, each group sorted, the groups sorted.

    Source:
        Unicode 15, section 3.13, D145: canonical caseless matching.
    """
    files: dict[str, list[str]] = {}
    folders: dict[str, str] = {}
    for name in names:
        files.setdefault(_fold(name), []).append(name)
        folder = name.rpartition("/")[0]
        while folder and folder not in folders:
            folders[folder] = _fold(folder)
            folder = folder.rpartition("/")[0]
    groups = {key: set(spellings) for key, spellings in files.items() if len(spellings) > 1}
    for folder, key in folders.items():
        if key in files:
            groups.setdefault(key, set(files[key])).add(folder)
    return tuple(sorted(tuple(sorted(group)) for group in groups.values()))


def _fold(name: str) -> str:
    if name.isascii():
        return name.lower()
    folded = unicodedata.normalize("NFD", name).casefold()
    return unicodedata.normalize("NFC", folded)
