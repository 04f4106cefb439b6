"""Recording a step: what it began with, what came of it, signed and put beside its outputs."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.artifact import refuse_changes, weigh_cached
from weighbridge.core import (
    LOCAL_BUILDER,
    Completeness,
    Dependency,
    Statement,
    StepRecord,
    Subject,
    printable,
)
from weighbridge.errors import InputError
from weighbridge.provenance import (
    SCAI_TYPE,
    build_provenance,
    build_trace,
    choose_determinism,
    choose_environment,
    name_accelerator,
    read_source,
    redact_parameter,
    to_scai,
)
from weighbridge.workflow._rank_choice import RankChoice
from weighbridge.workflow._step_claims import (
    Claimed,
    check_claiming,
    choose_store,
    claim_outputs,
    list_claims_files,
    read_carried,
)
from weighbridge.workflow._step_facts import (
    find_changed_since,
    list_folders,
    list_undeclared,
    to_completeness,
)
from weighbridge.workflow._step_inputs import Output, StepInput, hash_inputs, refuse_changed
from weighbridge.workflow._step_plan import check_plan
from weighbridge.workflow._step_platform import Platform, choose_platform, open_platforms

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from weighbridge.artifact import DigestCache
    from weighbridge.core import Bundle, JsonValue, Limits
    from weighbridge.core.ports import BundleStore, Executor, Progress, StrPath
    from weighbridge.provenance import Source
    from weighbridge.signing import Signer
    from weighbridge.workflow._step_watch import Watched

__all__ = [
    "OWN_FACTS",
    "Claimed",
    "Outcome",
    "Recorded",
    "Setting",
    "StepPlan",
    "claim_outputs",
    "hash_outputs",
    "prepare_step",
    "read_carried",
    "record_step",
]

# What internalParameters hold of every step.
OWN_FACTS = frozenset(
    {
        *("accelerator", "completeness", "determinism", "entryPoints", "environment"),
        *("outputs", "problems", "step", "topology"),
    }
)


@dataclass(frozen=True, slots=True)
class StepPlan:
    """What a step is going to be, as its author says it.

    Attributes:
        kind: ``clean``, ``split``, ``train``, ``fine-tune``, ``merge``, ``distil``, ``quantize``,
            ``convert``, ``evaluate``, ``package`` or ``fetch``.
        inputs: Name to a path, or to an address that bears a digest (``hf://ORG/NAME@REVISION``).
        outputs: Name to a path; at least one.
        name: What to call the step.
        parameters: Name to value, both text.
        builder: A URI that names who runs it.
        carry: Whether what the inputs' claims files say is copied to the outputs'.
        ranks: Whether it is one rank of a distributed job.
        store: Where the claims go besides the outputs' claims files: a folder, or a store of the
            caller's own.
    """

    kind: str
    inputs: Mapping[str, StrPath]
    outputs: Mapping[str, StrPath]
    name: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    builder: str = LOCAL_BUILDER
    carry: bool = True
    ranks: RankChoice = field(default_factory=RankChoice)
    store: StrPath | BundleStore | None = None


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
        denied: What the walls denied it, by path; None if there were walls and nobody saw it.
        rank: Which rank of how many it was, ``2/4``; empty if it was the whole step.
        warnings: What happened otherwise than its author may think, in sentences.
    """

    bundle: Bundle
    outputs: tuple[Claimed, ...]
    completeness: Completeness
    undeclared: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    denied: tuple[str, ...] | None = ()
    rank: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Setting:
    """What a step begins with, found out before it does.

    Attributes:
        inputs: Hashed.
        script: The file that the command names as its program, hashed; None if it names none.
        source: The commit of the current folder; None if there is none.
        platforms: What the step runs on, or may run on.
        environment: The variables that are recorded.
        problems: What could not be found out about the source, in sentences.
        topology: Of how many processes this is which.
        store: Where the claims go besides; None: nowhere.
        cache: Knows files that were hashed before; written when the step begins.
        since_ns: When looking began, in ns since 1970.
    """

    inputs: tuple[StepInput, ...]
    script: StepInput | None = None
    source: Source | None = None
    platforms: tuple[Platform, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    topology: Mapping[str, str] = field(default_factory=lambda: {"worldSize": "1"})
    store: BundleStore | None = None
    cache: DigestCache | None = None
    since_ns: int = 0

    @property
    def files(self) -> tuple[Path, ...]:
        """The inputs and the script, as far as they are on this machine."""
        script = () if self.script is None else (self.script,)
        return tuple(item.path for item in (*self.inputs, *script) if item.path is not None)

    @property
    def outside(self) -> frozenset[str]:
        """What lies in a folder that is an input and is not part of its digest: claims, ``.git``.

        Absolute, links resolved, as a monitor tells it.
        """
        return frozenset(
            f"{os.path.realpath(item.tree.folder)}/{name}"
            for item in self.inputs
            if item.tree is not None
            for name in item.tree.left_out
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened between the hashing of the inputs and that of the outputs.

    Attributes:
        entry_point: The command or function, with nothing secret in it.
        started_at: Aware.
        watched: How it was watched.
        removed: Names of the variables that the step was not given.
        materials: What else went in.
        facts: What else is worth knowing; under ``internalParameters``.
        byproducts: What else came out besides the outputs.
    """

    entry_point: tuple[str, ...]
    started_at: datetime
    watched: Watched
    removed: tuple[str, ...] = ()
    materials: tuple[Dependency, ...] = ()
    facts: Mapping[str, JsonValue] = field(default_factory=dict)
    byproducts: tuple[Dependency, ...] = ()


def prepare_step(  # noqa: PLR0913 - each is one thing to look at
    plan: StepPlan,
    python: Path | None,
    environment: Mapping[str, str],
    *,
    script: Path | None = None,
    executor: Executor,
    limits: Limits,
    progress: Progress | None = None,
    cache: DigestCache | None = None,
) -> Setting:
    """Look at everything that a step begins with, before it can change any of it.

    What would keep its claims from being written is told here too: the step may take days.

    Args:
        plan: What the step is going to be.
        python: The interpreter that it runs on; None if it is not known.
        environment: The variables that it is started with.
        script: The file that its command names as its program.
        executor: Where to hash.
        limits: Bounds.
        progress: Is told the bytes.
        cache: Knows files that were hashed before.

    Raises:
        InputError: The plan cannot be recorded; an input is missing or cannot be hashed, or bears
            no digest; claims cannot be written.
        ArtifactChangedError: One changed meanwhile.
        IncompleteError: The disk is full, the store does not answer, or the parameters are more
            than a record holds.
    """
    since_ns = time.time_ns()
    check_plan(plan, limits=limits)
    store = choose_store(plan.store, limits=limits)
    check_claiming(plan.outputs, plan.inputs, store=store, carry=plan.carry, limits=limits)
    looking = open_platforms(python, environment, executor=executor, limits=limits, cache=cache)
    with looking as find_platforms:
        inputs = hash_inputs(
            plan.inputs, executor=executor, limits=limits, progress=progress, cache=cache
        )
        code = {} if script is None else {"entry-point": script}
        hashed = hash_inputs(code, executor=executor, limits=limits, cache=cache)
        here = [item.path for item in inputs if item.path is not None]
        kept = store.local_paths if store else ()
        records = [*list_claims_files(plan.inputs, plan.outputs), *kept]
        left_out = [*here, *(Path(path) for path in plan.outputs.values()), *records]
        source, problems = read_source(Path.cwd(), left_out=left_out, limits=limits)
        platforms = find_platforms()
    if cache is not None:
        cache.save()
    return Setting(
        inputs=inputs,
        script=hashed[0] if hashed else None,
        source=source,
        platforms=platforms,
        environment=choose_environment(environment),
        problems=problems,
        store=store,
        cache=cache,
        since_ns=since_ns,
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
    finished_at, said = _read_clock(outcome.started_at)
    script = () if setting.script is None else (setting.script,)
    refuse_changed((*setting.inputs, *script), limits=limits)
    cache = setting.cache
    subjects, kinds = hash_outputs(
        outputs, executor=executor, limits=limits, progress=progress, cache=cache
    )
    watched, source = outcome.watched, setting.source
    platform = choose_platform(setting.platforms, watched.observation)
    covered = source.covered if source else frozenset()
    covered -= find_changed_since(watched.observation, covered, since_ns=setting.since_ns)
    undeclared = list_undeclared(
        watched,
        setting.files,
        platform,
        covered,
        since_ns=int(outcome.started_at.timestamp() * 1e9),
        outside=setting.outside,
        cache=cache,
    )
    if watched.enforcer and not watched.sees_all:
        watched = replace(watched, gaps=(*watched.gaps, *map(_to_gap, sorted(setting.outside))))
    if cache is not None:
        cache.save()
        said = (*said, *cache.problems)
    facts: dict[str, JsonValue] = {
        **outcome.facts,
        "topology": dict(setting.topology),
        "outputs": {**kinds},
        "determinism": _to_texts(choose_determinism(platform.environment, setting.environment)),
        "accelerator": _to_texts(name_accelerator(platform.environment)),
        "completeness": to_completeness(watched, len(undeclared.names)),
        "environment": {
            "variables": _to_texts(setting.environment),
            "removed": [_to_text(name) for name in outcome.removed],
        },
        "problems": [
            _to_text(words)
            for words in (*setting.problems, *platform.problems, *watched.notes, *said)
        ],
    }
    record = StepRecord(
        kind=plan.kind,
        name=plan.name or plan.kind,
        builder=plan.builder,
        entry_point=tuple(map(_to_text, outcome.entry_point)),
        parameters={n: redact_parameter(n, value) for n, value in plan.parameters.items()},
        inputs=tuple(item.dependency for item in setting.inputs),
        started_at=outcome.started_at,
        finished_at=finished_at,
        invocation=f"urn:uuid:{uuid.uuid4()}",
        materials=(
            *(item.dependency for item in script),
            *outcome.materials,
            *(source.to_dependencies() if source else ()),
            *platform.materials,
            *undeclared.dependencies,
        ),
        facts=facts,
        byproducts=outcome.byproducts,
        source=source.uri if source else "",
        source_path=printable(source.path) if source else "",
    )
    folders = list_folders(watched, setting.files, (item.path for item in outputs), platform)
    folders |= undeclared.folders
    bundles = _seal(record, subjects, watched, platform, folders=folders, seal=seal)
    carried = read_carried(setting.inputs, limits=limits) if plan.carry else ()
    return Recorded(
        bundles[-1],
        claim_outputs(
            outputs, subjects, bundles, carried=carried, store=setting.store, limits=limits
        ),
        watched.completeness,
        undeclared.names,
        watched.gaps,
        outcome.removed,
        None if watched.denied is None else tuple(map(printable, watched.denied)),
        warnings=watched.warnings,
    )


def hash_outputs(
    outputs: Iterable[Output],
    *,
    executor: Executor,
    limits: Limits,
    progress: Progress | None = None,
    cache: DigestCache | None = None,
) -> tuple[tuple[Subject, ...], dict[str, str]]:
    """Hash what came out, in the order given; all of it is read, and the cache is told.

    Returns:
        The subjects, and by their names whether each is a ``file`` or a ``folder``: a file that
        lists a folder's files has the digest of that folder.

    Raises:
        InputError: One is not there or cannot be hashed.
        ArtifactChangedError: One changed meanwhile.
    """
    subjects, kinds = [], {}
    for output in outputs:
        if not os.path.lexists(output.path):
            raise InputError(
                f"the output {output.name!r} is not at {printable(str(output.path))}, though the "
                "step ended well; nothing is claimed; correct the path, then run again"
            )
        weighed, _ = weigh_cached(
            output.path, cache, executor=executor, limits=limits, progress=progress, read_all=True
        )
        manifest = weighed.to_manifest()
        refuse_changes(weighed.tree, output.path, limits=limits)
        subjects.append(Subject(output.name, {"sha256": manifest.compute_digest().hex}))
        kinds[output.name] = manifest.kind.value
    return tuple(subjects), kinds


def _to_text(value: str) -> str:
    r"""Return what the system gave as text; a byte that is no UTF-8 becomes ``\xNN``."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _to_texts(values: Mapping[str, str]) -> dict[str, str]:
    return {name: _to_text(value) for name, value in values.items()}


def _to_gap(path: str) -> str:
    """Say of what lies in an input that the walls let the step read it."""
    return f"{printable(path)} is not part of an input's digest, and the step could read it"


def _read_clock(started_at: datetime) -> tuple[datetime, tuple[str, ...]]:
    """Return when the step ended, never before it began, and a sentence if the clock says so."""
    now = datetime.now(UTC)
    if now >= started_at:
        return now, ()
    return started_at, ("the clock was set back during the step: when it ended is not known",)


def _seal(
    record: StepRecord,
    subjects: Sequence[Subject],
    watched: Watched,
    platform: Platform,
    *,
    folders: frozenset[str],
    seal: Signer,
) -> tuple[Bundle, ...]:
    """Sign what the monitor saw, what the step ran on, and last what names both: the provenance."""
    beside: list[tuple[str, Statement]] = []
    if watched.observation is not None:
        trace = build_trace(watched.observation, subjects, record=record, folders=folders)
        beside.append(("runtime-trace", trace))
    if platform.environment:
        scai = to_scai(_to_texts(platform.environment), producer=record.builder)
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
