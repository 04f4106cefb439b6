"""A small project with an input, an output, a key and a secret, and steps run inside walls."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from weighbridge.provenance._confined import open_launch, verify_confined
from weighbridge.provenance._confined_baseline import build_baseline
from weighbridge.provenance._landlock import Bubblewrap, Confinement, Landlock
from weighbridge.provenance._landlock_launcher import read_abi

PYTHON = sys.executable


def to_walls(name: str) -> Landlock | Bubblewrap:
    """Return the walls of this name, or skip the test and say why."""
    if name == "landlock":
        abi = read_abi()
        if abi < 4:
            pytest.skip(f"the kernel's Landlock is version {abi}; 4 is needed")
        return Landlock(abi)
    program = shutil.which("bwrap")
    if program is None:
        pytest.skip("bubblewrap is not installed: apt-get install bubblewrap")
    return Bubblewrap(program)


@dataclass(frozen=True)
class Project:
    """Where the files of a test are.

    ``data/in.txt`` is declared, ``out`` is an output; ``secret.txt`` and ``signing.key`` are not.
    """

    folder: Path
    how: Landlock | Bubblewrap
    environment: Mapping[str, str] = field(default_factory=dict)
    more: tuple[Path, ...] = ()
    hidden: tuple[str, ...] = ("signing.key",)
    network: bool = False
    local_sockets: bool = False
    forks: bool = False

    def confine(self, *argv: str) -> Confinement:
        baseline = build_baseline(argv, self.environment)
        return Confinement(
            readable=(
                *(entry.path for entry in baseline if not entry.writable),
                self.folder / "data",
                *self.more,
            ),
            writable=(
                *(entry.path for entry in baseline if entry.writable),
                self.folder / "out",
                self.folder / "tmp",
            ),
            hidden=tuple(self.folder / name for name in self.hidden),
            network=self.network,
            local_sockets=self.local_sockets,
        )

    def run(
        self, *argv: str, prefix: tuple[str, ...] = (), inherited: tuple[int, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run a step inside its walls; raises if they did not stand."""
        if self.forks and not prefix:
            return self._run_forked(argv, inherited)
        with open_launch(
            argv,
            self.confine(*argv),
            how=self.how,
            environment=self.environment,
            folder=self.folder,
        ) as launch:
            done = subprocess.run(
                [*prefix, *launch.argv],
                env=launch.environment,
                pass_fds=(*launch.descriptors, *inherited),
                cwd=self.folder,
                check=False,
                capture_output=True,
                text=True,
                timeout=60,
            )
            try:
                verify_confined(launch)
            except Exception as error:
                error.add_note(done.stderr)
                raise
        return done

    def _run_forked(
        self, argv: tuple[str, ...], inherited: tuple[int, ...]
    ) -> subprocess.CompletedProcess[str]:
        """Run a step as the child of a process that has one thread, which pytest's may not."""
        result = self.folder.parent / "result"
        given = (argv, self.confine(*argv), self.how, self.environment, self.folder, result)
        done = subprocess.run(
            [PYTHON, "-P", "-c", _FORKING_RUNNER, pickle.dumps(given).hex()],
            pass_fds=inherited,
            cwd=self.folder,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        code, error = pickle.loads(result.read_bytes())
        if error is not None:
            error.add_note(done.stderr)
            raise error
        done.returncode = code
        return done

    def run_python(self, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python code as a step."""
        return self.run(PYTHON, "-c", code, *arguments)

    def attempt(self, code: str, *arguments: str) -> str:
        """Run Python code as a step; return ``denied``, ``done`` or what went wrong instead."""
        indented = "\n".join(f"    {line}" for line in code.splitlines())
        done = self.run_python(f"{_ATTEMPT}try:\n{indented}\n{_OUTCOME}", *arguments)
        return done.stdout.strip() or done.stderr

    def but(self, **changes: object) -> Project:
        """Return the same project with other settings."""
        return replace(self, **changes)  # type: ignore[arg-type]


_FORKING_RUNNER = """\
import pickle, signal, sys
from weighbridge.provenance._confined import open_launch, verify_confined
from weighbridge.workflow._step_process import is_alone, run_process
argv, walls, how, environment, folder, result = pickle.loads(bytes.fromhex(sys.argv[1]))
signal.signal(signal.SIGTERM, lambda number, frame: None)  # as a runner has
code = error = None
try:
    with open_launch(argv, walls, how=how, environment=environment, folder=folder) as launch:
        assert is_alone() and launch.can_fork
        code = run_process(("no-such-launcher",), {}, before=frozenset(), begin=launch.begin)
        verify_confined(launch)
except Exception as caught:
    error = caught
result.write_bytes(pickle.dumps((code, error)))
"""
_ATTEMPT = """\
import ctypes, errno, os, shutil, signal, socket, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
"""
# Where namespaces hide a thing it is not there (or, a read-only root, another device); Landlock
# says EACCES, and EXDEV for a link from one set of rights to another.
_OUTCOME = """\
except OSError as error:
    hidden = (errno.EACCES, errno.EPERM, errno.ENOENT, errno.EXDEV, errno.EROFS, errno.ESRCH)
    hidden += (errno.ECONNREFUSED, errno.ENETUNREACH, errno.EADDRNOTAVAIL)
    print("denied" if error.errno in hidden else repr(error))
else:
    print("done")
"""


def build_project(folder: Path, how: Landlock | Bubblewrap, *, forks: bool = False) -> Project:
    """Write the files of a project."""
    for name in ("data", "out", "tmp", "elsewhere"):
        (folder / name).mkdir(parents=True)
    (folder / "data" / "in.txt").write_text("declared\n")
    (folder / "secret.txt").write_text("undeclared\n")
    (folder / "signing.key").write_text("the key\n")
    environment = {
        "PATH": f"{Path(PYTHON).parent}{os.pathsep}/usr/bin:/bin",
        "TMPDIR": str(folder / "tmp"),
        "HOME": str(folder / "elsewhere"),
        "HERE": str(os.getpid()),
    }
    return Project(folder, how, environment, forks=forks)
