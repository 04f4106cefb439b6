"""What git printed elsewhere about a repository, as operations on the artifact inside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.core import ArtifactKind, printable
from weighbridge.errors import InputError
from weighbridge.signing import Operation, OperationKind

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    from weighbridge.artifact import Tree
    from weighbridge.formats import GitChange
    from weighbridge.signing import Names

__all__ = ["TEXT_BYTES", "Place", "list_text_operations", "to_place"]

_ATTRIBUTES = ".gitattributes"
# A renamed file below this size is read. The same bytes in git are others on disk if line ends,
# idents or encodings are converted under one name and not under the other, and what git printed
# does not tell which are. Only text is converted, and what is as large as this is none.
TEXT_BYTES = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Place:
    """Where the artifact is in its repository.

    Attributes:
        folder: POSIX path of its folder with a slash at the end; empty for the repository's own.
        only: The name of a bare file in that folder, which is all there is; empty for a folder.
    """

    folder: str
    only: str = ""

    def rebase(self, path: str) -> str | None:
        """Return a path of the repository as it is inside the artifact; None if it is outside.

        A path with a slash at its end stands for a folder; empty is the whole artifact.
        """
        if path.endswith("/") and self.folder.startswith(path):
            return ""
        if not path.startswith(self.folder):
            return None
        inside = path[len(self.folder) :]
        return None if self.only and inside != self.only else inside


def to_place(tree: Tree, prefix: str) -> Place:
    """Return where an artifact is.

    Args:
        tree: The artifact.
        prefix: The folder in the repository that it is, or in which the bare file is.

    Raises:
        InputError: ``prefix`` is not a plain relative path.
    """
    folder = prefix.removeprefix("./").rstrip("/") if prefix not in {"", "."} else ""
    parts = folder.split("/") if folder else []
    if prefix.startswith("/") or not {"", ".", ".."}.isdisjoint(parts) or "\0" in prefix:
        raise InputError(
            f"'{printable(prefix)}' is not a folder inside a repository; give the artifact's path "
            "as git prints it, such as models/tiny"
        )
    only = tree.label if tree.kind is ArtifactKind.FILE else ""
    return Place(f"{folder}/" if folder else "", only)


def list_text_operations(
    changes: Iterable[GitChange], place: Place, tree: Tree, *, disk: Names, base: AbstractSet[str]
) -> tuple[list[Operation], int]:
    """Compile what git listed, and count what it listed elsewhere in the repository.

    What git did not list is taken for unchanged. If it lists a ``.gitattributes``, files may have
    been checked out in another way without being listed, so that all count as changed. A renamed
    file may be checked out in another way too, so that it counts as changed unless it is large.

    Args:
        changes: As parsed, with paths of the repository.
        place: Where the artifact is in it.
        tree: The artifact.
        disk: Its names.
        base: Names in the old signature.

    Raises:
        InputError: A submodule or an unmerged file; or a file that has to be there and is not.
    """
    known = disk.names | base
    large = {entry.name for entry in tree.entries if entry.size_bytes >= TEXT_BYTES}
    moves: list[Operation] = []
    changed: set[str] = set()
    outside = 0
    for change in changes:
        if change.name.rpartition("/")[2] == _ATTRIBUTES:
            changed |= known
        _refuse_unusable(change, place)
        name = place.rebase(change.name)
        old = place.rebase(change.old) if change.old else None
        if name is None and old is None:
            outside += 1
        elif name in large and old and old in known:
            moves.append(Operation(OperationKind.MOVED, name, old))
        else:
            changed |= _expand(name, known)
            changed |= {old} & known if old else set()
            _check_there(change, name, disk=disk, known=known)
    return [*moves, *(Operation(OperationKind.CHANGED, name) for name in sorted(changed))], outside


def _refuse_unusable(change: GitChange, place: Place) -> None:
    shown = printable(change.name)
    # What is above the artifact and no folder is a submodule, also where git does not tell.
    is_above = place.folder.startswith(f"{change.name}/") and not change.is_gone
    if is_above or (change.is_submodule and place.rebase(f"{change.name}/") is not None):
        raise InputError(
            f"{shown} is a git submodule, which git does not look into; "
            "name the changed files instead"
        )
    if change.is_unmerged and place.rebase(change.name) is not None:
        raise InputError(f"{shown} is not merged; end the merge first")


def _expand(name: str | None, known: AbstractSet[str]) -> set[str]:
    """Return the files that a path stands for, of those that are known."""
    if name is None:
        return set()
    if not name or name.endswith("/"):
        return {other for other in known if other.startswith(name)}
    return {name} & known


def _check_there(
    change: GitChange, name: str | None, *, disk: Names, known: AbstractSet[str]
) -> None:
    """Refuse a file that git says is there and nobody knows: the prefix is wrong, or the text."""
    if not name or name.endswith("/") or name in known or disk.is_left_out(name):
        return
    shown = printable(change.name)
    if any(other.startswith(f"{name}/") for other in known):
        raise InputError(
            f"{shown} is a folder, so to git a submodule, which it does not look into; "
            "name the changed files instead"
        )
    if not change.is_gone:
        raise InputError(
            f"git lists {shown}, which is neither there nor in the old signature; say where the "
            "artifact lies in the repository (--git-prefix), or run git again"
        )
