"""What real programs read and write, as an audit hook in their Python saw it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from weighbridge.core import Observation
from weighbridge.provenance import (
    AUDIT_MONITOR,
    build_strace_command,
    watch_by_audit,
    watch_by_strace,
)

BASE = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}


@dataclass(frozen=True)
class Seen:
    """A step that has run; ``reads`` and ``writes`` are those in its folder, by name."""

    code: int
    output: str
    reads: set[str]
    writes: set[str]
    whole: Observation
    has_begun: bool

    def has_gap(self, words: str) -> bool:
        return any(words in gap for gap in self.whole.gaps)


Watch = Callable[..., Seen]


def within(folder: Path, paths: tuple[str, ...]) -> set[str]:
    prefix = f"{os.path.realpath(folder)}/"
    return {path.removeprefix(prefix) for path in paths if path.startswith(prefix)}


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    def run(*argv: str, env: dict[str, str] | None = None) -> Seen:
        with watch_by_audit() as trace:
            done = subprocess.run(
                argv,
                cwd=tmp_path,
                env=trace.extend(BASE if env is None else env),
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
            seen = trace.finish()
        assert seen.monitor == AUDIT_MONITOR
        names = (within(tmp_path, seen.reads), within(tmp_path, seen.writes))
        return Seen(done.returncode, done.stdout + done.stderr, *names, seen, trace.has_begun)

    return run


@pytest.fixture
def python(watch: Watch, tmp_path: Path) -> Watch:
    for name in "abc":
        (tmp_path / name).write_text(name)

    def run(code: str, *options: str, env: dict[str, str] | None = None) -> Seen:
        done = watch(sys.executable, "-B", *options, "-c", code, env=env)
        assert "Error" not in done.output, done.output
        assert done.code == 0, done.output
        return done

    return run


@pytest.mark.parametrize(
    ("code", "reads", "writes"),
    [
        ("open('a').read()", {"a"}, set()),
        ("import os; os.open(b'a', os.O_RDONLY)", {"a"}, set()),
        ("import pathlib; pathlib.Path('sub/../a').read_text()", {"a"}, set()),
        ("import os; os.chdir('sub'); open('../a')", {"a"}, set()),
        ("open('link').read()", {"a"}, set()),
        ("f = open('a'); open('/proc/self/fd/%d' % f.fileno())", {"a"}, set()),
        ("open('new', 'w')", set(), {"new"}),
        ("open('new', 'x').close(); open('new').read()", set(), {"new"}),
        ("open('a', 'w').close(); open('a').read()", set(), {"a"}),
        ("open('a', 'a').close(); open('a').read()", {"a"}, {"a"}),
        ("open('a', 'r+').close()", {"a"}, {"a"}),
        ("import os; os.rename('a', 'z'); open('z').read()", {"a"}, {"a", "z"}),
        ("import os; open('n', 'w').close(); os.replace('n', 'a'); open('a')", set(), {"a", "n"}),
        ("import os; os.replace('b', 'a'); open('a')", {"b"}, {"a", "b"}),
        ("import os; os.link('a', 'z'); open('z')", {"a"}, {"z"}),
        ("import os; os.symlink('a', 'z'); open('z')", {"a"}, {"z"}),
        ("import os; os.remove('a')", set(), {"a"}),
        ("import os; os.makedirs('sub', exist_ok=True); open('sub/x').read()", {"sub/x"}, set()),
        ("import os; os.mkdir('own'); open('own/y', 'a').close(); open('own/y')", set(), {"own/y"}),
        ("import shutil; shutil.copy('a', 'z')", {"a"}, {"z"}),
        ("import shutil; shutil.copytree('sub', 'own')", {"sub/x"}, {"own/x"}),
        ("import contextlib\nwith contextlib.suppress(OSError): open('none')", set(), set()),
        ("import contextlib\nwith contextlib.suppress(OSError): open('sub')", set(), set()),
        ("import contextlib\nwith contextlib.suppress(OSError): open('a', 'x')", set(), set()),
        ("import sqlite3; sqlite3.connect('db').execute('create table t (x)')", set(), {"db"}),
        ("import sys; sys.path.insert(0, 'sub'); import mod", {"sub/mod.py"}, set()),
        ("import os; open(os.devnull); open('/dev/null', 'w')", set(), set()),
        ("import os; open(os.open('b', 0))", {"b"}, set()),
    ],
)
def test_what_python_opens(
    python: Watch, tmp_path: Path, code: str, reads: set[str], writes: set[str]
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x").write_text("x")
    (tmp_path / "link").symlink_to("a")
    if "import mod" in code:
        (tmp_path / "sub" / "mod.py").write_text("")
    seen = python(code)
    assert (seen.reads, seen.writes) == (reads, writes)


def test_what_an_import_loads(python: Watch) -> None:
    seen = python("import numpy")
    assert any(path.endswith(".so") and "numpy" in path for path in seen.whole.reads)
    assert any(path.endswith(("numpy/__init__.py", ".pyc")) for path in seen.whole.reads)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_as_a_data_loader_has_them(watch: Watch, tmp_path: Path, method: str) -> None:
    for number in range(4):
        np.save(tmp_path / f"{number}.npy", np.zeros(9))
    (tmp_path / "load.py").write_text(
        f"""
import multiprocessing
import numpy

def load(number):
    return numpy.load(f"{{number}}.npy").sum()

if __name__ == "__main__":
    context = multiprocessing.get_context("{method}")
    with context.Pool(2) as pool:
        assert pool.map(load, range(4)) == [0.0] * 4
"""
    )
    seen = watch(sys.executable, "-B", "load.py")
    assert seen.code == 0, seen.output
    assert {"0.npy", "1.npy", "2.npy", "3.npy", "load.py"} <= seen.reads
    assert seen.has_gap("what Rust, C and C++ read")


def test_a_memory_map(python: Watch, tmp_path: Path) -> None:
    np.save(tmp_path / "m.npy", np.zeros(9))
    assert "m.npy" in python("import numpy; numpy.load('m.npy', mmap_mode='r').sum()").reads


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (
            "from safetensors.numpy import load_file; load_file('s.safetensors')",
            "what Rust, C and C++ read (safetensors, pyarrow)",
        ),
        ("import ctypes; ctypes.CDLL('libc.so.6').open(b'b', 0)", "loaded libraries by ctypes"),
        ("import os; os.system('cat b > /dev/null')", "hook may not be: sh"),
        ("import subprocess; subprocess.run(['cat', 'b'], stdout=-3)", "hook may not be: cat"),
        ("import os; os.posix_spawn('/bin/cat', ['cat', 'b'], {})", "hook may not be: /bin/cat"),
        ("import os; os.execv('/bin/true', ['true', 'b'])", "hook may not be: /bin/true"),
        ("import os; os.fork() or os._exit(0)", "it forked"),
    ],
)
def test_what_it_is_blind_to_is_said(python: Watch, tmp_path: Path, code: str, words: str) -> None:
    save_file({"w": np.zeros(4)}, tmp_path / "s.safetensors")
    seen = python(code)
    assert seen.has_gap(words), seen.whole.gaps
    assert seen.reads & {"s.safetensors", "b"} == set()


def test_arrow_is_not_seen_and_said(python: Watch, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed", exc_type=ImportError)
    code = "import pyarrow.csv; pyarrow.csv.read_csv('t.csv')"
    (tmp_path / "t.csv").write_text("x\n1\n")
    seen = python(code)
    assert "t.csv" not in seen.reads
    assert seen.has_gap("pyarrow")


def test_arguments_of_programs_are_not_told(python: Watch) -> None:
    code = "import os, subprocess; subprocess.run(['true', 's3cret']); os.system(': s3cret')"
    assert "s3cret" not in str(python(code).whole)


def test_connections(python: Watch) -> None:
    code = """
import contextlib, socket
for family, address in ((socket.AF_INET, ("127.0.0.1", 9)), (socket.AF_INET6, ("::1", 9)),
                        (socket.AF_UNIX, "nobody.sock")):
    with contextlib.suppress(OSError), socket.socket(family) as one:
        one.connect(address)
server = socket.socket(socket.AF_UNIX); server.bind("own.sock"); server.listen()
socket.socket(socket.AF_UNIX).connect("own.sock")
"""
    seen = python(code)
    assert {"127.0.0.1:9", "[::1]:9"} <= set(seen.whole.connections)
    gaps = [gap for gap in seen.whole.gaps if "may have read for it" in gap]
    assert len(gaps) == 1
    assert gaps[0].endswith("/nobody.sock")


def test_a_name_that_is_no_utf8(python: Watch, tmp_path: Path) -> None:
    name = os.fsdecode(b"odd\xff\n\x1b[2J")
    (tmp_path / name).write_text("odd")
    assert python("import os; open(b'odd\\xff\\n\\x1b[2J')").reads == {name}


def test_a_long_name_is_a_gap_or_a_read(python: Watch, tmp_path: Path) -> None:
    code = """
import os
for _ in range(30):
    os.mkdir("d" * 200)
    os.chdir("d" * 200)
open("file", "w").close()
open("file").read()
"""
    try:
        seen = python(code)
        assert seen.reads == set()
        assert seen.has_gap("in a way that the hook cannot resolve")
    finally:
        shutil.rmtree(tmp_path / ("d" * 200))


# ---------------------------------------------------------------------- getting in, and the view


def test_the_step_sees_nothing_of_it(python: Watch, tmp_path: Path) -> None:
    code = (
        "import os, sys; print(sys.path, os.environ.get('PYTHONPATH'), 'sitecustomize' in "
        "sys.modules, [f for f in os.listdir('/proc/self/fd') if int(f) > 9])"
    )
    for path in (None, str(tmp_path), f"{tmp_path}:/nowhere"):
        env = BASE if path is None else {**BASE, "PYTHONPATH": path}
        plain = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=True,
        )
        seen = python(code, env=env)
        assert seen.output == plain.stdout
        assert seen.has_begun


@pytest.mark.parametrize("ending", ["", "raise ImportError('no', name='other')", "1 / 0"])
def test_the_sitecustomize_that_it_hides_is_run(watch: Watch, tmp_path: Path, ending: str) -> None:
    """With its errors, as ``site`` tells them."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        f"import sys\nprint('hidden', __name__, __file__)\nsys.mark = 1\n{ending}\n"
    )
    env = {**BASE, "PYTHONPATH": str(tmp_path / "site")}
    code = "import sys; print(sys.mark, getattr(sys.modules.get('sitecustomize'), '__file__', 0))"
    plain = subprocess.run(
        [sys.executable, "-B", "-c", code],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    seen = watch(sys.executable, "-B", "-c", code, env=env)
    assert seen.output == plain.stdout + plain.stderr
    assert seen.code == plain.returncode
    assert "hidden sitecustomize" in seen.output
    assert seen.has_begun
    assert "site/sitecustomize.py" in seen.reads


@pytest.mark.parametrize("option", ["-I", "-E", "-S"])
def test_where_the_hook_is_kept_out_it_is_said(watch: Watch, option: str) -> None:
    seen = watch(sys.executable, option, "-c", "pass")
    assert (seen.code, seen.output) == (0, "")
    assert not seen.has_begun
    assert seen.has_gap("did not come up")
    assert watch("true").has_begun is False


def test_a_program_that_starts_python_later(watch: Watch, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    seen = watch("sh", "-c", f"{sys.executable} -c \"open('a')\"")
    assert seen.has_begun
    assert seen.reads == {"a"}


def test_a_step_that_closes_what_it_does_not_know(python: Watch, tmp_path: Path) -> None:
    """Its next files get the number that the log had: nothing of ours may get into them."""
    code = """
import os
os.closerange(3, 100)
files = [open(f"own{number}", "wb") for number in range(9)]
open("a").read()
for file in files:
    file.write(b"own")
"""
    seen = python(code)
    assert "a" in seen.reads
    assert {(tmp_path / f"own{number}").read_bytes() for number in range(9)} == {b"own"}


def test_a_runner_that_is_gone_stops_nothing(tmp_path: Path) -> None:
    code = """
print("up", flush=True)
input()
for _ in range(9):
    open("/dev/null")
open("x", "w")
"""
    with watch_by_audit() as trace:
        env = trace.extend(BASE)
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        seen = trace.finish()
    assert any("still running" in gap for gap in seen.gaps)
    process.communicate(b"\n", timeout=30)
    assert process.returncode == 0
    assert (tmp_path / "x").exists()


def test_many_files_and_threads(watch: Watch, tmp_path: Path) -> None:
    (tmp_path / "many").mkdir()
    for number in range(3_000):
        (tmp_path / "many" / f"{number:04}").touch()
    code = """
import glob
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(8) as pool:
    list(pool.map(lambda name: open(name).close(), glob.glob("many/*")))
"""
    seen = watch(sys.executable, "-c", code)
    assert len([name for name in seen.reads if name.startswith("many/")]) == 3_000
    assert not seen.has_gap("cannot be read")


# ------------------------------------------------------------------------------- both monitors

NAMES = st.sampled_from(["a", "b", "n", "m"])
ACTS = st.one_of(
    st.tuples(st.sampled_from(["r", "w", "r+", "x"]), NAMES),
    st.tuples(st.sampled_from(["rename", "link", "symlink"]), NAMES, NAMES),
    st.tuples(st.just("remove"), NAMES),
)
PROGRAM = """
import os, sys
for act, *names in eval(sys.argv[1]):
    try:
        if len(act) < 3:
            with open(names[0], act) as file:
                file.read() if act[0] == "r" else file.write("x")
        else:
            getattr(os, act)(*names)
    except OSError:
        pass
"""


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ACTS, max_size=8))
@example([("symlink", "n", "n"), ("w", "n"), ("rename", "n", "a")])  # a link to itself
@example([("remove", "b"), ("link", "a", "b"), ("w", "b")])  # a write by a second name
def test_of_what_python_does_both_monitors_say_the_same(acts: list[tuple[str, ...]]) -> None:
    """As long as it is Python that opens, what the hook tells is what the system saw.

    Not so where a file is appended to: only the hook knows whether it was there before.
    """
    told = []
    for monitor in ("strace", "audit"):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name).resolve()
            for file in "ab":
                (folder / file).write_text(file)
            argv = [sys.executable, "-c", PROGRAM, repr(acts)]
            if monitor == "strace":
                with watch_by_strace(cwd=folder) as trace:
                    command = build_strace_command(argv, log=trace.log)
                    subprocess.run(command, cwd=folder, env=BASE, check=True, timeout=60)
                    seen = trace.finish()
            else:
                with watch_by_audit() as audit:
                    env = audit.extend(BASE)
                    subprocess.run(argv, cwd=folder, env=env, check=True, timeout=60)
                    seen = audit.finish()
            told.append((within(folder, seen.reads), within(folder, seen.writes)))
    assert told[0] == told[1]
