"""What is found out about a step beyond what its author declared."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.core import Dependency, printable
from weighbridge.errors import WeighbridgeError
from weighbridge.provenance import (
    describe_environment,
    describe_libraries,
    find_undeclared,
    list_runtime,
    read_interpreter,
    read_packages,
    to_file_uri,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from weighbridge.core import JsonValue, Limits
    from weighbridge.core.ports import Executor
    from weighbridge.workflow._step_watch import Watched

__all__ = [
    "Platform",
    "find_platform",
    "find_script",
    "list_undeclared",
    "to_completeness",
]

_KERNEL = ("/proc", "/sys", "/dev")
_OPTIONS_END = 10
# How these are set decides numerics; asking them imports them, in a process of their own.
_TELLING = frozenset({"numpy", "torch", "threadpoolctl"})


@dataclass(frozen=True, slots=True)
class Platform:
    """What a step runs on.

    Attributes:
        materials: Interpreter, image and installed packages.
        environment: Facts that decide numerics, ``GROUP.NAME`` to text.
        files: Absolute paths of the files whose digest a package's RECORD gives and that have it.
        problems: What does not hold or is not known, in sentences.
    """

    materials: tuple[Dependency, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    files: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()


def find_platform(
    python: Path | None, environment: Mapping[str, str], *, executor: Executor, limits: Limits
) -> Platform:
    """Ask the interpreter of a step about itself; check each package against its RECORD.

    Args:
        python: The program; None: it is not known.
        environment: What the step is started with.
        executor: Hashes the packages' files.
        limits: Bound them.
    """
    if python is None:
        return Platform(problems=("the command is no Python; what it runs on is not recorded",))
    try:
        interpreter = read_interpreter(python, environ=environment, limits=limits)
    except WeighbridgeError as error:
        return Platform(problems=(f"what the step runs on is not known: {error}",))
    packages = read_packages(interpreter, executor=executor, limits=limits)
    facts, problems = describe_environment(interpreter, environment), packages.problems
    if _TELLING & {item.name.lower() for item in packages.dependencies}:
        more, said = describe_libraries(interpreter, environment, limits=limits)
        facts, problems = {**facts, **more}, (*problems, *said)
    materials = (*list_runtime(interpreter), *packages.dependencies)
    return Platform(materials, facts, packages.verified, problems)


def find_script(command: Sequence[str]) -> Path | None:
    """Return the file that an interpreter is given: the first argument that is one."""
    for argument in command[1:_OPTIONS_END]:
        if argument in ("-c", "-m", "--"):
            return None
        if not argument.startswith("-"):
            path = Path(argument)
            return path if path.is_file() else None
    return None


def list_undeclared(
    watched: Watched,
    declared: Iterable[Path],
    known: frozenset[str],
    *,
    outside: frozenset[str] = frozenset(),
) -> tuple[Dependency, ...]:
    """Return what was read and not declared, each with the digest that it has now.

    Args:
        watched: What was read.
        declared: Files and folders.
        known: Files of which something else says what is in them.
        outside: What lies in a declared folder and is not part of its digest.
    """
    if watched.observation is None:
        return ()
    roots = [
        *_KERNEL,
        *(os.path.realpath(path) for path in declared),
        *(os.path.realpath(entry.path) for entry in watched.baseline),
        *(str(entry.path) for entry in watched.baseline),
        *(os.path.realpath(path) for path in watched.own),
    ]
    found = find_undeclared(watched.observation.reads, roots=roots, known=known, outside=outside)
    return tuple(_hash_undeclared(path) for path in found)


def _hash_undeclared(path: str) -> Dependency:
    name, uri = printable(path), to_file_uri(path)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as stream:  # noqa: PTH123 - may hold bytes that are no UTF-8
            if not os.path.isfile(descriptor):  # noqa: PTH113 - a pipe would never end
                return _tell_undeclared(name, uri, "no regular file")
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return _tell_undeclared(name, uri, "gone or unreadable")
    return Dependency(name, {"sha256": digest}, uri, role="undeclared")


def _tell_undeclared(name: str, uri: str, state: str) -> Dependency:
    return Dependency(name, {}, uri, role="undeclared", annotations={"state": state})


def to_completeness(watched: Watched, undeclared: int) -> dict[str, JsonValue]:
    """Return how well it is known that no input is missing."""
    observation = watched.observation
    return {
        "class": watched.completeness.value,
        "monitor": observation.monitor if observation else "",
        "enforcer": watched.enforcer,
        "network": "denied" if watched.enforcer else "not restricted",
        "connections": list(observation.connections) if observation else [],
        "denied": "unknown" if watched.denied is None else [printable(p) for p in watched.denied],
        "undeclared": str(undeclared) if observation else "unknown",
        "gaps": list(watched.gaps),
    }
