"""What a step inside walls can and cannot do; the walls and the readers are real."""

from __future__ import annotations

import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from integration.confined_steps import PYTHON, Project, build_project, to_walls
from support import ROOT, to_safetensors
from weighbridge.core import Refusal
from weighbridge.errors import IncompleteError, InputError
from weighbridge.provenance import find_denied
from weighbridge.provenance._confined import find_launcher_paths, open_launch, verify_confined
from weighbridge.provenance._landlock import Landlock
from weighbridge.provenance._strace import build_strace_command, watch_by_strace


@pytest.fixture(params=["landlock", "landlock, forked", "bubblewrap"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    walls, _, forked = request.param.partition(", ")
    return build_project(tmp_path / "project", to_walls(walls), forks=bool(forked))


READERS = {
    "python": "open(sys.argv[1], 'rb').read()",
    "numpy memmap": "import numpy; numpy.memmap(sys.argv[1], mode='r').sum()",
    "safetensors in Rust": (
        "import safetensors; safetensors.safe_open(sys.argv[1], 'np').get_tensor('weight')"
    ),
    "the C library": "os.close(check(libc.open(sys.argv[1].encode(), os.O_RDONLY)))",
    "a child in a shell": (
        "command = ['sh', '-c', 'cat \"$0\" >/dev/null', sys.argv[1]]\n"
        "if subprocess.run(command, stderr=subprocess.DEVNULL).returncode:\n"
        "    raise PermissionError(errno.EACCES, 'in the child')"
    ),
    "a loader's worker": (
        "import multiprocessing\n"
        "with multiprocessing.get_context('fork').Pool(2) as pool:\n"
        "    pool.map(os.path.getsize, [sys.argv[1]]), pool.map(open_it, [sys.argv[1]])"
    ),
    "a grandchild that nobody waits for": (
        "end, begin = os.pipe()\n"
        "if not os.fork():\n"
        "    os.setsid()\n"
        "    if not os.fork():\n"
        "        try: open(sys.argv[1]); os.write(begin, b'0')\n"
        "        except OSError as error: os.write(begin, str(error.errno).encode())\n"
        "    os._exit(0)\n"
        "number = int(os.read(end, 9))\n"
        "if number: raise OSError(number, 'in the grandchild')"
    ),
    "Arrow in C++": "import pyarrow; pyarrow.memory_map(sys.argv[1]).read()",
}


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_gets_what_is_declared_and_nothing_else(project: Project, reader: str) -> None:
    if reader.startswith("Arrow"):
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    declared, undeclared = project.folder / "data" / "w", project.folder / "undeclared"
    for path in (declared, undeclared):
        path.write_bytes(to_safetensors())
    code = "def open_it(name): return len(open(name, 'rb').read())\n" * ("worker" in reader)
    code += READERS[reader]
    assert project.attempt(code, str(declared)) == "done"
    denied = project.attempt(code, str(undeclared))
    # safetensors has one name for whatever it cannot open
    assert denied == "denied" or ("safetensors" in reader and "No such file" in denied), denied


def test_outputs_are_written_and_inputs_read(project: Project) -> None:
    done = project.run("sh", "-c", "cp data/in.txt out/a && mkdir out/b && mv out/a out/b/c && id")
    assert done.returncode == 0, done.stderr
    assert (project.folder / "out" / "b" / "c").read_text() == "declared\n"


def test_landlock_says_permission_denied(tmp_path: Path) -> None:
    project = build_project(tmp_path / "project", to_walls("landlock"))
    said = project.run_python("open('secret.txt')").stderr
    assert "PermissionError: [Errno 13] Permission denied: 'secret.txt'" in said
    said = project.run_python("import socket; socket.create_connection(('127.0.0.1', 9))").stderr
    assert "PermissionError: [Errno 13] Permission denied" in said


WRITES = {
    "create": "open('new', 'w')",
    "create elsewhere": "open('elsewhere/new', 'w')",
    "write an input": "open('data/in.txt', 'r+').write('x')",
    "append to an input": "open('data/in.txt', 'a').write('x')",
    "truncate an input": "os.truncate('data/in.txt', 0)",
    "remove an input": "os.unlink('data/in.txt')",
    "rename an input": "os.rename('data/in.txt', 'out/in.txt')",
    "rename over an input": "open('out/x', 'w').close(); os.rename('out/x', 'data/in.txt')",
    "link an input": "os.link('data/in.txt', 'out/in.txt'); open('out/in.txt', 'a').write('x')",
    "link the key": "os.link('signing.key', 'out/key'); open('out/key').read()",
    "rename the key": "os.rename('signing.key', 'out/key'); open('out/key').read()",
    "a link to the key": "os.symlink('../signing.key', 'out/key'); open('out/key').read()",
    "make a folder": "os.mkdir('data/new')",
    "remove a folder": "os.rmdir('elsewhere')",
    "write into /proc": "open('/proc/sys/vm/overcommit_memory', 'w').write('0')",
    "mount": "check(libc.mount(b'/', b'out', None, 4096, None))",
    "rename the output itself": "os.rename('out', 'elsewhere/out')",
    "exchange with an input": (
        "open('out/x', 'w').close()\ncheck(libc.renameat2(-100, b'out/x', -100, b'data/in.txt', 2))"
    ),
    "a namespace of its own": (
        "script = 'mount -o remount,rw /; mount --bind data out; umount -l data; > data/in.txt'\n"
        "if subprocess.run(['unshare', '-Urm', 'sh', '-c', script], stderr=-3).returncode:\n"
        "    raise PermissionError(errno.EACCES, 'in the namespace')"
    ),
    "another root": (
        "script = 'mkdir out/r && cd out && chroot r true; > ../data/in.txt'\n"
        "if subprocess.run(['unshare', '-Ur', 'sh', '-c', script], stderr=-3).returncode:\n"
        "    raise PermissionError(errno.EACCES, 'in the namespace')"
    ),
}


@pytest.mark.parametrize("write", WRITES)
def test_nothing_outside_the_outputs_is_changed(project: Project, write: str) -> None:
    before = sorted((path, path.stat().st_size) for path in project.folder.iterdir())
    outcome = project.attempt(WRITES[write])
    assert outcome == "denied"
    assert (project.folder / "data" / "in.txt").read_text() == "declared\n"
    assert (project.folder / "data" / "in.txt").stat().st_nlink == 1
    assert sorted(project.folder.joinpath("data").iterdir()) == [project.folder / "data/in.txt"]
    assert sorted(p for p, _ in before) == sorted(project.folder.iterdir())
    assert (project.folder / "signing.key").read_text() == "the key\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make devices")
def test_root_makes_no_device_of_the_disk(project: Project) -> None:
    device = project.folder.stat().st_dev
    code = f"os.mknod('out/disk', 0o60600, {device}); open('out/disk', 'rb').read(16)"
    assert project.attempt(code) == "denied"
    assert not (project.folder / "out" / "disk").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may open by handle")
def test_root_opens_no_file_by_its_handle(project: Project) -> None:
    """As in the escape from containers that was called Shocker."""
    code = (
        "handle = ctypes.create_string_buffer((128).to_bytes(4, sys.byteorder) + bytes(132), 136)\n"
        "mount = ctypes.c_int()\n"
        "check(libc.name_to_handle_at(-100, b'signing.key', handle, ctypes.byref(mount), 0))\n"
        "folder = os.open('data', os.O_RDONLY)\n"
        "os.read(check(libc.open_by_handle_at(folder, handle, os.O_RDONLY)), 9)"
    )
    assert project.attempt(code) == "denied"


PARENT = {
    "memory": "open(f'/proc/{parent}/mem', 'rb')",
    "environment": "open(f'/proc/{parent}/environ', 'rb').read()",
    "root": "open(f'/proc/{parent}/root/{sys.argv[1]}')",
    "folder": "open(f'/proc/{parent}/cwd/pyproject.toml')",
    "descriptors": "open(f'/proc/{parent}/fd/{sys.argv[2]}')",
    "ptrace": "check(libc.ptrace(16, parent, 0, 0))",
    "its bytes": (
        "vec = (ctypes.c_void_p * 2)(ctypes.addressof(ctypes.create_string_buffer(8)), 8)\n"
        "check(libc.process_vm_readv(parent, vec, 1, vec, 1, 0))"
    ),
    "a descriptor of it": (
        "check(libc.syscall(438, check(libc.syscall(434, parent, 0)), 0, 0))  # pidfd_getfd"
    ),
}


@pytest.mark.parametrize("part", PARENT)
def test_the_runner_is_out_of_reach(project: Project, part: str) -> None:
    code = f"parent = int(os.environ['HERE'])\n{PARENT[part]}"
    with (project.folder / "signing.key").open() as key:
        outcome = project.attempt(code, str(project.folder / "signing.key"), str(key.fileno()))
    assert outcome == "denied"


def test_the_runner_gets_no_signals(project: Project) -> None:
    if isinstance(project.how, Landlock) and project.how.abi < 6:
        pytest.skip("Landlock before version 6 does not know signals")
    assert project.attempt("os.kill(int(os.environ['HERE']), 0)") == "denied"


SOCKETS = {
    "connect": "socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5)",
    "bind": "socket.socket().bind(('127.0.0.1', 0))",
    "datagram": "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))",
    "raw": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "agent": "socket.socket(socket.AF_UNIX).connect(sys.argv[2])",
    "abstract": "socket.socket(socket.AF_UNIX).connect(chr(0) + sys.argv[3])",
}


@pytest.mark.parametrize("kind", SOCKETS)
def test_no_socket_leads_out(project: Project, kind: str, tmp_path: Path) -> None:
    agent, abstract = tmp_path / "agent", f"weighbridge-{os.getpid()}"
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as by_path,
        socket.socket(socket.AF_UNIX) as by_name,
    ):
        by_path.bind(str(agent))
        by_path.listen()
        by_name.bind(f"\0{abstract}")
        by_name.listen()
        port = str(server.getsockname()[1])
        outcome = project.attempt(SOCKETS[kind], port, str(agent), abstract)
    if kind in {"bind", "netlink", "raw", "datagram"} and not isinstance(project.how, Landlock):
        pytest.skip("a network of its own, with nothing in it, may be used") if (
            outcome == "done"
        ) else None
    assert outcome == "denied"


def test_the_network_is_there_when_granted(project: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = "socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5).close()"
        port = str(server.getsockname()[1])
        assert project.but(network=True).attempt(code, port) == "done"
        code = "socket.socket(socket.AF_UNIX)"
        assert project.but(network=True).attempt(code) == "denied"


def test_helper_processes_talk_over_sockets_when_granted(project: Project) -> None:
    code = (
        "import multiprocessing\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.Manager() as manager:\n"
        "        print(list(manager.list([1])))"
    )
    # The path of a Unix socket has at most 107 bytes, and pytest's folders are long.
    with tempfile.TemporaryDirectory() as folder:
        project = build_project(Path(folder), project.how)
        assert project.but(local_sockets=True).run_python(code).stdout == "[1]\n"
        if isinstance(project.how, Landlock):
            assert "PermissionError" in project.run_python(code).stderr


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers are those of x86_64")
@pytest.mark.parametrize(
    "call",
    {
        "io_uring": "check(libc.syscall(425, 8, ctypes.create_string_buffer(120)))",
        "keyring": "check(libc.syscall(250, 0, -3, 1))",
        "numbers of x32": "check(libc.syscall(0x40000000 + 41, 2, 1, 0))",
        "typing": "import fcntl; fcntl.ioctl(0, 0x5412, b'x')",
        "upper half": "check(libc.syscall(16, 0, ctypes.c_ulong(0x1_0000_5412), b'x'))",
    }.items(),
    ids=lambda item: item[0],
)
def test_ways_around_the_filter_are_closed(project: Project, call: tuple[str, str]) -> None:
    assert project.attempt(call[1]) == "denied"


def test_descriptors_are_not_inherited(project: Project) -> None:
    with (project.folder / "signing.key").open() as key:
        os.dup2(key.fileno(), 77)
        try:
            done = project.run(
                PYTHON,
                "-c",
                "import os; print(sorted(os.listdir('/proc/self/fd')))",
                inherited=(77,),
            )
        finally:
            os.close(77)
    assert done.stdout == "['0', '1', '2', '3']\n"


def test_the_launcher_listens_to_nothing_of_the_step(project: Project) -> None:
    """Neither the folder nor the environment runs code before the walls are up."""
    marker = f"open({str(project.folder / 'escaped')!r}, 'w')"
    for name in ("json", "ctypes", "struct", "sitecustomize", "usercustomize"):
        (project.folder / f"{name}.py").write_text(marker)
    environment = {
        **project.environment,
        "PYTHONPATH": str(project.folder),
        "PYTHONHOME": "/nowhere",
        "LD_PRELOAD": "/nowhere/loaded.so",
    }
    done = project.but(environment=environment).run("env")
    assert done.stdout.count("LD_PRELOAD=/nowhere/loaded.so") == 1
    # The loader complains once, for the step (and not for Python or bwrap before it).
    assert done.stderr.count("/nowhere/loaded.so") == 1
    assert not (project.folder / "escaped").exists()
    assert "PYTHONSAFEPATH" not in done.stdout


def test_the_environment_is_the_one_that_was_given(project: Project) -> None:
    environment = {**project.environment, "ODD": os.fsdecode(b"\xff\n=x")}
    done = project.but(environment=environment).run_python(
        "import os; print({os.fsencode(k): os.fsencode(v) for k, v in os.environ.items()})"
    )
    assert "b'ODD': b'\\xff\\n=x'" in done.stdout
    assert "SSH_AUTH_SOCK" not in done.stdout


def test_no_signal_is_ignored_blocked_or_met_for_a_step(project: Project) -> None:
    """Python ignores SIGPIPE and SIGXFSZ, and a runner has handlers.

    What whoever started all of this ignores stays ignored, as with nohup.
    """
    mask = re.compile(r"Sig(?:Blk|Ign|Cgt):\s*(\w+)")
    here = Path("/proc/self/status").read_text()
    inherited = int(mask.findall(here)[1], 16)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        inherited &= ~(1 << (number - 1))
    said = project.run("cat", "/proc/self/status").stdout
    assert [int(text, 16) for text in mask.findall(said)] == [0, inherited, 0]


def test_a_process_with_other_threads_is_not_forked() -> None:
    """A lock that another thread holds would stay closed in the child."""
    code = """
import threading
from weighbridge.workflow._step_process import is_alone
print(is_alone())
end = threading.Event()
threading.Thread(target=end.wait).start()
print(is_alone())
end.set()
"""
    done = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]


@pytest.mark.parametrize("code", [0, 1, 3, 126, 127, 255])
def test_the_exit_code_is_the_step_s_own(project: Project, code: int) -> None:
    assert project.run("sh", "-c", f"exit {code}").returncode == code


def test_a_program_that_is_not_there_is_not_an_exit_code(project: Project) -> None:
    with pytest.raises(InputError, match="program could not be started inside its walls"):
        project.run("no-such-program")
    (project.folder / "tool").write_text("#!/bin/sh\n")
    (project.folder / "tool").chmod(0o755)
    with pytest.raises(InputError, match="program could not be started inside its walls"):
        project.run("./tool")
    assert project.but(more=(project.folder / "tool",)).run("./tool").returncode == 0


@pytest.mark.parametrize("way", ["inside", "link"])
def test_no_step_starts_that_could_read_the_key(project: Project, way: str) -> None:
    key = project.folder / "data" / "signing.key"
    key.write_text("the key")
    if way == "link":
        (project.folder / "link").symlink_to(key)
    hidden = ("data/signing.key",) if way == "inside" else ("link",)
    if way == "link" and not isinstance(project.how, Landlock):
        hidden = ("data/signing.key",)  # the link itself is not there
    with pytest.raises(IncompleteError, match="the step could read"):
        project.but(hidden=hidden).run("touch", "out/started")
    assert not (project.folder / "out" / "started").exists()


def test_what_is_granted_exists(project: Project) -> None:
    missing = project.but(more=(project.folder / "missing",))
    with pytest.raises(InputError, match="does not exist"):
        missing.run("true")
    with pytest.raises(InputError, match="whole system"):
        project.but(more=(Path("/usr/.."),)).run("true")


def test_a_step_within_a_step_has_both_walls(tmp_path: Path) -> None:
    """Such as a pipeline's own `weighbridge run`; the inner step may be given more than it gets."""
    project = build_project(tmp_path / "project", to_walls("landlock"))
    code = f"""
import sys
sys.path[:0] = {[str(ROOT / "src"), str(ROOT / "tests")]!r}
from pathlib import Path
from integration.confined_steps import Project, to_walls
folder = Path({str(project.folder)!r})
inner = Project(folder, to_walls("landlock"), {dict(project.environment)!r}, (folder,), ("out/h",))
print(inner.run("sh", "-c", "cat data/in.txt; echo x > out/x; cat secret.txt").stdout)
"""
    done = project.but(more=(ROOT / "src", ROOT / "tests")).run_python(code)
    assert done.stdout == "declared\n\n", done.stderr
    assert (project.folder / "out" / "x").read_text() == "x\n"


def test_names_that_are_no_utf8(project: Project) -> None:
    odd = Path(os.fsdecode(bytes(project.folder) + b"/data\xff \n'\""))
    odd.mkdir()
    (odd / "f").write_text("odd\n")
    assert project.but(more=(odd,)).run("cat", str(odd / "f")).stdout == "odd\n"


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_a_monitor_outside_the_walls_sees_what_was_denied(tmp_path: Path) -> None:
    project = build_project(tmp_path / "project", to_walls("landlock"))
    trace = tmp_path / "trace"
    prefix = ("strace", "-f", "--seccomp-bpf", "-e", "trace=openat", "-y", "-o", str(trace), "--")
    secret, written = project.folder / "secret.txt", project.folder / "data" / "new"
    done = project.run(
        "sh", "-c", f"cat {secret}; cat data/in.txt; echo x > {written}", prefix=prefix
    )
    assert "declared\n" in done.stdout
    assert done.stderr.lower().count("permission denied") == 2
    failures = [
        Refusal(path, error, writing="O_CREAT" in flags)
        for path, flags, error in re.findall(
            r'openat\([^"]*"([^"]+)", ([A-Z_|]+).* = -1 (E\w+)', trace.read_text()
        )
    ]
    denied = find_denied(failures, project.confine("sh"))
    # The launcher tries the key and / itself, to know that the walls stand.
    trials = {"/", str(project.folder / "signing.key")}
    assert set(denied) - trials == {str(secret), str(written)}


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_an_observed_step_inside_walls_reads_what_is_known(tmp_path: Path) -> None:
    """The baseline, the launcher and the inputs: nothing else is seen, and nothing is missed."""
    project = build_project(tmp_path / "project", to_walls("landlock"))
    argv = ["sh", "-c", "cat secret.txt data/in.txt; echo x > out/y; python3 -c 'import numpy'"]
    confinement = project.confine(*argv)
    with (
        watch_by_strace(cwd=project.folder) as watch,
        open_launch(
            argv,
            confinement,
            how=project.how,
            environment=project.environment,
            folder=project.folder,
        ) as launch,
    ):
        command = build_strace_command(launch.argv, log=watch.log)
        done = subprocess.run(
            command,
            env=launch.environment,
            pass_fds=launch.descriptors,
            cwd=project.folder,
            check=False,
            capture_output=True,
            timeout=60,
        )
        seen = watch.finish()
        verify_confined(launch)
    assert done.stdout == b"declared\n"
    assert done.returncode == 0, done.stderr
    assert seen.gaps == ()
    known = [
        path.resolve()
        for path in (*confinement.readable, *confinement.writable, *find_launcher_paths())
    ]
    unknown = [
        name for name in seen.reads if not any(Path(name).is_relative_to(path) for path in known)
    ]
    assert unknown == []
    assert str(project.folder / "data" / "in.txt") in seen.reads
    assert str(project.folder / "secret.txt") not in seen.reads
    assert str(project.folder / "out" / "y") in seen.writes


def test_a_step_is_told_apart_from_a_launcher_that_was_killed(project: Project) -> None:
    with pytest.raises(IncompleteError, match="before the walls were up"):
        project.run("true", prefix=("sh", "-c", "exit 0"))
    assert sys.executable == PYTHON
