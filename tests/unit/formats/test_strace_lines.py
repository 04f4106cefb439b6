"""Lines of strace: made whole, split, and never believed."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.formats import (
    StraceBegun,
    StraceCall,
    StraceEnd,
    StraceEvent,
    StraceFile,
    StraceProblem,
    parse_strace_file,
    parse_strace_text,
    read_strace,
)
from weighbridge.formats._strace import MAX_LINE_BYTES


def read(*lines: str) -> list[StraceEvent]:
    return list(read_strace(io.BytesIO("".join(f"{line}\n" for line in lines).encode("latin-1"))))


def hexed(text: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in text)


A = hexed(b"/a")


def test_a_call() -> None:
    (call,) = read(f'12345 openat(AT_FDCWD<{A}>, "{A}", O_RDONLY|O_CLOEXEC) = 3<{A}>')
    assert isinstance(call, StraceCall)
    assert (call.pid, call.name, call.error) == (12345, "openat", "")
    assert parse_strace_file(call.args[0]) == StraceFile(-1, b"/a")
    assert parse_strace_text(call.args[1]) == b"/a"
    assert call.args[2] == b"O_RDONLY|O_CLOEXEC"
    assert parse_strace_file(call.result) == StraceFile(3, b"/a")


def test_a_call_that_fails() -> None:
    (call,) = read(f'7     unlink("{A}") = -1 ENOENT (No such file or directory)')
    assert isinstance(call, StraceCall)
    assert call.error == "ENOENT"


@pytest.mark.parametrize("result", ["?", "? ERESTARTSYS (To be restarted)", "-1 (errno 1844)"])
def test_a_call_of_which_nobody_knows_the_end(result: str) -> None:
    (call,) = read(f'7 unlink("{A}") = {result}')
    assert isinstance(call, StraceCall)
    assert call.error == "?"


def test_halves_are_put_together_by_process() -> None:
    begun, other, end, whole = read(
        f'1 openat(AT_FDCWD, "{A}", O_RDONLY <unfinished ...>',
        '2 chdir("\\x62") = 0',
        "2 +++ killed by SIGKILL (core dumped) +++",
        f"1 <... openat resumed>)       = 3<{A}>(deleted)",
    )
    assert isinstance(begun, StraceBegun)
    assert isinstance(other, StraceCall)
    assert end == StraceEnd(2)
    assert isinstance(whole, StraceCall)
    assert whole.args[2] == b"O_RDONLY"
    assert parse_strace_file(whole.result) == StraceFile(3, b"/a", is_deleted=True)


def test_a_thread_that_runs_a_program() -> None:
    for tail in ("<pid changed to 1 ...>", "<unfinished ...>"):
        events = read(
            f'2 execve("{A}", [...], 0x7 /* 3 vars */ {tail}',
            "1 +++ superseded by execve in pid 2 +++",
            "1 <... execve resumed>) = 0",
            "1 +++ exited with 0 +++",
        )
        calls = [event for event in events if isinstance(event, StraceCall)]
        assert [parse_strace_text(call.args[0]) for call in calls] == [b"/a"]
        assert [event for event in events if isinstance(event, StraceEnd)] == [
            StraceEnd(2),
            StraceEnd(1),
        ]
        assert "a thread that is not the first" in str(events)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "12",
        "x open() = 0",
        "1 open(",
        "1 <... open resumed>) = 0",
        "1 [ Process PID=1 runs in 32 bit mode. ]",
        "1 <unfinished ...>",
        "\0\0\0\0",
        "1 " + "x" * MAX_LINE_BYTES * 3,
    ],
)
def test_what_cannot_be_read_is_said_and_the_rest_is_read(line: str) -> None:
    events = read(line, '2 chdir("\\x62") = 0')
    assert isinstance(events[0], StraceProblem)
    assert isinstance(events[-1], StraceCall)
    assert len(events) == 2


def test_a_log_that_is_cut_off_is_told() -> None:
    log = io.BytesIO(b'1 chdir("\\x62") = 0\n1 chd')
    assert list(read_strace(log))[1:] == [StraceProblem("the monitor's log is cut off")]


def test_halves_that_wait_are_bounded() -> None:
    half = f' openat(AT_FDCWD, "{hexed(b"a" * 20_000)}", O_RDONLY <unfinished ...>\n'.encode()
    log = io.BytesIO(b"".join(b"%d" % pid + half for pid in range(1000)))
    problems = [event for event in read_strace(log) if isinstance(event, StraceProblem)]
    assert len(problems) > 100
    assert "more calls wait at once" in problems[0].reason


def test_a_string_that_was_cut_is_none() -> None:
    assert parse_strace_text(f'"{A}"...'.encode()) is None
    assert parse_strace_text(b"0x7f00") is None
    assert parse_strace_text(b"NULL") is None
    assert parse_strace_text(b'"plain"') is None


@given(name=st.binary(), path=st.binary(min_size=1).filter(lambda path: b"\0" not in path))
def test_any_bytes_come_back(name: bytes, path: bytes) -> None:
    (call,) = read(f'1 openat(5<{hexed(path)}>, "{hexed(name)}", O_RDONLY) = 3<{hexed(path)}>')
    assert isinstance(call, StraceCall)
    assert parse_strace_text(call.args[1]) == name
    assert parse_strace_file(call.args[0]) == StraceFile(5, path)
    assert parse_strace_file(call.result) == StraceFile(3, path)


def test_a_path_with_a_null_byte_is_none() -> None:
    file = parse_strace_file(f"3<{hexed(bytes(2))}>".encode())
    assert file == StraceFile(3)


@pytest.mark.parametrize("text", [b"socket:[5]", b"pipe:[5]", b"anon_inode:[eventpoll]"])
def test_what_is_no_file_has_no_path_from_the_root(text: bytes) -> None:
    for shown in (text, hexed(text).encode()):
        file = parse_strace_file(b"3<" + shown + b">")
        assert file is not None
        assert file.path == text
