"""run: a command as a step, recorded as signed SLSA provenance."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from weighbridge.core import DEFAULT_LIMITS, Limits
from weighbridge.engines import ThreadExecutor
from weighbridge.errors import InputError
from weighbridge.provenance import clean_environment, find_interpreter, redact_arguments
from weighbridge.workflow._program import open_program, refuse_other
from weighbridge.workflow._ranks import begin_rank
from weighbridge.workflow._record import Outcome, prepare_step, record_step
from weighbridge.workflow._signers import choose_signer, list_key_files
from weighbridge.workflow._step_cache import (
    CACHE_VARIABLE,
    drop_if_written,
    find_step_cache,
    keep_from_outputs,
    list_hidden,
)
from weighbridge.workflow._step_inputs import check_outputs, prepare_grant
from weighbridge.workflow._step_monitor import Observe, choose_monitor
from weighbridge.workflow._step_watch import run_watched

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.core.ports import Executor, Progress, StrPath
    from weighbridge.signing import Signer, SignerSpec
    from weighbridge.workflow._record import Recorded, StepPlan

__all__ = ["run_step"]


def run_step(  # noqa: PLR0913 - each is one thing that a user may say
    command: Sequence[str],
    plan: StepPlan,
    *,
    key: StrPath | None = None,
    signer: StrPath | SignerSpec | Signer | None = None,
    observe: Observe = Observe.AUTO,
    enforce: bool = False,
    executor: Executor | None = None,
    limits: Limits = DEFAULT_LIMITS,
    digest_cache: bool = True,
    progress: Progress | None = None,
) -> Recorded:
    """Run a command, and sign what it made from what.

    The inputs are hashed before and looked at again afterwards, the outputs are hashed afterwards.
    If anything goes wrong nothing is claimed. The command is not given variables that hold secrets.
    A command that is a notebook is executed from its first cell to its last.

    Args:
        command: The program and its arguments; no shell. Or a notebook (``.ipynb``), alone or
            behind the interpreter that shall run its cells.
        plan: What the step is.
        key: A private key in PEM; or give ``signer``.
        signer: As for ``sign``.
        observe: Whether what the command reads is watched.
        enforce: Whether it can read its inputs and write its outputs and nothing else.
        executor: Where to hash; by default threads, one for each processor.
        limits: Bounds on inputs, outputs and claims.
        digest_cache: Whether files that were hashed for a step before, and that nobody touched
            since, are taken as they were; ``WEIGHBRIDGE_DIGEST_CACHE=off`` wins.
        progress: Is told the bytes.

    Raises:
        InputError: The plan cannot be used, an output is not there afterwards, or the command
            cannot be started.
        StepFailedError: The command failed; its outputs stay unclaimed.
        ArtifactChangedError: An input changed meanwhile.
        RanksError: It is rank 0 of a distributed step and joins the others, which do not fit.
        IncompleteError: The command cannot be watched or kept inside walls here, as was asked; a
            service that signing needs does not answer.
    """
    if not command:
        raise InputError("there is no command to run; put it behind --")
    outputs = check_outputs(plan.outputs, plan.inputs)
    environment, removed = clean_environment(os.environ)
    seal = choose_signer(signer, key, limits=limits)
    executor = executor or ThreadExecutor()
    cache = find_step_cache(plan.inputs, os.environ, wanted=digest_cache)
    keep_from_outputs(cache, (output.path for output in outputs))
    environment[CACHE_VARIABLE] = "off"  # what runs inside the step is not to write it
    removed = tuple(name for name in removed if name != CACHE_VARIABLE)
    with open_program(command, outputs, environment, limits=limits) as program:
        monitor = choose_monitor(observe, program.argv, environment)
        place = begin_rank(plan, os.environ, seal=seal, limits=limits)
        setting = prepare_step(
            place.widen(plan) if place else plan,
            find_interpreter(program.argv, environment),
            environment,
            script=program.script,
            executor=executor,
            limits=limits,
            progress=progress,
            cache=cache,
        )
        refuse_other(program, setting.script)
        grant = None
        if enforce:
            kept = setting.store.local_paths if setting.store else ()
            hidden = (*list_key_files(signer, key), *list_hidden(cache), *kept)
            grant = prepare_grant((*setting.files, *program.own), outputs, hidden=hidden)
        started_at = datetime.now(UTC)
        watched = run_watched(
            program.argv,
            environment,
            monitor=monitor,
            grant=grant,
            limits=limits,
            judge=partial(drop_if_written, cache),
        )
    outcome = Outcome(
        tuple(redact_arguments(command)),
        started_at,
        replace(watched, own=(*watched.own, *program.own)),
        removed,
        materials=program.materials,
    )
    if place is not None:
        from weighbridge.workflow._gather import conclude_rank  # noqa: PLC0415 - start-up time

        return conclude_rank(
            place,
            plan,
            setting,
            outcome,
            seal=seal,
            executor=executor,
            limits=limits,
            progress=progress,
        )
    return record_step(
        plan,
        setting,
        outputs,
        outcome,
        seal=seal,
        executor=executor,
        limits=limits,
        progress=progress,
    )
