"""--stat-cache: what was hashed and not touched is not read again, and nothing else is believed."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

import weighbridge as wb
from support import build_model, run_cli
from weighbridge.artifact import load_stat_cache, save_stat_cache, walk
from weighbridge.core import DEFAULT_LIMITS, HashType, Limits, Serialization
from weighbridge.errors import (
    ArtifactChangedError,
    DigestMismatchError,
    InputError,
    LimitExceededError,
)

BIG = 3000
SMALL = {"README.md", "config.json", "model.safetensors", "vocab/vocab.txt"}
LATER_NS = 10**10


@pytest.fixture
def place(tmp_path: Path) -> Path:
    model = build_model(tmp_path / "model")
    for number in range(4):
        (model / f"w{number}.bin").write_bytes(bytes([number]) * BIG)
    wb.keygen(tmp_path / "k")
    return tmp_path


def remember(place: Path) -> Path:
    """Write the cache that hashing gives when the files are not that new any more."""
    model, cache = place / "model", place / "cache"
    digests = {r.name: r.sha256 for r in wb.hash(model).resources}
    tree = walk(model, limits=DEFAULT_LIMITS)
    save_stat_cache(cache, tree, digests, read_from_ns=time.time_ns() + LATER_NS)
    return cache


def change_unseen(cache: Path, name: str) -> None:
    """Put a wrong digest into the cache: whether it comes out shows whether the file was read."""
    document = json.loads(cache.read_text())
    document["files"][name][-1] = "0" * 64
    cache.write_text(json.dumps(document))


def sign(place: Path, *options: str) -> set[str]:
    """Sign with the cache and return which large files were read; a full reading has to agree."""
    done = run_cli(
        *("sign", "model", "--key", "k.key", "--stat-cache", "cache", "--json"), *options, cwd=place
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["artifact"] == str(wb.hash(place / "model").compute_digest())
    assert run_cli("verify", "model", "--key", "k.pub", cwd=place).returncode == 0
    return set(told["reused"]["hashed"]) - SMALL


def test_what_nobody_touched_is_not_read_again(place: Path) -> None:
    """As a user runs it, with the two seconds in which a file is too new to be remembered."""
    assert len(sign(place)) == 4
    assert (place / "cache").stat().st_mode & 0o777 == 0o600
    time.sleep(2.1)
    sign(place)
    assert sign(place) == set()
    (place / "model" / "w1.bin").write_bytes(b"\xff" * BIG)
    assert sign(place) == {"w1.bin"}
    change_unseen(place / "cache", "w2.bin")
    done = run_cli("hash", "model", "--stat-cache", "cache", cwd=place)
    assert done.stdout.strip() != str(wb.hash(place / "model").compute_digest())


class ChangingExecutor:
    """Changes a file that is not read while others are."""

    workers = 1

    def __init__(self, file: Path) -> None:
        self.file = file

    def map(self, function: object, items: object) -> object:
        self.file.write_bytes(b"\xfe" * BIG)
        return map(function, items)  # type: ignore[call-overload]


def test_a_remembered_file_that_changes_meanwhile_is_noticed(place: Path) -> None:
    executor = ChangingExecutor(place / "model" / "w2.bin")
    cache = remember(place)
    with pytest.raises(ArtifactChangedError):
        wb.sign(place / "model", key=place / "k.key", stat_cache=cache, executor=executor)
    assert not (place / "model" / "model.sig").exists()


@pytest.mark.parametrize(("age_s", "is_remembered"), [(-1, False), (1, False), (3, True)])
def test_a_file_that_is_too_new_is_not_remembered(
    place: Path, age_s: int, *, is_remembered: bool
) -> None:
    file = place / "model" / "w1.bin"
    tree = walk(file, limits=DEFAULT_LIMITS)
    changed_ns = tree.entries[0].identity[-1]
    digests = {"w1.bin": wb.hash(file).compute_digest().hex}
    read_from_ns = changed_ns + age_s * 10**9
    save_stat_cache(place / "cache", tree, digests, read_from_ns=read_from_ns)
    found = load_stat_cache(place / "cache", tree, limits=DEFAULT_LIMITS).find(tree)
    assert found == (digests if is_remembered else {})


@pytest.mark.parametrize("way", ["bytes", "times put back", "replaced", "touched", "size"])
def test_every_change_is_seen(place: Path, way: str) -> None:
    remember(place)
    file = place / "model" / "w1.bin"
    status = file.stat()
    if way == "replaced":
        (place / "other").write_bytes(b"\xff" * BIG)
        os.utime(place / "other", ns=(status.st_atime_ns, status.st_mtime_ns))
        (place / "other").rename(file)
    elif way == "touched":
        file.touch()
    else:
        file.write_bytes(b"\xff" * (BIG + (way == "size")))
        if way == "times put back":
            os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert sign(place) == {"w1.bin"}


def test_with_an_old_signature_it_says_what_changed(place: Path) -> None:
    model = place / "model"
    wb.sign(model, key=place / "k.key")
    (model / "w1.bin").write_bytes(b"\xff" * BIG)
    (model / "w2.bin").rename(model / "moved.bin")
    remember(place)
    (model / "w3.bin").write_bytes(b"\xfe" * BIG)
    old = ("--reuse", "model/model.sig")
    assert sign(place, *old) == {"w1.bin", "w3.bin"}  # what the signature did not list is read
    remember(place)
    assert sign(place, *old, "--updated", "w0.bin") == {"w0.bin"}
    assert (place / "cache").stat().st_mode & 0o777 == 0o600


def test_a_cache_that_disagrees_with_what_is_read_is_an_error(place: Path) -> None:
    change_unseen(remember(place), "config.json")
    with pytest.raises(DigestMismatchError):
        wb.sign(place / "model", key=place / "k.key", stat_cache=place / "cache")
    assert not (place / "model" / "model.sig").exists()


def test_verifying_never_believes_a_cache(place: Path) -> None:
    for command in ("verify", "check", "scan"):
        done = run_cli(command, "model", "--stat-cache", "cache", cwd=place)
        assert (done.returncode, "No such option" in done.stderr) == (2, True)


def test_a_bare_file_and_a_program(place: Path) -> None:
    file = place / "model" / "w0.bin"
    first = wb.hash(file, stat_cache=place / "other")
    assert wb.hash(file, stat_cache=place / "other") == first == wb.hash(file)
    with pytest.raises(InputError, match="another artifact"):
        wb.hash(place / "model", stat_cache=place / "other")


# A cache that could be somebody else's.


def refuse(place: Path, words: str, file: str = "cache") -> None:
    for verb in (("hash", "model"), ("sign", "model", "--key", "k.key")):
        done = run_cli(*verb, "--stat-cache", file, cwd=place)
        assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert not (place / "model" / "model.sig").exists()


@pytest.mark.parametrize("mode", [0o644, 0o620, 0o602, 0o660, 0o604])
def test_one_that_others_may_open(place: Path, mode: int) -> None:
    remember(place).chmod(mode)
    refuse(place, "may be opened by others")


def test_one_of_somebody_else(place: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(remember(place), 12345, -1)
    refuse(place, "belongs to somebody else")


def test_one_with_a_second_name_and_a_link(place: Path) -> None:
    cache = remember(place)
    os.link(cache, place / "second")
    refuse(place, "second name")
    (place / "second").unlink()
    cache.rename(place / "real")
    cache.symlink_to("real")
    refuse(place, "cannot read")


def test_one_that_came_with_the_artifact(place: Path) -> None:
    remember(place).rename(place / "model" / "cache")
    refuse(place, "inside the artifact", "model/cache")


def test_what_is_no_file(place: Path) -> None:
    os.mkfifo(place / "cache")
    refuse(place, "not a regular file")


@pytest.mark.parametrize(
    "change",
    [
        {"format": "x"},
        {"version": 2},
        {"files": []},
        {"files": {"a": [1, 2, 3, 4, 5]}},
        {"files": {"a": [1, 2, 3, 4, True, "0" * 64]}},
        {"files": {"a": [1, 2, 3, 4, 5.0, "0" * 64]}},
        {"files": {"a": [1, 2, 3, 4, 5, "A" * 64]}},
        {"more": 1},
    ],
)
def test_one_that_is_damaged(place: Path, change: dict[str, object]) -> None:
    cache = remember(place)
    cache.write_text(json.dumps({**json.loads(cache.read_text()), **change}))
    refuse(place, "remove it")


@pytest.mark.parametrize("text", [b"", b"{}", b"[" * 10**5, b"\xff", b"null"])
def test_one_that_is_something_else(place: Path, text: bytes) -> None:
    cache = remember(place)
    cache.write_bytes(text)
    refuse(place, "cache")
    assert cache.read_bytes() == text


def test_its_size_is_bounded(place: Path) -> None:
    cache = remember(place)
    tree = walk(place / "model", limits=DEFAULT_LIMITS)
    with pytest.raises(LimitExceededError):
        load_stat_cache(cache, tree, limits=Limits(max_list_bytes=10))


def test_it_is_not_the_signature(place: Path) -> None:
    file = place / "model" / "w0.bin"
    for name in ("s.sig", "./s.sig"):
        with pytest.raises(InputError, match="another file"):
            wb.sign(file, key=place / "k.key", signature=place / "s.sig", stat_cache=place / name)
    assert not (place / "s.sig").exists()


def test_it_goes_with_sha256_of_files_only(place: Path) -> None:
    other = Serialization(hash_type=HashType.BLAKE2B)
    model, key = place / "model", place / "k.key"
    with pytest.raises(InputError, match="sha256 of files only"):
        wb.sign(model, key=key, stat_cache=place / "cache", serialization=other)
    wb.sign(model, key=key, serialization=other)
    reuse = wb.Reuse(model / "model.sig")
    with pytest.raises(InputError, match="sha256 of files only"):
        wb.sign(model, key=key, stat_cache=place / "cache", reuse=reuse)
    with pytest.raises(InputError, match="exclude each other"):
        wb.hash(model, digests={}, stat_cache=place / "cache")
    assert not (place / "cache").exists()
