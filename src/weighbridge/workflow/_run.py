"""run: a command as a step, recorded as signed SLSA provenance."""

from __future__ import annotations

import subprocess
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from weighbridge.artifact import append_claims, build_manifest, find_claims, read_claims
from weighbridge.core import (
    DEFAULT_LIMITS,
    Completeness,
    Limits,
    StepRecord,
    Subject,
    printable,
)
from weighbridge.engines import ThreadExecutor
from weighbridge.errors import InputError, StepFailedError
from weighbridge.provenance import build_provenance
from weighbridge.workflow._signers import choose_signer
from weighbridge.workflow._step_inputs import (
    Output,
    StepInput,
    check_outputs,
    hash_inputs,
    refuse_changed,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from weighbridge.core import Bundle, Digest, JsonValue
    from weighbridge.core.ports import Executor, Progress, StrPath
    from weighbridge.signing import Signer, SignerSpec

__all__ = ["LOCAL_BUILDER", "Claimed", "Recorded", "StepPlan", "record_step", "run_step"]

LOCAL_BUILDER = "https://weighbridge.dev/builders/local/v1"


@dataclass(frozen=True, slots=True)
class StepPlan:
    """What a step is going to be, as its author says it.

    Attributes:
        kind: ``clean``, ``split``, ``train``, ``fine-tune``, ``merge``, ``distil``, ``quantize``,
            ``convert``, ``evaluate`` or ``package``.
        inputs: Name to a path, or to an address that bears a digest (``hf://ORG/NAME@REVISION``).
        outputs: Name to a path; at least one.
        name: What to call the step.
        parameters: Name to value, both text.
        builder: A URI that names who runs it.
        carry: Whether what the inputs' claims files say is copied to the outputs'.
    """

    kind: str
    inputs: Mapping[str, StrPath]
    outputs: Mapping[str, StrPath]
    name: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    builder: str = LOCAL_BUILDER
    carry: bool = True


@dataclass(frozen=True, slots=True)
class Claimed:
    """One output, and where the claims about it are.

    Attributes:
        name: What the step calls it.
        path: The artifact.
        digest: Its digest.
        claims: The claims file.
        carried: How many claims about inputs were copied there.
    """

    name: str
    path: Path
    digest: Digest
    claims: Path
    carried: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """A step that was recorded.

    Attributes:
        bundle: The signed provenance.
        outputs: What it speaks about.
        completeness: How well it is known that no input is missing.
    """

    bundle: Bundle
    outputs: tuple[Claimed, ...]
    completeness: Completeness


def run_step(  # noqa: PLR0913 - each is one thing that a user may say
    command: Sequence[str],
    plan: StepPlan,
    *,
    key: StrPath | None = None,
    signer: str | SignerSpec | Signer | None = None,
    executor: Executor | None = None,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> Recorded:
    """Run a command, and sign what it made from what.

    The inputs are hashed before and looked at again afterwards, the outputs are hashed afterwards.
    If anything goes wrong nothing is claimed.

    Args:
        command: The program and its arguments; no shell.
        plan: What the step is.
        key: A private key in PEM; or give ``signer``.
        signer: As for ``sign``.
        executor: Where to hash; by default threads, one for each processor.
        limits: Bounds on inputs, outputs and claims.
        progress: Is told the bytes.

    Raises:
        InputError: The plan cannot be used, an output is not there afterwards, or the command
            cannot be started.
        StepFailedError: The command failed; its outputs stay unclaimed.
        ArtifactChangedError: An input changed meanwhile.
        IncompleteError: A service that signing needs does not answer.
    """
    if not command:
        raise InputError("there is no command to run; put it behind --")
    outputs = check_outputs(plan.outputs, plan.inputs)
    seal = choose_signer(signer, key, limits=limits)
    executor = executor or ThreadExecutor()
    inputs = hash_inputs(plan.inputs, executor=executor, limits=limits, progress=progress)
    started_at = datetime.now(UTC)
    _run(command)
    return record_step(
        plan,
        inputs,
        outputs,
        seal=seal,
        entry_point=tuple(command),
        started_at=started_at,
        executor=executor,
        limits=limits,
        progress=progress,
    )


def record_step(  # noqa: PLR0913 - each is one thing that was found out
    plan: StepPlan,
    inputs: tuple[StepInput, ...],
    outputs: tuple[Output, ...],
    *,
    seal: Signer,
    entry_point: tuple[str, ...],
    started_at: datetime,
    executor: Executor,
    limits: Limits,
    progress: Progress | None = None,
) -> Recorded:
    """Write down a step that ended well, sign it, and put it beside each output.

    Raises:
        InputError: An output is not there or cannot be hashed, or claims cannot be written.
        ArtifactChangedError: An input changed meanwhile.
    """
    finished_at = datetime.now(UTC)
    refuse_changed(inputs, limits=limits)
    manifests = [
        build_manifest(output.path, executor=executor, limits=limits, progress=progress)
        for output in outputs
    ]
    digests = [manifest.compute_digest() for manifest in manifests]
    completeness = Completeness.DECLARED
    facts: dict[str, JsonValue] = {"completeness": {"class": completeness.value}}
    record = StepRecord(
        kind=plan.kind,
        name=plan.name or plan.kind,
        builder=plan.builder,
        entry_point=entry_point,
        parameters=plan.parameters,
        inputs=tuple(item.dependency for item in inputs),
        started_at=started_at,
        finished_at=finished_at,
        invocation=f"urn:uuid:{uuid.uuid4()}",
        facts=facts,
    )
    subjects = [
        Subject(output.name, {"sha256": digest.hex})
        for output, digest in zip(outputs, digests, strict=True)
    ]
    bundle = seal.sign(build_provenance(record, subjects))
    carried = _collect_claims(inputs, limits=limits) if plan.carry else ()
    claimed = []
    for output, digest in zip(outputs, digests, strict=True):
        claims = find_claims(output.path)
        count = append_claims(claims, (*carried, bundle.raw), limits=limits)
        claimed.append(Claimed(output.name, output.path, digest, claims, carried=count - 1))
    return Recorded(bundle, tuple(claimed), completeness)


def _collect_claims(inputs: tuple[StepInput, ...], *, limits: Limits) -> tuple[bytes, ...]:
    """Return what the inputs' claims files hold; whether it is true, whoever reads it finds out."""
    return tuple(
        line
        for item in inputs
        if item.path is not None
        for line in read_claims(find_claims(item.path), limits=limits)
    )


def _run(command: Sequence[str]) -> None:
    shown = printable(command[0])
    try:
        process = subprocess.Popen(list(command))  # noqa: S603 - what the user asked for, no shell
    except FileNotFoundError as error:
        raise InputError(f"there is no program {shown}; check the command behind --") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{shown} cannot be started: {reason.lower()}") from error
    with process:
        code = process.wait()
    if code:
        how = f"was ended by signal {-code}" if code < 0 else f"failed with exit code {code}"
        raise StepFailedError(f"the step {how}; its outputs are unclaimed", exit_code=code)
