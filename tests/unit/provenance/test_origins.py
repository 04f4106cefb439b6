"""A name leads back to what was there before the step."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weighbridge.provenance._origins import Origins


def start(max_nodes: int = 1000) -> Origins:
    return Origins(max_nodes=max_nodes)


def test_what_was_not_touched_is_itself() -> None:
    for path in (b"/", b"/a", b"/a/b c/\xff"):
        assert start().find(path) == path


def test_a_moved_folder_leads_back_for_all_in_it() -> None:
    origins = start()
    origins.move(b"/data", b"/tmp/x")
    assert origins.find(b"/tmp/x/a/b") == b"/data/a/b"
    assert origins.find(b"/tmp/x") == b"/data"
    assert origins.find(b"/tmp/xy") == b"/tmp/xy"
    origins.move(b"/tmp/x/a", b"/y")
    assert origins.find(b"/y/b") == b"/data/a/b"
    assert origins.find(b"/tmp/x/c") == b"/data/c"


def test_what_is_moved_into_an_own_folder_is_not_own() -> None:
    origins = start()
    origins.make(b"/out")
    assert origins.find(b"/out/new") == b""
    origins.move(b"/data", b"/out/new")
    assert origins.find(b"/out/new") == b"/data"
    origins.keep(b"/out/link", b"/base")
    origins.move(b"/out", b"/final")
    assert origins.find(b"/final/link") == b"/base"
    assert origins.find(b"/final/other") == b""
    assert origins.find(b"/out/new") == b"/out/new"


def test_a_removed_file_is_own_for_who_has_it_open_only() -> None:
    origins = start()
    origins.make(b"/t")
    origins.remove(b"/t")
    assert origins.find(b"/t") == b"/t"
    assert origins.find(b"/t", is_deleted=True) == b""
    origins.remove(b"/t")
    assert origins.find(b"/t", is_deleted=True) == b"/t"


def test_exchanged_names() -> None:
    origins = start()
    origins.make(b"/mine")
    origins.swap(b"/mine", b"/data/x")
    assert origins.find(b"/mine") == b"/data/x"
    assert origins.find(b"/data/x") == b""


def test_more_than_is_kept_makes_every_name_its_own() -> None:
    origins = start(3)
    for name in (b"/a", b"/b", b"/c"):
        origins.make(name)
    assert not origins.is_full
    origins.make(b"/d")
    assert origins.is_full
    assert origins.find(b"/a") == b"/a"


def test_files_that_come_and_go_cost_nothing_for_ever() -> None:
    origins = start(10)
    for number in range(1000):
        origins.make(b"/tmp-%d" % number)
        origins.remove(b"/tmp-%d" % number)
    assert not origins.is_full


def test_renaming_to_another_name_of_the_same_file_changes_nothing() -> None:
    origins = start()
    origins.make(b"/out")
    for name in (b"/out/x", b"/out/y"):
        origins.keep(name, b"/data")
    origins.move(b"/out/x", b"/out/y")
    assert origins.find(b"/out/x") == b"/data"


NAMES = ["a", "b", "d/a", "d/b", "e/a", "e/f/a", "d", "e", "e/f", "g"]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["write", "move", "link", "remove", "mkdir"]),
        st.sampled_from(NAMES),
        st.sampled_from(NAMES),
    ),
    max_size=12,
)


def play(step: tuple[str, str, str], root: Path, origins: Origins) -> None:
    """Do it on disk; tell the tree if the system let it happen."""
    verb, one, other = step
    old, new = root / one, root / other
    names = (b"/" + one.encode(), b"/" + other.encode())
    try:
        if verb == "write":
            old.write_bytes(b"")
            origins.make(names[0])
        elif verb == "move":
            old.rename(new)
            origins.move(*names)
        elif verb == "link":
            new.hardlink_to(old)
            source = origins.find(names[0])
            if source:
                origins.keep(names[1], source)
            else:
                origins.make(names[1])
        elif verb == "remove":
            shutil.rmtree(old) if old.is_dir() else old.unlink()
            origins.remove(names[0])
        else:
            old.mkdir()
            origins.make(names[0])
    except OSError:
        pass


@settings(max_examples=300, deadline=None)
@given(steps=STEPS)
def test_no_file_from_before_is_ever_taken_for_an_own_one(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, str]]
) -> None:
    root = tmp_path_factory.mktemp("tree")
    for folder in ("d", "e/f"):
        (root / folder).mkdir(parents=True)
    for name in ("a", "d/a", "e/a", "e/f/a"):
        (root / name).write_bytes(f"/{name}".encode())
    origins = start()
    for step in steps:
        play(step, root, origins)
    for path in root.rglob("*"):
        if path.is_file() and (content := path.read_bytes()):
            assert origins.find(f"/{path.relative_to(root)}".encode()) == content
    shutil.rmtree(root)
