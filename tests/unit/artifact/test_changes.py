from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from weighbridge.artifact import is_as_listed, walk
from weighbridge.core import DEFAULT_LIMITS

NAMES = frozenset({"a/read"})

CHANGES: dict[str, Callable[[Path], object]] = {
    "new": lambda m: (m / "new").write_text("x"),
    "new below": lambda m: (m / "a/b/new").write_text("x"),
    "new folder": lambda m: (m / "a/c").mkdir(),
    "gone": lambda m: (m / "a/b/deep").unlink(),
    "renamed": lambda m: (m / "a/b/deep").rename(m / "a/b/other"),
    "moved": lambda m: (m / "a/b/deep").rename(m / "deep"),
    "replaced": lambda m: ((m / "x").write_text("deep"), (m / "x").rename(m / "a/b/deep")),
    "folder replaced": lambda m: ((m / "a").rename(m / "o"), (m / "a").symlink_to("o")),
    "folder gone": lambda m: (m / "a").rename(m.parent / "elsewhere"),
    "read file changed": lambda m: (m / "a/read").write_text("y"),
    "read file touched": lambda m: os.utime(m / "a/read", ns=(5, 5)),
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Old enough that every change has another time."""
    root = tmp_path / "m"
    (root / "a/b").mkdir(parents=True)
    for name in ("top", "a/read", "a/b/deep"):
        (root / name).write_text(name)
    for folder in (root / "a/b", root / "a", root):
        os.utime(folder, ns=(10**18, 10**18))
    return root


def test_nothing_happened(model: Path) -> None:
    assert is_as_listed(walk(model, limits=DEFAULT_LIMITS), NAMES)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_what_came_went_or_was_read_and_changed_is_seen(
    model: Path, change: Callable[[Path], object]
) -> None:
    tree = walk(model, limits=DEFAULT_LIMITS)
    change(model)
    assert not is_as_listed(tree, NAMES)


def test_files_that_nobody_read_are_not_looked_at(model: Path) -> None:
    tree = walk(model, limits=DEFAULT_LIMITS)
    (model / "top").write_text("longer than before")
    assert is_as_listed(tree, NAMES)
    assert not is_as_listed(tree, NAMES | {"top"})


def test_a_bare_file(tmp_path: Path) -> None:
    file = tmp_path / "w.bin"
    file.write_bytes(b"w")
    tree = walk(file, limits=DEFAULT_LIMITS)
    assert is_as_listed(tree, frozenset({"w.bin"}))
    file.write_bytes(b"ww")
    assert not is_as_listed(tree, frozenset({"w.bin"}))
