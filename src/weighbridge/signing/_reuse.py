"""Reuse: which digests of a verified signature still hold, judged by what a caller declares.

Only rules, no I/O. Every way to declare a change is compiled to one list of operations, and the
list is reconciled with what is on disk: disk = old - deleted - renamed-from + added + renamed-to.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from weighbridge.core import covers, printable
from weighbridge.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

__all__ = ["Names", "Operation", "OperationKind", "ReusePlan", "reconcile"]

_SHOWN_NAMES = 5


class OperationKind(StrEnum):
    """What a caller says about a file.

    ``CHANGED`` and ``MOVED`` leave the rest to the disk. The others are claims; one that does not
    fit the disk is an error.
    """

    CHANGED = "changed"
    MOVED = "moved"
    UPDATED = "updated"
    DELETED = "deleted"
    RENAMED = "renamed"


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that happened since the old signature.

    Attributes:
        kind: ``CHANGED``: new, gone or with other bytes. ``MOVED``: has another name and, as
            somebody knows who compared contents, the same bytes. ``UPDATED``: is there, with new
            bytes. ``DELETED``: is gone. ``RENAMED``: has another name; its bytes are hashed, and
            have to be the same.
        name: POSIX path inside the artifact; the new one of ``MOVED`` and ``RENAMED``.
        old: The old path of ``MOVED`` and ``RENAMED``, else empty.
    """

    kind: OperationKind
    name: str
    old: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Return the path, or both."""
        return (self.old, self.name) if self.old else (self.name,)


@dataclass(frozen=True, slots=True)
class Names:
    """What is on disk.

    Attributes:
        names: The files in the artifact's scope.
        left_out: Top-level names that are there and outside the scope.
    """

    names: frozenset[str]
    left_out: frozenset[str]

    def is_left_out(self, name: str) -> bool:
        """Return whether a name, or the top-level folder that it is in, is outside the scope."""
        return covers(self.left_out, name)


@dataclass(frozen=True, slots=True)
class ReusePlan:
    """What to do for each file; the keys of ``reused`` and ``hashed`` together are the disk.

    Attributes:
        reused: Name to the sha256 that is taken from the old signature.
        hashed: Names to read.
        expected: Name to the sha256 that hashing has to give, for some of ``hashed``.
        dropped: Names of the old signature that are gone, sorted.
        undeclared_new: Names that nobody declared and that are hashed, sorted.
        undeclared_gone: Names that nobody declared and that are dropped, sorted.
        skipped: Names that were declared and are outside the scope, sorted.
    """

    reused: Mapping[str, str]
    hashed: frozenset[str]
    expected: Mapping[str, str]
    dropped: tuple[str, ...]
    undeclared_new: tuple[str, ...] = ()
    undeclared_gone: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()

    def audit(self, names: AbstractSet[str]) -> ReusePlan:
        """Return the plan that also hashes ``names`` and expects the digests that it would reuse.

        Names that are not reused are left as they are.
        """
        audited = {name: self.reused[name] for name in names if name in self.reused}
        if not audited:
            return self
        return replace(
            self,
            reused={n: digest for n, digest in self.reused.items() if n not in names},
            hashed=self.hashed | audited.keys(),
            expected={**self.expected, **audited},
        )


def reconcile(
    base: Mapping[str, str],
    disk: Names,
    operations: Sequence[Operation],
    *,
    strict: bool = False,
) -> ReusePlan:
    """Decide for each file on disk whether it is hashed or keeps its signed digest.

    Args:
        base: Name to sha256, from a signature that was verified.
        disk: What is there now.
        operations: What is said to have happened since; in any order.
        strict: Whether a new or missing file that no operation names is an error.

    Raises:
        InputError: A path is not a plain path inside the artifact, or outside its scope; a claim
            does not fit; a path is in two claims; or, with ``strict``, a change is not declared.
    """
    for operation in operations:
        for name in operation.names:
            _check_name(name)
    claims = [o for o in operations if o.kind not in _DISK_DECIDES]
    for claim in claims:
        _CLAIM_CHECKS[claim.kind](claim, base, disk)
    claimed = _index_claims(claims)
    changed = {o.name for o in operations if o.kind is OperationKind.CHANGED} - claimed
    copied, sources = _copy_moved(operations, base, disk, busy=claimed | changed)
    moved = {n for o in operations if o.kind is OperationKind.MOVED for n in o.names}
    changed |= (moved & (disk.names | base.keys())) - claimed - copied.keys() - sources
    skipped = _check_changed(changed, base, disk)
    declared = claimed | changed | copied.keys() | sources
    new = disk.names - base.keys() - declared
    gone = base.keys() - disk.names - declared
    if strict:
        _refuse_undeclared(new, "new")
        _refuse_undeclared(gone, "missing")
    hashed = ((claimed | changed) & disk.names) | new
    reused = {name: copied.get(name) or base[name] for name in disk.names - hashed}
    return ReusePlan(
        reused=reused,
        hashed=frozenset(hashed),
        expected={c.name: base[c.old] for c in claims if c.kind is OperationKind.RENAMED},
        dropped=tuple(sorted(base.keys() - disk.names)),
        undeclared_new=tuple(sorted(new)),
        undeclared_gone=tuple(sorted(gone)),
        skipped=tuple(sorted(skipped)),
    )


def _check_name(name: str) -> None:
    shown = f"'{printable(name)}'"
    if not name or "\0" in name or "\n" in name or "\\" in name:
        raise InputError(f"{shown} cannot be the path of a signed file; declare another")
    if name.startswith("/"):
        raise InputError(f"{shown} is absolute; declare paths as they are inside the artifact")
    if not {"", ".", ".."}.isdisjoint(name.split("/")):
        raise InputError(f"{shown} is not a plain path; declare it without '.', '..' and '//'")


def _index_claims(claims: Iterable[Operation]) -> set[str]:
    claimed: set[str] = set()
    for claim in claims:
        for name in claim.names:
            if name in claimed:
                raise InputError(f"{printable(name)} is in two operations; declare it once")
            claimed.add(name)
    return claimed


def _check_updated(claim: Operation, _base: Mapping[str, str], disk: Names) -> None:
    _check_there(claim.name, disk, said="updated")


def _check_deleted(claim: Operation, base: Mapping[str, str], disk: Names) -> None:
    _check_gone(claim.name, base, disk, said="deleted")


def _check_renamed(claim: Operation, base: Mapping[str, str], disk: Names) -> None:
    _check_gone(claim.old, base, disk, said="renamed")
    _check_there(claim.name, disk, said="a new name")
    if claim.name in base:
        raise InputError(
            f"{printable(claim.name)} is declared as a new name and is in the old signature "
            "already; declare it as updated, and the other as deleted"
        )


def _check_there(name: str, disk: Names, *, said: str) -> None:
    if name in disk.names:
        return
    shown = printable(name)
    if disk.is_left_out(name):
        raise InputError(f"{shown} is declared as {said} and is never signed; do not declare it")
    if _is_folder(name, disk.names):
        raise InputError(f"{shown} is a folder; declare the files in it")
    raise InputError(f"{shown} is declared as {said} and is not there; correct the declaration")


def _check_gone(name: str, base: Mapping[str, str], disk: Names, *, said: str) -> None:
    shown = printable(name)
    if name in disk.names or disk.is_left_out(name):
        raise InputError(f"{shown} is declared as {said} and is still there; declare what it is")
    if name not in base:
        raise InputError(
            f"{shown} is declared as {said} and is not in the old signature; "
            "declare paths as they are inside the artifact"
        )


_DISK_DECIDES = frozenset({OperationKind.CHANGED, OperationKind.MOVED})
_CLAIM_CHECKS = {
    OperationKind.UPDATED: _check_updated,
    OperationKind.DELETED: _check_deleted,
    OperationKind.RENAMED: _check_renamed,
}


def _copy_moved(
    operations: Iterable[Operation],
    base: Mapping[str, str],
    disk: Names,
    *,
    busy: AbstractSet[str],
) -> tuple[dict[str, str], set[str]]:
    """Return the digests of moved files that nothing else is said of, and where they came from."""
    moves = {o for o in operations if o.kind is OperationKind.MOVED}
    count = Counter(name for move in moves for name in move.names)
    sure = [
        move
        for move in moves
        if _can_copy(move, base, disk) and all(count[n] == 1 and n not in busy for n in move.names)
    ]
    return {move.name: base[move.old] for move in sure}, {move.old for move in sure}


def _can_copy(move: Operation, base: Mapping[str, str], disk: Names) -> bool:
    came = move.name in disk.names and move.name not in base
    return came and move.old in base and move.old not in disk.names


def _check_changed(changed: AbstractSet[str], base: Mapping[str, str], disk: Names) -> set[str]:
    """Return those that are outside the scope, and refuse what nobody knows: a slip of the pen."""
    unknown = sorted(changed - disk.names - base.keys())
    for name in unknown:
        if disk.is_left_out(name):
            continue
        if _is_folder(name, disk.names) or _is_folder(name, base):
            raise InputError(f"{printable(name)} is a folder; declare the files in it")
        raise InputError(
            f"{printable(name)} is declared as changed and is neither there nor in the old "
            "signature; declare paths as they are inside the artifact"
        )
    return set(unknown)


def _is_folder(name: str, names: Collection[str]) -> bool:
    return any(other.startswith(f"{name}/") for other in names)


def _refuse_undeclared(names: AbstractSet[str], what: str) -> None:
    if not names:
        return
    shown = ", ".join(printable(name, limit=120) for name in sorted(names)[:_SHOWN_NAMES])
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    raise InputError(
        f"{shown}{more}: {what} since the old signature and not declared; declare the change, or "
        "leave --strict away"
    )
