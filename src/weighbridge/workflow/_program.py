"""What is started for the command of a step: the command, or what executes a notebook."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.artifact import read_document
from weighbridge.core import Dependency, printable
from weighbridge.errors import ArtifactChangedError, InputError, MissingExtraError
from weighbridge.provenance import find_script, is_python, read_interpreter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from weighbridge.core import Limits
    from weighbridge.workflow._step_inputs import Output, StepInput

__all__ = ["Program", "open_program", "refuse_other"]

_SUFFIX = ".ipynb"
_PACKAGES = ("nbclient", "nbformat", "ipykernel")
# By path, for an interpreter that may have no Weighbridge.
_EXECUTOR = Path(__file__).resolve().parent.parent / "integrations" / "_execute_notebook.py"


@dataclass(frozen=True, slots=True)
class Program:
    """What is started for a command.

    Attributes:
        argv: The program and its arguments.
        script: The file that the command names as its program; None if it names none.
        own: Files of ours that the step reads, and the user need not know of.
        materials: What is executed besides the script.
        sha256: Of the script as it was read; empty if it was not.
    """

    argv: tuple[str, ...]
    script: Path | None = None
    own: tuple[Path, ...] = ()
    materials: tuple[Dependency, ...] = ()
    sha256: str = ""


@contextmanager
def open_program(
    command: Sequence[str],
    outputs: Sequence[Output],
    environment: Mapping[str, str],
    *,
    limits: Limits,
) -> Iterator[Program]:
    """Find out what a command starts.

    A command that is a notebook, or an interpreter and a notebook, starts what executes a clean
    copy of it; the copy is there as long as the context is. Any other command starts itself.

    Args:
        command: As the user gave it.
        outputs: The one that ends in ``.ipynb`` is where the executed copy goes.
        environment: What the step is started with.
        limits: Bound the notebook.

    Raises:
        InputError: There is no such program or notebook, or it cannot be executed as it is said.
        ParseError: It is no notebook.
        MissingExtraError: What executes notebooks is not installed.
    """
    index = _find_notebook(command)
    if index is None:
        _find_program(command[0], environment)
        yield Program(tuple(command), find_script(command, environment))
        return
    if len(command) > index + 1:
        raise InputError("a notebook takes no arguments; put what it needs into its cells or files")
    path = Path(command[index])
    python = _choose_python(command[:index], environment, limits=limits)
    data = read_document(
        path,
        what="notebook",
        limit_name="max_notebook_bytes",
        limit_bytes=limits.max_notebook_bytes,
    )
    clean, copy = _clean(data, path, limits=limits)
    result = _find_result(path, outputs)
    with tempfile.TemporaryDirectory(prefix="weighbridge-") as folder:
        file = Path(folder, "clean.ipynb")
        file.write_bytes(clean)
        here = os.path.realpath(path.parent)
        what = (str(file), copy.digest["sha256"], here, printable(path.name), result)
        yield Program(
            argv=(python, "-Xfrozen_modules=off", str(_EXECUTOR), *what),
            script=path,
            own=(_EXECUTOR, Path(folder)),
            materials=(copy,),
            sha256=hashlib.sha256(data).hexdigest(),
        )


def refuse_other(program: Program, script: StepInput | None) -> None:
    """Hold that the notebook that was read is the one that was hashed.

    Raises:
        ArtifactChangedError: Somebody changed it in between.
    """
    if program.sha256 and script and script.dependency.digest["sha256"] != program.sha256:
        raise ArtifactChangedError((printable(str(program.script)),))


def _find_notebook(command: Sequence[str]) -> int | None:
    """Return which word of a command is the notebook that it executes."""
    if command[0].endswith(_SUFFIX):
        return 0
    named = len(command) > 1 and command[1].endswith(_SUFFIX)
    return 1 if named and is_python(command[0]) else None


def _find_program(name: str, environment: Mapping[str, str]) -> str:
    program = shutil.which(name, path=environment.get("PATH", os.defpath))
    if program is None:
        raise InputError(f"there is no program {printable(name)}; {_advise(name)}")
    return program


def _advise(name: str) -> str:
    if not os.path.isfile(name):  # noqa: PTH113 - it may be no path at all
        return "check the command behind --"
    if name.endswith(".py"):
        return "it is a script: put the interpreter before it, as in -- python SCRIPT"
    return "there is a file of this name, but it cannot be run: say ./NAME, and make it executable"


def _choose_python(words: Sequence[str], environment: Mapping[str, str], *, limits: Limits) -> str:
    """Return the interpreter that runs the cells: the one that was named, else our own."""
    if not words:
        if not all(find_spec(name) for name in _PACKAGES):
            raise MissingExtraError("notebook", purpose="executing a notebook")
        return sys.executable
    program = _find_program(words[0], environment)
    folders = read_interpreter(Path(program), environ=environment, limits=limits).path
    missing = [n for n in _PACKAGES if not any((folder / n).is_dir() for folder in folders)]
    if missing:
        raise InputError(
            f"{printable(program)} has no {missing[0]}; install {', '.join(_PACKAGES)} there, or "
            "name the notebook alone"
        )
    return words[0]


def _clean(data: bytes, path: Path, *, limits: Limits) -> tuple[bytes, Dependency]:
    """Return the clean copy, and what is recorded of it."""
    from weighbridge.formats import parse_notebook  # noqa: PLC0415 - costs start-up time

    shown = printable(path.name)
    notebook = parse_notebook(data, what=shown, limits=limits)
    if notebook.language not in ("", "python", "ipython"):
        raise InputError(
            f"{shown} is written in {printable(notebook.language, limit=40)}; only notebooks in "
            "Python can be executed"
        )
    facts = {"codeCells": str(notebook.code_cells)}
    if notebook.kernel:
        facts["kernelspec"] = printable(notebook.kernel, limit=80)
    digest = {"sha256": notebook.sha256}
    return notebook.clean, Dependency(
        f"clean copy of {shown}", digest, role="clean-notebook", annotations=facts
    )


def _find_result(notebook: Path, outputs: Sequence[Output]) -> str:
    """Return where the executed copy goes; empty if nobody wants it."""
    paths = [o.path for o in outputs if o.path.name.endswith(_SUFFIX) and not o.path.is_dir()]
    if len(paths) > 1:
        raise InputError("two outputs end in .ipynb; the executed copy goes to one, so drop one")
    if paths and os.path.realpath(paths[0]) == os.path.realpath(notebook):
        raise InputError(
            f"the executed copy would take the place of {printable(str(notebook))}; "
            "give the output another name"
        )
    return os.path.realpath(paths[0]) if paths else ""
