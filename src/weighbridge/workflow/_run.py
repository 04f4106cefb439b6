"""run: a command as a step, recorded as signed SLSA provenance."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from weighbridge.core import DEFAULT_LIMITS, Limits, printable
from weighbridge.engines import ThreadExecutor
from weighbridge.errors import InputError
from weighbridge.provenance import clean_environment, find_interpreter, redact_arguments
from weighbridge.workflow._gather import conclude_rank
from weighbridge.workflow._ranks import begin_rank
from weighbridge.workflow._record import Outcome, prepare_step, record_step
from weighbridge.workflow._signers import choose_signer, list_key_files
from weighbridge.workflow._step_facts import find_script
from weighbridge.workflow._step_inputs import check_outputs, prepare_grant
from weighbridge.workflow._step_watch import Observe, run_watched

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
    progress: Progress | None = None,
) -> Recorded:
    """Run a command, and sign what it made from what.

    The inputs are hashed before and looked at again afterwards, the outputs are hashed afterwards.
    If anything goes wrong nothing is claimed. The command is not given variables that hold secrets.

    Args:
        command: The program and its arguments; no shell.
        plan: What the step is.
        key: A private key in PEM; or give ``signer``.
        signer: As for ``sign``.
        observe: Whether what the command reads is watched.
        enforce: Whether it can read its inputs and write its outputs and nothing else.
        executor: Where to hash; by default threads, one for each processor.
        limits: Bounds on inputs, outputs and claims.
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
    seal = choose_signer(signer, key, limits=limits)
    place = begin_rank(plan, os.environ, seal=seal, limits=limits)
    executor = executor or ThreadExecutor()
    environment, removed = clean_environment(os.environ)
    if shutil.which(command[0], path=environment.get("PATH", os.defpath)) is None:
        raise InputError(f"there is no program {printable(command[0])}; check what is behind --")
    setting = prepare_step(
        place.widen(plan) if place else plan,
        find_interpreter(command, environment),
        environment,
        script=find_script(command),
        executor=executor,
        limits=limits,
        progress=progress,
    )
    grant = None
    if enforce:
        grant = prepare_grant(setting.files, outputs, hidden=list_key_files(signer, key))
    started_at = datetime.now(UTC)
    watched = run_watched(command, environment, observe=observe, grant=grant, limits=limits)
    outcome = Outcome(tuple(redact_arguments(command)), started_at, watched, removed)
    if place is not None:
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
