"""Steps: what a step took in, made and was seen to touch."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from weighbridge.core._json import JsonValue

__all__ = ["Completeness", "Dependency", "Observation", "Refusal", "StepRecord"]

_BYTES = re.compile(r"[0-9]{1,15}")
# Data may be called requirements.txt; a list of packages is never so long.
_MAX_LOCK_BYTES = 64 * 1024 * 1024


class Completeness(StrEnum):
    """How well it is known that no input is missing; in rising order."""

    UNKNOWN = "unknown"
    DECLARED = "declared"
    OBSERVED = "observed"
    ENFORCED = "enforced"

    @property
    def rank(self) -> int:
        """0 for the weakest."""
        return _RANKS[self]


_RANKS = {completeness: rank for rank, completeness in enumerate(Completeness)}


@dataclass(frozen=True, slots=True)
class Dependency:
    """One thing that went into a step: a ResourceDescriptor.

    Attributes:
        name: What the step calls it; a label.
        digest: Algorithm to lower-case hex; may be empty if nobody could compute it.
        uri: Where it is from, or a package URL; may be empty.
        role: What it was to the step: ``data``, ``base-model``, ``source``, ``package``, ...
        annotations: Anything else, as strings.

    Source:
        in-toto Attestation Framework v1, ResourceDescriptor; SLSA v1.0, resolvedDependencies.
    """

    name: str
    digest: Mapping[str, str]
    uri: str = ""
    role: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_lock_file(self) -> bool:
        """Whether it lists what is to be installed, so that nothing was made from it.

        Whoever runs a step chooses what its files are called. So a folder is none, whatever its
        name, nor is a file that is larger than such lists are.
        """
        said = self.annotations
        if "lockFile" not in said or said.get("kind", "file") != "file":
            return False
        size = said.get("bytes", "0")
        return _BYTES.fullmatch(size) is not None and int(size) <= _MAX_LOCK_BYTES


class Refusal(NamedTuple):
    """One call that a monitor saw fail, since it was not allowed.

    Attributes:
        path: Absolute, as the monitor resolved it.
        error: The name of the error, such as ``EACCES``.
        writing: Whether the call was to write, create, rename or remove.
        times: How often it was tried.
    """

    path: str
    error: str
    writing: bool
    times: int = 1


@dataclass(frozen=True, slots=True)
class Observation:
    """What a monitor saw a process and its children do with files and the network.

    Paths are absolute, as the system resolved them when they were opened; bytes that are no UTF-8
    are kept as surrogates.

    Attributes:
        monitor: A URI that names the monitor.
        reads: Files that were opened for reading, mapped, or executed; sorted.
        writes: Files that were created, opened for writing, renamed to or removed; sorted.
        connections: Addresses that were connected to, in words; sorted.
        gaps: Why something may have been missed, in words; empty if nothing was.
        refusals: What it was not allowed to open; sorted.
    """

    monitor: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    connections: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A step as it is written down: SLSA Provenance v1 without its JSON.

    Attributes:
        kind: What was done: ``train``, ``clean``, ``quantize``, ...
        name: What its author calls it; a label.
        builder: A URI that names who ran it; which level it deserves, the verifier decides.
        entry_point: The command, or the function, with nothing secret in it.
        parameters: Name to value, as strings.
        inputs: What it declared to take in, with roles and digests.
        materials: What else went in: source, interpreter, packages, image, what a monitor saw.
        facts: Whatever else is worth knowing, as JSON of strings; under internalParameters.
        byproducts: What came out besides the subjects: the trace, logs.
        source: Where the step's code is from; empty if nobody knows.
        source_path: The path of the step's code in there; may be empty.
        invocation: A URI that names this one run.
        started_at: Aware; None if nobody knows.
        finished_at: Likewise.
    """

    kind: str
    name: str
    builder: str
    entry_point: tuple[str, ...]
    parameters: Mapping[str, str]
    inputs: tuple[Dependency, ...]
    started_at: datetime | None
    finished_at: datetime | None
    invocation: str
    materials: tuple[Dependency, ...] = ()
    facts: Mapping[str, JsonValue] = field(default_factory=dict)
    byproducts: tuple[Dependency, ...] = ()
    source: str = ""
    source_path: str = ""

    @property
    def followed(self) -> tuple[Dependency, ...]:
        """What the step was made from, as lineages follow it: declared, and read undeclared.

        Not lock files, source, packages and the like, which say what ran and not what went in.
        """
        return (
            *[item for item in self.inputs if not item.is_lock_file],
            *[item for item in self.materials if item.role == "undeclared"],
        )
