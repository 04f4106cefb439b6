"""What lines of strace mean: processes, folders, orders that real programs rarely show."""

from __future__ import annotations

import io
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.core import DEFAULT_LIMITS, Limits, Observation
from weighbridge.errors import InputError
from weighbridge.provenance import build_strace_command, parse_strace
from weighbridge.provenance._strace_calls import TRACED_CALLS

CWD = "/nowhere/w"


def q(text: str) -> str:
    return '"' + "".join(f"\\x{byte:02x}" for byte in os.fsencode(text)) + '"'


def fd(path: str, number: int | str = 3) -> str:
    return f"{number}<{q(path)[1:-1]}>"


def opened(path: str, flags: str = "O_RDONLY") -> str:
    return f"open({q(path)}, {flags}) = {fd(path)}"


def see(*lines: str, limits: Limits = DEFAULT_LIMITS, ends: str = "1") -> Observation:
    """Read a log; a line without a number is process 1's; ``ends`` are those that exit."""
    numbered = [line if line[0].isdigit() else f"1 {line}" for line in lines]
    numbered += [f"{pid} +++ exited with 0 +++" for pid in ends]
    log = io.BytesIO("".join(f"{line}\n" for line in numbered).encode())
    return parse_strace(log, cwd=CWD, limits=limits)


def test_nothing_is_a_gap() -> None:
    assert see(ends="").gaps == ("the monitor saw nothing of it",)


@pytest.mark.parametrize("fork", ["vfork(", "clone(child_stack=NULL, flags=SIGCHLD", "fork("])
def test_a_child_that_is_seen_before_its_parent_returns(fork: str) -> None:
    seen = see(
        'chdir("\\x64")  = 0',
        f"{fork} <unfinished ...>",
        f"2 unlink({q('x')}) = 0",
        f"2 chdir({q('e')}) = 0",
        f"{fork.split('(', maxsplit=1)[0]}".join(["<... ", " resumed>) = 2"]),
        f"2 unlink({q('y')}) = 0",
        f"unlink({q('z')}) = 0",
        ends="12",
    )
    assert seen.writes == (f"{CWD}/d/e/y", f"{CWD}/d/x", f"{CWD}/d/z")
    assert seen.gaps == ()


def test_a_child_that_is_gone_before_its_parent_returns() -> None:
    seen = see(
        "vfork( <unfinished ...>",
        f"2 chdir({q('e')}) = 0",
        "2 +++ exited with 0 +++",
        "<... vfork resumed>) = 2",
        # the number is used again, by a child of a process in another folder
        f"chdir({q('d')}) = 0",
        "vfork( <unfinished ...>",
        f"2 unlink({q('x')}) = 0",
        "<... vfork resumed>) = 2",
        ends="12",
    )
    assert seen.writes == (f"{CWD}/d/x",)
    assert seen.gaps == ()


def test_a_thread_shares_its_folder_until_it_asks_for_one_of_its_own() -> None:
    seen = see(
        "clone3({flags=CLONE_VM|CLONE_FS|CLONE_THREAD, exit_signal=0}, 88) = 2",
        f"2 chdir({q('d')}) = 0",
        f"unlink({q('x')}) = 0",
        "2 unshare(CLONE_FS) = 0",
        f"2 chdir({q('e')}) = 0",
        f"2 unlink({q('y')}) = 0",
        f"unlink({q('z')}) = 0",
        ends="12",
    )
    assert seen.writes == (f"{CWD}/d/e/y", f"{CWD}/d/x", f"{CWD}/d/z")


def test_two_that_fork_at_once_in_different_folders_leave_a_gap() -> None:
    lines = [
        "fork() = 2",
        f"2 chdir({q('d')}) = 0",
        "fork( <unfinished ...>",
        "2 fork( <unfinished ...>",
        f"3 unlink({q('x')}) = 0",
        "<... fork resumed>) = 3",
        "2 <... fork resumed>) = 4",
        f"4 unlink({q('y')}) = 0",
    ]
    seen = see(*lines, ends="1234")
    assert seen.gaps == ("where x is could not be told",)
    assert seen.writes == (f"{CWD}/d/y",)


def test_a_call_with_a_folder_tells_where_the_process_is() -> None:
    seen = see(
        f"openat(AT_FDCWD<{q('/else')[1:-1]}>, {q('a')}, O_RDONLY) = {fd('/else/a')}",
        f"rename({q('x')}, {q('y')}) = 0",
        f"renameat2({fd('/d', 5)}, {q('x')}, AT_FDCWD, {q('z')}, RENAME_NOREPLACE) = 0",
    )
    assert seen.reads == ("/d/x", "/else/a", "/else/x")
    assert seen.writes == ("/d/x", "/else/x", "/else/y", "/else/z")


def test_an_exchange_of_names() -> None:
    call = f"renameat2(AT_FDCWD, {q('/n/a')}, AT_FDCWD, {q('/n/b')}, RENAME_EXCHANGE) = 0"
    seen = see(opened("/n/b", "O_RDWR|O_CREAT|O_TRUNC, 0666"), call, opened("/n/a"), opened("/n/b"))
    assert seen.reads == ("/n/a",)


def test_what_nobody_saw_the_end_of_may_have_happened() -> None:
    seen = see(
        f"rename({q('/n/a')}, {q('/n/b')}) = ?",
        f"open({q('/n/c')}, O_WRONLY|O_CREAT|O_TRUNC, 0666 <unfinished ...>",
        "<... open resumed> <unfinished ...>) = ?",
        f"unlink({q('/n/d')}) = ? ERESTARTSYS (To be restarted)",
    )
    assert seen.writes == ("/n/a", "/n/b", "/n/c", "/n/d")


def test_a_rename_that_may_have_happened_hides_nothing() -> None:
    seen = see(
        opened("/n/own", "O_WRONLY|O_CREAT|O_EXCL, 0666"),
        f"rename({q('/n/data')}, {q('/n/own')}) = ?",
        opened("/n/own"),
    )
    assert seen.reads == ("/n/data", "/n/own")


def test_the_memory_of_a_process_that_is_not_watched_leaves_a_gap() -> None:
    assert see(opened("/proc/1/mem")).gaps == ()  # its own
    for path in ("/proc/4711/mem", "/proc/4711/task/4712/mem"):
        assert see(opened(path)).gaps == ("it opened the memory of a process that was not watched",)


def test_append_and_update_read_what_was_there() -> None:
    for flags in ("O_RDWR", "O_RDWR|O_CREAT, 0666", "O_RDWR|O_CREAT|O_APPEND, 0666", "O_ACCMODE"):
        seen = see(opened("/n/a", flags))
        assert (seen.reads, seen.writes) == (("/n/a",), ("/n/a",))
    seen = see(opened("/n/a", "O_WRONLY|O_APPEND"))
    assert (seen.reads, seen.writes) == ((), ("/n/a",))


def test_a_new_file_that_is_only_read_is_empty() -> None:
    seen = see(opened("/n/lock", "O_RDONLY|O_CREAT|O_EXCL, 0600"), opened("/n/lock"))
    assert (seen.reads, seen.writes) == ((), ("/n/lock",))


def test_a_device_cannot_be_emptied() -> None:
    lines = [opened("/dev/sda", "O_RDWR|O_CREAT|O_TRUNC, 0666"), opened("/dev/sda")]
    assert see(*lines).reads == ("/dev/sda",)
    assert see(lines[0]).reads == ("/dev/sda",)
    lines = [opened("/dev/shm/x", "O_RDWR|O_CREAT|O_EXCL, 0600"), opened("/dev/shm/x")]
    assert see(*lines).reads == ()


@pytest.mark.parametrize(
    "call",
    [
        "io_uring_setup(8, {flags=0}) = 5<anon_inode:[io_uring]>",
        f"chroot({q('/n')}) = 0",
        f"mount({q('/a')}, {q('/b')}, NULL, MS_BIND, NULL) = 0",
        "setns(3, CLONE_NEWNS) = 0",
        "unshare(CLONE_NEWNS) = 0",
        "ptrace(PTRACE_ATTACH, 5) = 0",
        "pidfd_getfd(3, 4, 0) = 5",
        f"execve({q('/proc/self/fd/5')}, [...], 0x7 /* 3 vars */) = 0",
        f"open({q('/n/a')}, O_RDONLY) = 3",
        "clone(child_stack=NULL, flags=CLONE_UNTRACED|SIGCHLD) = 5",
    ],
)
def test_what_hides_something_is_a_gap(call: str) -> None:
    assert len(see(opened("/n/x"), call).gaps) == 1
    name = call.split("(", maxsplit=1)[0]
    assert see(f"{name}(1) = -1 EPERM (Operation not permitted)").gaps == ()


def test_a_program_that_runs_itself_again(tmp_path: Path) -> None:
    program = tmp_path / "p"
    program.write_bytes(b"neither a script nor a program")
    seen = see(
        f"execve({q(str(program))}, [...], 0x7 /* 3 vars */) = 0",
        f"execve({q('/proc/self/exe')}, [...], 0x7 /* 3 vars */) = 0",
        f"execveat({fd(str(program))}, {q('')}, [...], 0x7 /* 3 vars */, AT_EMPTY_PATH) = 0",
    )
    assert (seen.reads, seen.gaps) == ((str(program),), ())


def test_a_program_that_is_gone_leaves_a_gap(tmp_path: Path) -> None:
    seen = see(f"execve({q(f'{tmp_path}/gone')}, [...], 0x7 /* 3 vars */) = 0")
    assert seen.reads == (f"{tmp_path}/gone",)
    assert seen.gaps == (f"what runs {tmp_path}/gone could not be told",)


@pytest.mark.parametrize("size", [0, 3, 60, 64])
def test_a_program_that_is_cut_off_is_told(tmp_path: Path, size: int) -> None:
    program = tmp_path / "p"
    program.write_bytes(Path("/bin/true").read_bytes()[:size])
    seen = see(f"execve({q(str(program))}, [...], 0x7 /* 3 vars */) = 0")
    assert seen.reads == (str(program),)
    assert len(seen.gaps) == (size > 3)


def test_more_files_than_the_limit_is_a_gap() -> None:
    limits = replace(DEFAULT_LIMITS, max_entries=3)
    seen = see(*(opened(f"/n/{number}") for number in range(9)), limits=limits)
    assert len(seen.reads) == 3
    assert seen.gaps == ("it touched more than 3 files",)


def test_more_kinds_of_gaps_than_the_limit_are_cut() -> None:
    limits = replace(DEFAULT_LIMITS, max_rows=3)
    lines = [f"execve({q(f'/none/{number}')}, [...], 0x7) = 0" for number in range(9)]
    assert len(see(*lines, limits=limits).gaps) == 3


def test_addresses() -> None:
    v6 = f"{{sa_family=AF_INET6, sin6_port=htons(9), inet_pton(AF_INET6, {q('::1')}, &sin6_addr)}}"
    v4 = f"{{sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr({q('192.0.2.1')})}}"
    seen = see(
        f"connect(3, {v6}, 28) = -1 EINPROGRESS (Operation now in progress)",
        f"connect(3, {v4}, 16) = -1 ECONNREFUSED (Connection refused)",
        f"bind(3, {v4}, 16) = 0",
        "connect(3, {sa_family=AF_UNSPEC, sa_data=...}, 16) = 0",
        "connect(3, {sa_family=AF_VSOCK, svm_cid=0x2}, 16) = 0",
        "socket(AF_NETLINK, SOCK_RAW|SOCK_CLOEXEC, NETLINK_ROUTE) = 3",
        "socket(AF_INET, SOCK_DGRAM|SOCK_CLOEXEC, IPPROTO_IP) = 3",
    )
    assert seen.connections == (
        "[::1]:9",
        "an address of kind AF_VSOCK",
        "bound to 192.0.2.1:80",
        "datagrams",
    )


def test_no_command_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no command to watch"):
        build_strace_command([], log=tmp_path / "log")


CALLS = st.sampled_from(
    [*TRACED_CALLS, "<... openat resumed>", "<... clone resumed>", "exit", "+++ superseded"]
)
ENDS = [") = 0", ") = 3<\\x2f>(deleted)", ") = ?", " <unfinished ...>", ") = 2", ") = -1 EIO (x)"]
TOKENS = st.sampled_from(
    [
        q("a"),
        q("/b/../c"),
        q(""),
        fd("/x"),
        "AT_FDCWD<\\x2f>",
        "O_RDWR|O_CREAT",
        "NULL",
        "0x7f",
        "{",
    ]
)


@given(
    calls=st.lists(
        st.tuples(
            st.integers(1, 4),
            CALLS,
            st.lists(TOKENS, max_size=5),
            st.sampled_from(ENDS),
        ),
        max_size=30,
    )
)
def test_no_log_raises(calls: list[tuple[int, str, list[str], str]]) -> None:
    text = "".join(f"{pid} {name}({', '.join(args)}{end}\n" for pid, name, args, end in calls)
    seen = parse_strace(io.BytesIO(text.encode()), cwd=CWD)
    assert all(path.startswith("/") for path in (*seen.reads, *seen.writes))
    assert seen.gaps or "+++ superseded" in text  # else no process ended


ARGS = ["", "{", q(""), q("b\0"), fd("/\0"), f"3, {q('')}", f"3, {q('x')}"]


@pytest.mark.parametrize("args", ARGS)
def test_no_call_raises_whatever_its_arguments(args: str) -> None:
    for name in TRACED_CALLS:
        for result in ("0", "?", fd("/\0"), "-1 EIO (x)"):
            see(f"{name}({args}) = {result}")


@given(log=st.binary())
def test_no_bytes_raise(log: bytes) -> None:
    assert parse_strace(io.BytesIO(log), cwd=CWD).gaps


# ------------------------------------------------------------------------------- what was denied


def refused(*lines: str, limits: Limits = DEFAULT_LIMITS) -> list[tuple[str, bool, int]]:
    seen = see(*lines, limits=limits)
    assert seen.gaps == ()
    return [(one.path, one.writing, one.times) for one in seen.refusals]


@pytest.mark.parametrize(
    ("line", "path", "writing"),
    [
        (f"openat(AT_FDCWD, {q('x')}, O_RDONLY|O_CLOEXEC)", f"{CWD}/x", False),
        (f"openat({fd('/nowhere/d')}, {q('x')}, O_RDWR)", "/nowhere/d/x", True),
        (f"open({q('/nowhere/x')}, O_RDONLY|O_CREAT, 0600)", "/nowhere/x", True),
        (f"openat2(AT_FDCWD, {q('x')}, {{flags=O_WRONLY, resolve=0}}, 24)", f"{CWD}/x", True),
        (f"execve({q('/nowhere/x')}, [...], 0x7ffd)", "/nowhere/x", False),
        (f"unlink({q('x')})", f"{CWD}/x", True),
        (f"mkdir({q('x')}, 0777)", f"{CWD}/x", True),
    ],
)
@pytest.mark.parametrize("error", ["EACCES", "EPERM", "EROFS"])
def test_what_was_denied_is_kept(line: str, path: str, *, writing: bool, error: str) -> None:
    assert refused(f"{line} = -1 {error} (Denied)") == [(path, writing, 1)]


def test_both_names_of_a_rename_are_kept() -> None:
    line = f"rename({q('x')}, {q('y')}) = -1 EXDEV (Invalid cross-device link)"
    assert refused(line, line) == [(f"{CWD}/x", True, 2), (f"{CWD}/y", True, 2)]


def test_what_is_not_there_was_not_denied(tmp_path: Path) -> None:
    (tmp_path / "here").touch()
    lines = [
        f"open({q(str(tmp_path / name))}, O_RDONLY) = -1 ENOENT (No such file or directory)"
        for name in ("here", "gone")
    ]
    assert refused(*lines) == [(str(tmp_path / "here"), False, 1)]


def test_looking_into_the_working_folder_is_what_every_python_does() -> None:
    denied = "= -1 EACCES (Permission denied)"
    line = "openat(AT_FDCWD, {}, O_RDONLY|O_DIRECTORY) " + denied
    assert refused(line.format(q(CWD)), line.format(q("/nowhere"))) == [("/nowhere", False, 1)]


def test_where_a_refused_name_is_may_be_unknown() -> None:
    lost = ("fchdir(3) = 0", f"open({q('x')}, O_RDONLY) = -1 EACCES (No)")
    assert see(*lost).refusals == ()


def test_refusals_are_bounded_and_no_gap() -> None:
    lines = [f"open({q(f'/nowhere/{n}')}, O_RDONLY) = -1 EACCES (No)" for n in range(9)]
    assert len(refused(*lines, limits=replace(DEFAULT_LIMITS, max_rows=3))) == 3
