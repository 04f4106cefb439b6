"""Running the command of a step: watched, inside walls, with nothing secret in reach."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.core import Completeness, Observation, printable
from weighbridge.errors import IncompleteError, InputError, StepFailedError
from weighbridge.provenance import (
    Confinement,
    Unenforceable,
    build_baseline,
    build_strace_command,
    describe_gaps,
    find_enforcement,
    find_program_paths,
    find_strace,
    open_launch,
    verify_confined,
    watch_by_strace,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from weighbridge.core import Limits
    from weighbridge.provenance import BaselinePath, Bubblewrap, ConfinedLaunch, Landlock

__all__ = ["Grant", "Observe", "Watched", "run_watched"]

_GRACE_S = 10


class Observe(StrEnum):
    """How a step is watched: by strace if that can be done, by strace or not at all, or not."""

    AUTO = "auto"
    STRACE = "strace"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a step may touch if it is kept inside walls.

    Attributes:
        readable: Its inputs and its program.
        writable: Where its outputs go; these exist.
        hidden: What it must not be able to read, such as the key.
    """

    readable: tuple[Path, ...]
    writable: tuple[Path, ...]
    hidden: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Watched:
    """What is known of a command that ended well.

    Attributes:
        completeness: What that amounts to.
        baseline: What every step needs, by path.
        observation: What the monitor saw; None without one.
        enforcer: What the walls were; empty without any.
        gaps: Why something may have been missed or not kept out, in words.
        own: Our own files that the monitor saw being read, to put the walls up.
    """

    completeness: Completeness
    baseline: tuple[BaselinePath, ...]
    observation: Observation | None = None
    enforcer: str = ""
    gaps: tuple[str, ...] = ()
    own: tuple[Path, ...] = ()


def run_watched(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    observe: Observe,
    grant: Grant | None,
    limits: Limits,
    judge: Callable[[Observation], Observation] = lambda observation: observation,
) -> Watched:
    """Run a command to its end.

    Args:
        command: The program and its arguments; no shell.
        environment: Its variables, and no others.
        observe: How it is watched.
        grant: What it may touch; None: anything.
        limits: Bound what is kept of what was seen.
        judge: Adds gaps to what was seen, also if the step failed.

    Raises:
        InputError: The command cannot be started.
        IncompleteError: It cannot be watched or kept inside walls here, as was asked.
        StepFailedError: It failed.
    """
    strace, reason = _choose_strace(observe)
    how = None if grant is None else _choose_walls()
    baseline = build_baseline(command, environment)
    gaps = [reason] if reason else []
    with ExitStack() as stack:
        argv, variables = tuple(command), dict(environment)
        descriptors: tuple[int, ...] = ()
        launch: ConfinedLaunch | None = None
        if grant is not None and how is not None:
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="weighbridge-")))
            walls = _build_walls(grant, baseline, scratch)
            gaps += describe_gaps(how, walls)
            launch = stack.enter_context(
                open_launch(
                    command,
                    walls,
                    how=how,
                    environment={**variables, "TMPDIR": str(scratch)},
                    folder=Path.cwd(),
                )
            )
            argv, variables = launch.argv, dict(launch.environment)
            descriptors = launch.descriptors
        watch = (
            stack.enter_context(watch_by_strace(cwd=Path.cwd(), limits=limits)) if strace else None
        )
        if watch is not None:
            argv = tuple(build_strace_command(argv, log=watch.log, program=strace))
        code = _run(argv, variables, descriptors)
        if launch is not None:
            verify_confined(launch)
        observation = None if watch is None else judge(watch.finish())
    if code:
        how_it_ended = (
            f"was ended by signal {-code}" if code < 0 else f"failed with exit code {code}"
        )
        raise StepFailedError(f"the step {how_it_ended}; its outputs are unclaimed", exit_code=code)
    gaps += observation.gaps if observation else ()
    return Watched(
        _classify(observation, enforced=launch is not None),
        baseline,
        observation,
        type(how).__name__.lower() if how else "",
        tuple(gaps),
        _list_own(launch) if launch else (),
    )


def _list_own(launch: ConfinedLaunch) -> tuple[Path, ...]:
    """Return what the launcher reads before it becomes the step: itself and its interpreter."""
    scripts = (Path(word) for word in launch.argv if word.endswith(".py"))
    return (*scripts, *(entry.path for entry in find_program_paths(Path(sys.executable))))


def _classify(observation: Observation | None, *, enforced: bool) -> Completeness:
    if enforced:
        return Completeness.ENFORCED
    if observation is not None and not observation.gaps:
        return Completeness.OBSERVED
    return Completeness.DECLARED


def _choose_strace(observe: Observe) -> tuple[str, str]:
    """Return the program, or why there is none."""
    if observe is Observe.NONE:
        return "", ""
    support = find_strace()
    if not support.program and observe is Observe.STRACE:
        raise IncompleteError(f"the step cannot be watched: {support.reason}")
    return support.program, support.reason


def _choose_walls() -> Landlock | Bubblewrap:
    how = find_enforcement()
    if isinstance(how, Unenforceable):
        raise IncompleteError(f"the step cannot be kept inside walls: {how.reason}")
    return how


def _build_walls(grant: Grant, baseline: tuple[BaselinePath, ...], scratch: Path) -> Confinement:
    return Confinement(
        readable=(*grant.readable, *(entry.path for entry in baseline if not entry.writable)),
        writable=(*grant.writable, scratch, *(e.path for e in baseline if e.writable)),
        hidden=grant.hidden,
    )


def _run(argv: Sequence[str], environment: Mapping[str, str], descriptors: Sequence[int]) -> int:
    shown = printable(argv[0])
    program = shutil.which(argv[0], path=environment.get("PATH", os.defpath))
    if program is None:
        raise InputError(f"there is no program {shown}; check the command behind --")
    try:
        process = subprocess.Popen(  # noqa: S603 - what the user asked for, no shell
            list(argv), executable=program, env=dict(environment), pass_fds=tuple(descriptors)
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{shown} cannot be started: {reason.lower()}") from error
    with process:
        try:
            return process.wait()
        except KeyboardInterrupt:  # the step was told too; let it tidy up
            try:
                process.wait(_GRACE_S)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
