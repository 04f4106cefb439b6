"""What real programs read and write, as strace saw it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from weighbridge.core import Observation
from weighbridge.provenance import (
    build_strace_command,
    find_strace,
    parse_strace,
    watch_by_strace,
)


@dataclass(frozen=True)
class Seen:
    """A step that has run.

    ``reads`` and ``writes`` are those in the step's folder, by their names in it.
    """

    code: int
    output: str
    reads: set[str]
    writes: set[str]
    whole: Observation


Watch = Callable[..., Seen]


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    def run(*argv: str, cwd: Path = tmp_path, text: str = "") -> Seen:
        with watch_by_strace(cwd=cwd) as trace:
            done = subprocess.run(
                build_strace_command(argv, log=trace.log),
                cwd=cwd,
                input=text,
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
            seen = trace.finish()
        assert "strace:" not in done.stderr
        prefix = f"{tmp_path}/"
        within = [
            {path.removeprefix(prefix) for path in paths if path.startswith(prefix)}
            for paths in (seen.reads, seen.writes)
        ]
        return Seen(done.returncode, done.stdout + done.stderr, *within, seen)

    return run


@pytest.fixture
def python(watch: Watch) -> Watch:
    def run(code: str, **options: object) -> Seen:
        done = watch(sys.executable, "-I", "-B", "-c", code, **options)
        assert "Error" not in done.output, done.output
        return done

    return run


def test_strace_can_be_used_here() -> None:
    support = find_strace()
    assert support.reason == ""
    assert Path(support.program).is_absolute()


def test_without_strace_the_reason_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_strace().reason == "strace is not installed; install the package strace"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'strace: unrecognized option --seccomp-bpf' >&2; exit 1", "unrecognized option"),
        ("echo 'strace: ptrace(PTRACE_TRACEME, ...): Operation not permitted' >&2; exit 1", "perm"),
        ("exit 0", "its log is not as expected"),
        ("kill -9 $$", "its log is not as expected"),
    ],
)
def test_a_strace_that_does_not_work_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: str
) -> None:
    (tmp_path / "strace").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "strace").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    support = find_strace()
    assert support.program == ""
    assert reason in support.reason


def test_where_tracing_is_forbidden_the_reason_says_so(tmp_path: Path) -> None:
    """A real refusal: a seccomp filter under which ptrace fails with EPERM."""
    code = """
import ctypes, struct
from weighbridge.provenance import find_strace
libc = ctypes.CDLL(None, use_errno=True)
# load the call's number; ptrace -> EPERM; else allow
import platform
number = {"x86_64": 101, "aarch64": 117}[platform.machine()]
rules = b"".join(struct.pack("HBBI", *rule) for rule in [
    (0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)])
buffer = ctypes.create_string_buffer(rules)
program = struct.pack("HxxxxxxP", 4, ctypes.addressof(buffer))
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, program, 0, 0) == 0
print(find_strace().reason)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert "strace does not work here" in done.stdout
    assert "Operation not permitted" in done.stdout


# ---------------------------------------------------------------------------- readers


def test_python_open_and_a_memory_map(python: Watch, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    np.save(tmp_path / "b.npy", np.zeros(9))
    seen = python("import numpy; open('a').read(); numpy.load('b.npy', mmap_mode='r').sum()")
    assert seen.reads == {"a", "b.npy"}
    assert seen.writes == set()
    assert seen.whole.gaps == ()
    assert os.path.realpath(sys.executable) in seen.whole.reads


def test_a_reader_in_rust(python: Watch, tmp_path: Path) -> None:
    save_file({"w": np.zeros(9)}, tmp_path / "m.safetensors")
    seen = python(
        "from safetensors import safe_open\n"
        "with safe_open('m.safetensors', 'np') as f: f.get_tensor('w')"
    )
    assert seen.reads == {"m.safetensors"}


def test_readers_in_c(python: Watch, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    subprocess.run(
        [
            sys.executable,
            "-c",
            "import sqlite3; sqlite3.connect('c.db').execute('create table t(x)')",
        ],
        cwd=tmp_path,
        check=True,
    )
    seen = python(
        "import ctypes, sqlite3\n"
        "c = ctypes.CDLL(None)\n"
        "assert c.open(b'a', 0) > 0\n"
        "c.fopen.restype = ctypes.c_void_p\n"
        "assert c.fopen(b'b', b'r')\n"
        "db = sqlite3.connect('c.db'); list(db.execute('select * from t')); db.close()"
    )
    assert seen.reads == {"a", "b", "c.db"}


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_like_those_of_a_data_loader(watch: Watch, tmp_path: Path, method: str) -> None:
    for name in "abcd":
        (tmp_path / name).write_text(name)
    (tmp_path / "load.py").write_text(
        "import multiprocessing, os\n"
        "def read(name):\n"
        "    os.chdir('/'); os.chdir(FOLDER)\n"
        "    return open(name).read()\n"
        "FOLDER = os.path.dirname(os.path.abspath(__file__))\n"
        "if __name__ == '__main__':\n"
        f"    with multiprocessing.get_context('{method}').Pool(2) as pool:\n"
        "        print(''.join(pool.map(read, 'abcd')))\n"
        "        pool.close(); pool.join()\n"
    )
    seen = watch(sys.executable, "-B", "load.py")
    assert "abcd" in seen.output
    assert {*"abcd", "load.py"} <= seen.reads
    assert seen.whole.gaps == ()


def test_a_shell_with_folders_and_redirections(watch: Watch, tmp_path: Path) -> None:
    (tmp_path / "d/e").mkdir(parents=True)
    for name in ("a", "d/b", "d/e/c"):
        (tmp_path / name).write_text(name)
    script = "cat < a > out; (cd d && cat b | cat > ../out2; cd e; exec cat c); rm -f a; mv out new"
    seen = watch("/bin/sh", "-c", script)
    assert seen.reads == {"a", "d/b", "d/e/c"}
    assert seen.writes == {"out", "out2", "a", "new"}
    assert seen.output == "d/e/c"
    assert {os.path.realpath("/bin/sh"), "/usr/bin/cat"} <= set(seen.whole.reads)


def test_many_threads_and_children_at_once(watch: Watch, tmp_path: Path) -> None:
    """Calls overlap in the log; folders, renames and numbers of processes stay apart."""
    for number in range(6):
        (tmp_path / f"in{number}").write_text("x")
    (tmp_path / "busy.py").write_text(
        "import os, subprocess, threading\n"
        "def work(i):\n"
        "    os.mkdir(f'w{i}')\n"
        "    for k in range(15):\n"
        "        subprocess.run(['/bin/sh', '-c', f'cd w{i}; echo x > t{k}; mv t{k} o{k}; '\n"
        "            f'cat o{k} ../in{i} >/dev/null; rm o{k}'], check=True)\n"
        "threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
    )
    seen = watch(sys.executable, "-I", "-B", "busy.py")
    names = {f"{name}{k}" for name in "to" for k in range(15)}
    assert seen.code == 0, seen.output
    assert seen.reads == {"busy.py", *(f"in{number}" for number in range(6))}
    assert seen.writes == {f"w{number}/{name}" for number in range(6) for name in names}
    assert seen.whole.gaps == ()


def test_a_script_and_what_runs_it(watch: Watch, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("#!/bin/sh -e\necho hi\n")
    (tmp_path / "outer").write_text(f"#! {tmp_path}/run\n")
    (tmp_path / "link").symlink_to("outer")
    for name in ("run", "outer"):
        (tmp_path / name).chmod(0o755)
    seen = watch("./link")
    assert seen.output == "hi\n"
    assert seen.reads == {"run", "outer"}
    assert os.path.realpath("/bin/sh") in seen.whole.reads
    assert any("ld-linux" in path or "ld-musl" in path for path in seen.whole.reads)


def test_names_that_are_not_text(python: Watch, tmp_path: Path) -> None:
    names = [b"\xff\xfe", b'a b\n", 3) = 5<x>', b"\\x41 <unfinished ...>", "ü (deleted)".encode()]
    for name in names:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_text("x")
    seen = python(f"for name in {names!r}: open(name).read()")
    assert seen.reads == {os.fsdecode(name) for name in names}
    assert seen.whole.gaps == ()


def test_links_and_descriptors_lead_to_the_file(python: Watch, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    for name in ("a", "b", "c", "e", "d/f"):
        (tmp_path / name).write_text(name)
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "folder").symlink_to("d")
    seen = python(
        "import os\n"
        "open('link').read(); open('folder/f').read()\n"
        "fd = os.open('.', os.O_PATH); os.open('b', 0, dir_fd=fd)\n"
        "os.listdir('d'); os.open('d', 0)\n"
        "handle = os.open('c', os.O_PATH); open(f'/proc/self/fd/{handle}').read()\n"
        "os.open('e', os.O_PATH); os.stat('e')"
    )
    assert seen.reads == {"a", "b", "c", "d/f"}


def test_calls_that_fail_are_no_reads(python: Watch, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    seen = python(
        "import os\n"
        "for name, flags in (('none', 0), ('a', os.O_CREAT | os.O_EXCL), ('a/b', 0)):\n"
        "    try: os.open(name, flags)\n"
        "    except OSError: pass\n"
        "    else: raise SystemExit('it worked')"
    )
    assert (seen.code, seen.reads, seen.writes) == (0, set(), set())


# ---------------------------------------------------------------------------- what it made itself


def test_what_a_step_made_is_no_input(python: Watch, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("d")
    seen = python(
        "import os, sqlite3, tempfile\n"
        "open('t', 'w').write(open('data').read()); open('t').read()\n"
        "os.rename('t', 'out'); open('out').read(); os.link('out', 'also'); open('also').read()\n"
        "os.mkdir('work'); db = sqlite3.connect('work/x.db'); db.execute('create table t(x)')\n"
        "db.commit(); db.close(); os.rename('work', 'done'); open('done/x.db', 'rb').read()\n"
        "f = tempfile.TemporaryFile(dir='.'); f.write(b'x'); open(f'/proc/self/fd/{f.fileno()}')\n"
        "m = os.memfd_create('x'); open(f'/proc/self/fd/{m}').read()"
    )
    assert seen.reads == {"data"}
    assert {"t", "out", "also", "done", "work/x.db"} <= seen.writes
    assert seen.whole.gaps == ()


def test_what_was_there_before_is_an_input_under_its_first_name(
    python: Watch, tmp_path: Path
) -> None:
    for folder in ("d", "e"):
        (tmp_path / folder).mkdir()
    for name in ("a", "b", "c", "d/x", "e/y", "f", "g", "h"):
        (tmp_path / name).write_text(name)
    seen = python(
        "import os\n"
        "os.mkdir('own')\n"
        "os.rename('a', 'own/1'); open('own/1').read()\n"
        "os.link('b', 'own/2'); open('own/2').read()\n"
        "os.symlink('../c', 'own/3'); open('own/3').read()\n"
        "os.rename('d', 'own/4'); open('own/4/x').read()\n"
        "os.chdir('e'); open('y').read(); os.rename('../f', 'z'); open('z').read()\n"
        "h = os.open('../g', os.O_PATH); os.unlink('../g'); open(f'/proc/self/fd/{h}').read()\n"
        "open('../h', 'r+').write('new')"
    )
    assert seen.reads == {"a", "b", "c", "d", "d/x", "e/y", "f", "g", "h"}
    assert seen.whole.gaps == ()


def test_a_file_that_is_replaced_by_a_folder_stays_an_input(python: Watch, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    seen = python("import os; open('a').read(); os.unlink('a'); os.mkdir('a')")
    assert seen.reads == {"a"}


# ---------------------------------------------------------------------------- how it ends


@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_the_exit_code_is_the_steps(watch: Watch, code: int) -> None:
    assert watch("/bin/sh", "-c", f"exit {code}").code == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV])
def test_a_step_that_a_signal_ends(python: Watch, tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "a").write_text("a")
    seen = python(f"import os; open('a').read(); os.kill(os.getpid(), {int(number)})")
    assert seen.code == -number
    assert seen.reads == {"a"}
    assert seen.whole.gaps == ()


def test_standard_streams_are_the_steps(watch: Watch) -> None:
    seen = watch("/bin/sh", "-c", "cat; echo err >&2", text="from outside\n")
    assert seen.output == "from outside\nerr\n"


def test_the_step_has_no_descriptor_of_the_log(watch: Watch) -> None:
    seen = watch(sys.executable, "-I", "-c", "import os; print(os.listdir('/proc/self/fd'))")
    assert seen.output.strip() == "['0', '1', '2', '3']"  # 3 is the folder that is listed


def test_a_program_that_is_not_there(watch: Watch, tmp_path: Path) -> None:
    with watch_by_strace(cwd=tmp_path) as trace:
        done = subprocess.run(
            build_strace_command(["/none"], log=trace.log), capture_output=True, check=False
        )
        assert done.returncode == 1
        assert trace.finish().gaps == ("the monitor saw nothing of it",)


# ---------------------------------------------------------------------------- gaps


def test_a_monitor_that_was_killed_leaves_a_gap(python: Watch, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    with watch_by_strace(cwd=tmp_path) as trace:
        code = "import os\nopen('a').read()\nos.kill(os.getppid(), 9)\nimport time\ntime.sleep(1)"
        argv = [sys.executable, "-I", "-c", code]
        done = subprocess.run(build_strace_command(argv, log=trace.log), cwd=tmp_path, check=False)
        seen = trace.finish()
    assert done.returncode == -signal.SIGKILL
    assert f"{tmp_path}/a" in seen.reads
    assert "the monitor ended before 1 of its processes did" in seen.gaps


def test_io_uring_leaves_a_gap(python: Watch) -> None:
    seen = python(
        "import ctypes\n"
        "assert ctypes.CDLL(None).syscall(425, 8, ctypes.create_string_buffer(200)) > 0"
    )
    assert seen.whole.gaps == ("it used io_uring, whose reads and opens nobody sees",)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change the root folder")
def test_another_root_folder_leaves_a_gap(python: Watch) -> None:
    seen = python("import os; os.chroot('/')")
    assert any("chroot" in gap for gap in seen.whole.gaps)


def test_a_local_socket_of_somebody_else_leaves_a_gap(python: Watch, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "door"))
        server.listen()
        seen = python("import socket; socket.socket(socket.AF_UNIX).connect('door')")
    assert seen.whole.connections == ("unix:door",)
    assert seen.whole.gaps == ("a process that was not watched may have read for it, by door",)


def test_a_local_socket_of_its_own_leaves_none(python: Watch) -> None:
    seen = python(
        "import socket\n"
        "for name in ('own', '\\0own'):\n"
        "    s = socket.socket(socket.AF_UNIX); s.bind(name); s.listen()\n"
        "    socket.socket(socket.AF_UNIX).connect(name)"
    )
    assert seen.whole.connections == ("unix:@own", "unix:own")
    assert seen.whole.gaps == ()


def test_connections_are_told(python: Watch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        seen = python(f"import socket; socket.create_connection(('127.0.0.1', {port}))")
    assert seen.whole.connections == (f"127.0.0.1:{port}",)


def test_a_step_that_touches_the_log_is_told(tmp_path: Path) -> None:
    log = tmp_path / "log"
    argv = [sys.executable, "-I", "-c", f"open({str(log)!r}, 'r+').read()"]
    subprocess.run(build_strace_command(argv, log=log), cwd=tmp_path, check=True)
    with log.open("rb") as stream:
        seen = parse_strace(stream, cwd=str(tmp_path), log_path=str(log))
    assert "it touched the monitor's log" in seen.gaps


def test_arguments_and_environment_are_not_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "hf_planted")
    log = tmp_path / "log"
    argv = ["/bin/sh", "-c", "true hf_planted; /bin/true hf_planted"]
    subprocess.run(build_strace_command(argv, log=log), cwd=tmp_path, check=True)
    text = bytes.fromhex(log.read_bytes().replace(b"\\x", b"").hex())
    assert b"planted" not in text
    assert b"planted".hex().encode() not in text
