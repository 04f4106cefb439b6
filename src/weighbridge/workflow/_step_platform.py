"""What a step runs on: machine, interpreter, packages."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from weighbridge.errors import WeighbridgeError
from weighbridge.provenance import (
    ask_interpreter,
    ask_libraries,
    describe_environment,
    list_interpreters,
    list_packages,
    list_runtime,
    read_interpreter,
    read_packages,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from weighbridge.artifact import DigestCache
    from weighbridge.core import Dependency, Limits, Observation
    from weighbridge.core.ports import Executor
    from weighbridge.provenance import Interpreter

__all__ = ["Platform", "choose_platform", "open_platforms"]

# How these are set decides numerics; asking them imports them, in a process of their own.
_TELLING = frozenset({"numpy", "torch", "threadpoolctl"})


@dataclass(frozen=True, slots=True)
class Platform:
    """What a step runs on.

    Attributes:
        materials: Interpreter, image and installed packages.
        environment: Facts that decide numerics, ``GROUP.NAME`` to text.
        files: Absolute paths of the files that ``materials`` account for by a digest.
        folders: Real paths of the folders of installed packages.
        problems: What does not hold or is not known, in sentences.
        mark: A file that whoever runs on it reads; empty if the step runs on it for sure.
        look: Looks at what a step may have run on, once it is known that it did.
    """

    materials: tuple[Dependency, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    files: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()
    mark: str = ""
    look: Callable[[], Platform] | None = None


@contextmanager
def open_platforms(
    python: Path | None,
    environment: Mapping[str, str],
    *,
    executor: Executor,
    limits: Limits,
    cache: DigestCache | None = None,
) -> Iterator[Callable[[], tuple[Platform, ...]]]:
    """Look at the machine and at each interpreter that a step may run on.

    The step's own interpreter is asked about itself while something else is done.

    A command that is no Python may start one, so those that it would find by name are looked at
    when it has ended, unless a monitor saw that it started none: what the walls and the list of
    undeclared files let through has to be in the record.

    Args:
        python: The step's interpreter; None: its command is no Python.
        environment: What the step is started with.
        executor: Hashes the packages' files.
        limits: Bound them.
        cache: Knows files that were hashed before.

    Yields:
        What looks at the rest, and returns what was found.
    """
    looking = _Looking(environment, executor, limits, cache)
    if python is None:
        yield lambda: (_look_around(looking), *_list_possible(looking))
        return
    with ask_interpreter(python, environ=environment, limits=limits) as answer:
        yield lambda: (_look_at(answer, looking, asks_libraries=True),)


def _list_possible(looking: _Looking) -> Iterator[Platform]:
    environment, limits = looking.environment, looking.limits
    for program in list_interpreters(environment):
        answer = partial(read_interpreter, program, environ=environment, limits=limits)
        look = partial(_look_at, answer, looking, asks_libraries=False)
        yield Platform(mark=_find_mark(program), look=look)


def choose_platform(platforms: Sequence[Platform], observation: Observation | None) -> Platform:
    """Put together what a step ran on: all that it may have, or what it was seen to.

    Args:
        platforms: As :func:`open_platforms` found them.
        observation: What a monitor saw; None without one. Nothing is left out if it has gaps.
    """
    sees_all = observation is not None and not observation.gaps
    reads = frozenset(observation.reads) if observation is not None and sees_all else None
    used = [one for one in platforms if not one.mark or reads is None or one.mark in reads]
    used = [_look_now(one, observation) for one in used]
    materials: list[Dependency] = []
    for item in (item for one in used for item in one.materials):
        if item.role == "package" or item not in materials:
            materials.append(item)
    return Platform(
        tuple(materials),
        {name: value for one in reversed(used) for name, value in one.environment.items()},
        frozenset().union(*(one.files for one in used)),
        frozenset().union(*(one.folders for one in used)),
        tuple(dict.fromkeys(words for one in used for words in one.problems)),
    )


@dataclass(frozen=True, slots=True)
class _Looking:
    """What looking at an interpreter needs."""

    environment: Mapping[str, str]
    executor: Executor
    limits: Limits
    cache: DigestCache | None


def _look_around(looking: _Looking) -> Platform:
    """Return the machine, without an interpreter."""
    materials = list_runtime(None, cache=looking.cache)
    return Platform(materials, describe_environment(None, looking.environment))


def _look_at(
    ask: Callable[[], Interpreter], looking: _Looking, *, asks_libraries: bool
) -> Platform:
    environment, limits, cache = looking.environment, looking.limits, looking.cache
    try:
        interpreter = ask()
    except WeighbridgeError as error:
        words = f"what the step runs on is not known: {error}"
        return replace(_look_around(looking), problems=(words,))
    installed = list_packages(interpreter, limits=limits)
    answer: Callable[[], tuple[Mapping[str, str], Sequence[str]]] = _answer_nothing
    with ExitStack() as stack:
        if _TELLING & installed.names:
            answer = _leave_unasked
            if asks_libraries:
                asked = ask_libraries(interpreter, environment, limits=limits)
                answer = stack.enter_context(asked)
        packages = read_packages(installed, executor=looking.executor, limits=limits, cache=cache)
        runtime = list_runtime(interpreter, cache=cache)
        facts, said = answer()
    return Platform(
        (*runtime, *packages.dependencies),
        {**describe_environment(interpreter, environment), **facts},
        packages.recorded,
        packages.folders,
        (*packages.problems, *said),
    )


def _answer_nothing() -> tuple[Mapping[str, str], Sequence[str]]:
    return {}, ()


def _leave_unasked() -> tuple[Mapping[str, str], Sequence[str]]:
    return {}, ("how NumPy and PyTorch are set is asked of a Python command only",)


def _look_now(platform: Platform, observation: Observation | None) -> Platform:
    """Look at what was left for later; that the step changed it meanwhile is told."""
    if platform.look is None:
        return platform
    found = platform.look()
    writes = () if observation is None else observation.writes
    if any(path.startswith(tuple(f"{folder}/" for folder in found.folders)) for path in writes):
        said = "the step wrote into folders of packages, which were looked at afterwards"
        return replace(found, problems=(*found.problems, said))
    return found


def _find_mark(program: Path) -> str:
    """Return what is read whenever an interpreter starts, and by no other one."""
    settings = program.parent.parent / "pyvenv.cfg"
    return os.path.realpath(settings if settings.is_file() else program)
