"""The rules without walls: the filter of system calls, the baseline, what counts as denied."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.core import Refusal
from weighbridge.provenance import find_denied
from weighbridge.provenance._confined import _to_families
from weighbridge.provenance._confined_baseline import build_baseline, find_program_paths
from weighbridge.provenance._landlock import (
    Bubblewrap,
    Confinement,
    Landlock,
    Unenforceable,
    _explain_abi,
    describe_gaps,
    find_enforcement,
)
from weighbridge.provenance._landlock_launcher import SYSCALLS, build_filter, to_handled

ALLOW, DENY = 0x7FFF0000, 0x0005000D
U32 = st.integers(0, 2**32 - 1)


def run_filter(program: list[tuple[int, int, int, int]], data: dict[int, int]) -> int:
    """Do what the kernel does with a classic BPF program of these four instructions."""
    accumulator = at = 0
    while True:
        code, if_true, if_false, value = program[at]
        at += 1
        if code == 0x06:
            return value
        if code == 0x20:
            accumulator = data[value]
        elif code == 0x15:
            at += if_true if accumulator == value else if_false
        elif code == 0x35:
            at += if_true if accumulator >= value else if_false
        else:
            raise AssertionError(code)


@pytest.mark.parametrize("machine", SYSCALLS)
@given(data=st.data())
def test_the_filter_denies_what_it_says_and_nothing_else(machine: str, data: st.DataObject) -> None:
    architecture, socket, ioctl, denied = SYSCALLS[machine]
    families = data.draw(st.none() | st.lists(st.integers(0, 45), max_size=4).map(tuple))
    number = data.draw(st.sampled_from([socket, ioctl, *denied, 0, 59, socket + 0x40000000]) | U32)
    asked = data.draw(st.sampled_from([architecture] * 3 + [0x40000003]))
    first = data.draw(st.integers(0, 45) | U32)
    second = data.draw(st.sampled_from([0x5412, 0x541C, 0x5413]) | U32)
    result = run_filter(
        build_filter(machine, families), {0: number, 4: asked, 16: first, 24: second}
    )
    refused = (
        asked != architecture
        or number >= 0x40000000
        or number in denied
        or (number == socket and families is not None and first not in families)
        or (number == ioctl and second in {0x5412, 0x541C})
    )
    assert result == (DENY if refused else ALLOW)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="the headers of the kernel are not there")
def test_the_numbers_are_the_kernel_s(tmp_path: Path) -> None:
    if platform.machine() not in SYSCALLS:
        pytest.skip("another architecture")
    source = (
        "#include <sys/syscall.h>\n#include <sys/ioctl.h>\n#include <linux/audit.h>\n"
        "AUDIT_ARCH_NATIVE SYS_socket SYS_ioctl SYS_io_uring_setup SYS_add_key SYS_request_key"
        " SYS_keyctl\n"
    )
    done = subprocess.run(
        ["gcc", "-E", "-P", "-x", "c", "-"],
        check=True,
        input=source,
        capture_output=True,
        text=True,
    )
    numbers = [int(word) for word in done.stdout.split("AUDIT_ARCH_NATIVE")[1].split()]
    _, socket, ioctl, denied = SYSCALLS[platform.machine()]
    assert numbers == [socket, ioctl, *denied]


NAMES = st.sampled_from(["a", "b", "ab", "c"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(lambda parts: "/nowhere/" + "/".join(parts))


@given(
    readable=st.lists(PATHS, max_size=3),
    writable=st.lists(PATHS, max_size=3),
    tried=PATHS,
    error=st.sampled_from(["EACCES", "EPERM", "EXDEV", "ENOENT", "EIO"]),
    writing=st.booleans(),
)
def test_denied_is_what_was_refused_and_not_granted(
    *, readable: list[str], writable: list[str], tried: str, error: str, writing: bool
) -> None:
    confinement = Confinement(tuple(map(Path, readable)), tuple(map(Path, writable)))
    granted = writable if writing else [*readable, *writable]
    covered = any(f"{tried}/".startswith(f"{path}/") for path in granted)
    expected = () if covered or error in {"ENOENT", "EIO"} else (tried,)
    failure = Refusal(tried, error, writing)
    assert find_denied([failure, failure], confinement) == expected


def test_the_baseline_holds_no_home_and_no_private_folder(tmp_path: Path) -> None:
    home = Path("~").expanduser()
    keys = [home / ".ssh" / "id_ed25519", home / ".netrc", home / ".aws/credentials"]
    places = [
        Path("/tmp"),
        Path("/run"),
        Path("/var"),
        Path("/etc/ssl/private"),
        Path("/etc/shadow"),
    ]
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    for argv in (["python", "train.py"], ["sh", "-c", "true"], [sys.executable], ["no-such"]):
        baseline = build_baseline(argv, environment)
        paths = [entry.path for entry in baseline]
        for private in (home, *keys, *places, Path.cwd(), tmp_path):
            assert not [path for path in paths if private.is_relative_to(path)], private
        assert all(entry.path.exists() and entry.reason for entry in baseline)
        assert paths == sorted(paths)
        assert len(set(paths)) == len(paths)
        written = {entry.path.parts[1] for entry in baseline if entry.writable}
        assert written == {"dev"}


def test_a_relative_path_names_no_program_of_the_baseline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "tool").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    for name, search in (("./tool", "/usr/bin"), ("tool", "."), ("tool", "")):
        paths = [entry.path for entry in build_baseline([name], {"PATH": search})]
        assert not [path for path in paths if tmp_path in path.resolve().parents]


def test_a_script_of_a_virtual_environment_brings_both_pythons(tmp_path: Path) -> None:
    base, venv = tmp_path / "base", tmp_path / "project"
    for folder in (base / "bin", base / "lib/python3.11", venv / "bin", venv / "lib"):
        folder.mkdir(parents=True)
    (base / "lib/python3.11/os.py").touch()
    (venv / "secret.txt").touch()
    (base / "bin/python3.11").write_bytes(b"\x7fELF")
    (base / "bin/python3.11").chmod(0o755)
    (venv / "bin/python").symlink_to(base / "bin/python3.11")
    (venv / "pyvenv.cfg").write_text(f"version = 3.11\nhome = {base / 'bin'}\n")
    script = venv / "bin" / "torchrun"
    for first in (
        f"#!{venv}/bin/python",
        "#!/usr/bin/env -S python -u",
        f"#! {venv}/bin/python -E",
    ):
        script.write_text(f"{first}\nimport torch\n")
        script.chmod(0o755)
        paths = {entry.path for entry in find_program_paths(script, search=str(venv / "bin"))}
        assert {venv / "lib", venv / "pyvenv.cfg", base / "lib", base / "bin"} <= paths
        assert venv not in paths
        assert base not in paths


@pytest.mark.parametrize("head", [b"#!", b"#!\n", b"#! /usr/bin/env\n", b"#!" + b"\xff" * 999, b""])
def test_odd_first_lines_are_no_interpreters(tmp_path: Path, head: bytes) -> None:
    (tmp_path / "tool").write_bytes(head)
    assert [entry.path for entry in find_program_paths(tmp_path / "tool")] == [tmp_path / "tool"]


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text(f"#!{second}\n")
    second.write_text(f"#!{first}\n")
    assert {entry.path for entry in find_program_paths(first)} == {first, second}


def test_gaps_are_said() -> None:
    plain = Confinement((), ())
    assert describe_gaps(Bubblewrap("/usr/bin/bwrap"), plain) == ()
    assert len(describe_gaps(Landlock(6), plain)) == 2
    open_one = Confinement((), (Path("/dev/shm"),), network=True, local_sockets=True)
    said = " ".join(describe_gaps(Landlock(4), open_one))
    for word in ("network", "metadata", "/dev/shm", "with a path", "signals", "abstract"):
        assert word in said


def test_each_version_of_landlock_is_asked_for_what_it_knows() -> None:
    """A right that the kernel does not know makes it refuse the whole rule set."""
    assert [to_handled(abi).bit_length() for abi in (4, 5, 8, 9)] == [15, 16, 16, 17]
    assert to_handled(8) == (1 << 16) - 1
    assert to_handled(9) == (1 << 17) - 1


@pytest.mark.parametrize("network", [False, True])
def test_sockets_are_made_only_where_walls_reach_them(*, network: bool) -> None:
    inet = {2, 10, 16} if network else set()
    plain = Confinement((), (), network=network)
    asked = Confinement((), (), network=network, local_sockets=True)
    for how in (Landlock(4), Landlock(8), Landlock(9), Bubblewrap("bwrap")):
        alone = how == Landlock(9) or (isinstance(how, Bubblewrap) and not network)
        assert set(_to_families(how, plain)) == inet | ({1} if alone else set())
        assert set(_to_families(how, asked)) == inet | {1}
        gap = "Unix sockets with a path" in " ".join(describe_gaps(how, asked))
        assert gap == (how in {Landlock(4), Landlock(8)})


@pytest.mark.parametrize("abi", [1, 2, 3])
def test_a_landlock_without_tcp_is_not_enough(abi: int) -> None:
    assert f"version {abi}, which cannot deny TCP" in _explain_abi(abi)


# Says ENOSYS to landlock_create_ruleset, as a kernel without Landlock; and, if asked, forbids
# clone with CLONE_NEWNS, as a container does. The numbers are those of x86_64.
OLD_KERNEL = """\
import ctypes, struct, sys
lines = [(0x20, 0, 0, 0), (0x15, 0, 1, 444), (0x06, 0, 0, 0x50000 | 38)]
if sys.argv[1] == "no-namespaces":
    lines += [(0x15, 0, 3, 56), (0x20, 0, 0, 16), (0x45, 0, 1, 0x20000), (0x06, 0, 0, 0x50001)]
lines += [(0x06, 0, 0, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in lines))
libc = ctypes.CDLL(None, use_errno=True)
zero = ctypes.c_ulong(0)
assert not libc.prctl(38, ctypes.c_ulong(1), zero, zero, zero)
header = struct.pack("@HP", len(lines), ctypes.addressof(code))
assert not libc.prctl(22, ctypes.c_ulong(2), ctypes.c_char_p(header), zero, zero)
"""
on_x86_64 = pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers are x86_64's")


def run_on_old_kernel(code: str, kind: str, path: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", OLD_KERNEL + code, kind],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


FIND = """
from weighbridge.provenance._landlock import find_enforcement
print(find_enforcement())
"""


@on_x86_64
def test_without_landlock_bubblewrap_is_found() -> None:
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed: apt-get install bubblewrap")
    said = run_on_old_kernel(FIND, "namespaces", os.environ["PATH"])
    assert said.startswith("Bubblewrap(program=")


@on_x86_64
def test_without_namespaces_bubblewrap_is_not_believed() -> None:
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed: apt-get install bubblewrap")
    said = run_on_old_kernel(FIND, "no-namespaces", os.environ["PATH"])
    assert said.startswith("Unenforceable(")
    assert "Bubblewrap does not work here (bwrap: " in said


@on_x86_64
def test_without_either_the_reason_says_what_to_do(tmp_path: Path) -> None:
    said = run_on_old_kernel(FIND, "namespaces", str(tmp_path))
    assert said.startswith("Unenforceable(")
    for word in ("does not offer Landlock", "not installed", "Install it", "without --enforce"):
        assert word in said


@on_x86_64
def test_a_promise_of_landlock_that_does_not_hold_starts_nothing(tmp_path: Path) -> None:
    """The launcher is told that the kernel speaks Landlock 4; the kernel does not."""
    code = f"""
import subprocess
from pathlib import Path
from weighbridge.errors import IncompleteError
from weighbridge.provenance._confined import open_launch, verify_confined
from weighbridge.provenance._landlock import Confinement, Landlock
folder = Path({str(tmp_path)!r})
walls = Confinement((Path("/usr"), Path("/lib")), (folder,))
with open_launch(
    ["touch", "out"], walls, how=Landlock(4), environment={{"PATH": "/usr/bin"}}, folder=folder
) as launch:
    subprocess.run(launch.argv, env=launch.environment, pass_fds=launch.descriptors, cwd=folder)
    try:
        verify_confined(launch)
    except IncompleteError as error:
        print(error)
"""
    said = run_on_old_kernel(code, "namespaces", os.environ["PATH"])
    assert said == (
        "The step was not started: the kernel speaks Landlock 0 where 4 was found before.\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_processor_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(SYSCALLS, platform.machine())
    found = find_enforcement()
    assert isinstance(found, Unenforceable)
    assert "no filter of system calls" in found.reason
