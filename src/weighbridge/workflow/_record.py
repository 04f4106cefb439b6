"""Recording a step: what it began with, what came of it, signed and put beside its outputs."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.artifact import append_claims, build_manifest, find_claims, read_claims
from weighbridge.core import (
    Completeness,
    Dependency,
    Digest,
    Statement,
    StepRecord,
    Subject,
)
from weighbridge.provenance import (
    SCAI_TYPE,
    build_provenance,
    build_trace,
    check_step,
    choose_determinism,
    choose_environment,
    name_accelerator,
    read_source,
    to_scai,
)
from weighbridge.workflow._rank_choice import RankChoice
from weighbridge.workflow._step_facts import (
    Platform,
    find_platform,
    list_undeclared,
    to_completeness,
)
from weighbridge.workflow._step_inputs import Output, StepInput, hash_inputs, refuse_changed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from weighbridge.core import Bundle, JsonValue, Limits
    from weighbridge.core.ports import Executor, Progress, StrPath
    from weighbridge.provenance import Source
    from weighbridge.signing import Signer
    from weighbridge.workflow._step_watch import Watched

__all__ = [
    "LOCAL_BUILDER",
    "Claimed",
    "Outcome",
    "Recorded",
    "Setting",
    "StepPlan",
    "claim_outputs",
    "collect_claims",
    "hash_outputs",
    "prepare_step",
    "record_step",
]

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
        ranks: Whether it is one rank of a distributed job.
    """

    kind: str
    inputs: Mapping[str, StrPath]
    outputs: Mapping[str, StrPath]
    name: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    builder: str = LOCAL_BUILDER
    carry: bool = True
    ranks: RankChoice = field(default_factory=RankChoice)


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
        rank: Which rank of how many it was, ``2/4``; empty if it was the whole step.
    """

    bundle: Bundle
    outputs: tuple[Claimed, ...]
    completeness: Completeness
    undeclared: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    rank: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a step begins with, found out before it does.

    Attributes:
        inputs: Hashed.
        script: The file that the command names as its program, hashed; None if it names none.
        source: The commit of the current folder; None if there is none.
        platform: What the step runs on.
        environment: The variables that are recorded.
        problems: What could not be found out about the source, in sentences.
        topology: Of how many processes this is which.
    """

    inputs: tuple[StepInput, ...]
    script: StepInput | None = None
    source: Source | None = None
    platform: Platform = field(default_factory=Platform)
    environment: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    topology: Mapping[str, str] = field(default_factory=lambda: {"worldSize": "1"})

    @property
    def files(self) -> tuple[Path, ...]:
        """The inputs and the script, as far as they are on this machine."""
        script = () if self.script is None else (self.script,)
        return tuple(item.path for item in (*self.inputs, *script) if item.path is not None)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened between the hashing of the inputs and that of the outputs.

    Attributes:
        entry_point: The command or function, with nothing secret in it.
        started_at: Aware.
        watched: How it was watched.
        removed: Names of the variables that the step was not given.
    """

    entry_point: tuple[str, ...]
    started_at: datetime
    watched: Watched
    removed: tuple[str, ...] = ()


def prepare_step(  # noqa: PLR0913 - each is one thing to look at
    plan: StepPlan,
    python: Path | None,
    environment: Mapping[str, str],
    *,
    script: Path | None = None,
    executor: Executor,
    limits: Limits,
    progress: Progress | None = None,
) -> Setting:
    """Look at everything that a step begins with, before it can change any of it.

    Args:
        plan: What the step is going to be.
        python: The interpreter that it runs on; None if it is not known.
        environment: The variables that it is started with.
        script: The file that its command names as its program.
        executor: Where to hash.
        limits: Bounds.
        progress: Is told the bytes.

    Raises:
        InputError: The plan cannot be recorded; an input is missing or cannot be hashed, or bears
            no digest.
        ArtifactChangedError: One changed meanwhile.
    """
    check_step(plan.kind, plan.builder, inputs=plan.inputs, parameters=plan.parameters)
    inputs = hash_inputs(plan.inputs, executor=executor, limits=limits, progress=progress)
    code = {} if script is None else {"entry-point": script}
    hashed = hash_inputs(code, executor=executor, limits=limits)
    here = [item.path for item in inputs if item.path is not None]
    left_out = [*here, *(Path(path) for path in plan.outputs.values())]
    source, problems = read_source(Path.cwd(), left_out=left_out, limits=limits)
    return Setting(
        inputs=inputs,
        script=hashed[0] if hashed else None,
        source=source,
        platform=find_platform(python, environment, executor=executor, limits=limits),
        environment=choose_environment(environment),
        problems=problems,
    )


def record_step(  # noqa: PLR0913 - each is one thing that was found out
    plan: StepPlan,
    setting: Setting,
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
    script = () if setting.script is None else (setting.script,)
    refuse_changed((*setting.inputs, *script), limits=limits)
    subjects = hash_outputs(outputs, executor=executor, limits=limits, progress=progress)
    watched, source, platform = outcome.watched, setting.source, setting.platform
    covered = source.covered if source else frozenset()
    undeclared = list_undeclared(watched, setting.files, covered | platform.files)
    facts: dict[str, JsonValue] = {
        "topology": dict(setting.topology),
        "determinism": choose_determinism(platform.environment, setting.environment),
        "accelerator": name_accelerator(platform.environment),
        "completeness": to_completeness(watched, len(undeclared)),
        "environment": {
            "variables": dict(setting.environment),
            "removed": list(outcome.removed),
        },
        "problems": [*setting.problems, *platform.problems],
    }
    record = StepRecord(
        kind=plan.kind,
        name=plan.name or plan.kind,
        builder=plan.builder,
        entry_point=outcome.entry_point,
        parameters=plan.parameters,
        inputs=tuple(item.dependency for item in setting.inputs),
        started_at=outcome.started_at,
        finished_at=finished_at,
        invocation=f"urn:uuid:{uuid.uuid4()}",
        materials=(
            *(item.dependency for item in script),
            *(source.to_dependencies() if source else ()),
            *platform.materials,
            *undeclared,
        ),
        facts=facts,
        source=source.uri if source else "",
        source_path=source.path if source else "",
    )
    bundles = _seal(record, subjects, watched, platform, seal=seal)
    carried = collect_claims(setting.inputs, limits=limits) if plan.carry else ()
    return Recorded(
        bundles[-1],
        claim_outputs(outputs, subjects, bundles, carried=carried, limits=limits),
        watched.completeness,
        tuple(item.name for item in undeclared),
        watched.gaps,
        outcome.removed,
    )


def hash_outputs(
    outputs: Iterable[Output],
    *,
    executor: Executor,
    limits: Limits,
    progress: Progress | None = None,
) -> tuple[Subject, ...]:
    """Hash what came out, in the order given.

    Raises:
        InputError: One is not there or cannot be hashed.
        ArtifactChangedError: One changed meanwhile.
    """
    subjects = []
    for output in outputs:
        manifest = build_manifest(output.path, executor=executor, limits=limits, progress=progress)
        subjects.append(Subject(output.name, {"sha256": manifest.compute_digest().hex}))
    return tuple(subjects)


def claim_outputs(
    outputs: Sequence[Output],
    subjects: Sequence[Subject],
    bundles: Sequence[Bundle],
    *,
    carried: Sequence[bytes] = (),
    limits: Limits,
) -> tuple[Claimed, ...]:
    """Put signed statements, and what is carried along, into the claims file of each output.

    Args:
        outputs: Where the artifacts are.
        subjects: What each was hashed to, in the same order.
        bundles: What is said about all of them.
        carried: Claims about what they were made from, as lines.
        limits: ``max_signature_bytes`` applies to each file.

    Raises:
        InputError: A file cannot be written.
        LimitExceededError: A file would be too large.
    """
    claimed = []
    for output, subject in zip(outputs, subjects, strict=True):
        path = find_claims(output.path)
        lines = [bundle.raw for bundle in bundles]
        count = append_claims(path, (*carried, *lines), limits=limits)
        digest = Digest(subject.digest["sha256"])
        claimed.append(Claimed(output.name, output.path, digest, path, count - len(lines)))
    return tuple(claimed)


def collect_claims(inputs: Iterable[StepInput], *, limits: Limits) -> tuple[bytes, ...]:
    """Return what the inputs' claims files hold; whether it is true, whoever reads it finds out."""
    return tuple(
        line
        for item in inputs
        if item.path is not None
        for line in read_claims(find_claims(item.path), limits=limits)
    )


def _seal(
    record: StepRecord,
    subjects: Sequence[Subject],
    watched: Watched,
    platform: Platform,
    *,
    seal: Signer,
) -> tuple[Bundle, ...]:
    """Sign what the monitor saw, what the step ran on, and last what names both: the provenance."""
    beside: list[tuple[str, Statement]] = []
    if watched.observation is not None:
        trace = build_trace(watched.observation, subjects, record=record)
        beside.append(("runtime-trace", trace))
    if platform.environment:
        scai = to_scai(platform.environment, producer=record.builder)
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
