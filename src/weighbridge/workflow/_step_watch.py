"""Running the command of a step: watched, inside walls, with nothing secret in reach."""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.core import Completeness, Observation, printable
from weighbridge.errors import IncompleteError, StepFailedError
from weighbridge.provenance import (
    AUDIT_MONITOR,
    AuditWatch,
    Bubblewrap,
    Confinement,
    StraceWatch,
    Unenforceable,
    build_baseline,
    build_strace_command,
    describe_gaps,
    find_denied,
    find_enforcement,
    find_program_paths,
    open_launch,
    take_attempts,
    verify_confined,
)
from weighbridge.workflow._step_monitor import open_monitor, refuse_silence
from weighbridge.workflow._step_process import (
    describe_end,
    describe_left,
    is_alone,
    list_children,
    run_process,
)
from weighbridge.workflow._step_stdin import find_stdin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from weighbridge.core import Limits
    from weighbridge.provenance import BaselinePath, ConfinedLaunch, Landlock
    from weighbridge.workflow._step_monitor import Monitor

__all__ = ["Grant", "Watched", "run_watched"]


@dataclass(frozen=True, slots=True)
class Grant:
    """What a step may touch if it is kept inside walls.

    Attributes:
        readable: Its inputs and its program.
        writable: Where its outputs go; these exist.
        hidden: What it must not be able to read, such as the key.
        held: Which of the writable held something before the step began, by path.
    """

    readable: tuple[Path, ...]
    writable: tuple[Path, ...]
    hidden: tuple[Path, ...] = ()
    held: tuple[str, ...] = ()


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
        denied: What the walls denied it, by path; None: there are walls, and nobody saw it.
        sees_all: Whether whatever it read is in the observation.
        notes: What else is to be said, in sentences.
        warnings: What of that whoever started it has to be told.
        is_blind: Whether there was a monitor that saw nothing at all of the step.
    """

    completeness: Completeness
    baseline: tuple[BaselinePath, ...]
    observation: Observation | None = None
    enforcer: str = ""
    gaps: tuple[str, ...] = ()
    own: tuple[Path, ...] = ()
    denied: tuple[str, ...] | None = ()
    sees_all: bool = False
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    is_blind: bool = False


def run_watched(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    monitor: Monitor,
    grant: Grant | None,
    limits: Limits,
    judge: Callable[[Observation], Observation] = lambda observation: observation,
) -> Watched:
    """Run a command to its end.

    Args:
        command: The program and its arguments; no shell.
        environment: Its variables, and no others.
        monitor: What watches it.
        grant: What it may touch; None: anything.
        limits: Bound what is kept of what was seen.
        judge: Adds gaps to what was seen, also if the step failed.

    Raises:
        InputError: The command cannot be started, or its standard input is a file outside of the
            walls.
        IncompleteError: It cannot be kept inside walls here, as was asked, or was not watched.
        StepFailedError: It failed.
    """
    how = None if grant is None else _choose_walls()
    stdin = find_stdin(None if grant is None else grant.readable)
    baseline = build_baseline(command, environment)
    walls: Confinement | None = None
    launch: ConfinedLaunch | None = None
    with ExitStack() as stack:
        watch = stack.enter_context(open_monitor(monitor, limits=limits))
        argv, variables = tuple(command), dict(environment)
        descriptors: tuple[int, ...] = ()
        if isinstance(watch, AuditWatch):
            variables = watch.extend(variables)
        if grant is not None and how is not None:
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="weighbridge-")))
            walls = _build_walls(grant, baseline, scratch, watch)
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
        if isinstance(watch, StraceWatch):
            argv = tuple(build_strace_command(argv, log=watch.log, program=monitor.strace))
        before = list_children()
        code = run_process(
            argv,
            variables,
            descriptors,
            before=before,
            has_stdin=not stdin.is_kept_out,
            begin=launch.begin if launch and launch.can_fork and not watch and is_alone() else None,
        )
        left = describe_left(before)
        if launch is not None:
            verify_confined(launch)
        observation = None if watch is None else stdin.add_to(judge(watch.finish()))
    own = _list_own(launch) if launch and watch else ()
    denied: tuple[str, ...] | None = ()
    if walls is not None and how is not None:
        observation, denied = _find_denied(observation, walls, how, own)
    is_blind = isinstance(watch, AuditWatch) and not watch.has_begun
    if walls is not None and is_blind:
        denied = None
    if code:
        raise _fail(code, denied)
    refuse_silence(monitor, watch)
    sees_all = bool(monitor.strace) and observation is not None and not observation.gaps
    gaps = (
        *monitor.gaps,
        *(describe_gaps(how, walls) if how and walls else ()),
        *(observation.gaps if observation else ()),
        *left,
        *(_describe_held(grant) if grant and not sees_all else ()),
    )
    return Watched(
        _classify(sees_all=sees_all, enforced=launch is not None),
        baseline,
        observation,
        type(how).__name__.lower() if how else "",
        gaps,
        own,
        denied,
        sees_all,
        stdin.notes,
        stdin.notes if stdin.is_kept_out else (),
        is_blind,
    )


def _describe_held(grant: Grant) -> tuple[str, ...]:
    """Say what walls let a step read that is no input, where no monitor sees whether it did."""
    return tuple(
        f"{printable(path)} was there before, and the step could read it" for path in grant.held
    )


def _find_denied(
    observation: Observation | None,
    walls: Confinement,
    how: Landlock | Bubblewrap,
    own: tuple[Path, ...],
) -> tuple[Observation | None, tuple[str, ...] | None]:
    """Return what was seen, with what was denied and nothing else as refused; and its names."""
    if observation is None:
        return None, None
    tried = ("/", *map(str, walls.hidden))  # by the launcher, to know that the walls stand
    if observation.monitor == AUDIT_MONITOR:  # which is in the step, not in the launcher
        observation, tried = take_attempts(observation, walls, own=own), ()
    hides = isinstance(how, Bubblewrap)
    denied = find_denied(observation.refusals, walls, hides=hides, tried=tried)
    names = set(denied)
    kept = tuple(one for one in observation.refusals if one.path in names)
    return replace(observation, refusals=kept), denied


def _fail(code: int, denied: tuple[str, ...] | None) -> StepFailedError:
    what = f"the step {describe_end(code)}; its outputs are unclaimed"
    if denied is None:
        what += (
            "; what the walls denied it is not known, since nothing watched it: use "
            "--observe auto, with strace"
        )
    elif denied:
        more = f" and {len(denied) - 1:,} more" if len(denied) > 1 else ""
        what += f"; the walls denied it {printable(denied[0])}{more}: declare what it needs"
    return StepFailedError(what, exit_code=code, denied=denied)


def _list_own(launch: ConfinedLaunch) -> tuple[Path, ...]:
    """Return what the launcher reads before it becomes the step: itself and its interpreter."""
    scripts = (Path(word) for word in launch.argv if word.endswith(".py"))
    return (*scripts, *(entry.path for entry in find_program_paths(Path(sys.executable))))


def _classify(*, sees_all: bool, enforced: bool) -> Completeness:
    if enforced:
        return Completeness.ENFORCED
    return Completeness.OBSERVED if sees_all else Completeness.DECLARED


def _choose_walls() -> Landlock | Bubblewrap:
    how = find_enforcement()
    if isinstance(how, Unenforceable):
        raise IncompleteError(f"the step cannot be kept inside walls: {how.reason}")
    return how


def _build_walls(
    grant: Grant,
    baseline: tuple[BaselinePath, ...],
    scratch: Path,
    watch: StraceWatch | AuditWatch | None,
) -> Confinement:
    hook, log = ((watch.folder,), (watch.log,)) if isinstance(watch, AuditWatch) else ((), ())
    return Confinement(
        readable=(
            *grant.readable,
            *hook,
            *(entry.path for entry in baseline if not entry.writable),
        ),
        writable=(*grant.writable, scratch, *log, *(e.path for e in baseline if e.writable)),
        hidden=grant.hidden,
    )
