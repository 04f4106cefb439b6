"""SLSA Provenance v1: a step as a statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge._version import __version__
from weighbridge.core import Statement, printable
from weighbridge.errors import InputError
from weighbridge.provenance._accesses import list_accesses
from weighbridge.provenance._inputs import to_reference
from weighbridge.provenance._uris import is_uri

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from weighbridge.core import Dependency, JsonValue, Observation, StepRecord, Subject

__all__ = [
    "BUILD_TYPE",
    "KINDS",
    "OWN_ROLES",
    "PREDICATE_TYPE",
    "build_provenance",
    "build_trace",
    "check_step",
]

PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "https://weighbridge.dev/buildtypes/{kind}/v1"
_TRACE_TYPE = "https://in-toto.io/attestation/runtime-trace/v0.1"

KINDS = (
    "clean",
    "split",
    "train",
    "fine-tune",
    "merge",
    "distil",
    "quantize",
    "convert",
    "evaluate",
    "package",
    "fetch",
)
# What Weighbridge finds out by itself has these roles, so no input may be called so.
OWN_ROLES = frozenset(
    {
        *("source", "source-changes", "entry-point", "interpreter", "package", "package-file"),
        *("clean-notebook", "container-image", "base-image", "undeclared", "imported-from"),
    }
)


def check_step(
    kind: str, builder: str, *, inputs: Iterable[str], parameters: Mapping[str, str]
) -> None:
    """Refuse what no record could say; called before the step, which may take days.

    Args:
        kind: One of ``KINDS``.
        builder: A URI.
        inputs: Their names.
        parameters: Name to value.

    Raises:
        InputError: The kind is not known, the builder is no URI, a parameter is not text, or an
            input is named as something that Weighbridge records by itself.
    """
    if kind not in KINDS:
        choice = ", ".join(KINDS)
        raise InputError(f"{printable(kind)!r} is not a kind of step; choose from {choice}")
    if not is_uri(builder):
        raise InputError(
            f"the builder {printable(builder)!r} is not a URI; give one that names you"
        )
    for name in inputs:
        if name in OWN_ROLES:
            raise InputError(
                f"an input cannot be called {name!r}: the record has something else of that name; "
                "choose another"
            )
    for name, value in parameters.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise InputError(f"the parameter {name!r} is not text; write it as a string")


def build_provenance(record: StepRecord, subjects: Sequence[Subject]) -> Statement:
    """Return the statement that says how ``subjects`` were made.

    Nothing is in it that the specification does not name: strict readers refuse that. Our own facts
    are below ``internalParameters`` and in annotations; numbers are strings.

    Args:
        record: What happened.
        subjects: What came out.

    Raises:
        InputError: As :func:`check_step`.

    Source:
        SLSA v1.0, Build Provenance, https://slsa.dev/provenance/v1.
    """
    check_step(
        record.kind,
        record.builder,
        inputs=[item.name for item in record.inputs],
        parameters=record.parameters,
    )
    return Statement.build(subjects, predicate_type=PREDICATE_TYPE, predicate=_to_predicate(record))


def build_trace(
    observation: Observation,
    subjects: Sequence[Subject],
    *,
    record: StepRecord,
    folders: AbstractSet[str] = frozenset(),
) -> Statement:
    """Return the statement that says what a monitor saw of the step that made ``subjects``.

    Args:
        observation: What it saw.
        subjects: What came out.
        record: What else is known of the step; what nobody declared is always listed by name.
        folders: Absolute paths of folders whose files may be counted instead of listed.

    Source:
        in-toto Attestation Framework, runtime-trace v0.1.
    """
    apart = {item.name for item in record.materials if item.role == "undeclared"}
    predicate: dict[str, JsonValue] = {
        "monitor": {"type": observation.monitor, "tracePolicy": {"policy": "files and network"}},
        "monitoredProcess": {
            "hostID": record.builder,
            "type": BUILD_TYPE.format(kind=record.kind),
            "event": record.invocation,
        },
        "monitorLog": {
            "process": [],
            "network": [{"name": printable(name)} for name in observation.connections],
            "fileAccess": [
                *list_accesses(observation.reads, "read", folders=folders, apart=apart),
                *list_accesses(observation.writes, "write", folders=folders, apart=apart),
                *list_accesses({refusal.path for refusal in observation.refusals}, "denied"),
            ],
        },
        "metadata": {
            **_to_times(record, "buildStartedOn", "buildFinishedOn"),
        },
    }
    return Statement.build(subjects, predicate_type=_TRACE_TYPE, predicate=predicate)


def _to_predicate(record: StepRecord) -> dict[str, JsonValue]:
    dependencies = (*record.inputs, *record.materials)
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE.format(kind=record.kind),
            "externalParameters": _to_external(record),
            "internalParameters": {
                "step": {"kind": record.kind, "name": record.name},
                **record.facts,
            },
            "resolvedDependencies": [_to_descriptor(item) for item in dependencies],
        },
        "runDetails": {
            "builder": {"id": record.builder, "version": {"weighbridge": __version__}},
            "metadata": {
                "invocationId": record.invocation,
                **_to_times(record, "startedOn", "finishedOn"),
            },
            "byproducts": [_to_descriptor(item) for item in record.byproducts],
        },
    }


def _to_external(record: StepRecord) -> dict[str, JsonValue]:
    """Return what a user of the builder chose: references, and no digests."""
    external: dict[str, JsonValue] = {
        "entryPoint": list(record.entry_point),
        "parameters": dict(record.parameters),
        "inputs": {item.name: to_reference(item.uri) for item in record.inputs},
    }
    if record.source:
        external["source"] = {"uri": record.source, "path": record.source_path}
    return external


def _to_descriptor(item: Dependency) -> dict[str, JsonValue]:
    descriptor: dict[str, JsonValue] = {"name": item.name}
    if item.uri:
        descriptor["uri"] = item.uri
    if item.digest:
        descriptor["digest"] = dict(item.digest)
    annotations = {**({"role": item.role} if item.role else {}), **item.annotations}
    if annotations:
        descriptor["annotations"] = dict(annotations)
    return descriptor


def _to_times(record: StepRecord, start: str, end: str) -> dict[str, JsonValue]:
    """Return when the step ran, as far as that is known."""
    times = {start: record.started_at, end: record.finished_at}
    return {name: f"{moment:%Y-%m-%dT%H:%M:%SZ}" for name, moment in times.items() if moment}
