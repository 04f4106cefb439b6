"""What a step read and nobody declared."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

__all__ = ["find_undeclared", "group_by_folder"]

_CACHE = "/__pycache__/"


def find_undeclared(
    reads: Iterable[str],
    *,
    roots: Iterable[str],
    known: AbstractSet[str],
    outside: AbstractSet[str] = frozenset(),
    packages: AbstractSet[str] = frozenset(),
) -> tuple[str, ...]:
    """Return the files of ``reads`` that are neither declared nor accounted for, sorted.

    Args:
        reads: Absolute paths, as a monitor saw them.
        roots: Files and folders that account for all in them: inputs, the system's programs and
            libraries.
        known: Single files that are accounted for: those of installed packages whose digest holds,
            those that the source's commit has.
        outside: Files and folders that lie in one of ``roots`` and that it does not account for.
        packages: Folders of installed packages. What lies in them is accounted for by ``known``
            alone, also below a root; bytecode by the source that it stands for.
    """
    folders, apart = frozenset(roots), outside | packages
    return tuple(
        sorted(
            path
            for path in reads
            if path not in known
            and _find_source(path) not in known
            and not _is_below(path, folders, apart)
        )
    )


def group_by_folder(paths: Iterable[str], *, most: int) -> dict[str, list[str]]:
    """Return absolute paths by folder: the one that each is in, unless these are too many.

    Then they are cut off at the same depth, as deep as gives no more than ``most``.
    """
    folders = [(path, path.split("/")[:-1]) for path in paths]
    depth = max((len(parts) for _, parts in folders), default=1)
    while depth > 1 and len({tuple(parts[:depth]) for _, parts in folders}) > most:
        depth -= 1
    groups: dict[str, list[str]] = {}
    for path, parts in folders:
        groups.setdefault("/".join(parts[:depth]) or "/", []).append(path)
    return groups


def _find_source(path: str) -> str:
    """Return which file a file of bytecode was made from (PEP 3147); empty if it is none."""
    folder, cache, name = path.rpartition(_CACHE)
    if not cache or not name.endswith(".pyc"):
        return ""
    return f"{folder}/{name.partition('.')[0]}.py"


def _is_below(path: str, folders: AbstractSet[str], outside: AbstractSet[str]) -> bool:
    while path not in ("", "/"):
        if path in folders:
            return True
        if path in outside:
            return False
        path = path.rpartition("/")[0]
    return "/" in folders
