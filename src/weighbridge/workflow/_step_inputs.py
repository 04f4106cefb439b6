"""What goes into a step and what comes out: named, hashed, and unchanged meanwhile."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from weighbridge.artifact import build_manifest, find_changes, walk
from weighbridge.core import Dependency, printable
from weighbridge.errors import ArtifactChangedError, InputError
from weighbridge.provenance import is_remote, parse_remote_input
from weighbridge.workflow._paths import to_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.artifact import Tree
    from weighbridge.core import Limits
    from weighbridge.core.ports import Executor, Progress, StrPath

__all__ = ["Output", "StepInput", "check_outputs", "describe_path", "hash_inputs", "refuse_changed"]


@dataclass(frozen=True, slots=True)
class StepInput:
    """One input.

    Attributes:
        dependency: What is recorded of it.
        path: Where it is; None if the step fetches it itself.
        tree: Its files as they were listed when they were hashed.
    """

    dependency: Dependency
    path: Path | None = None
    tree: Tree | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """One output: what the step calls it, and where it will be."""

    name: str
    path: Path


def describe_path(path: Path) -> str:
    """Return a path as a URI: ``file:data/train.parquet``, relative if it was given so."""
    return f"file:{quote(os.fsencode(path))}"


def hash_inputs(
    inputs: Mapping[str, StrPath],
    *,
    executor: Executor,
    limits: Limits,
    progress: Progress | None = None,
) -> tuple[StepInput, ...]:
    """Hash each input that is on this machine, in the order given.

    Raises:
        InputError: One is missing, holds what cannot be hashed, or bears no digest.
        ArtifactChangedError: A file changed meanwhile.
    """
    found = []
    for name, given in inputs.items():
        if isinstance(given, str) and is_remote(given):
            found.append(StepInput(parse_remote_input(name, given)))
            continue
        path = to_path(given, what=f"input {name!r}")
        tree = walk(path, limits=limits)
        manifest = build_manifest(path, executor=executor, limits=limits, progress=progress)
        facts = {
            "kind": manifest.kind.value,
            "files": str(len(manifest.resources)),
            "bytes": str(manifest.size_bytes),
        }
        digest = {"sha256": manifest.compute_digest().hex}
        dependency = Dependency(name, digest, uri=describe_path(path), role=name, annotations=facts)
        found.append(StepInput(dependency, path, tree))
    return tuple(found)


def refuse_changed(inputs: tuple[StepInput, ...], *, limits: Limits) -> None:
    """List the inputs again.

    Raises:
        ArtifactChangedError: The step, or somebody else, changed one.
    """
    changed = [
        f"{item.dependency.name}/{printable(name)}"
        for item in inputs
        if item.path is not None and item.tree is not None
        for name in find_changes(item.tree, item.path, limits=limits)
    ]
    if changed:
        raise ArtifactChangedError(tuple(changed))


def check_outputs(
    outputs: Mapping[str, StrPath], inputs: Mapping[str, StrPath]
) -> tuple[Output, ...]:
    """Return the outputs, none of which is an input, in one, or around one.

    Raises:
        InputError: There is none, or two that are one, or one that is also an input.
    """
    if not outputs:
        raise InputError("a step without an output leaves nothing to speak of; name one")
    found = tuple(Output(n, to_path(p, what=f"output {n!r}")) for n, p in outputs.items())
    taken = {
        Path(os.path.realpath(path)): f"input {name!r}"
        for name, path in inputs.items()
        if not (isinstance(path, str) and is_remote(path))
    }
    for output in found:
        real = Path(os.path.realpath(output.path))
        for other, words in taken.items():
            if real == other or real in other.parents or other in real.parents:
                raise InputError(
                    f"the output {output.name!r} and the {words} overlap; keep them apart"
                )
        taken[real] = f"output {output.name!r}"
    return found
