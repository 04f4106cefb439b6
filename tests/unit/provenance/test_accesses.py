"""The files that a step touched, as a trace lists them."""

from __future__ import annotations

import hashlib
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from weighbridge.provenance._accesses import list_accesses

PARTS = st.sampled_from(["a", "b", "data", "ü", "\udcff"])
PATHS = st.sets(st.lists(PARTS, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts)))


def describe(*given: Any, **more: Any) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", list(list_accesses(*given, **more)))


def test_few_files_are_named() -> None:
    paths = [f"/data/{number}" for number in range(20)]
    found = describe(paths, "read", folders=frozenset({"/data"}))
    assert {item["name"] for item in found} == set(paths)
    assert found[0]["annotations"] == {"access": "read"}


def test_many_files_are_one_entry_of_the_innermost_folder() -> None:
    inner = [f"/data/in/{number:03}" for number in range(100)]
    found = describe(
        ["/data/x", *reversed(inner), "/elsewhere"], "read", folders={"/data", "/data/in"}
    )
    assert [item["name"] for item in found] == ["/data/x", "/elsewhere", "/data/in"]
    names = "".join(f"{path}\0" for path in inner).encode()
    assert found[-1] == {
        "name": "/data/in",
        "uri": "file:///data/in",
        "annotations": {
            "access": "read",
            "kind": "folder",
            "files": "100",
            "namesSha256": hashlib.sha256(names).hexdigest(),
        },
    }


def test_what_nobody_declared_is_always_named() -> None:
    paths = [f"/data/{number}" for number in range(100)]
    found = describe(paths, "read", folders={"/data"}, apart={"/data/7"})
    assert [item["name"] for item in found] == ["/data/7", "/data"]
    assert found[-1]["annotations"]["files"] == "99"


@given(paths=PATHS, folders=PATHS, apart=PATHS)
def test_every_file_is_in_one_entry(paths: set[str], folders: set[str], apart: set[str]) -> None:
    many = {f"{path}/{number}" for path in paths for number in range(21)}
    found = describe(many, "read", folders=folders, apart=apart)
    counts = [int(item["annotations"].get("files", 1)) for item in found]
    assert sum(counts) == len(many)
