"""run: a signal ends the step with all that it started, and nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import weighbridge as wb
from support import WEIGHBRIDGE

# A shell, a child that has a session of its own and outlives its parent, and a child of that.
TREE = """
setsid sh -c 'echo $$ >> out/pids; sleep 99 & echo $! >> out/pids; {trap} exec sleep 98' &
(setsid sleep 97 & echo $! >> out/pids)
echo $$ >> out/pids
{trap}
sleep 96 &
wait
wait
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    (tmp_path / "tmp").mkdir()
    (tmp_path / "data.csv").write_text("x\n")
    wb.keygen(tmp_path / "k")
    return tmp_path


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return False
    return state not in b"ZX"


def interrupt(place: Path, number: int, *options: str, script: str = "") -> tuple[int, str]:
    """Start a step that has a tree of processes, send one signal, and look that all are gone."""
    process = subprocess.Popen(
        [
            *(WEIGHBRIDGE, "run", "--kind", "train", "--key", "k.key"),
            *("-i", "data=data.csv", "-o", "model=out", *options),
            *("--", "sh", "-c", script or TREE.format(trap="")),
        ],
        cwd=place,
        env={**os.environ, "TMPDIR": str(place / "tmp")},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # no terminal tells the step by itself
    )
    pids = place / "out" / "pids"
    end_s = time.monotonic() + 60
    while not (pids.exists() and len(pids.read_text().split()) == 4):
        assert process.poll() is None
        assert time.monotonic() < end_s
        time.sleep(0.02)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    left = [pid for pid in map(int, pids.read_text().split()) if is_alive(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == []
    assert list((place / "tmp").iterdir()) == []
    assert [path.name for path in (place / "out").iterdir()] == ["pids"]
    assert "Traceback" not in said
    return process.returncode, said.strip()


@pytest.mark.parametrize(
    "options",
    [("--observe", "none"), ("--observe", "strace"), ("--observe", "auto", "--enforce")],
    ids=["plain", "strace", "walls"],
)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_whole_tree(place: Path, number: int, options: tuple[str, ...]) -> None:
    code, said = interrupt(place, number, *options)
    assert code == 128 + number
    by = "" if number == signal.SIGINT else " by SIGTERM"
    assert said == f"weighbridge: interrupted{by}; nothing was left half written"


def test_a_terminal_that_closes_ends_it_and_nohup_does_not(place: Path) -> None:
    assert interrupt(place, signal.SIGHUP, "--observe", "none")[0] == 128 + signal.SIGHUP
    done = subprocess.run(
        [
            *("nohup", WEIGHBRIDGE, "run", "--kind", "train", "--key", "k.key", "-o", "m=out"),
            *("--observe", "none", "--", "sh", "-c", "kill -HUP $PPID; sleep 0.2; echo > out/x"),
        ],
        cwd=place,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_what_does_not_listen_is_killed_after_a_while(place: Path) -> None:
    script = TREE.format(trap='trap "" TERM;')
    begin_s = time.monotonic()
    code, _ = interrupt(place, signal.SIGTERM, "--observe", "none", script=script)
    assert code == 128 + signal.SIGTERM
    assert time.monotonic() - begin_s > 9


def test_a_step_may_tidy_up(place: Path) -> None:
    code = """
import pathlib, signal, sys, time
def end(*_):
    pathlib.Path("tidied").touch()
    sys.exit()
signal.signal(signal.SIGTERM, end)
pathlib.Path("out/pids").write_text(" ".join(4 * [str(__import__("os").getpid())]))
time.sleep(60)
"""
    (place / "code.py").write_text(code)
    script = f"exec {sys.executable} code.py"
    assert interrupt(place, signal.SIGTERM, "--observe", "none", script=script)[0] == 143
    assert (place / "tidied").exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("KILL", "was ended by SIGKILL, as the system does when memory runs out"),
        ("SEGV", "was ended by SIGSEGV"),
        ("TERM", "was ended by SIGTERM"),
    ],
)
@pytest.mark.parametrize("observe", ["strace", "none"])
def test_a_step_that_a_signal_ends_is_a_failed_step(
    place: Path, name: str, words: str, observe: str
) -> None:
    done = subprocess.run(
        [
            *(WEIGHBRIDGE, "run", "--kind", "train", "--key", "k.key", "-o", "m=out"),
            *("--observe", observe, "--", "sh", "-c", f"kill -{name} $$"),
        ],
        cwd=place,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr == f"weighbridge: the step {words}; its outputs are unclaimed\n"
