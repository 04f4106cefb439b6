from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from weighbridge.artifact import _documents, remove_leftovers, write_atomically
from weighbridge.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["nameless", "beside"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test twice: as on most file systems, and as on those without nameless files."""
    if request.param == "beside":
        monkeypatch.setattr(os, "O_TMPFILE", os.O_DIRECTORY | os.O_CREAT)  # EINVAL or EISDIR


@pytest.fixture
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


pytestmark = pytest.mark.usefixtures("_way", "_usual_umask")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_new_and_old_files_get_the_content_and_nothing_is_left(tmp_path: Path) -> None:
    target = tmp_path / "model.sig"
    for data in (b"one", b"", b"x" * 3_000_000, b"two"):
        write_atomically(target, data)
        assert target.read_bytes() == data
        assert names(tmp_path) == ["model.sig"]


def test_the_umask_is_honoured(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", b"")
    write_atomically(tmp_path / "key", b"", mode=0o600)
    os.umask(0o077)
    write_atomically(tmp_path / "b", b"")
    assert [(tmp_path / n).stat().st_mode & 0o777 for n in ("a", "key", "b")] == [
        0o644,
        0o600,
        0o600,
    ]


def test_an_existing_file_can_be_spared(tmp_path: Path) -> None:
    write_atomically(tmp_path / "key", b"precious", overwrite=False)
    with pytest.raises(InputError, match=r"key exists already"):
        write_atomically(tmp_path / "key", b"new", overwrite=False)
    assert (tmp_path / "key").read_bytes() == b"precious"
    assert names(tmp_path) == ["key"]


def test_a_link_is_replaced_and_its_target_is_spared(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"old")
    (tmp_path / "model.sig").symlink_to("victim")
    write_atomically(tmp_path / "model.sig", b"new")
    assert (tmp_path / "victim").read_bytes() == b"old"
    assert not (tmp_path / "model.sig").is_symlink()
    assert (tmp_path / "model.sig").read_bytes() == b"new"


def test_a_dangling_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "model.sig").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError):
        write_atomically(tmp_path / "model.sig", b"new", overwrite=False)
    write_atomically(tmp_path / "model.sig", b"new")
    assert names(tmp_path) == ["model.sig"]


def test_what_cannot_be_written_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=r"folder is there and is not a regular file"):
        write_atomically(tmp_path / "folder", b"")
    with pytest.raises(InputError, match=r"missing/x cannot be written: its folder is missing"):
        write_atomically(tmp_path / "missing" / "x", b"")
    with pytest.raises(InputError, match="cannot be written"):
        write_atomically(tmp_path / ("n" * 300), b"")
    assert names(tmp_path) == ["folder"]


def test_a_long_name_in_a_deep_folder_is_written(tmp_path: Path) -> None:
    target = tmp_path / ("é" * 120)
    write_atomically(target, b"1")
    write_atomically(target, b"2")
    assert target.read_bytes() == b"2"


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_a_write_that_is_interrupted_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    target = tmp_path / "model.sig"
    target.write_bytes(b"old")

    def interrupt(*_: object, **__: object) -> None:
        raise error

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(_documents.os, name, interrupt)
            with pytest.raises((InputError, KeyboardInterrupt)):
                write_atomically(target, b"new")
        assert target.read_bytes() == b"old"
        assert names(tmp_path) == ["model.sig"]


WRITER = """
import os, sys, pathlib
if sys.argv[2] == "beside":
    os.O_TMPFILE = os.O_DIRECTORY | os.O_CREAT
from weighbridge.artifact import write_atomically
target = pathlib.Path(sys.argv[1])
sys.stdout.write("ready"); sys.stdout.flush()
for round in range(1_000_000):
    write_atomically(target, bytes([round % 251]) * 2_000_000)
"""


def test_a_writer_that_is_killed_leaves_the_old_or_the_new_content(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    target = tmp_path / "model.sig"
    way = request.node.callspec.params["_way"]
    waits = random.Random(20_260_101)
    for _ in range(6):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(target), way], stdout=subprocess.PIPE
        )
        assert writer.stdout
        assert writer.stdout.read(5) == b"ready"
        time.sleep(waits.uniform(0.0, 0.06))
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        if target.exists():
            data = target.read_bytes()
            assert len(data) == 2_000_000
            assert len(set(data)) == 1
        write_atomically(target, b"k" * 2_000_000)
        assert target.read_bytes() == b"k" * 2_000_000


def test_leftovers_that_another_run_tidies_are_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that sign at once look at the same leftover, and one is first."""
    for digit in "ab":
        (tmp_path / f".weighbridge-{digit * 16}.tmp").write_bytes(b"")
    lstat = type(tmp_path).lstat

    def take_away_first(path: Path) -> os.stat_result:
        if path.name.endswith(f"{'a' * 16}.tmp"):
            path.unlink()
        return lstat(path)

    monkeypatch.setattr(type(tmp_path), "lstat", take_away_first)
    remove_leftovers(tmp_path)
    assert names(tmp_path) == []
