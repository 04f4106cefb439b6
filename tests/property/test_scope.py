"""Laws of what is left out and of where links lead."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from weighbridge.artifact import Scope, build_manifest, walk
from weighbridge.core import DEFAULT_LIMITS, covers, parse_ignored
from weighbridge.engines import ThreadExecutor
from weighbridge.errors import InputError

PART = st.sampled_from(["a", "b", "ab", "c.d"])
NAME = st.lists(PART, min_size=1, max_size=3).map("/".join)


def build(root: Path, names: frozenset[str]) -> None:
    for name in sorted(names):
        path = root / name
        if not any(parent.is_file() for parent in path.parents) and not path.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)


@given(paths=st.frozensets(NAME), name=NAME)
def test_a_path_covers_itself_and_what_is_below_it(paths: frozenset[str], name: str) -> None:
    """Section 6.2.1: exact relative paths from the model root, and their subtree."""
    below = any(name == path or name.startswith(f"{path}/") for path in paths)
    assert covers(paths, name) == below


@given(st.text(alphabet="ab./*\\\n ", max_size=8))
def test_what_is_read_is_a_plain_path_and_is_read_again_as_itself(text: str) -> None:
    """Section 6.2.1: no glob characters, no leading slash, no ``../``."""
    try:
        (name,) = parse_ignored([text])
    except InputError:
        return
    assert parse_ignored([name]) == {name}
    assert not {"", ".", ".."} & {*name.split("/")}
    assert not {*"*?[\\\n"} & {*name}


@settings(max_examples=40, deadline=None)
@given(names=st.frozensets(NAME, min_size=1), ignored=st.frozensets(NAME, max_size=3))
def test_what_is_ignored_is_as_if_it_were_not_there(
    names: frozenset[str], ignored: frozenset[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "model"
        root.mkdir()
        (root / "kept").write_text("kept")
        build(root, names)
        executor = ThreadExecutor()
        manifest = build_manifest(
            root, executor=executor, limits=DEFAULT_LIMITS, scope=Scope(ignored=ignored)
        )
        there = {path for path in ignored if (root / path).exists()}
        outermost = {p for p in there if not covers(there - {p}, p)}
        assert {*manifest.left_out} == outermost
        for path in outermost:
            if (root / path).is_dir():
                shutil.rmtree(root / path)
            else:
                (root / path).unlink()
        assert (
            manifest.resources
            == build_manifest(root, executor=executor, limits=DEFAULT_LIMITS).resources
        )


TARGET = st.lists(st.sampled_from(["..", ".", "", "a", "b", "l1", "l2", "model"]), max_size=6).map(
    "/".join
)


@settings(max_examples=150, deadline=None)
@given(targets=st.lists(TARGET.filter(bool), min_size=1, max_size=3), where=NAME)
def test_a_link_that_is_followed_leads_where_the_system_says(
    targets: list[str], where: str
) -> None:
    """And to a regular file inside the artifact; what is refused may lead anywhere."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(os.path.realpath(folder)) / "model"
        build(root, frozenset({"a/a", "a/b", "b/a/b", where}))
        (root.parent / "a").write_text("outside")
        for number, target in enumerate(targets):
            (root / f"l{number + 1}").symlink_to(target)
        tree = walk(root, limits=DEFAULT_LIMITS, scope=Scope(follow_links=True))
        for entry in tree.entries:
            real = (root / entry.name).resolve(strict=True)
            assert real == root / entry.path
            assert real.is_file()
            assert entry.identity[1] == real.stat().st_ino
        listed = {entry.name for entry in tree.entries} | {f.name for f in tree.failures}
        assert {f"l{number + 1}" for number in range(len(targets))} <= listed
