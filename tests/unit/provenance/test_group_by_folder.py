"""Very many files, by folder."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from weighbridge.provenance import group_by_folder

PARTS = st.sampled_from(["a", "b", "c", "\udcff"])
PATHS = st.sets(st.lists(PARTS, min_size=1, max_size=6).map(lambda parts: "/" + "/".join(parts)))


def test_files_are_grouped_by_the_folder_that_they_are_in() -> None:
    paths = ["/data/a/1", "/data/a/2", "/data/b/3", "/x"]
    assert group_by_folder(paths, most=3) == {
        "/data/a": ["/data/a/1", "/data/a/2"],
        "/data/b": ["/data/b/3"],
        "/": ["/x"],
    }


def test_too_many_folders_are_cut_off() -> None:
    paths = [f"/data/{number}/file" for number in range(100)]
    assert group_by_folder(paths, most=10) == {"/data": paths}


@given(paths=PATHS, most=st.integers(1, 5))
def test_every_file_is_in_one_folder_and_below_it(paths: set[str], most: int) -> None:
    groups = group_by_folder(paths, most=most)
    assert len(groups) <= most
    assert sorted(path for names in groups.values() for path in names) == sorted(paths)
    for folder, names in groups.items():
        assert all(path.startswith(folder.rstrip("/") + "/") for path in names)
