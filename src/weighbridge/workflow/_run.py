"""run: a command as a step, recorded as signed SLSA provenance."""

from __future__ import annotations

import hashlib
import os
import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.artifact import append_claims, build_manifest, find_claims, read_claims
from weighbridge.core import (
    DEFAULT_LIMITS,
    Completeness,
    Dependency,
    Digest,
    Limits,
    Statement,
    StepRecord,
    Subject,
)
from weighbridge.engines import ThreadExecutor
from weighbridge.errors import InputError
from weighbridge.provenance import (
    SCAI_TYPE,
    build_provenance,
    build_trace,
    choose_environment,
    clean_environment,
    find_interpreter,
    redact_arguments,
    to_scai,
)
from weighbridge.signing import SignerSpec
from weighbridge.workflow._signers import choose_signer, to_key_path
from weighbridge.workflow._step_facts import (
    Platform,
    find_code,
    find_platform,
    find_script,
    list_undeclared,
    to_completeness,
)
from weighbridge.workflow._step_inputs import (
    Output,
    StepInput,
    check_outputs,
    hash_inputs,
    prepare_grant,
    refuse_changed,
)
from weighbridge.workflow._step_watch import Observe, Watched, check_program, run_watched

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.core import Bundle, JsonValue
    from weighbridge.core.ports import Executor, Progress, StrPath
    from weighbridge.signing import Signer

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
        undeclared: What was read and not declared, by path; sorted.
        gaps: Why something may have been missed, in words.
        removed: Variables that the step was not given, since they hold secrets.
    """

    bundle: Bundle
    outputs: tuple[Claimed, ...]
    completeness: Completeness
    undeclared: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened between the hashing of the inputs and that of the outputs.

    Attributes:
        entry_point: The command or function, with nothing secret in it.
        started_at: Aware.
        watched: How it was watched.
        script: The file that the command names as its program, if it names one.
        environment: The variables that are recorded.
        removed: Names of those that the step was not given.
        platform: What it ran on.
    """

    entry_point: tuple[str, ...]
    started_at: datetime
    watched: Watched
    script: Dependency | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    platform: Platform = field(default_factory=Platform)


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
        IncompleteError: The command cannot be watched or kept inside walls here, as was asked; a
            service that signing needs does not answer.
    """
    if not command:
        raise InputError("there is no command to run; put it behind --")
    outputs = check_outputs(plan.outputs, plan.inputs)
    environment, removed = clean_environment(os.environ)
    check_program(command, environment)
    seal = choose_signer(signer, key, limits=limits)
    executor = executor or ThreadExecutor()
    script = find_script(command)
    inputs = hash_inputs(plan.inputs, executor=executor, limits=limits, progress=progress)
    code = (
        ()
        if script is None
        else hash_inputs({"entry-point": script}, executor=executor, limits=limits)
    )
    grant = (
        prepare_grant((*inputs, *code), outputs, hidden=_find_key(key, signer)) if enforce else None
    )
    python = find_interpreter(command, environment)
    platform = find_platform(python, environment, executor=executor, limits=limits)
    started_at = datetime.now(UTC)
    watched = run_watched(command, environment, observe=observe, grant=grant, limits=limits)
    outcome = Outcome(
        entry_point=tuple(redact_arguments(command)),
        started_at=started_at,
        watched=watched,
        script=code[0].dependency if code else None,
        environment=choose_environment(environment),
        removed=removed,
        platform=platform,
    )
    refuse_changed(code, limits=limits)
    return record_step(
        plan,
        inputs,
        outputs,
        outcome,
        seal=seal,
        executor=executor,
        limits=limits,
        progress=progress,
    )


def record_step(  # noqa: PLR0913 - each is one thing that was found out
    plan: StepPlan,
    inputs: tuple[StepInput, ...],
    outputs: tuple[Output, ...],
    outcome: Outcome,
    *,
    seal: Signer,
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
    subjects = []
    for output in outputs:
        manifest = build_manifest(output.path, executor=executor, limits=limits, progress=progress)
        subjects.append(Subject(output.name, {"sha256": manifest.compute_digest().hex}))
    watched = outcome.watched
    here = [item.path for item in inputs if item.path is not None]
    code = find_code([*here, *(output.path for output in outputs)], limits=limits)
    script = {os.path.realpath(outcome.script.name)} if outcome.script else set()
    known = code.files | outcome.platform.files | script
    undeclared = list_undeclared(watched, here, known)
    facts: dict[str, JsonValue] = {
        "completeness": to_completeness(watched, len(undeclared)),
        "environment": {
            "variables": dict(outcome.environment),
            "removed": list(outcome.removed),
        },
        "problems": [*code.problems, *outcome.platform.problems],
    }
    record = StepRecord(
        kind=plan.kind,
        name=plan.name or plan.kind,
        builder=plan.builder,
        entry_point=outcome.entry_point,
        parameters=plan.parameters,
        inputs=tuple(item.dependency for item in inputs),
        started_at=outcome.started_at,
        finished_at=finished_at,
        invocation=f"urn:uuid:{uuid.uuid4()}",
        materials=(
            *((outcome.script,) if outcome.script else ()),
            *(code.source.to_dependencies() if code.source else ()),
            *outcome.platform.materials,
            *undeclared,
        ),
        facts=facts,
        source=code.source.uri if code.source else "",
        source_path=code.source.path if code.source else "",
    )
    claims = _seal(record, subjects, outcome, seal=seal)
    carried = _collect_claims(inputs, limits=limits) if plan.carry else ()
    claimed = []
    for output, subject in zip(outputs, subjects, strict=True):
        path = find_claims(output.path)
        lines = [bundle.raw for bundle in claims]
        count = append_claims(path, (*carried, *lines), limits=limits)
        digest = Digest(subject.digest["sha256"])
        claimed.append(Claimed(output.name, output.path, digest, path, count - len(lines)))
    return Recorded(
        claims[-1],
        tuple(claimed),
        watched.completeness,
        tuple(item.name for item in undeclared),
        watched.gaps,
        outcome.removed,
    )


def _seal(
    record: StepRecord, subjects: Sequence[Subject], outcome: Outcome, *, seal: Signer
) -> tuple[Bundle, ...]:
    """Sign what the monitor saw, what the step ran on, and last what names both: the provenance."""
    beside: list[tuple[str, Statement]] = []
    if outcome.watched.observation is not None:
        trace = build_trace(outcome.watched.observation, subjects, record=record)
        beside.append(("runtime-trace", trace))
    if outcome.platform.environment:
        scai = to_scai(outcome.platform.environment, producer=record.builder)
        built = Statement.build(subjects, predicate_type=SCAI_TYPE, predicate=scai)
        beside.append(("environment", built))
    byproducts = [
        Dependency(
            name,
            {"sha256": hashlib.sha256(statement.payload).hexdigest()},
            annotations={"predicateType": statement.predicate_type},
        )
        for name, statement in beside
    ]
    record = replace(record, byproducts=(*record.byproducts, *byproducts))
    provenance = build_provenance(record, subjects)
    return tuple(seal.sign(statement) for statement in (*(s for _, s in beside), provenance))


def _find_key(
    key: StrPath | None, signer: StrPath | SignerSpec | Signer | None
) -> tuple[Path, ...]:
    """Return the files that the step must not be able to read."""
    if isinstance(signer, SignerSpec) and signer.uri.startswith("file:"):
        key = to_key_path(signer)
    elif isinstance(signer, os.PathLike):
        key = signer
    return () if key is None else (Path(key),)


def _collect_claims(inputs: tuple[StepInput, ...], *, limits: Limits) -> tuple[bytes, ...]:
    """Return what the inputs' claims files hold; whether it is true, whoever reads it finds out."""
    return tuple(
        line
        for item in inputs
        if item.path is not None
        for line in read_claims(find_claims(item.path), limits=limits)
    )
