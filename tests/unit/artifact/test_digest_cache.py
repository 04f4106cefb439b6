"""The digest cache: what it finds is what was hashed, whatever became of its file."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support import build_model
from weighbridge.artifact import DigestCache, hash_file, identify, weigh_cached
from weighbridge.artifact._devices import Devices
from weighbridge.artifact._digest_table import DigestTable, to_key
from weighbridge.core import DEFAULT_LIMITS
from weighbridge.engines import ThreadExecutor

LATER_NS = 10**10
WRONG = "0" * 64


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "w.bin"
    file.write_bytes(b"weights")
    return file


def remember(folder: Path, file: Path, sha256: str) -> None:
    """Write the cache as it is when the file is not that new any more."""
    cache = DigestCache(folder)
    found = [(identify(file.stat()), sha256)]
    cache.add(found, where=str(file), read_from_ns=time.time_ns() + LATER_NS)
    cache.save()
    assert cache.problems == ()


def find(folder: Path, file: Path) -> tuple[str, tuple[str, ...]]:
    cache = DigestCache(folder)
    identity = identify(file.stat())
    return cache.find([identity], where=str(file)).get(identity, ""), cache.problems


def test_a_file_is_known_until_it_is_touched(folder: Path, file: Path) -> None:
    assert find(folder, file) == ("", ())
    digest = hashlib.sha256(b"weights").hexdigest()
    remember(folder, file, digest)
    assert find(folder, file) == (digest, ())
    assert hash_file(file, DigestCache(folder)) == (digest, True)
    assert (folder / "digests").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    before = file.stat()
    file.write_bytes(b"Weights")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert find(folder, file) == ("", ())
    remember(folder, file, WRONG)
    assert find(folder, file) == (WRONG, ())


def test_a_file_in_its_place_is_not_known(folder: Path, file: Path) -> None:
    remember(folder, file, WRONG)
    other = file.with_name("other")
    other.write_bytes(file.read_bytes())
    status = file.stat()
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.rename(file)
    assert find(folder, file) == ("", ())


def test_a_young_file_is_not_remembered(folder: Path, file: Path) -> None:
    cache = DigestCache(folder)
    now_ns = max(file.stat().st_mtime_ns, file.stat().st_ctime_ns)
    for age_ns in (-LATER_NS, 0, 2 * 10**9):
        read_from_ns = now_ns + age_ns
        cache.add([(identify(file.stat()), WRONG)], where=str(file), read_from_ns=read_from_ns)
    os.utime(file, ns=(0, time.time_ns() + 100 * LATER_NS))  # a time of change in the future
    found = [(identify(file.stat()), WRONG)]
    cache.add(found, where=str(file), read_from_ns=time.time_ns() + LATER_NS)
    cache.save()
    assert not folder.exists()


def test_it_can_be_left_alone_and_dropped(folder: Path, file: Path) -> None:
    remember(folder, file, WRONG)
    cache = DigestCache(folder)
    cache.leave("is not wanted")
    assert cache.find([identify(file.stat())], where=str(file)) == {}
    assert "is not wanted" in cache.problems[0]
    cache.drop()
    assert not (folder / "digests").exists()
    cache.drop()  # there is none any more
    assert len(cache.problems) == 1


def link_file(folder: Path) -> None:
    (folder / "digests").rename(folder / "other")
    (folder / "digests").symlink_to("other")


def link_folder(folder: Path) -> None:
    folder.rename(folder.with_name("other"))
    folder.symlink_to("other")


def put(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def replace(folder: Path) -> None:
        (folder / "digests").unlink()
        make(folder / "digests")

    return replace


def lengthen(folder: Path) -> None:
    os.truncate(folder / "digests", 2**30)


BAD = {
    "link": link_file,
    "link to the folder": link_folder,
    "second name": lambda folder: os.link(folder / "digests", folder / "other"),
    "readable by others": lambda folder: (folder / "digests").chmod(0o644),
    "open to the group": lambda folder: (folder / "digests").chmod(0o660),
    "open folder": lambda folder: folder.chmod(0o755),
    "pipe": put(lambda path: os.mkfifo(path, 0o600)),
    "folder": put(lambda path: path.mkdir(mode=0o700)),
    "too long": lengthen,
    "something else": put(lambda path: (path.write_text("x" * 5000), path.chmod(0o600))),
}


@pytest.mark.parametrize("spoil", BAD.values(), ids=BAD.keys())
def test_what_others_could_have_made_is_not_believed(
    folder: Path, file: Path, spoil: Callable[[Path], object]
) -> None:
    remember(folder, file, WRONG)
    spoil(folder)
    digest, (problem,) = find(folder, file)
    assert digest == ""
    assert str(folder) in problem
    cache = DigestCache(folder)
    assert hash_file(file, cache) == (hashlib.sha256(b"weights").hexdigest(), False)
    cache.add([(identify(file.stat()), WRONG)], where=str(file), read_from_ns=2**62)
    cache.save()
    assert problem in cache.problems


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("name", ["", "digests"])
def test_what_is_somebody_elses_is_not_believed(folder: Path, file: Path, name: str) -> None:
    remember(folder, file, WRONG)
    os.chown(folder / name, 65534, 65534)
    digest, (problem,) = find(folder, file)
    assert (digest, "belongs to somebody else" in problem) == ("", True)


@pytest.mark.parametrize("place", ["/proc/weighbridge", "/dev/null/weighbridge"])
def test_where_nothing_can_be_written_it_is_said(file: Path, place: str) -> None:
    cache = DigestCache(Path(place))
    cache.add([(identify(file.stat()), WRONG)], where=str(file), read_from_ns=2**62)
    cache.save()
    (problem,) = cache.problems
    assert "cannot be used" in problem


DEVICE = os.makedev(0, 77)
MOUNT = "29 1 {} / {} rw,relatime shared:1 - {} /dev/x rw\n"


def name_device(
    root: Path, mounts: str, where: str = "/data/x", device: int = DEVICE
) -> int | None:
    (root / "proc/self").mkdir(parents=True, exist_ok=True)
    (root / "proc/self/mountinfo").write_text(mounts)
    boot = root / "proc/sys/kernel/random"
    boot.mkdir(parents=True, exist_ok=True)
    if not (boot / "boot_id").exists():
        (boot / "boot_id").write_text("one\n")
    return Devices(root).name(device, where)


@pytest.mark.parametrize(
    "kind", ["fuse.gcsfuse", "nfs4", "squashfs", "erofs", "9p", "vfat", "lustre"]
)
def test_times_made_up_by_others_are_not_believed(tmp_path: Path, kind: str) -> None:
    assert name_device(tmp_path, MOUNT.format("0:77", "/data", kind)) is None
    disk = MOUNT.format("0:77", "/data", "tmpfs")
    assert name_device(tmp_path, disk + MOUNT.format("0:77", "/other", kind)) is None


def test_memory_counts_until_the_system_is_started_again() -> None:
    device = Path("/dev/shm").stat().st_dev
    assert Devices().name(device, "/dev/shm") not in (None, device)


def test_devices_that_no_mount_names(tmp_path: Path) -> None:
    root = MOUNT.format("8:1", "/", "ext4")
    assert name_device(tmp_path, root) is None
    assert name_device(tmp_path, root + MOUNT.format("0:50", "/data", "btrfs")) is not None
    assert name_device(tmp_path, root + MOUNT.format("0:50", "/dat", "btrfs")) is None
    assert name_device(tmp_path, MOUNT.format("0:50", r"/a\040b", "btrfs"), "/a b/c") is not None
    assert name_device(tmp_path, "") is None


def test_a_device_number_is_given_again_after_a_start(tmp_path: Path) -> None:
    mounts = MOUNT.format("0:77", "/data", "overlay") + MOUNT.format("8:1", "/", "ext4")
    first = name_device(tmp_path, mounts)
    disk = name_device(tmp_path, mounts, device=os.makedev(8, 1))
    (tmp_path / "proc/sys/kernel/random/boot_id").write_text("two\n")
    assert name_device(tmp_path, mounts) not in (None, first)
    assert name_device(tmp_path, mounts, device=os.makedev(8, 1)) == disk == os.makedev(8, 1)
    (tmp_path / "proc/sys/kernel/random/boot_id").write_text("")
    assert name_device(tmp_path, mounts) is None


def test_whole_seconds_are_times_of_images(folder: Path) -> None:
    cache = DigestCache(folder)
    status = folder.parent.stat()
    identity = (status.st_dev, 1, 1, 1_000_000_001, 5_000_000_000)
    cache.add([(identity, WRONG)], where=str(folder.parent), read_from_ns=2**62)
    cache.save()
    assert not folder.exists()


@pytest.fixture(scope="module")
def descriptor() -> Iterator[int]:
    with tempfile.TemporaryFile() as stream:
        yield stream.fileno()


# So few files and so many of their states that pages fill up and facts take each other's place.
KEYS = st.builds(
    lambda inode, size: to_key(7, (0, inode, size, -1, 1)), st.integers(0, 7), st.integers(0, 9)
)
FACTS = st.dictionaries(KEYS, st.binary(min_size=32, max_size=32), max_size=30)


@settings(deadline=None)
@given(saves=st.lists(FACTS, max_size=6))
def test_what_is_found_is_what_was_put_in_last(
    descriptor: int, saves: list[dict[bytes, bytes]]
) -> None:
    os.truncate(descriptor, 0)
    table, last = DigestTable(descriptor), {}
    for facts in saves:
        table.add(facts)
        last |= facts
    found, damaged = table.find(last)
    assert damaged == 0
    assert found.items() <= last.items()
    assert saves == [] or {key[8:16] for key in saves[-1]} <= {key[8:16] for key in found}


@settings(deadline=None)
@given(
    facts=FACTS,
    flips=st.lists(st.tuples(st.integers(0, 4095), st.integers(1, 255)), max_size=20),
    cut=st.integers(0, 4096),
)
def test_damage_loses_facts_and_changes_none(
    descriptor: int, facts: dict[bytes, bytes], flips: list[tuple[int, int]], cut: int
) -> None:
    os.truncate(descriptor, 0)
    table = DigestTable(descriptor)
    table.add(facts)
    end = os.fstat(descriptor).st_size
    page = max(end - 4096, 0)
    for offset, flip in flips:
        byte = os.pread(descriptor, 1, page + offset)
        os.pwrite(descriptor, bytes([(byte or b"\0")[0] ^ flip]), page + offset)
    os.truncate(descriptor, max(end - cut, 0))
    assert table.find(facts)[0].items() <= facts.items()


def test_a_full_page_keeps_the_newest(descriptor: int) -> None:
    os.truncate(descriptor, 0)
    table = DigestTable(descriptor)
    keys = [to_key(7, (0, inode, 1, 1, 1)) for inode in range(2_000_000) if inode % 8 == 0]
    from weighbridge.artifact._digest_table import _group  # noqa: PLC0415 - to fill one page

    page = max(_group(k for k in keys if k).values(), key=len)
    assert len(page) > 8
    crowd = [
        key[:8] + (int.from_bytes(key[8:16], "little") + n).to_bytes(8, "little") + key[16:]
        for key in page
        for n in range(8)
    ]
    for key in crowd:
        table.add({key: hashlib.sha256(key).digest()})
        assert table.find([key])[0] == {key: hashlib.sha256(key).digest()}
    found, _ = table.find(crowd)
    assert 51 >= len(found) > 30
    assert all(hashlib.sha256(key).digest() == digest for key, digest in found.items())


WRITER = """
import hashlib, sys, time
from pathlib import Path
from weighbridge.artifact import DigestCache, identify
folder, place, first = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
device = place.stat().st_dev
for number in range(first, first + 40_000, 400):
    cache = DigestCache(folder)
    names = [(device, n, 1, 1, 1) for n in range(number, number + 400)]
    cache.add([(i, hashlib.sha256(str(i).encode()).hexdigest()) for i in names],
              where=str(place), read_from_ns=2**62)
    cache.save()
    assert not cache.problems, cache.problems
    print(number, flush=True)
"""


def test_writers_at_once_and_one_that_is_killed(folder: Path, tmp_path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, folder, tmp_path, str(first)], stdout=subprocess.PIPE
        )
        for first in (1, 20_000, 40_000)
    ]
    assert writers[0].stdout is not None
    writers[0].stdout.readline()
    writers[0].kill()
    for writer in writers:
        writer.communicate(timeout=60)
    assert [writer.returncode for writer in writers] == [-9, 0, 0]
    device = tmp_path.stat().st_dev
    cache = DigestCache(folder)
    asked = [(device, number, 1, 1, 1) for number in range(1, 80_000)]
    found = cache.find(asked, where=str(tmp_path))
    assert cache.problems == ()
    assert len(found) > 50_000  # whoever writes a page at the same time may lose a few
    assert all(found[i] == hashlib.sha256(str(i).encode()).hexdigest() for i in found)


def test_weighing_is_the_same_with_it(folder: Path, tmp_path: Path) -> None:
    model = build_model(tmp_path / "model")
    (model / "twin.bin").hardlink_to(model / "README.md")
    (model / "model.sig").hardlink_to(model / "vocab/vocab.txt")  # not in the artifact's scope
    plain, _ = weigh_cached(model, None, executor=ThreadExecutor(), limits=DEFAULT_LIMITS)
    cache = DigestCache(folder)
    for read_all, cached in ((False, 0), (True, 0), (False, len(plain.resources))):
        weighed, count = weigh_cached(
            model, cache, executor=ThreadExecutor(), limits=DEFAULT_LIMITS, read_all=read_all
        )
        assert (weighed.resources, weighed.failures, count) == (plain.resources, (), cached)
        digests = {r.name: r.sha256 for r in weighed.resources}
        cache.add(
            [(e.identity, digests[e.name]) for e in weighed.tree.entries if e.in_scope],
            where=str(model),
            read_from_ns=2**62,
        )
        cache.save()
    (model / "README.md").write_text("other")
    weighed, count = weigh_cached(model, cache, executor=ThreadExecutor(), limits=DEFAULT_LIMITS)
    assert count == len(plain.resources) - 2
    digests = {r.name: r.sha256 for r in weighed.resources}
    assert digests["twin.bin"] == hashlib.sha256(b"other").hexdigest()


def test_only_regular_files_are_hashed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "missing", ".", "a\0b", "/dev/zero"):
        assert hash_file(f"{tmp_path}/{name}" if name[0] != "/" else name) == ("", False)
