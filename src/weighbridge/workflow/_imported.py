"""Steps that ran elsewhere and that another tool recorded: hashed and claimed here.

The other tool says what was done with what. The digests are of bytes that are read here; what that
tool says of them has to hold for the same bytes, which whoever imports finds out in the same read.
"""

from __future__ import annotations

import os
import re
import uuid
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from weighbridge.artifact import find_claims, refuse_changes, weigh
from weighbridge.core import Completeness, Dependency, StepRecord, Subject, printable
from weighbridge.engines import ThreadExecutor
from weighbridge.errors import InputError
from weighbridge.provenance import (
    KINDS,
    build_provenance,
    check_step,
    read_source,
    redact_arguments,
    redact_parameter,
    redact_text,
    strip_credentials,
)
from weighbridge.workflow._record import Recorded, claim_outputs, read_carried
from weighbridge.workflow._step_facts import to_completeness
from weighbridge.workflow._step_inputs import Output, StepInput, describe_path, refuse_changed
from weighbridge.workflow._step_watch import Watched

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from weighbridge.artifact import Tree
    from weighbridge.core import ArtifactKind, Digest, JsonValue, Limits, Resource
    from weighbridge.core.ports import Executor, Inspector, Progress
    from weighbridge.provenance import Source
    from weighbridge.signing import Signer

__all__ = [
    "KINDS",
    "Examined",
    "ImportedInput",
    "ImportedStep",
    "StepSource",
    "check_kind",
    "claim_imported",
    "examine",
    "read_step_source",
    "strip_address",
]

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://\S+")
# What kept the step from anything, where it ran, nobody here knows.
_ELSEWHERE = {"enforcer": "unknown", "network": "unknown", "denied": "unknown"}

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Examined(Generic[T_co]):
    """A file or folder that was hashed, and what was seen of its files in the same read.

    Attributes:
        path: Where it is.
        kind: File or folder.
        digest: The artifact digest.
        resources: Its files, sorted by name.
        seen: What the inspector said of each file; also of those outside the digest's scope.
        tree: As it was listed, to see later whether it is still the same.
    """

    path: Path
    kind: ArtifactKind
    digest: Digest
    resources: tuple[Resource, ...]
    seen: tuple[T_co, ...]
    tree: Tree = field(repr=False)

    @property
    def size_bytes(self) -> int:
        """The sum of the files' sizes."""
        return sum(resource.size_bytes for resource in self.resources)


@dataclass(frozen=True, slots=True)
class StepSource:
    """Which commit the code of imported steps is at now.

    Attributes:
        source: None if nobody knows.
        problems: What could not be found out, in sentences.
    """

    source: Source | None
    problems: tuple[str, ...]

    @property
    def materials(self) -> tuple[Dependency, ...]:
        """The commit and what differs from it; each says that it is as of the import."""
        found = () if self.source is None else self.source.to_dependencies()
        return tuple(
            replace(item, annotations={**item.annotations, "when": "import"}) for item in found
        )


@dataclass(frozen=True, slots=True)
class ImportedInput:
    """One thing that a step took in.

    Attributes:
        name: What it is called; each name once. It may be an address, which is recorded without
            user, password and query.
        role: What it was to the step.
        examined: As it is here; None for what is elsewhere, which then has no digest.
        uri: Where it is, for what is elsewhere.
        label: Its path as it is recorded, for what is here.
        facts: Anything else, as text.
    """

    name: str
    role: str
    examined: Examined[object] | None = None
    uri: str = ""
    label: Path | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImportedStep:
    """A step as another tool recorded it.

    Attributes:
        kind: As for :class:`StepPlan`.
        name: What the other tool calls it.
        builder: A URI that names this way of importing.
        entry_point: What was run: command lines, or a program and its arguments.
        parameters: Name to value, both text.
        inputs: What it took in.
        outputs: Name to what it made; at least one.
        materials: What else is known to have gone in.
        invocation: A URI that names the run; empty: one is made up.
        started_at: Aware; None if nobody knows.
        finished_at: Likewise.
        facts: What else is worth knowing, as JSON of strings.
        gaps: What of it is not known, in words.
        source: Where the code is from, as far as it is known here.
        carry: Whether what the inputs' claims files say is copied to the outputs'.
    """

    kind: str
    name: str
    builder: str
    entry_point: tuple[str, ...]
    parameters: Mapping[str, str]
    inputs: tuple[ImportedInput, ...]
    outputs: Mapping[str, Examined[object]]
    materials: tuple[Dependency, ...] = ()
    invocation: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    facts: Mapping[str, JsonValue] = field(default_factory=dict)
    gaps: tuple[str, ...] = ()
    source: Source | None = None
    carry: bool = True


def check_kind(kind: str, builder: str) -> None:
    """Refuse a kind or a builder that no record could name.

    Raises:
        InputError: The kind is not known, or the builder is no URI.
    """
    check_step(kind, builder, inputs=(), parameters={})


def read_step_source(folder: Path, *, outputs: Iterable[Path], limits: Limits) -> StepSource:
    """Ask git which commit a folder is at; ``outputs`` and the claims about them do not count."""
    made = tuple(outputs)
    left_out = (*made, *(find_claims(path) for path in made))
    return StepSource(*read_source(folder, left_out=left_out, limits=limits))


def examine(
    path: Path,
    *,
    inspector: Inspector[T] | None = None,
    executor: Executor | None = None,
    limits: Limits,
    progress: Progress | None = None,
) -> Examined[T]:
    """Hash a file or folder and let ``inspector`` see each file in the same read.

    Raises:
        InputError: It is missing, empty, or holds what cannot be hashed.
        ArtifactChangedError: A file changed meanwhile.
        LimitExceededError: Too many entries, or too deep.
    """
    weighed = weigh(
        path,
        executor=executor or ThreadExecutor(),
        limits=limits,
        inspector=inspector,
        progress=progress,
    )
    manifest = weighed.to_manifest()
    refuse_changes(weighed.tree, path, limits=limits)
    return Examined(
        path,
        manifest.kind,
        manifest.compute_digest(),
        manifest.resources,
        weighed.inspections,
        weighed.tree,
    )


def claim_imported(step: ImportedStep, *, seal: Signer, limits: Limits) -> Recorded:
    """Sign a step that ran elsewhere, and put it beside each output.

    The class of its inputs is ``declared``. Inputs and outputs are listed once more before. What
    looks like a secret in commands, parameters and addresses is not written down.

    Raises:
        InputError: The step cannot be recorded, or claims cannot be written.
        ArtifactChangedError: An input or output changed since it was hashed.
        LimitExceededError: A claims file would be too large.
    """
    inputs = _to_inputs(step.inputs)
    outputs = tuple(Output(name, item.path) for name, item in step.outputs.items())
    made = (
        StepInput(Dependency(name, {}), item.path, item.tree) for name, item in step.outputs.items()
    )
    refuse_changed((*inputs, *made), limits=limits)
    _refuse_overlap(step)
    subjects = [Subject(name, {"sha256": o.digest.hex}) for name, o in step.outputs.items()]
    watched = Watched(Completeness.DECLARED, (), gaps=tuple(map(_clean, step.gaps)))
    record = StepRecord(
        kind=step.kind,
        name=_clean(step.name),
        builder=step.builder,
        entry_point=tuple(_redact_command(line) for line in step.entry_point),
        parameters={n: redact_parameter(n, value) for n, value in step.parameters.items()},
        inputs=tuple(item.dependency for item in inputs),
        started_at=step.started_at,
        finished_at=step.finished_at,
        invocation=step.invocation or f"urn:uuid:{uuid.uuid4()}",
        materials=step.materials,
        facts={
            "completeness": {**to_completeness(watched, 0), **_ELSEWHERE},
            **step.facts,
            "outputs": {name: item.tree.kind.value for name, item in step.outputs.items()},
        },
        source=step.source.uri if step.source else "",
        source_path=step.source.path if step.source else "",
    )
    carried = _carry(inputs, limits) if step.carry else ()
    bundle = seal.sign(build_provenance(record, subjects))
    claimed = claim_outputs(outputs, subjects, [bundle], carried=carried, limits=limits)
    return Recorded(bundle, claimed, watched.completeness, gaps=watched.gaps)


def _refuse_overlap(step: ImportedStep) -> None:
    """Refuse an output that is an input or another output, or in one or around one."""
    taken: dict[Path, str] = {}
    named = [(f"input {item.name!r}", item.examined) for item in step.inputs]
    named += [(f"output {name!r}", item) for name, item in step.outputs.items()]
    for words, found in named:
        if found is not None:
            taken.setdefault(Path(os.path.realpath(found.path)), words)
    for name, item in step.outputs.items():
        real = Path(os.path.realpath(item.path))
        around = [taken[parent] for parent in real.parents if parent in taken]
        if around or taken[real] != f"output {name!r}":
            other = around[0] if around else taken[real]
            raise InputError(f"the output {name!r} and the {other} overlap; keep them apart")
    made = {Path(os.path.realpath(item.path)) for item in step.outputs.values()}
    for real, words in taken.items():
        if not made.isdisjoint(real.parents):
            raise InputError(f"the {words} lies in an output; keep them apart")


def _carry(inputs: tuple[StepInput, ...], limits: Limits) -> tuple[bytes, ...]:
    """Return the claims about the inputs; a link could lead to anything, which would be copied."""
    for item in inputs:
        if item.path is not None and find_claims(item.path).is_symlink():
            shown = printable(item.dependency.name)
            raise InputError(f"the claims file of {shown} is a symbolic link; put the file there")
    return read_carried(inputs, limits=limits)


def _to_inputs(items: Iterable[ImportedInput]) -> tuple[StepInput, ...]:
    """Return what is recorded; names that differ only in what is not written down are numbered."""
    found: dict[str, StepInput] = {}
    for item in items:
        clean = name = _clean(item.name)
        number = 1
        while name in found:
            number += 1
            name = f"{clean}-{number}"
        found[name] = _to_input(replace(item, name=name))
    return tuple(found.values())


def _clean(text: str) -> str:
    """Return words or a name without what is secret in the addresses in them."""
    if "://" not in text:
        return text
    return redact_text(_ADDRESS.sub(lambda match: strip_address(match[0]), text))


def _to_input(item: ImportedInput) -> StepInput:
    found, said = item.examined, {name: redact_text(text) for name, text in item.facts.items()}
    if found is None:
        uri = strip_address(item.uri)
        return StepInput(Dependency(item.name, {}, uri=uri, role=item.role, annotations=said))
    facts = {
        "kind": found.kind.value,
        "files": str(len(found.resources)),
        "bytes": str(found.size_bytes),
        **said,
    }
    uri = describe_path(item.label or found.path)
    digest = {"sha256": found.digest.hex}
    return StepInput(
        Dependency(item.name, digest, uri=uri, role=item.role, annotations=facts),
        found.path,
        found.tree,
    )


def _redact_command(line: str) -> str:
    """Return a command line without secrets; as it was, if there are none."""
    words = line.split()
    redacted = redact_arguments(words)
    return redact_text(line) if redacted == words else " ".join(redacted)


def strip_address(uri: str) -> str:
    """Return an address without user, password and query; a path as it is."""
    has_place = "://" in uri or "@" in uri or uri.startswith("/")  # models:/NAME has none
    return redact_text((strip_credentials(uri) if has_place else "") or uri)
