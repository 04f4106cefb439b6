"""What a step read and nobody declared."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

__all__ = ["find_undeclared"]

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
