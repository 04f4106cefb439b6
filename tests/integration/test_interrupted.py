"""A signature that cannot be finished: the old one stays, or the whole new one is there."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import weighbridge as wb
from support import WEIGHBRIDGE, build_model, run_cli

SIGN = ("sign", "model", "--key", "n.key")

# Sends itself a signal just before the n-th change of the file system.
INTERRUPTED = """
import os, signal, sys
number, name = int(sys.argv[1]), sys.argv[2]
sys.argv = ["weighbridge", *sys.argv[3:]]
changes = {"os.link", "os.rename", "os.remove", "os.chmod", "os.truncate"}
seen = 0
def hook(event, arguments):
    global seen
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_ACCMODE
    if event in changes or writes:
        seen += 1
        if seen == number:
            os.kill(os.getpid(), getattr(signal, name))
sys.addaudithook(hook)
from weighbridge.cli import main
main()
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a signed model that changed since."""
    wb.keygen(tmp_path / "n")
    build_model(tmp_path / "model")
    wb.sign(tmp_path / "model", key=tmp_path / "n.key")
    (tmp_path / "model" / "README.md").write_text("---\nlicense: mit\n---\n# Changed\n")
    return tmp_path


def assert_old_or_new(place: Path, old: bytes) -> bool:
    """Return whether the new signature is there; anything but the old or a whole one fails."""
    if (place / "model" / "model.sig").read_bytes() == old:
        return False
    wb.verify(place / "model", key=place / "n.pub")
    return True


def list_leftovers(place: Path) -> list[str]:
    return [path.name for path in place.rglob(".weighbridge-*")]


@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT", "SIGTERM"])
def test_a_signal_at_each_change_of_the_disk_leaves_a_whole_signature(
    place: Path, name: str
) -> None:
    old = (place / "model" / "model.sig").read_bytes()
    for number in range(1, 100):
        done = subprocess.run(
            [sys.executable, "-B", "-c", INTERRUPTED, str(number), name, *SIGN],
            cwd=place,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        finished = assert_old_or_new(place, old)
        if done.returncode == 0:
            assert number > 3, "nothing was interrupted"
            break
        assert "Traceback" not in done.stderr
        if name != "SIGKILL":
            assert not finished or not list_leftovers(place)
        (place / "model" / "model.sig").write_bytes(old)
    else:
        pytest.fail("it never got through")
    assert list_leftovers(place) == []


def test_a_signal_at_any_time_leaves_a_whole_signature(place: Path) -> None:
    signature = place / "model" / "model.sig"
    begin = time.monotonic()
    assert run_cli(*SIGN, cwd=place).returncode == 0
    took_s = time.monotonic() - begin
    old = signature.read_bytes()
    dice = random.Random(7)
    for turn in range(16):
        process = subprocess.Popen(
            [WEIGHBRIDGE, *SIGN], cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(took_s * dice.uniform(0.3, 1.1))
        process.send_signal(signal.SIGKILL if turn % 2 else signal.SIGINT)
        process.wait(timeout=60)
        assert_old_or_new(place, old)
        old = signature.read_bytes()
    assert run_cli(*SIGN, cwd=place).returncode == 0
    wb.verify(place / "model", key=place / "n.pub")
    assert list_leftovers(place) == []


def test_a_limit_on_the_size_of_files_leaves_the_old_signature(place: Path) -> None:
    signature = place / "model" / "model.sig"
    old = signature.read_bytes()
    assert len(old) > 1024
    done = run_cli(*SIGN, cwd=place, prefix=("bash", "-c", 'ulimit -f 1; exec "$@"', "limited"))
    assert done.returncode == 3, done.stderr
    assert done.stderr.count("\n") == 1
    assert "model.sig cannot be written: file too large; make room" in done.stderr
    assert signature.read_bytes() == old
    assert list_leftovers(place) == []


def test_a_full_disk_leaves_the_old_signature(place: Path) -> None:
    """In a mount name space of its own, since only there may a test mount a small disk."""
    script = """
    set -e
    mkdir disk && mount -t tmpfs -o size=64k none disk
    cp model/model.sig disk/model.sig
    dd if=/dev/zero of=disk/filler bs=1k count=100 2>/dev/null || true
    set +e
    "$@" --signature disk/model.sig
    code=$?
    cmp model/model.sig disk/model.sig || exit 90
    test "$(ls -A disk | wc -l)" = 2 || exit 91
    exit $code
    """
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    try:
        probe = subprocess.run(
            [*unshare, "mount", "-t", "tmpfs", "none", str(place)],
            check=False,
            capture_output=True,
        )
    except FileNotFoundError:
        pytest.skip("unshare is not installed: no small disk can be mounted")
    if probe.returncode != 0:
        pytest.skip(f"no small disk can be mounted: {probe.stderr.decode().strip()}")
    done = run_cli(*SIGN, cwd=place, prefix=(*unshare, "bash", "-c", script, "full"))
    assert done.returncode == 3, done.stderr
    assert "disk/model.sig cannot be written: no space left on device; make room" in done.stderr
