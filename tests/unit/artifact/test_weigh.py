from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weighbridge.artifact import build_manifest, find_changes, walk, weigh
from weighbridge.core import DEFAULT_LIMITS, Limits, Manifest, ReadFailureKind
from weighbridge.core.ports import ByteSource
from weighbridge.engines import ThreadExecutor
from weighbridge.errors import ArtifactChangedError, InputError

A = TypeVar("A")
B = TypeVar("B")

MIB = 1024 * 1024


class Meddling:
    """An executor that does something between the listing of the files and their reading."""

    workers = 1

    def __init__(self, meddle: Callable[[], object]) -> None:
        self._meddle = meddle

    def map(self, function: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
        self._meddle()
        yield from map(function, items)


def hash_folder(root: Path, *, workers: int = 2) -> Manifest:
    return build_manifest(root, executor=ThreadExecutor(workers), limits=DEFAULT_LIMITS)


def fill(root: Path) -> Path:
    for index in range(300):
        path = root / f"{index % 7}" / f"{index:03d}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([index % 256]) * (index * 37))
    (root / "big.bin").write_bytes(os.urandom(3 * MIB + 5))
    (root / "empty").write_bytes(b"")
    return root


def test_the_digest_of_a_folder_is_what_coreutils_say(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "a name with spaces and ü").write_bytes(b"x")
    script = (
        "find . -type f | sed 's|^./||' | LC_ALL=C sort | tr '\\n' '\\0' "
        "| xargs -0 sha256sum | sha256sum"
    )
    said = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, check=True, capture_output=True, text=True
    ).stdout
    assert hash_folder(tmp_path).compute_digest().hex == said.split()[0]


def test_the_digest_of_a_file_is_its_sha256(tmp_path: Path) -> None:
    file = tmp_path / "w.bin"
    file.write_bytes(b"weights" * 1000)
    assert hash_folder(file).compute_digest().hex == hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_the_number_of_workers_changes_nothing(tmp_path: Path, workers: int) -> None:
    fill(tmp_path)
    manifest = hash_folder(tmp_path, workers=workers)
    names = [resource.name for resource in manifest.resources]
    assert names == sorted(names)
    for resource in manifest.resources:
        data = (tmp_path / resource.name).read_bytes()
        assert (resource.size_bytes, resource.sha256) == (
            len(data),
            hashlib.sha256(data).hexdigest(),
        )


def test_a_large_file_is_hashed_right_with_read_ahead(tmp_path: Path) -> None:
    file = tmp_path / "w.bin"
    file.write_bytes(os.urandom(40 * MIB + 17))
    expected = hashlib.sha256(file.read_bytes()).hexdigest()
    assert hash_folder(file).resources[0].sha256 == expected


def grow(file: Path) -> None:
    with file.open("ab") as stream:
        stream.write(b"more")


def rewrite(file: Path) -> None:
    with file.open("r+b") as stream:
        stream.write(b"other")


def replace(file: Path) -> None:
    other = file.with_name("other")
    other.write_bytes(file.read_bytes())
    other.rename(file)


@pytest.mark.parametrize("size", [100, 3 * MIB, 40 * MIB])
@pytest.mark.parametrize(
    "change", [grow, rewrite, replace, Path.unlink, lambda file: os.truncate(file, 50)]
)
def test_a_file_that_changes_before_it_is_read_is_named(
    tmp_path: Path, size: int, change: Callable[[Path], object]
) -> None:
    file = tmp_path / "w.bin"
    file.write_bytes(bytes(size))
    (tmp_path / "other.bin").write_bytes(b"x")
    with pytest.raises(ArtifactChangedError, match=r"w\.bin"):
        build_manifest(tmp_path, executor=Meddling(lambda: change(file)), limits=DEFAULT_LIMITS)


def test_a_pipe_that_takes_a_files_place_does_not_block(tmp_path: Path) -> None:
    file = tmp_path / "w.bin"
    file.write_bytes(b"x")

    def swap() -> None:
        file.unlink()
        os.mkfifo(file)

    with pytest.raises(ArtifactChangedError):
        build_manifest(tmp_path, executor=Meddling(swap), limits=DEFAULT_LIMITS)


def test_a_link_that_takes_a_files_place_is_not_followed(tmp_path: Path) -> None:
    file = tmp_path / "model" / "w.bin"
    file.parent.mkdir()
    file.write_bytes(b"x")
    (tmp_path / "secret").write_bytes(b"x")

    def swap() -> None:
        file.unlink()
        file.symlink_to("../secret")

    with pytest.raises((ArtifactChangedError, InputError), match=r"w\.bin"):
        build_manifest(tmp_path / "model", executor=Meddling(swap), limits=DEFAULT_LIMITS)


def test_a_file_added_meanwhile_is_named(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(b"x")
    added = tmp_path / "z.bin"
    with pytest.raises(ArtifactChangedError, match=r"z\.bin"):
        build_manifest(
            tmp_path, executor=Meddling(lambda: added.write_bytes(b"y")), limits=DEFAULT_LIMITS
        )


@pytest.mark.parametrize("size", [1000, 20 * MIB])
@pytest.mark.parametrize("change", [grow, rewrite, lambda file: os.truncate(file, 50)])
def test_a_file_that_changes_while_it_is_inspected_is_a_failure(
    tmp_path: Path, size: int, change: Callable[[Path], object]
) -> None:
    file = tmp_path / "w.bin"
    file.write_bytes(bytes(size))

    def inspect(source: ByteSource) -> str:
        source.read_at(0, 10)
        change(file)
        return "seen"

    weighed = weigh(file, executor=ThreadExecutor(1), limits=DEFAULT_LIMITS, inspector=inspect)
    changes = find_changes(weighed.tree, file, limits=DEFAULT_LIMITS)
    kinds = [failure.kind for failure in weighed.failures]
    # A small file was read whole before: then the change shows in the second look.
    assert kinds == [ReadFailureKind.CHANGED] or changes == ("w.bin",)
    assert size < 8 * MIB or kinds == [ReadFailureKind.CHANGED]


def test_an_inspector_that_swallows_errors_cannot_hide_a_change(tmp_path: Path) -> None:
    file = tmp_path / "w.bin"
    file.write_bytes(bytes(20 * MIB))

    def inspect(source: ByteSource) -> str:
        os.truncate(file, 5)
        try:
            source.read_at(15 * MIB, 10)
        except ArtifactChangedError:
            os.truncate(file, 20 * MIB)
        return "all well"

    weighed = weigh(file, executor=ThreadExecutor(1), limits=DEFAULT_LIMITS, inspector=inspect)
    assert [failure.kind for failure in weighed.failures] == [ReadFailureKind.CHANGED]


READS = st.lists(
    st.tuples(st.integers(-5, 12 * MIB), st.integers(-1, 3 * MIB)), min_size=0, max_size=12
)


@pytest.fixture(scope="module")
def large_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("reader") / "w.bin"
    file.write_bytes(os.urandom(10 * MIB + 123))
    return file


@given(reads=READS, kept_mib=st.integers(0, 6))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_read_is_what_is_hashed(
    large_file: Path, reads: list[tuple[int, int]], kept_mib: int
) -> None:
    """Whatever an inspector reads, in any order, the bytes and the digest are the file's."""
    data = large_file.read_bytes()

    def inspect(source: ByteSource) -> bool:
        return all(
            source.read_at(offset, size)
            == (data[offset : offset + size] if offset >= 0 and size > 0 else b"")
            for offset, size in reads
        )

    weighed = weigh(
        large_file,
        executor=ThreadExecutor(1),
        limits=Limits(max_kept_bytes=kept_mib * MIB),
        inspector=inspect,
    )
    assert weighed.inspections == (True,)
    assert weighed.resources[0].sha256 == hashlib.sha256(data).hexdigest()


COUNT_READ = """
import sys
from pathlib import Path
from weighbridge.artifact import weigh
from weighbridge.core import DEFAULT_LIMITS
from weighbridge.engines import ThreadExecutor

def inspect(source):
    source.read_at(source.size_bytes - 70_000, 70_000)   # as for a zip: its end,
    source.read_at(0, 100_000)                           # its beginning,
    for offset in range(0, source.size_bytes, 5_000_000):
        source.read_at(offset, 30)                       # its members
    return "seen"

def read_bytes():
    return int(Path("/proc/self/io").read_text().split()[1])

arguments = dict(executor=ThreadExecutor(2), limits=DEFAULT_LIMITS, inspector=inspect)
weigh(Path(sys.argv[1]) / "warm", **arguments)
before = read_bytes()
weigh(Path(sys.argv[1]) / "model", **arguments)
print(read_bytes() - before)
"""


def test_every_byte_is_read_once(tmp_path: Path) -> None:
    """The kernel's own count of bytes read is the artifact's size, not a multiple of it."""
    for name, size in (("warm", 1000), ("model", 30 * MIB)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "w.bin").write_bytes(bytes(size))
        (tmp_path / name / "small.bin").write_bytes(bytes(MIB))
    done = subprocess.run(
        [sys.executable, "-c", COUNT_READ, str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
    )
    assert 31 * MIB <= int(done.stdout) < 31 * MIB + 64 * 1024


def test_progress_adds_up(tmp_path: Path) -> None:
    class Count:
        def __init__(self) -> None:
            self.total = 0
            self.done = 0
            self._lock = threading.Lock()

        def start(self, total_bytes: int) -> None:
            self.total = total_bytes

        def advance(self, done_bytes: int) -> None:
            with self._lock:
                self.done += done_bytes

    fill(tmp_path)
    (tmp_path / "bigger.bin").write_bytes(bytes(30 * MIB))
    for inspector in (None, lambda source: source.read_at(0, 1) or b"empty"):
        count = Count()
        weighed = weigh(
            tmp_path,
            executor=ThreadExecutor(2),
            limits=DEFAULT_LIMITS,
            inspector=inspector,
            progress=count,
        )
        assert count.total == count.done == sum(r.size_bytes for r in weighed.resources)


def test_files_out_of_scope_are_inspected_and_not_hashed(tmp_path: Path) -> None:
    (tmp_path / ".github").mkdir()
    (tmp_path / ".github" / "evil.pkl").write_bytes(b"x")
    (tmp_path / "w.bin").write_bytes(b"x")
    weighed = weigh(
        tmp_path,
        executor=ThreadExecutor(1),
        limits=DEFAULT_LIMITS,
        inspector=lambda source: source.name,
    )
    assert weighed.inspections == (".github/evil.pkl", "w.bin")
    assert [resource.name for resource in weighed.resources] == ["w.bin"]


def test_changes_are_found_without_reading(tmp_path: Path) -> None:
    for name in ("same", "grown", "gone", "touched"):
        (tmp_path / name).write_bytes(b"x")
    tree = walk(tmp_path, limits=DEFAULT_LIMITS)
    grow(tmp_path / "grown")
    (tmp_path / "gone").unlink()
    os.utime(tmp_path / "touched", ns=(1, 1))
    (tmp_path / "new").write_bytes(b"y")
    (tmp_path / "link").symlink_to("same")
    (tmp_path / "model.sig").write_bytes(b"signed meanwhile")
    assert find_changes(tree, tmp_path, limits=DEFAULT_LIMITS) == (
        "gone",
        "grown",
        "link",
        "new",
        "touched",
    )
