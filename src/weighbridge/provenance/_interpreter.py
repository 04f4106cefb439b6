"""The interpreter of a step: what it says of itself, asked without running anything of the step.

It is run with ``-I``: no variable of the environment, no package of the user and nothing in the
working directory is imported. What the interpreter's own ``site`` imports, it imports.
"""

from __future__ import annotations

import os
import re
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.core import DEFAULT_LIMITS, parse_json, printable
from weighbridge.errors import InputError, LimitExceededError, ParseError
from weighbridge.provenance._secrets import clean_environment
from weighbridge.provenance._shebang import find_named, read_head

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import NoReturn

    from weighbridge.core import Limits

__all__ = [
    "Interpreter",
    "ask_interpreter",
    "find_interpreter",
    "is_python",
    "list_interpreters",
    "open_probe",
    "read_interpreter",
    "run_probe",
]

# Runs in Python 3.6 and later, in whatever the step uses.
_PROBE = r"""
import json, platform, site, sys, sysconfig
facts = {
    "version": platform.python_version(),
    "implementation": platform.python_implementation(),
    "build": " ".join(platform.python_build()),
    "compiler": platform.python_compiler(),
    "platform": sysconfig.get_platform(),
    "soabi": str(sysconfig.get_config_var("SOABI") or ""),
    "gil": str(sys._is_gil_enabled()).lower() if hasattr(sys, "_is_gil_enabled") else "true",
    "libc": " ".join(platform.libc_ver()).strip(),
}
library = sysconfig.get_config_var("INSTSONAME") or ""
sys.stdout.write(json.dumps({
    "facts": facts,
    "executable": sys.executable or "",
    "prefix": sys.prefix,
    "base_prefix": sys.base_prefix,
    "library": library if library.endswith(".so") or ".so." in library else "",
    "library_folder": sysconfig.get_config_var("LIBDIR") or "",
    "path": [p for p in sys.path if p],
    "user_site": site.getusersitepackages() or "",
    "standard_library": sysconfig.get_path("stdlib") or "",
}))
"""
_PYTHON = re.compile(r"(?:python|pypy)[0-9.]*t?")
_SYSTEM_SITE = re.compile(
    r"^\s*include-system-site-packages\s*=\s*true\s*$", re.IGNORECASE | re.MULTILINE
)
_TEXTS = (
    "executable",
    "prefix",
    "base_prefix",
    "library",
    "library_folder",
    "user_site",
    "standard_library",
)


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python as it describes itself.

    Attributes:
        executable: The file that is run, links followed.
        program: How it is started, so that its virtual environment is found.
        prefix: Of the virtual environment, or of the installation.
        base_prefix: Of the installation.
        path: Where modules are found: its own ``sys.path``, after what the step's ``PYTHONPATH``
            names, and with the user's packages if the step sees them.
        library: The shared library of Python; None if it is part of the executable.
        standard_library: The folder.
        facts: Version, implementation, libc and the like.
    """

    executable: Path
    program: Path
    prefix: Path
    base_prefix: Path
    path: tuple[Path, ...]
    library: Path | None = None
    standard_library: Path | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


def find_interpreter(argv: Sequence[str], environ: Mapping[str, str]) -> Path | None:
    """Return the Python that a command runs: itself, or that of a script's first line.

    Nothing is run. ``python train.py``, ``torchrun train.py`` and ``/usr/bin/env python`` lines
    are understood; None for everything else, such as a shell that starts Python later.
    """
    import shutil  # noqa: PLC0415 - costs start-up time

    if not argv:
        return None
    search = environ.get("PATH", os.defpath)
    found = shutil.which(argv[0], path=search)
    if found is None:
        return None
    if is_python(found):
        return Path(found)
    try:
        program = find_named(read_head(found), lambda name: shutil.which(name, path=search))
    except OSError:
        return None
    runs = program is not None and os.access(program, os.X_OK)
    return program if program and runs and is_python(program.name) else None


def list_interpreters(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the Pythons that a shell would start by the names ``python3`` and ``python``.

    Two names of one installation or virtual environment count once.
    """
    import shutil  # noqa: PLC0415 - costs start-up time

    search = environ.get("PATH", os.defpath)
    found = [shutil.which(name, path=search) for name in ("python3", "python")]
    programs = [Path(program).absolute() for program in found if program is not None]
    return tuple({(p.parent, os.path.realpath(p)): p for p in reversed(programs)}.values())


def is_python(program: str) -> bool:
    """Tell by its name whether a program is a Python: ``python``, ``/usr/bin/python3.13t``."""
    return _PYTHON.fullmatch(Path(program).name) is not None


def read_interpreter(
    python: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Interpreter:
    """Ask as :func:`ask_interpreter` does, and wait for the answer."""
    with ask_interpreter(python, environ=environ, limits=limits) as answer:
        return answer()


@contextmanager
def ask_interpreter(
    python: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Iterator[Callable[[], Interpreter]]:
    """Run an interpreter once, isolated, while something else is done.

    Args:
        python: The program; by default the one that runs Weighbridge.
        environ: What the step is started with, for ``PYTHONPATH`` and the user's packages; by
            default this process's. The interpreter itself gets it without secrets.
        limits: ``max_list_bytes`` and ``max_wait_s`` apply.

    Yields:
        What waits for its answer. Raises InputError if it cannot be run, fails, is silent for too
        long, or answers something else, and LimitExceededError if it prints too much.
    """
    program = (python or Path(sys.executable)).absolute()
    given = os.environ if environ is None else environ
    with open_probe(program, _PROBE, environ=given, limits=limits) as answer:
        yield lambda: _to_interpreter(program, answer(), given)


def _to_interpreter(
    program: Path, said: Mapping[str, object], given: Mapping[str, str]
) -> Interpreter:
    facts, path = said.get("facts"), said.get("path")
    if (
        not isinstance(facts, dict)
        or not isinstance(path, list)
        or not all(isinstance(value, str) for value in (*path, *facts.values()))
        or not all(isinstance(said.get(name), str) for name in _TEXTS)
    ):
        raise ParseError(f"the interpreter {printable(str(program))} does not describe itself")
    text = {name: str(said[name]) for name in _TEXTS}
    prefix = Path(text["prefix"])
    library = Path(text["library_folder"], text["library"])
    return Interpreter(
        executable=Path(os.path.realpath(text["executable"] or program)),
        program=program,
        prefix=prefix,
        base_prefix=Path(text["base_prefix"]),
        path=_join_path([str(p) for p in path], given, prefix, text),
        library=library if text["library"] and library.is_file() else None,
        standard_library=Path(text["standard_library"]) if text["standard_library"] else None,
        facts={str(k): printable(str(v)) for k, v in sorted(facts.items())},
    )


def run_probe(
    python: Path, script: str, *, environ: Mapping[str, str], limits: Limits
) -> dict[str, object]:
    """Run a script as :func:`open_probe` does, and wait for its answer."""
    with open_probe(python, script, environ=environ, limits=limits) as answer:
        return answer()


@contextmanager
def open_probe(
    python: Path, script: str, *, environ: Mapping[str, str], limits: Limits
) -> Iterator[Callable[[], dict[str, object]]]:
    """Run a script of ours in the interpreter, isolated, while something else is done.

    The interpreter gets no secrets, no input, and none of our descriptors; it and its children are
    ended when the context is left.

    Yields:
        What waits for its end, and returns the JSON that is the last line that it printed. Raises
        InputError if it cannot be run, fails, is silent for too long, or prints something else, and
        LimitExceededError if it prints more than ``max_list_bytes``.
    """
    import signal  # noqa: PLC0415 - costs start-up time
    import subprocess  # noqa: PLC0415

    shown = printable(str(python))
    try:
        process = subprocess.Popen(  # noqa: S603 - a list of arguments, no shell
            [str(python), "-I", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=clean_environment(environ)[0],
            cwd="/",
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        failure = InputError(f"the interpreter {shown} cannot be run: {reason}")
        failure.__cause__ = error
        yield partial(_fail, failure)
        return
    try:
        yield partial(_read_answer, process, shown, limits)
    finally:
        if process.returncode is None:  # not waited for, so that the number is still its own
            os.killpg(process.pid, signal.SIGKILL)
        with process:
            pass


def _fail(error: InputError) -> NoReturn:
    raise error


def _read_answer(process: subprocess.Popen[bytes], shown: str, limits: Limits) -> dict[str, object]:
    import subprocess  # noqa: PLC0415 - costs start-up time

    try:
        printed = _read_until(process, limits)
        code = process.wait(timeout=limits.max_wait_s)
    except subprocess.TimeoutExpired as error:
        raise InputError(f"the interpreter {shown} does not answer") from error
    if code:
        raise InputError(f"the interpreter {shown} cannot describe itself: it ends with {code}")
    last = printed.rstrip(b"\n").rpartition(b"\n")[2]
    said = parse_json(last, what=f"what {shown} prints", limits=limits)
    if not isinstance(said, dict):
        raise ParseError(f"the interpreter {shown} does not describe itself")
    return said


def _read_until(process: subprocess.Popen[bytes], limits: Limits) -> bytes:
    """Read what a process prints, for so long and so much and no more."""
    import select  # noqa: PLC0415 - costs start-up time
    import subprocess  # noqa: PLC0415

    assert process.stdout is not None  # noqa: S101 - it is a pipe
    descriptor = process.stdout.fileno()
    printed = bytearray()
    end_s = time.monotonic() + limits.max_wait_s
    while True:
        ready, _, _ = select.select([descriptor], [], [], max(0.0, end_s - time.monotonic()))
        if not ready:
            raise subprocess.TimeoutExpired("python", limits.max_wait_s)
        data = os.read(descriptor, 64 * 1024)
        if not data:
            return bytes(printed)
        printed += data
        if len(printed) > limits.max_list_bytes:
            raise LimitExceededError(
                "max_list_bytes",
                limit=limits.max_list_bytes,
                actual=len(printed),
                subject="what the interpreter prints",
            )


def _join_path(
    path: Sequence[str], environ: Mapping[str, str], prefix: Path, text: Mapping[str, str]
) -> tuple[Path, ...]:
    """Add what ``-I`` leaves out: ``PYTHONPATH``, and the user's packages if they are on."""
    own = [item for item in environ.get("PYTHONPATH", "").split(os.pathsep) if item]
    user = [text["user_site"]] if text["user_site"] and _sees_user_site(environ, prefix) else []
    # Python puts the user's packages before those of the installation.
    first = next((i for i, p in enumerate(path) if p.endswith("-packages")), len(path))
    joined = [*own, *path[:first], *user, *path[first:]]
    return tuple(dict.fromkeys(Path(item).absolute() for item in joined))


def _sees_user_site(environ: Mapping[str, str], prefix: Path) -> bool:
    if environ.get("PYTHONNOUSERSITE"):
        return False
    try:
        settings = (prefix / "pyvenv.cfg").read_text("utf-8", "replace")[: 64 * 1024]
    except OSError:
        return True
    return bool(_SYSTEM_SITE.search(settings))
