from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from weighbridge.artifact import walk
from weighbridge.core import DEFAULT_LIMITS, ArtifactKind, Limits, ReadFailureKind
from weighbridge.errors import InputError, LimitExceededError


def write(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def names_in_scope(root: Path, *, signature: Path | None = None) -> list[str]:
    tree = walk(root, limits=DEFAULT_LIMITS, signature=signature)
    return [entry.name for entry in tree.entries if entry.in_scope]


def test_names_are_in_the_order_of_code_points(tmp_path: Path) -> None:
    for name in ("a/b", "a-b/c", "a.txt", "B", "é", "z", "\U0001f600", "\uffee"):
        write(tmp_path / name)
    expected = sorted(["a/b", "a-b/c", "a.txt", "B", "é", "z", "\U0001f600", "\uffee"])
    assert names_in_scope(tmp_path) == expected
    assert expected.index("a-b/c") < expected.index("a.txt") < expected.index("a/b")


def test_top_level_housekeeping_is_left_out_and_said(tmp_path: Path) -> None:
    for name in (
        ".git/config",
        ".github/workflows/ci.yml",
        ".gitignore",
        ".gitattributes",
        "claims.jsonl",
        "model.sig",
        "w",
        "sub/.gitignore",
        "sub/.git/config",
        "sub/model.sig",
    ):
        write(tmp_path / name)
    tree = walk(tmp_path, limits=DEFAULT_LIMITS)
    assert names_in_scope(tmp_path) == ["sub/.git/config", "sub/.gitignore", "sub/model.sig", "w"]
    assert tree.left_out == (
        ".git",
        ".gitattributes",
        ".github",
        ".gitignore",
        "claims.jsonl",
        "model.sig",
    )
    assert tree.unwalked == (".git",)
    out_of_scope = [entry.name for entry in tree.entries if not entry.in_scope]
    assert ".github/workflows/ci.yml" in out_of_scope


@pytest.mark.parametrize("name", [".gitattributes", ".gitignore", "claims.jsonl", "model.sig"])
def test_a_folder_under_a_file_name_that_is_left_out_is_in_scope(tmp_path: Path, name: str) -> None:
    write(tmp_path / name / "payload.pkl")
    assert names_in_scope(tmp_path) == [f"{name}/payload.pkl"]


def test_a_file_called_github_is_in_scope(tmp_path: Path) -> None:
    write(tmp_path / ".github")
    assert names_in_scope(tmp_path) == [".github"]


def test_the_signature_file_that_is_named_is_left_out_and_no_other(tmp_path: Path) -> None:
    write(tmp_path / "model.sig")
    write(tmp_path / "w")
    signature = write(tmp_path / "sigs" / "v2.sig")
    assert names_in_scope(tmp_path, signature=signature) == ["model.sig", "w"]
    assert names_in_scope(tmp_path, signature=tmp_path.parent / "elsewhere.sig") == [
        "model.sig",
        "sigs/v2.sig",
        "w",
    ]


def test_a_bare_file_is_named_by_its_last_part(tmp_path: Path) -> None:
    tree = walk(write(tmp_path / "m.bin"), limits=DEFAULT_LIMITS)
    assert (tree.kind, tree.label, tree.entries[0].name) == (ArtifactKind.FILE, "m.bin", "m.bin")


def test_what_is_no_regular_file_is_a_failure_with_its_name(tmp_path: Path) -> None:
    write(tmp_path / "w")
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "folder-link").symlink_to(tmp_path)
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "sock"))
    write(tmp_path / "two\nlines")
    write(tmp_path / "back\\slash")
    write(tmp_path / "carriage\rreturn")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/latin\xe9")).write_bytes(b"x")
    tree = walk(tmp_path, limits=DEFAULT_LIMITS)
    assert {failure.name: failure.reason for failure in tree.failures} == {
        "back\\slash": "has a line break or a backslash in its name",
        "carriage\rreturn": "has a line break or a backslash in its name",
        "dangling": "is a symbolic link to nowhere",
        "folder-link": f"is a symbolic link to {tmp_path}",
        "latin\udce9": "has a name that is not UTF-8",
        "link": "is a symbolic link to /etc/passwd",
        "pipe": "is a named pipe",
        "sock": "is a socket",
        "two\nlines": "has a line break or a backslash in its name",
    }
    assert {failure.kind for failure in tree.failures} == {ReadFailureKind.REFUSED}
    assert [entry.name for entry in tree.entries] == ["w"]


def test_a_folder_with_an_unwritable_name_is_a_failure(tmp_path: Path) -> None:
    write(tmp_path / "two\nlines" / "w")
    assert [f.name for f in walk(tmp_path, limits=DEFAULT_LIMITS).failures] == ["two\nlines"]


@pytest.mark.parametrize("name", ["a\nb", "a\\b", "a\rb", "\udce9"])
def test_a_bare_file_with_an_unwritable_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"in its name|not UTF-8"):
        walk(write(tmp_path / name), limits=DEFAULT_LIMITS)


def test_roots_that_cannot_be_weighed(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "only-signature").mkdir()
    write(tmp_path / "only-signature" / "model.sig")
    (tmp_path / "hollow" / "nested").mkdir(parents=True)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    cases = {
        "missing": "does not exist",
        "empty": "is an empty folder",
        "only-signature": "is an empty folder",
        "hollow": "is an empty folder",
        "pipe": "is a named pipe",
        "link": "is a symbolic link",
        "empty/missing": "does not exist",
    }
    for name, words in cases.items():
        with pytest.raises(InputError, match=words) as caught:
            walk(tmp_path / name, limits=DEFAULT_LIMITS)
        assert str(tmp_path / name) in str(caught.value)


def test_a_device_is_refused() -> None:
    with pytest.raises(InputError, match="is a character device"):
        walk(Path("/dev/null"), limits=DEFAULT_LIMITS)


def test_links_among_the_folders_above_are_the_users_own(tmp_path: Path) -> None:
    write(tmp_path / "real" / "model" / "w")
    (tmp_path / "link").symlink_to("real")
    assert names_in_scope(tmp_path / "link" / "model") == ["w"]


def test_too_many_entries(tmp_path: Path) -> None:
    for index in range(5):
        write(tmp_path / str(index))
    with pytest.raises(LimitExceededError, match="max_entries = 4"):
        walk(tmp_path, limits=Limits(max_entries=4))
    assert len(walk(tmp_path, limits=Limits(max_entries=5)).entries) == 5


def test_too_deep(tmp_path: Path) -> None:
    write(tmp_path / "1" / "2" / "3" / "w")
    with pytest.raises(LimitExceededError, match="max_path_depth = 2"):
        walk(tmp_path, limits=Limits(max_path_depth=2))
    assert walk(tmp_path, limits=Limits(max_path_depth=3)).entries


class HuggingFaceCache:
    """A cached repository as ``huggingface_hub`` lays it out."""

    def __init__(self, home: Path) -> None:
        self.repository = home / "models--org--tiny"
        self.snapshot = self.repository / "snapshots" / "0123abcd"
        self.add("model.safetensors", b"weights")
        self.add("onnx/model.onnx", b"graph")

    def add(self, name: str, data: bytes) -> None:
        blob = write(self.repository / "blobs" / f"blob-of-{name.replace('/', '-')}", data)
        link = self.snapshot / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))


@pytest.fixture
def cache(tmp_path: Path) -> HuggingFaceCache:
    return HuggingFaceCache(tmp_path / "hub")


def test_links_of_a_hugging_face_snapshot_lead_into_its_blobs(cache: HuggingFaceCache) -> None:
    assert names_in_scope(cache.snapshot) == ["model.safetensors", "onnx/model.onnx"]
    assert names_in_scope(cache.snapshot / "onnx") == ["model.onnx"]
    assert names_in_scope(cache.snapshot / "model.safetensors") == ["model.safetensors"]


def test_a_snapshot_below_a_linked_home_is_read_too(
    cache: HuggingFaceCache, tmp_path: Path
) -> None:
    (tmp_path / "home").symlink_to(cache.repository.parent)
    root = tmp_path / "home" / cache.repository.name / "snapshots" / "0123abcd"
    assert names_in_scope(root) == ["model.safetensors", "onnx/model.onnx"]


@pytest.mark.parametrize(
    "target",
    [
        "/etc/passwd",
        "../../../secret",
        "../../blobs/../../secret",
        "../../blobs/nested/blob",
        "../../blobs",
        "../../blobs/chained",
        "../../blobs/missing",
        "../../../models--org--other/blobs/blob",
    ],
)
def test_every_other_link_of_a_snapshot_is_refused(cache: HuggingFaceCache, target: str) -> None:
    write(cache.repository.parent / "secret")
    write(cache.repository / "blobs" / "nested" / "blob")
    write(cache.repository.parent / "models--org--other" / "blobs" / "blob")
    (cache.repository / "blobs" / "chained").symlink_to("/etc/passwd")
    (cache.snapshot / "evil").symlink_to(target)
    tree = walk(cache.snapshot, limits=DEFAULT_LIMITS)
    assert [failure.name for failure in tree.failures] == ["evil"]


def test_a_snapshot_whose_blobs_folder_is_a_link_has_no_exception(tmp_path: Path) -> None:
    repository = tmp_path / "models--org--tiny"
    write(tmp_path / "elsewhere" / "blob")
    (repository / "snapshots" / "1").mkdir(parents=True)
    (repository / "blobs").symlink_to(tmp_path / "elsewhere")
    (repository / "snapshots" / "1" / "w").symlink_to("../../blobs/blob")
    tree = walk(repository / "snapshots" / "1", limits=DEFAULT_LIMITS)
    assert [failure.name for failure in tree.failures] == ["w"]


def rewrite_and_put_times_back(root: Path) -> None:
    file = root / "a" / "w"
    times = file.stat()
    file.write_bytes(b"y")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def put_another_in_its_place(root: Path) -> None:
    file, times = root / "a" / "w", (root / "a" / "w").stat()
    write(root / "other", b"x")
    os.utime(root / "other", ns=(times.st_atime_ns, times.st_mtime_ns))
    (root / "other").rename(file)


CHANGES = {
    "nothing": lambda _: None,
    "other bytes of the same length and time": rewrite_and_put_times_back,
    "another file of the same length and time": put_another_in_its_place,
    "grown": lambda root: write(root / "a" / "w", b"longer"),
    "gone": lambda root: (root / "a" / "w").unlink(),
    "new": lambda root: write(root / "a" / "new"),
    "renamed": lambda root: (root / "a" / "w").rename(root / "a" / "v"),
    "renamed out of the scope": lambda root: (root / "a" / "w").rename(root / "model.sig"),
    "a folder instead": lambda root: ((root / "a" / "w").unlink(), write(root / "a" / "w" / "w")),
    "a link instead": lambda root: (
        (root / "a" / "w").unlink(),
        (root / "a" / "w").symlink_to("é"),
    ),
    "a pipe instead": lambda root: ((root / "a" / "w").unlink(), os.mkfifo(root / "a" / "w")),
    "a link to the folder instead": lambda root: (
        (root / "a").rename(root / ".git"),
        (root / "a").symlink_to(".git"),
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_listing_again_with_an_earlier_listing_is_the_same_as_without(
    tmp_path: Path, change: str
) -> None:
    for name in ("a/w", "a/é", "b", ".gitignore", "odd\x01name"):
        write(tmp_path / name)
    before = walk(tmp_path, limits=DEFAULT_LIMITS)
    CHANGES[change](tmp_path)
    again = walk(tmp_path, limits=DEFAULT_LIMITS, before=before)
    assert again == walk(tmp_path, limits=DEFAULT_LIMITS)
    assert (again == before) is (change == "nothing")


def test_an_earlier_listing_with_another_scope_does_not_decide(tmp_path: Path) -> None:
    for name in ("a", "model.sig"):
        write(tmp_path / name)
    before = walk(tmp_path, limits=DEFAULT_LIMITS, signature=tmp_path / "a")
    again = walk(tmp_path, limits=DEFAULT_LIMITS, before=before)
    assert [(entry.name, entry.in_scope) for entry in again.entries] == [
        ("a", True),
        ("model.sig", False),
    ]
