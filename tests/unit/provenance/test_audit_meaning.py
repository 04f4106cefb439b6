"""What the records of an audit hook mean, and who may be trusted to have written them."""

from __future__ import annotations

import io
import os
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.core import DEFAULT_LIMITS, Limits, Observation, Refusal
from weighbridge.engines import ThreadExecutor
from weighbridge.provenance import (
    Confinement,
    explain_audit,
    find_denied,
    parse_audit,
    take_attempts,
    unwatched,
    watch_process,
)
from weighbridge.provenance._audit_hook import RECORD_BYTES, build_hook

UNREADABLE = "a record of the monitor's log cannot be read"


def see(*records: bytes, limits: Limits = DEFAULT_LIMITS) -> Observation:
    log = b"".join(record + b"\0" for record in (b"H", *records))
    return parse_audit(io.BytesIO(log), limits=limits)


def test_silence_is_a_gap() -> None:
    seen = parse_audit(io.BytesIO(b""))
    assert seen.reads == ()
    assert "did not come up" in seen.gaps[0]
    assert "what Rust, C and C++ read" in see().gaps[0]


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"r",
        b"rrelative",
        b"?/x",
        b"H1",
        b"m/a/b",
        b"m2:/a",
        b"m9:/a/b",
        b"m2:/ab",
        b"m-2:/a/b",
        b"m99999999999999999999:/a/b",
        b"R/x",
        b"\xff/x",
        b"x" * 9_000,
    ],
)
def test_what_is_no_record_is_a_gap(record: bytes) -> None:
    seen = see(record, b"r/b")
    assert UNREADABLE in seen.gaps
    assert seen.reads == ("/b",)


def test_a_log_that_is_cut_off_is_a_gap() -> None:
    seen = parse_audit(io.BytesIO(b"H\0r/a\0r/b"))
    assert seen.reads == ("/a",)
    assert UNREADABLE in seen.gaps


def test_a_record_without_end_is_not_kept() -> None:
    class Endless(io.RawIOBase):
        left = 64 << 20

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: bytearray) -> int:
            count = min(len(buffer), self.left)
            buffer[:count] = b"a" * count
            self.left -= count
            return count

    seen = parse_audit(io.BufferedReader(Endless()))
    assert UNREADABLE in seen.gaps


def test_bounds() -> None:
    limits = replace(DEFAULT_LIMITS, max_entries=3, max_rows=3)
    many = [b"r/%d" % n for n in range(9)] + [b"n/w%d" % n for n in range(9)]
    many += [b"c%d" % n for n in range(9)] + [b"p%d" % n for n in range(9)]
    many += [b"f/f%d" % n for n in range(9)]
    seen = see(*many, limits=limits)
    assert len(seen.reads) == len(seen.writes) == len(seen.connections) == len(seen.refusals) == 3
    assert "it touched more than 3 files" in seen.gaps


def test_what_was_made_is_not_read_and_what_was_moved_is_known() -> None:
    seen = see(b"n/x/new", b"r/x/new", b"m2:/a/b", b"r/b", b"k/d", b"r/d/e", b"x/d", b"r/d/e")
    assert seen.reads == ("/a", "/d/e")
    assert seen.writes == ("/a", "/b", "/x/new")


def test_words_do_not_act_on_a_terminal() -> None:
    seen = see(b"p\x1b[2J\xff", b"c\x1b[2J", b"U/\x1b")
    assert "\x1b" not in "".join((*seen.gaps, *seen.connections))


def test_a_socket_of_its_own_is_no_gap() -> None:
    seen = see(b"B/own", b"U/own", b"B@abstract", b"U@abstract", b"U/other")
    assert [gap for gap in seen.gaps if "may have read" in gap] == [
        "a process that was not watched may have read for it, by /other"
    ]


@given(st.lists(st.binary(max_size=40)), st.lists(st.integers(1, 50), max_size=9))
def test_however_it_comes_in_pieces_it_means_the_same(
    records: list[bytes], cuts: list[int]
) -> None:
    log = b"".join(record + b"\0" for record in records)

    class Pieces(io.BytesIO):
        def __init__(self) -> None:
            super().__init__(log)
            self.cuts = iter(cuts)

        def read1(self, _size: int | None = -1) -> bytes:
            return super().read1(next(self.cuts, -1))

    assert parse_audit(Pieces()) == parse_audit(io.BytesIO(log))


# -------------------------------------------------------------------------------------- the hook


def test_a_hook_never_raises() -> None:
    told: list[bytes] = []
    hook = build_hook(told.append)
    for event in ("open", "os.rename", "socket.connect", "subprocess.Popen", "os.remove"):
        for args in ((), (None,) * 4, (object(),) * 4, ("a\0b", "r", 0), ("x" * 5_000, 0, 0, 0)):
            hook(event, args)
    hook("nothing.known", ())
    assert all(len(record) < RECORD_BYTES for record in told)


def test_a_socket_address_of_any_kind_is_words() -> None:
    told: list[bytes] = []
    hook = build_hook(told.append)
    for address in (("h", 1), ("::1", 1, 0, 0), "\0abstract", b"\0abstract\0\0", "/p", (1, 2)):
        hook("socket.connect", (None, address))
    assert told == [b"ch:1", b"c[::1]:1", b"U@abstract", b"U@abstract", b"U/p", b"c1:2"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), ""),
        (("-c", "-I"), ""),
        (("-m", "x", "-E"), ""),
        (("train.py", "-I"), ""),
        (("-", "-I"), ""),
        (("-W", "-I", "train.py"), ""),
        (("-Wignore", "-X", "dev", "train.py", "-S"), ""),
        (("-Xdev", "-O"), ""),
        (("--check-hash-based-pycs", "always", "-B"), ""),
        (("-I",), "-I"),
        (("-uE", "train.py"), "-E"),
        (("-X", "dev", "-S"), "-S"),
        (("--check-hash-based-pycs", "always", "-Bs", "-OI"), "-I"),
        (("-BIc", "pass"), "-I"),
    ],
)
def test_options_that_keep_the_hook_out(words: tuple[str, ...], reason: str) -> None:
    said = explain_audit((sys.executable, *words), os.environ)
    assert (f"started with {reason}," in said) if reason else said == ""


def test_what_is_no_python_has_no_hook() -> None:
    assert "is no Python" in explain_audit(("sh", "-c", "python x.py"), os.environ)
    assert "is no Python" in explain_audit(("nothing-here",), os.environ)


# ------------------------------------------------------------------------------- in this process


def test_each_watch_gets_what_happens_while_it_is_open(tmp_path: Path) -> None:
    for name in "abcd":
        (tmp_path / name).touch()
    (tmp_path / "a").read_text()
    outer = watch_process()
    (tmp_path / "b").read_text()
    inner = watch_process()
    thread = threading.Thread(target=(tmp_path / "c").read_text)
    thread.start()
    thread.join()
    seen = inner.close()
    assert [path for path in seen.reads if path.startswith(str(tmp_path))] == [str(tmp_path / "c")]
    (tmp_path / "d").read_text()
    names = [path for path in outer.close().reads if path.startswith(str(tmp_path))]
    assert names == [str(tmp_path / name) for name in "bcd"]


def test_what_the_runner_does_itself_is_not_recorded(tmp_path: Path) -> None:
    names = [tmp_path / str(number) for number in range(40)]
    for name in names:
        name.touch()
    watch = watch_process()
    with unwatched():
        list(ThreadExecutor(4).map(Path.read_bytes, names))
        names[0].read_bytes()
    names[1].read_bytes()
    seen = watch.close()
    assert [path for path in seen.reads if path.startswith(str(tmp_path))] == [str(names[1])]


def test_many_events_from_many_threads(tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / f"{number:03}").touch()
    watch = watch_process()

    def work() -> None:
        for _ in range(10):
            for number in range(200):
                (tmp_path / f"{number:03}").read_bytes()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([p for p in watch.close().reads if p.startswith(str(tmp_path))]) == 200


# ------------------------------------------------------------------------------- what was denied


def test_what_is_not_granted_was_tried_and_not_done() -> None:
    walls = Confinement(readable=(Path("/in"),), writable=(Path("/out"),))
    seen = Observation(
        "m",
        reads=("/in/a", "/key", "/out/b", "/own.py"),
        writes=("/in/a", "/out/b"),
        refusals=(Refusal("/mode", "EACCES", writing=False),),
    )
    settled = take_attempts(seen, walls, own=(Path("/own.py"),))
    assert (settled.reads, settled.writes) == (("/in/a", "/out/b", "/own.py"), ("/out/b",))
    assert find_denied(settled.refusals, walls) == ("/in/a", "/key", "/mode")


def test_what_the_launcher_tries_is_not_the_steps() -> None:
    walls = Confinement(readable=(), writable=(), hidden=(Path("/key"),))
    once = Refusal("/key", "EACCES", writing=False)
    assert find_denied([once], walls, tried=("/key",)) == ()
    assert find_denied([once._replace(times=2)], walls, tried=("/key",)) == ("/key",)


def test_inside_bubblewrap_what_is_hidden_is_not_there() -> None:
    walls = Confinement(readable=(Path("/in"),), writable=())
    gone = [
        Refusal("/x", "ENOENT", writing=False),
        Refusal("/in/y", "EROFS", writing=True),
        Refusal("/in/z", "ENOENT", writing=False),
    ]
    assert find_denied(gone, walls) == ()
    assert find_denied(gone, walls, hides=True) == ("/in/y", "/x")
