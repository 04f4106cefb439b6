"""A store that is a folder: what goes in is found, and nothing else gets in its way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support import without_privileges
from weighbridge.core import DEFAULT_LIMITS, Bundle, Digest, Limits, Statement, Subject
from weighbridge.errors import IncompleteError, InputError, LimitExceededError
from weighbridge.signing import KeySigner, generate_key, load_signer
from weighbridge.store import FolderStore, open_store


def make_signer() -> KeySigner:
    with tempfile.NamedTemporaryFile() as file:
        file.write(generate_key("P-256").private_pem)
        file.flush()
        return load_signer(Path(file.name))


SIGNER = make_signer()


def seal(*hexes: str, algorithm: str = "sha256", note: str = "") -> Bundle:
    subjects = [Subject("x", {algorithm: value}) for value in hexes]
    statement = Statement.build(
        subjects, predicate_type="https://example.com/x", predicate={"note": note}
    )
    return SIGNER.sign(statement)


def find(store: FolderStore, value: str) -> list[bytes]:
    return list(store.find(Digest(value)))


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store", limits=DEFAULT_LIMITS)


A, B, C = "a" * 64, "b" * 64, "c" * 64


def test_a_bundle_is_found_by_each_of_its_subjects(store: FolderStore, tmp_path: Path) -> None:
    one, two = seal(A, B), seal(B, note="two")
    assert store.add([one, two]) == 2
    assert find(store, A) == [one.raw]
    assert sorted(find(store, B)) == sorted([one.raw, two.raw])
    assert find(store, C) == []
    names = {path.relative_to(tmp_path / "store").as_posix() for path in tmp_path.rglob("*.json")}
    assert {name.rpartition("/")[0] for name in names} == {f"sha256/aa/{A}", f"sha256/bb/{B}"}


def test_adding_again_changes_nothing(store: FolderStore, tmp_path: Path) -> None:
    bundle = seal(A, B)
    assert [store.add([bundle]), store.add([bundle, bundle]), store.add([])] == [1, 0, 0]
    (gone,) = tmp_path.glob(f"store/sha256/bb/{B}/*.json")
    gone.unlink()
    assert store.add([bundle]) == 1  # what was interrupted is completed
    assert find(store, B) == [bundle.raw]


def test_what_was_damaged_is_mended(store: FolderStore, tmp_path: Path) -> None:
    bundle = seal(A)
    store.add([bundle])
    (file,) = tmp_path.rglob("*.json")
    file.write_bytes(bundle.raw[:-1])
    assert find(store, A) == [bundle.raw[:-1]]  # unread: whoever verifies it notices
    assert store.add([bundle]) == 1
    assert find(store, A) == [bundle.raw]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.sampled_from([A, B, C]), min_size=1, max_size=3), max_size=6))
def test_found_is_what_was_added(groups: list[list[str]]) -> None:
    bundles = [seal(*dict.fromkeys(group), note=str(i)) for i, group in enumerate(groups)]
    with tempfile.TemporaryDirectory() as folder:
        place = FolderStore(Path(folder) / "s", limits=DEFAULT_LIMITS)
        for bundle in bundles:
            place.add([bundle])
        for value in (A, B, C):
            wanted = {b.raw for b, group in zip(bundles, groups, strict=True) if value in group}
            found = find(place, value) if bundles else []
            assert (len(found), set(found)) == (len(wanted), wanted)


def test_many_writers_at_once(store: FolderStore) -> None:
    bundles = [seal(A, B, note=str(number % 8)) for number in range(32)]
    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(lambda bundle: store.add([bundle]), bundles))
    assert sum(counts) == 32  # signatures are random: no two are the same
    assert set(find(store, A)) == set(find(store, B)) == {bundle.raw for bundle in bundles}


WRITER = """
import sys
sys.path.insert(0, sys.argv[2])
from unit.store.test_folder_store import A, B, seal
from weighbridge.core import DEFAULT_LIMITS
from weighbridge.store import open_store
from pathlib import Path
store = open_store(Path(sys.argv[1]))
print(flush=True)
while True:
    store.add([seal(A, B)])
"""


def test_a_writer_that_is_killed_leaves_whole_bundles(store: FolderStore, tmp_path: Path) -> None:
    tests = str(Path(__file__).parents[2])
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "store"), tests], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.15)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    found = find(store, A)
    assert found
    assert all(data.startswith(b"{") and data.endswith(b"}") for data in found)
    assert len(set(found) ^ set(find(store, B))) <= 4


@pytest.mark.parametrize(
    ("bundle", "words"),
    [
        (lambda: seal("d" * 128, algorithm="sha512"), "no sha256"),
        (lambda: seal("ab", algorithm="sha256"), "no sha256"),
        (lambda: SIGNER.sign(Statement((), "", {}, b'{"no": "statement"}')), "statements only"),
    ],
)
def test_what_could_not_be_found_again(store: FolderStore, bundle, words: str) -> None:  # noqa: ANN001
    with pytest.raises(InputError, match=words):
        store.add([seal(A), bundle()])
    assert not store.local_paths[0].exists()


def test_bounds(tmp_path: Path) -> None:
    place = FolderStore(tmp_path / "s", limits=DEFAULT_LIMITS)
    bundles = [seal(A, note=str(number)) for number in range(3)]
    place.add(bundles)
    size_bytes = len(bundles[0].raw)
    few = FolderStore(tmp_path / "s", limits=Limits(max_signature_bytes=2 * size_bytes))
    with pytest.raises(LimitExceededError, match="max_signature_bytes"):
        find(few, A)
    few = FolderStore(tmp_path / "s", limits=Limits(max_entries=2))
    with pytest.raises(LimitExceededError, match="max_entries"):
        find(few, A)
    few = FolderStore(tmp_path / "s", limits=Limits(max_signature_bytes=10))
    with pytest.raises(LimitExceededError, match="max_signature_bytes"):
        few.add(bundles)


@pytest.mark.parametrize("what", ["link", "pipe", "folder", "stranger", "not utf-8"])
def test_what_it_did_not_write_is_told(store: FolderStore, tmp_path: Path, what: str) -> None:
    store.add([seal(A)])
    folder = tmp_path / "store" / "sha256" / "aa" / A
    strange = folder / ("e" * 64 + ".json")
    if what == "link":
        (tmp_path / "secret").write_text("secret")
        strange.symlink_to(tmp_path / "secret")
    elif what == "pipe":
        os.mkfifo(strange)
    elif what == "folder":
        strange.mkdir()
    elif what == "stranger":
        (folder / "\x1b[2Jx").write_text("{}")
    else:
        (folder / os.fsdecode(b"\xff.json")).write_text("{}")
    with pytest.raises(IncompleteError, match="no bundle that it wrote") as caught:
        find(store, A)
    assert "\x1b" not in str(caught.value)


def test_what_a_killed_writer_left_is_no_trouble(store: FolderStore, tmp_path: Path) -> None:
    bundle = seal(A)
    store.add([bundle])
    leftover = tmp_path / "store" / "sha256" / "aa" / A / ".weighbridge-0123456789abcdef.tmp"
    leftover.write_bytes(b"half")
    assert find(store, A) == [bundle.raw]


@pytest.mark.parametrize("level", ["sha256", "sha256/aa", f"sha256/aa/{A}"])
@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_link_inside_is_not_followed(
    store: FolderStore, tmp_path: Path, level: str, kind: str
) -> None:
    place = tmp_path / "store" / level
    place.parent.mkdir(parents=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if kind == "link":
        place.symlink_to(elsewhere)
    else:
        place.write_text("")
    for use in (lambda: find(store, A), lambda: store.add([seal(A)])):
        with pytest.raises(IncompleteError, match="no bundle that it wrote"):
            use()
    assert list(elsewhere.iterdir()) == []


def test_a_link_in_the_place_of_a_bundle_is_replaced(store: FolderStore, tmp_path: Path) -> None:
    bundle = seal(A)
    store.add([bundle])
    (file,) = tmp_path.rglob("*.json")
    target = tmp_path / "precious"
    target.write_bytes(b"precious")
    file.unlink()
    file.symlink_to(target)
    assert store.add([bundle]) == 1
    assert (target.read_bytes(), find(store, A)) == (b"precious", [bundle.raw])


def test_the_store_itself_may_be_named_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    bundle = seal(A)
    open_store(tmp_path / "link").add([bundle])
    assert list(open_store(str(tmp_path / "real")).find(Digest(A))) == [bundle.raw]


def test_a_folder_of_something_else_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("notes")
    for use in (open_store(tmp_path).check, lambda: open_store(tmp_path).add([seal(A)])):
        with pytest.raises(InputError, match="is no store"):
            use()
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(InputError, match="not a directory"):
        open_store(tmp_path / "notes.txt").check()


def test_no_store_is_not_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no store"):
        list(open_store(tmp_path / "typo").find(Digest(A)))
    open_store(tmp_path / "typo").check()
    assert not (tmp_path / "typo").exists()
    with pytest.raises(InputError, match="folder is missing"):
        open_store(tmp_path / "no" / "where").check()


@pytest.mark.parametrize("readonly", [".", "s", "s/sha256"])
def test_a_store_that_cannot_be_written_is_told_before(tmp_path: Path, readonly: str) -> None:
    prefix = without_privileges()
    (tmp_path / "s" / "sha256").mkdir(parents=True)
    if readonly == ".":
        (tmp_path / "s" / "sha256").rmdir()
        (tmp_path / "s").rmdir()
    (tmp_path / readonly).chmod(0o555)
    script = (
        "import sys; from pathlib import Path; from weighbridge.store import open_store; "
        "open_store(Path(sys.argv[1])).check()"
    )
    done = subprocess.run(
        [*prefix, sys.executable, "-c", script, str(tmp_path / "s")],
        capture_output=True,
        text=True,
        check=False,
    )
    (tmp_path / readonly).chmod(0o755)
    assert "InputError" in done.stderr
    assert "permission denied" in done.stderr


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "empty"),
        ("sqlite:claims.db", "no kind of store"),
        ("postgresql://host/db", "no kind of store"),
        ("oci://r.io/x", "no kind of store"),
        ("S3://bucket", "no kind of store"),
        ("file://host/x", "no folder of this machine"),
        ("file:x?y", "no folder of this machine"),
        ("file:", "names no folder"),
        ("\x1b]0;x\x07:y", None),
    ],
)
def test_names_of_stores(name: str, words: str | None) -> None:
    if words is None:
        assert open_store(name).local_paths[0].name == name
        return
    with pytest.raises(InputError, match=words):
        open_store(name)


@pytest.mark.parametrize(
    ("name", "path"),
    [("file:a%20b/c", "a b/c"), ("FILE:///x/y", "/x/y"), ("./s3:x", "s3:x"), ("a/b:c", "a/b:c")],
)
def test_what_a_name_leads_to(name: str, path: str) -> None:
    assert open_store(name).local_paths == (Path(path).absolute(),)
