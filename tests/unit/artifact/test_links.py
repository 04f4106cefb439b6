"""Links that lead to a file inside the artifact, and all others."""

from __future__ import annotations

import os
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from weighbridge.artifact import Scope, build_manifest, find_changes, walk
from weighbridge.artifact._links import _Way, resolve_link
from weighbridge.core import DEFAULT_LIMITS, Limits, ReadFailureKind
from weighbridge.engines import ThreadExecutor
from weighbridge.errors import InputError

FOLLOW = Scope(follow_links=True)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    root = tmp_path / "model"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "a").write_bytes(b"aaa")
    (root / "sub" / "b").write_bytes(b"bb")
    (tmp_path / "secret").write_bytes(b"secret")
    return root


def link(model: Path, target: str, name: str = "sub/link") -> str:
    (model / name).symlink_to(target)
    tree = walk(model, limits=DEFAULT_LIMITS, scope=FOLLOW)
    assert [e.name for e in tree.entries if e.name not in ("a", "sub/b", name)] == []
    found = [entry for entry in tree.entries if entry.name == name]
    if found:
        assert not tree.failures
        return found[0].path
    (failure,) = tree.failures
    assert failure.name == name
    assert failure.kind is ReadFailureKind.REFUSED
    return failure.reason


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("b", "sub/b"),
        ("./b", "sub/b"),
        ("../a", "a"),
        ("deep/../b", "sub/b"),
        ("deep//.././../a", "a"),
        ("../sub/b", "sub/b"),
    ],
)
def test_a_link_to_a_file_inside_counts_as_that_file(model: Path, target: str, path: str) -> None:
    assert link(model, target) == path


def test_a_link_may_spell_the_folder_out(model: Path) -> None:
    assert link(model, str(model / "a")) == "a"


def test_a_link_may_lead_to_a_link(model: Path) -> None:
    (model / "sub" / "link").symlink_to("../second")
    (model / "second").symlink_to("sub/b")
    tree = walk(model, limits=DEFAULT_LIMITS, scope=FOLLOW)
    assert {e.name: e.path for e in tree.entries}["sub/link"] == "sub/b"
    assert not tree.failures


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("../../secret", "outside the artifact"),
        ("../../model/a", "outside the artifact"),
        ("/etc/passwd", "outside the artifact"),
        ("/", "outside the artifact"),
        ("../deep/../../../secret", "nowhere"),
        ("deep/../../../secret", "outside the artifact"),
        (".", "to a folder"),
        ("..", "to a folder"),
        ("deep", "to a folder"),
        ("deep/", "to a folder"),
        ("nothing", "nowhere"),
        ("n" * 300, "nowhere"),
        ("b/", "through what is no folder"),
        ("b/..", "through what is no folder"),
        ("link", "in a circle"),
        ("../sub/link", "in a circle"),
    ],
)
def test_every_other_link_is_refused_by_name(model: Path, target: str, reason: str) -> None:
    said = link(model, target)
    assert said.startswith(f"is a symbolic link that leads {reason} (")


def test_an_absolute_link_into_the_folder_and_out_again_is_refused(model: Path) -> None:
    assert "outside the artifact" in link(model, f"{model}/../secret")
    (model / "sub" / "link").unlink()
    assert "to a folder" in link(model, str(model))


def test_a_link_through_a_link_to_a_folder_is_refused(model: Path) -> None:
    """Both are named: what a folder link leads to is no part of an artifact."""
    (model / "folder").symlink_to("sub")
    (model / "link").symlink_to("folder/b")
    tree = walk(model, limits=DEFAULT_LIMITS, scope=FOLLOW)
    assert [failure.name for failure in tree.failures] == ["folder", "link"]
    assert "through what is no folder" in tree.failures[1].reason


def test_a_link_to_a_pipe_is_refused_and_nothing_waits_for_it(model: Path) -> None:
    os.mkfifo(model / "pipe")
    (model / "link").symlink_to("pipe")
    tree = walk(model, limits=DEFAULT_LIMITS, scope=FOLLOW)
    assert [failure.name for failure in tree.failures] == ["link", "pipe"]
    assert "not a regular file" in tree.failures[0].reason


def test_a_long_chain_of_links_ends(model: Path) -> None:
    for number in range(60):
        (model / f"l{number}").symlink_to(f"l{number + 1}")
    (model / "l60").symlink_to("a")
    tree = walk(model, limits=DEFAULT_LIMITS, scope=FOLLOW)
    followed = [entry.name for entry in tree.entries if entry.name.startswith("l")]
    # The system itself follows forty and no more.
    assert len(followed) == 40
    assert all("in a circle" in failure.reason for failure in tree.failures)


def test_a_way_through_many_folders_keeps_few_of_them_open(model: Path) -> None:
    assert link(model, "deep/../" * 500 + "b") == "sub/b"
    deep = model / "/".join(["d"] * 20)
    deep.mkdir(parents=True)
    (deep / "w").write_bytes(b"w")
    descriptor = os.open(model, os.O_RDONLY)
    try:
        (model / "far").symlink_to("d/" * 20 + "w")
        said = resolve_link(descriptor, "far", folder=model, max_depth=10)
        assert isinstance(said, str)
        assert "through too many folders" in said
    finally:
        os.close(descriptor)


def test_the_digest_is_that_of_the_file(model: Path) -> None:
    (model / "link").symlink_to("sub/b")
    manifest = build_manifest(model, executor=ThreadExecutor(), limits=DEFAULT_LIMITS, scope=FOLLOW)
    digests = {resource.name: resource.sha256 for resource in manifest.resources}
    assert digests["link"] == digests["sub/b"] != digests["a"]


def test_without_consent_a_link_is_refused_as_ever(model: Path) -> None:
    (model / "link").symlink_to("a")
    with pytest.raises(InputError, match="link is a symbolic link to a; remove it"):
        build_manifest(model, executor=ThreadExecutor(), limits=DEFAULT_LIMITS)


def test_a_link_that_leads_elsewhere_later_is_a_change(model: Path) -> None:
    (model / "link").symlink_to("a")
    tree = walk(model, limits=DEFAULT_LIMITS, scope=FOLLOW)
    (model / "link").unlink()
    (model / "link").symlink_to("sub/b")
    assert find_changes(tree, model, limits=DEFAULT_LIMITS, scope=FOLLOW) == ("link",)


def test_the_bounds_hold_for_links_too(model: Path) -> None:
    for number in range(20):
        (model / f"l{number}").symlink_to("a")
    with pytest.raises(Exception, match="max_entries"):
        walk(model, limits=Limits(max_entries=10), scope=FOLLOW)


def test_a_folder_is_never_entered_through_a_link(model: Path) -> None:
    """What was a folder when it was looked at may be a link when it is opened."""
    (model / "folder").symlink_to("sub")
    descriptor = os.open(model, os.O_RDONLY)
    try:
        with closing(_Way(descriptor)) as way, pytest.raises(OSError, match="folder"):
            way.enter("folder")
    finally:
        os.close(descriptor)


def test_a_folder_that_becomes_a_link_meanwhile_leads_nobody_out(model: Path) -> None:
    """``sub`` is by turns a folder and a link to one outside that holds a file of the same name."""
    outside = model.parent / "outside"
    outside.mkdir()
    (outside / "b").write_bytes(b"stolen")
    stolen = (outside / "b").stat().st_ino
    (model / "link").symlink_to("sub/b")
    (model / "bait").symlink_to(outside)
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            for old, new in (("sub", "kept"), ("bait", "sub"), ("sub", "bait"), ("kept", "sub")):
                (model / old).rename(model / new)

    descriptor = os.open(model, os.O_RDONLY)
    swapper = threading.Thread(target=swap)
    swapper.start()
    seen = {"found": 0, "refused": 0}
    try:
        for number in range(300_000):  # as many as it takes to meet both
            if number >= 3000 and all(seen.values()):
                break
            time.sleep(0)
            try:
                found = resolve_link(descriptor, "link", folder=model, max_depth=10)
            except OSError:
                continue
            seen["refused" if isinstance(found, str) else "found"] += 1
            assert isinstance(found, str) or found[1].st_ino != stolen
    finally:
        done.set()
        swapper.join()
        os.close(descriptor)
    assert all(seen.values())
