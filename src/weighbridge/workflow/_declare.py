"""Every way of saying what changed since an old signature, compiled to one list of operations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weighbridge.core import PLAIN, Digest, printable, refuse_one
from weighbridge.errors import InputError
from weighbridge.signing import Operation, OperationKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weighbridge.artifact import Tree
    from weighbridge.core import Limits, Listing, Serialization
    from weighbridge.signing import Names
    from weighbridge.workflow._reuse import Reuse

__all__ = ["Base", "Declared", "check_digests", "check_reuse", "list_operations"]


@dataclass(frozen=True, slots=True)
class Base:
    """What is known of an artifact's files from before.

    Attributes:
        digests: Name to sha256; for a ``listing`` to what :func:`index_listing` gives.
        sizes: Such a digest to the size in bytes of a file that has it, where that is known.
        listing: What was signed, if it is not the sha256 of files.
        refuses_pointers: Whether a Git LFS pointer that was not there before is an error.
    """

    digests: Mapping[str, str]
    sizes: Mapping[str, int] = field(default_factory=dict)
    listing: Listing | None = None
    refuses_pointers: bool = True

    @property
    def serialization(self) -> Serialization:
        """How files have to be hashed to be compared."""
        return self.listing.serialization if self.listing else PLAIN


@dataclass(frozen=True, slots=True)
class Declared:
    """What was said.

    Attributes:
        operations: What changed, in no order.
        digests: The sha256 that a file has to have if it is hashed.
        outside_count: How many changes git listed outside the artifact.
    """

    operations: tuple[Operation, ...]
    digests: Mapping[str, str] = field(default_factory=dict)
    outside_count: int = 0


def check_reuse(reuse: Reuse) -> None:
    """Refuse what says nothing, or cannot be meant.

    Raises:
        InputError: As said.
    """
    _check_types(reuse)
    if not 0 <= reuse.audit_ratio <= 1:
        raise InputError(f"the share to audit is {reuse.audit_ratio}; give one between 0 and 1")
    named = reuse.updated or reuse.deleted or reuse.renamed
    others = (reuse.changed, reuse.git_since, reuse.git_status, reuse.git_diff, reuse.digests)
    told = named or any(other is not None for other in others)
    if not told and reuse.audit_ratio < 1:
        raise InputError(
            "signing again needs to be told what changed since the old signature; "
            "name the files, ask git, or give an empty list"
        )


def _check_types(reuse: Reuse) -> None:
    """Refuse what a program without types may give: a letter is a path, and text no bytes."""
    if not isinstance(reuse.audit_ratio, int | float):
        raise InputError("the share to audit is no number; give one between 0 and 1")
    for names in (reuse.changed, reuse.updated, reuse.deleted):
        refuse_one(names, what="changed files")
        # What can be gone through only once is looked at when it is used.
        if isinstance(names, list | tuple | set | frozenset):
            _check_names(names)
    for pair in reuse.renamed:
        if isinstance(pair, str) or len(pair) != 2:  # noqa: PLR2004 - old and new
            raise InputError("a renamed file is a pair of paths, the old and the new; give both")
        _check_names(pair)
    for text in (reuse.git_status, reuse.git_diff):
        if text is not None and not isinstance(text, bytes):
            raise InputError("what git printed is given as bytes, for names need not be UTF-8")


def _check_names(names: Iterable[object]) -> None:
    for name in names:
        if not isinstance(name, str):
            raise InputError(
                f"{printable(repr(name), limit=200)} is no string; give paths inside the artifact, "
                "with '/'"
            )


def list_operations(
    reuse: Reuse, tree: Tree, disk: Names, base: Base, *, limits: Limits
) -> Declared:
    """Compile what the caller declares, in whichever way.

    Args:
        reuse: What is declared.
        tree: The artifact.
        disk: Its names.
        base: What is known from before.
        limits: ``max_list_bytes`` bounds what git prints.

    Raises:
        InputError: A declaration cannot be understood, or git cannot tell.
        LimitExceededError: git prints too much.
    """
    kind = OperationKind
    signed = base.digests
    operations = [
        *(Operation(kind.CHANGED, name) for name in reuse.changed or ()),
        *(Operation(kind.UPDATED, name) for name in reuse.updated),
        *(Operation(kind.DELETED, name) for name in reuse.deleted),
        *(Operation(kind.RENAMED, new, old) for old, new in reuse.renamed),
    ]
    if reuse.git_since is not None:
        from weighbridge.workflow._git import list_git_operations  # noqa: PLC0415 - start-up time

        known = disk.names | signed.keys()
        operations += list_git_operations(tree, reuse.git_since, known=known, limits=limits)
    outside_count = 0
    if reuse.git_status is not None or reuse.git_diff is not None:
        from weighbridge.formats import (  # noqa: PLC0415 - start-up time
            parse_git_diff_text,
            parse_git_status_text,
        )
        from weighbridge.workflow._git_text import list_text_operations, to_place  # noqa: PLC0415

        changes = [
            *parse_git_status_text(reuse.git_status or b""),
            *parse_git_diff_text(reuse.git_diff or b""),
        ]
        place = to_place(tree, reuse.git_prefix)
        told, outside_count = list_text_operations(
            changes, place, tree, disk=disk, base=signed.keys()
        )
        operations += told
    digests = check_digests(reuse.digests or {}, disk)
    if reuse.digests is not None:
        comparable = signed if base.serialization == PLAIN else {}
        operations += _list_digest_operations(digests, disk, signed, comparable)
    return Declared(tuple(operations), digests, outside_count)


def check_digests(digests: Mapping[str, str], disk: Names) -> dict[str, str]:
    """Return the digests in plain hex, without files that are never part of an artifact.

    Raises:
        InputError: One is no sha256, or of a file that is not there.
    """
    checked = {}
    if not hasattr(digests, "items"):
        raise InputError("the digests are no mapping; give path and sha256, as a dict")
    _check_names(digests)
    for name, digest in digests.items():
        if not isinstance(digest, str):
            raise InputError(f"the digest of {printable(name)} is no string; give it in hex")
        value = Digest(digest.removeprefix("sha256:")).hex
        if name in disk.names:
            checked[name] = value
        elif not disk.is_left_out(name):
            raise InputError(
                f"{printable(name)} has a digest in the list and is not there; give the digests "
                "of the files as they are now"
            )
    return checked


def _list_digest_operations(
    digests: Mapping[str, str], disk: Names, signed: Mapping[str, str], base: Mapping[str, str]
) -> list[Operation]:
    """Tell from the digests that files have what happened since.

    Args:
        digests: Name to sha256, as declared.
        disk: What is there.
        signed: What was signed.
        base: The same, if it is the sha256 of files; else empty.
    """
    gone: dict[str, list[str]] = {}
    for name in sorted(signed.keys() - disk.names, reverse=True):
        gone.setdefault(base.get(name, ""), []).append(name)
    operations = []
    moved = set()
    for name in sorted(disk.names):
        digest = digests.get(name)
        if digest is not None and base.get(name) == digest:
            continue
        if digest is not None and name not in signed and gone.get(digest):
            old = gone[digest].pop()
            moved.add(old)
            operations.append(Operation(OperationKind.MOVED, name, old))
        else:
            operations.append(Operation(OperationKind.CHANGED, name))
    dropped = signed.keys() - disk.names - moved
    return [*operations, *(Operation(OperationKind.CHANGED, name) for name in sorted(dropped))]
