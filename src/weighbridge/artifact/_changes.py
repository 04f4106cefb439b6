"""Changes: what is no longer as it was when the artifact was listed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from weighbridge.artifact._scope import WHOLE
from weighbridge.artifact._tree import identify
from weighbridge.artifact._walk import walk
from weighbridge.core import printable
from weighbridge.errors import ArtifactChangedError, InputError

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from weighbridge.artifact._scope import Scope
    from weighbridge.artifact._tree import Identity, Tree
    from weighbridge.core import Limits

__all__ = ["find_changes", "is_as_listed", "refuse_changes"]


def is_as_listed(tree: Tree, names: AbstractSet[str]) -> bool:
    """Tell whether no file came, went or was renamed, and ``names`` are as they were.

    Looks at folders instead of at every file, so that it costs next to nothing. False may also mean
    that something came and went again: then :func:`find_changes` tells. What happens in the tick of
    the system's clock in which the folder was changed before (4 ms on most) is not seen; a
    signature of such a list is of the list as it was, and does not verify.
    """
    looked_at = [(e.path, e.identity) for e in tree.entries if e.name in names]
    looked_at += tree.folders
    return all(_is_same(tree.folder / path, identity) for path, identity in looked_at)


def _is_same(path: Path, identity: Identity) -> bool:
    try:
        return identify(os.lstat(path)) == identity
    except OSError:
        return False


def find_changes(
    tree: Tree,
    root: Path,
    *,
    limits: Limits,
    signature: Path | None = None,
    scope: Scope = WHOLE,
    out_of_scope: bool = False,
) -> tuple[str, ...]:
    """List the artifact again and name what is not as it was: changed, gone or new, sorted.

    Compares device, inode, size and both times; reads no contents.

    Args:
        tree: The artifact as it was listed.
        root: Where it is.
        limits: As for listing it first.
        signature: As for listing it first.
        scope: As for listing it first.
        out_of_scope: Whether files outside the scope count, because they were examined too.
    """
    try:
        now = walk(root, limits=limits, signature=signature, scope=scope, before=tree)
    except InputError:
        return (tree.label,)
    if now.entries == tree.entries and now.failures == tree.failures:
        return ()
    before = {e.name: e.identity for e in tree.entries if e.in_scope or out_of_scope}
    after = {e.name: e.identity for e in now.entries if e.in_scope or out_of_scope}
    names = {name for name, identity in before.items() if after.get(name) != identity}
    names |= after.keys() - before.keys()
    names |= {failure.name for failure in {*now.failures} ^ {*tree.failures}}
    return tuple(sorted(names))


def refuse_changes(
    tree: Tree,
    root: Path,
    *,
    limits: Limits,
    signature: Path | None = None,
    scope: Scope = WHOLE,
) -> None:
    """List the artifact again.

    Args:
        tree: The artifact as it was listed.
        root: Where it is.
        limits: As for listing it first.
        signature: As for listing it first.
        scope: As for listing it first.

    Raises:
        ArtifactChangedError: It is not as ``tree`` says.
    """
    changes = find_changes(tree, root, limits=limits, signature=signature, scope=scope)
    if changes:
        raise ArtifactChangedError(tuple(printable(name) for name in changes))
