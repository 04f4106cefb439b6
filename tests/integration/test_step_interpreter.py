"""Real interpreters are asked about themselves: nothing of the step runs, nothing hangs."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from weighbridge.core import DEFAULT_LIMITS
from weighbridge.engines import ThreadExecutor
from weighbridge.errors import InputError, LimitExceededError, ParseError
from weighbridge.provenance import (
    ask_libraries,
    find_interpreter,
    list_packages,
    read_interpreter,
    read_packages,
)


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment that holds what Python's own installer put there."""
    folder = tmp_path_factory.mktemp("step") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    return folder


def site_of(venv: Path) -> Path:
    (site,) = venv.glob("lib/python*/site-packages")
    return site


def to_base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def write_program(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_what_pip_installs_passes_and_a_change_fails(venv: Path, tmp_path: Path) -> None:
    wheel = tmp_path / "tiny_step-1.0-py3-none-any.whl"
    info = "tiny_step-1.0.dist-info"
    files = {
        "tiny_step.py": "x = 1\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: tiny-step\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{name},sha256={to_base64(text.encode())},{len(text)}\n" for name, text in files.items()
    )
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(name, text)
    pip = [str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install"]
    subprocess.run([*pip, "-q", "--no-index", "--no-deps", str(wheel)], check=True)
    interpreter = read_interpreter(venv / "bin" / "python", environ={})
    packages = read_packages(list_packages(interpreter), executor=ThreadExecutor())
    assert packages.problems == ()
    found = {d.name: d for d in packages.dependencies}
    assert {"pip", "tiny-step"} <= found.keys()
    assert {d.annotations["check"] for d in packages.dependencies} == {"pass"}
    assert found["tiny-step"].annotations["archive"].startswith("sha256:")
    assert str(site_of(venv) / "tiny_step.py") in packages.verified

    (site_of(venv) / "tiny_step.py").write_text("x = 2\n")
    again = read_packages(list_packages(interpreter), executor=ThreadExecutor())
    (problem,) = again.problems
    assert "tiny-step 1.0: not as its RECORD says: tiny_step.py" in problem


def test_the_environment_is_that_of_the_interpreter_asked(venv: Path) -> None:
    interpreter = read_interpreter(venv / "bin" / "python", environ={})
    assert interpreter.prefix == venv
    assert interpreter.path[-1] == site_of(venv)
    assert interpreter.executable == Path(os.path.realpath(sys.executable))
    assert interpreter.facts["version"] == ".".join(map(str, sys.version_info[:3]))
    assert interpreter.program == venv / "bin" / "python"


def test_a_relative_program(venv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(venv)
    assert read_interpreter(Path("bin/python")).prefix == venv


def test_nothing_of_the_step_is_imported_and_no_secret_is_given(
    venv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code beside the step, or on its PYTHONPATH, must not run in the runner's own time."""
    trap = f"open({str(tmp_path / 'sprung')!r}, 'w')\n"
    for name in ("json.py", "sitecustomize.py", "usercustomize.py", "platform.py"):
        (tmp_path / name).write_text(trap)
    seen = tmp_path / "seen"
    custom = site_of(venv) / "sitecustomize.py"
    custom.write_text(f"import os, json; json.dump(dict(os.environ), open({str(seen)!r}, 'w'))\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "json.py"))
    environ = {
        **os.environ,
        "PYTHONPATH": str(tmp_path),
        "HF_TOKEN": "planted",
        "SSH_AUTH_SOCK": "/planted",
    }
    try:
        interpreter = read_interpreter(venv / "bin" / "python", environ=environ)
    finally:
        custom.unlink()
    assert not (tmp_path / "sprung").exists()
    assert interpreter.path[0] == tmp_path
    assert "planted" not in " ".join(json.loads(seen.read_text()).values())


def test_the_users_packages_count_where_python_sees_them(venv: Path, tmp_path: Path) -> None:
    """A virtual environment does not see them; ``-I`` hides them from the probe."""
    base = Path(os.path.realpath(sys.executable))
    for python, environ, seen in (
        (base, {"HOME": str(tmp_path)}, True),
        (base, {"HOME": str(tmp_path), "PYTHONNOUSERSITE": "1"}, False),
        (venv / "bin" / "python", {"HOME": str(tmp_path)}, False),
    ):
        path = read_interpreter(python, environ=environ).path
        assert any(folder.is_relative_to(tmp_path / ".local") for folder in path) == seen


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("exit 3", InputError),
        ("echo hello", ParseError),
        ("echo '[]'", ParseError),
        ("echo '{\"facts\": {}}'", ParseError),
        ("yes", LimitExceededError),
        ("sleep 30 & sleep 30", InputError),
        ("exec >&-; sleep 30", InputError),
    ],
)
def test_a_program_that_is_no_python_ends_soon(
    tmp_path: Path, script: str, error: type[Exception]
) -> None:
    limits = replace(DEFAULT_LIMITS, max_wait_s=1, max_list_bytes=1_000_000)
    began_s = time.monotonic()
    with pytest.raises(error):
        read_interpreter(write_program(tmp_path / "python", script), limits=limits)
    assert time.monotonic() - began_s < 20  # not the 30 s that it would take


def test_children_that_hold_the_line_are_ended(tmp_path: Path) -> None:
    """The program ends at once; its child keeps the pipe, and must not outlive the question."""
    program = write_program(tmp_path / "python", f"sleep 60 & echo $! > {tmp_path}/child")
    with pytest.raises(InputError, match="does not answer"):
        read_interpreter(program, limits=replace(DEFAULT_LIMITS, max_wait_s=1))
    child = Path("/proc", (tmp_path / "child").read_text().strip(), "stat")
    for _ in range(100):
        if not child.exists() or child.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.05)
    pytest.fail("the child still runs")


def test_no_program(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be run"):
        read_interpreter(tmp_path / "python")


def test_the_python_of_a_command(venv: Path, tmp_path: Path) -> None:
    environ = {"PATH": f"{venv / 'bin'}:/usr/bin:/bin"}
    python = venv / "bin" / "python"
    assert find_interpreter(["python", "train.py"], environ) == python
    assert find_interpreter([str(python)], {}) == python
    pip = find_interpreter(["pip", "list"], environ)
    assert pip is not None
    assert pip.parent == venv / "bin"
    script = tmp_path / "run"
    script.write_text("#!/usr/bin/env -S python -u\n")
    script.chmod(0o755)
    assert find_interpreter([str(script)], environ) == python
    for argv in ([], ["sh", "-c", "python"], ["no-such-program"], ["/bin/sh"]):
        assert find_interpreter(argv, environ) is None


def test_libraries_say_how_they_are_set() -> None:
    """NumPy and threadpoolctl are really imported, by another process."""
    interpreter = read_interpreter()
    with ask_libraries(interpreter, {"OPENBLAS_NUM_THREADS": "1"}) as answer:
        facts, problems = answer()
    assert problems == ()
    pools = {key: value for key, value in facts.items() if key.endswith("num_threads")}
    assert "1" in pools.values()
    assert facts["numpy.version"]
    assert all(isinstance(value, str) for value in facts.values())


def test_libraries_that_are_not_there(venv: Path) -> None:
    with ask_libraries(read_interpreter(venv / "bin" / "python")) as answer:
        facts, problems = answer()
    assert problems == ()
    assert not [key for key in facts if key.startswith(("numpy", "torch"))]


def test_a_library_that_breaks_is_told(venv: Path) -> None:
    """Importing may fail in any way, and print, without losing the other facts."""
    site = site_of(venv)
    (site / "torch.py").write_text("print('{}'); raise SystemExit('broken')\n")
    (site / "numpy.py").write_text("__version__ = '9'\n")
    try:
        with ask_libraries(read_interpreter(venv / "bin" / "python")) as answer:
            facts, problems = answer()
    finally:
        (site / "torch.py").unlink()
        (site / "numpy.py").unlink()
    assert problems == ()
    assert facts["torch"] == "unknown: it cannot be imported: SystemExit"
    assert facts["numpy.version"] == "9"
    assert facts["numpy.simd"] == "unknown: AttributeError"


def test_an_interpreter_that_cannot_be_asked_is_told_when_the_answer_is_wanted() -> None:
    program = Path("/no/such/python")
    interpreter = replace(read_interpreter(), program=program)
    with ask_libraries(interpreter) as answer:
        facts, problems = answer()
    assert facts == {}
    assert "/no/such/python cannot be run: No such file" in problems[0]


def test_an_answer_that_nobody_waits_for_ends_with_its_context(venv: Path) -> None:
    (site_of(venv) / "torch.py").write_text("import time; time.sleep(1000)\n")
    started = time.monotonic()
    try:
        with ask_libraries(read_interpreter(venv / "bin" / "python")):
            pass
    finally:
        (site_of(venv) / "torch.py").unlink()
    assert time.monotonic() - started < 100
