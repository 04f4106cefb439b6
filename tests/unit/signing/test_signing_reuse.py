"""The rules of signing again: each claim that is wrong is refused, the disk decides the rest."""

from __future__ import annotations

import pytest

from weighbridge.errors import InputError
from weighbridge.signing import Names, Operation, OperationKind, ReusePlan, reconcile

BASE = {"a": "aa", "b": "bb", "d/c": "cc"}
CHANGED, MOVED = OperationKind.CHANGED, OperationKind.MOVED
UPDATED, DELETED, RENAMED = OperationKind.UPDATED, OperationKind.DELETED, OperationKind.RENAMED


def plan(disk: str, *operations: Operation, strict: bool = False, left_out: str = "") -> ReusePlan:
    listing = Names(frozenset(disk.split()), frozenset(left_out.split()))
    return reconcile(BASE, listing, operations, strict=strict)


def test_what_nobody_mentions_is_reused() -> None:
    done = plan("a b d/c", Operation(CHANGED, "a"))
    assert (done.reused, done.hashed, done.dropped) == ({"b": "bb", "d/c": "cc"}, {"a"}, ())


def test_the_disk_decides_about_a_plain_list() -> None:
    done = plan("b d/c new", *(Operation(CHANGED, name) for name in ("a", "b", "new")))
    assert (done.reused, done.hashed, done.dropped) == ({"d/c": "cc"}, {"b", "new"}, ("a",))
    assert (done.undeclared_new, done.undeclared_gone) == ((), ())


def test_undeclared_changes_are_signed_as_they_are_and_told() -> None:
    done = plan("b d/c new")
    assert (done.hashed, done.undeclared_new, done.undeclared_gone) == ({"new"}, ("new",), ("a",))


@pytest.mark.parametrize(("disk", "word"), [("a b d/c new", "new"), ("a b", "d/c")])
def test_strict_refuses_undeclared_changes(disk: str, word: str) -> None:
    with pytest.raises(InputError, match=f"{word}: .* not declared"):
        plan(disk, strict=True)


def test_a_rename_is_hashed_and_has_to_give_the_old_digest() -> None:
    done = plan("z b d/c", Operation(RENAMED, "z", "a"))
    assert (done.hashed, done.expected, done.dropped) == ({"z"}, {"z": "aa"}, ("a",))


def test_a_move_that_is_known_to_keep_the_bytes_copies_the_digest() -> None:
    done = plan("z b d/c", Operation(MOVED, "z", "a"), strict=True)
    assert (done.hashed, done.reused["z"], done.dropped) == (frozenset(), "aa", ("a",))


@pytest.mark.parametrize(
    ("disk", "others"),
    [
        ("z b d/c", [Operation(CHANGED, "z")]),
        ("z b d/c", [Operation(CHANGED, "a")]),
        ("z b d/c", [Operation(UPDATED, "z")]),
        ("z b d/c", [Operation(DELETED, "a")]),
        ("z y b d/c", [Operation(MOVED, "y", "a")]),
        ("z d/c", [Operation(MOVED, "z", "b")]),
        ("z a b d/c", []),
    ],
)
def test_a_move_that_anything_else_is_said_of_is_hashed(disk: str, others: list[Operation]) -> None:
    for operations in (
        [Operation(MOVED, "z", "a"), *others],
        [*others, Operation(MOVED, "z", "a")],
    ):
        done = plan(disk, *operations)
        assert "z" in done.hashed
        assert "z" not in done.reused


def test_a_move_onto_a_signed_name_or_from_an_unsigned_one_is_hashed() -> None:
    assert plan("b d/c", Operation(MOVED, "b", "a")).hashed == {"b"}
    assert plan("z a b d/c", Operation(MOVED, "z", "y")).hashed == {"z"}


@pytest.mark.parametrize(
    ("disk", "operation", "words"),
    [
        ("a b d/c", Operation(DELETED, "a"), "still there"),
        ("a b d/c", Operation(DELETED, "x"), "not in the old signature"),
        ("a b", Operation(UPDATED, "d/c"), "is not there"),
        ("a b d/c", Operation(UPDATED, "d"), "is a folder"),
        ("a b d/c", Operation(CHANGED, "d"), "is a folder"),
        ("a b", Operation(CHANGED, "d"), "is a folder"),
        ("a b d/c", Operation(CHANGED, "x"), "neither there nor in the old signature"),
        ("a b d/c z", Operation(RENAMED, "z", "a"), "still there"),
        ("b d/c", Operation(RENAMED, "z", "a"), "is not there"),
        ("b d/c", Operation(RENAMED, "b", "a"), "in the old signature already"),
        ("b d/c z", Operation(RENAMED, "z", "x"), "not in the old signature"),
        ("a b d/c", Operation(CHANGED, "../a"), "not a plain path"),
        ("a b d/c", Operation(CHANGED, "d/./c"), "not a plain path"),
        ("a b d/c", Operation(CHANGED, "d//c"), "not a plain path"),
        ("a b d/c", Operation(UPDATED, "d/"), "not a plain path"),
        ("a b d/c", Operation(UPDATED, "/a"), "is absolute"),
        ("a b d/c", Operation(UPDATED, ""), "cannot be the path"),
        ("a b d/c", Operation(UPDATED, "a\\b"), "cannot be the path"),
        ("a b d/c", Operation(UPDATED, "a\nb"), "cannot be the path"),
        ("a b d/c", Operation(MOVED, "a", "../a"), "not a plain path"),
    ],
)
def test_wrong_claims_are_refused(disk: str, operation: Operation, words: str) -> None:
    with pytest.raises(InputError, match=words):
        plan(disk, operation)


def test_what_is_never_signed_is_refused_as_a_claim_and_skipped_in_a_list() -> None:
    for operation in (Operation(UPDATED, ".gitignore"), Operation(UPDATED, ".github/x")):
        with pytest.raises(InputError, match="never signed"):
            plan("a b d/c", operation, left_out=".gitignore .github")
    done = plan("a b d/c", Operation(CHANGED, ".gitignore"), left_out=".gitignore")
    assert (done.skipped, done.hashed) == ((".gitignore",), frozenset())


@pytest.mark.parametrize(
    "operations",
    [
        (Operation(UPDATED, "b"), Operation(UPDATED, "b")),
        (Operation(RENAMED, "z", "a"), Operation(DELETED, "a")),
        (Operation(RENAMED, "z", "a"), Operation(UPDATED, "z")),
        (Operation(RENAMED, "z", "a"), Operation(RENAMED, "y", "a")),
    ],
)
def test_one_path_in_two_claims_is_refused(operations: tuple[Operation, ...]) -> None:
    with pytest.raises(InputError, match="in two operations"):
        plan("z y b d/c", *operations)


def test_a_claim_and_a_mention_go_together() -> None:
    done = plan("a b d/c", Operation(CHANGED, "a"), Operation(UPDATED, "a"))
    assert done.hashed == {"a"}
    done = plan("z b d/c", Operation(CHANGED, "z"), Operation(RENAMED, "z", "a"))
    assert done.expected == {"z": "aa"}


def test_an_audit_hashes_what_would_be_reused() -> None:
    done = plan("a b d/c", Operation(CHANGED, "a")).audit(frozenset({"a", "b"}))
    assert (done.reused, done.hashed, done.expected) == ({"d/c": "cc"}, {"a", "b"}, {"b": "bb"})
