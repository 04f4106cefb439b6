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
    spelled = tuple(names)
    keys = set(_fold_all(spelled))
    folders = {name.rpartition("/")[0] for name in spelled} - {""}
    folders |= {folder[:at] for folder in folders for at, c in enumerate(folder) if c == "/"}
    by_key = {folder: _fold(folder) for folder in folders}
    if len(keys) == len(spelled) and keys.isdisjoint(by_key.values()):
        return ()
    groups: dict[str, set[str]] = {}
    for name in spelled:
        groups.setdefault(_fold(name), set()).add(name)
    for folder, key in by_key.items():
        if key in groups:
            groups[key].add(folder)
    return tuple(sorted(tuple(sorted(group)) for group in groups.values() if len(group) > 1))


def _fold_all(names: tuple[str, ...]) -> list[str]:
    text = "\n".join(names)  # no name of an artifact holds a line break
    if text.isascii() and text.count("\n") == len(names) - 1:
        return text.lower().split("\n")
    return [_fold(name) for name in names]


def _fold(name: str) -> str:
    if name.isascii():
        return name.lower()
    folded = unicodedata.normalize("NFD", name).casefold()
    return unicodedata.normalize("NFC", folded)
