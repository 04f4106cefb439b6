"""The file that a command names as its program: what is run, where the command is a runner."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["find_script"]

# Interpreters: their options that take the next word, and those behind which there is no file,
# since the program is on the command line, or a module.
_SHELL = (("-o", "+o", "-O", "+O"), ("-c", "-s"))
_INTERPRETERS = {
    "python": (("-W", "-X", "--check-hash-based-pycs"), ("-c", "-m")),
    "pypy": (("-W", "-X"), ("-c", "-m")),
    **dict.fromkeys(("bash", "sh", "dash", "zsh", "ksh"), _SHELL),
    "perl": (("-I",), ("-e", "-E")),
    "ruby": (("-I", "-r"), ("-e",)),
    "node": (("-r", "--require"), ("-e", "--eval", "-p", "--print")),
    "julia": (("-p", "-t", "-J"), ("-e", "-E")),
    "Rscript": ((), ("-e",)),
    "lua": (("-l",), ("-e",)),
    "php": ((), ("-r",)),
}
_PYTHONS = ("python", "pypy")
# Behind these there is no file: the program is on the command line, or a module.
_NO_FILE = frozenset({"-c", "-m", "-e", "-E", "-s", "--eval", "--command"})
# They start what stands behind their own options, which nobody here knows.
_LAUNCHERS = frozenset(
    {
        *("torchrun", "accelerate", "deepspeed", "horovodrun", "mpirun", "mpiexec", "srun", "ray"),
        *("uv", "poetry", "pdm", "hatch", "pipenv", "conda", "mamba", "micromamba", "pixi"),
        *("env", "nice", "ionice", "nohup", "time", "timeout", "stdbuf", "numactl", "taskset"),
    }
)
_SUFFIXES = (".py", ".sh", ".R", ".jl", ".pl", ".rb", ".js", ".lua")
_VERSION = re.compile(r"[0-9.]+t?$")
_MAX_WORDS = 64


def find_script(argv: Sequence[str], environ: Mapping[str, str]) -> Path | None:
    """Return the file that a command runs: its script, else its program; None for a bare Python.

    ``python -u train.py`` and ``torchrun --nproc-per-node 4 train.py`` name a script, ``./run.sh``
    and ``llama-quantize a b`` are a program. ``python -m train`` and ``python -c ...`` have neither
    beside their interpreter, which is recorded as such. A file that is merely an argument is an
    input, and has to be declared. Nothing is run.

    Args:
        argv: The command.
        environ: Its variables; ``PATH`` says where programs are.

    Returns:
        A regular file; links are followed.
    """
    import shutil  # noqa: PLC0415 - costs start-up time

    if not argv:
        return None
    plain = _VERSION.sub("", Path(argv[0]).name)
    words = argv[1:_MAX_WORDS]
    named = ""
    if plain in _INTERPRETERS:
        named = _skip_options(words, *_INTERPRETERS[plain])
    elif plain in _LAUNCHERS:
        named = next((word for word in words if word.endswith(_SUFFIXES)), "")
    if not (named and os.path.isfile(named)):  # noqa: PTH113 - Path.is_file raises on long names
        program = shutil.which(argv[0], path=environ.get("PATH", os.defpath))
        named = "" if program is None or plain in _PYTHONS else program
    if not named or not os.path.islink(named):  # noqa: PTH114 - as above
        return Path(named) if named else None
    return Path(os.path.realpath(named))


def _skip_options(words: Sequence[str], with_value: Sequence[str], no_file: Sequence[str]) -> str:
    rest: Iterator[str] = iter(words)
    for word in rest:
        if word in no_file:
            return ""
        if word in with_value:
            next(rest, "")
        elif word == "--":
            return next(rest, "")
        elif not word.startswith(("-", "+")) or word == "-":
            return word
    return ""
