"""What a step read and nobody declared."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["find_undeclared"]


def find_undeclared(
    reads: Iterable[str],
    *,
    roots: Sequence[str],
    known: frozenset[str],
    outside: frozenset[str] = frozenset(),
) -> tuple[str, ...]:
    """Return the files of ``reads`` that are neither declared nor accounted for, sorted.

    Args:
        reads: Absolute paths, as a monitor saw them.
        roots: Files and folders that account for all in them: inputs, the system's programs and
            libraries.
        known: Single files that are accounted for: those of installed packages whose digest holds,
            those that the source's commit has.
        outside: Files and folders that lie in one of ``roots`` and that it does not account for.
    """
    folders = frozenset(roots)
    return tuple(sorted(p for p in reads if p not in known and not _is_below(p, folders, outside)))


def _is_below(path: str, folders: frozenset[str], outside: frozenset[str]) -> bool:
    while path not in ("", "/"):
        if path in folders:
            return True
        if path in outside:
            return False
        path = path.rpartition("/")[0]
    return "/" in folders
