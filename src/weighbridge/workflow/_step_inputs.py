"""What goes into a step and what comes out: named, hashed, and unchanged meanwhile."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.artifact import describe_cached, find_changes, refuse_changes, weigh_cached
from weighbridge.core import ArtifactKind, Dependency, printable
from weighbridge.errors import ArtifactChangedError, InputError
from weighbridge.provenance import is_lock_file, is_remote, parse_remote_input, to_file_uri
from weighbridge.workflow._paths import to_path
from weighbridge.workflow._step_watch import Grant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.artifact import DigestCache, Tree
    from weighbridge.core import Limits
    from weighbridge.core.ports import Executor, Progress, StrPath

__all__ = [
    "Output",
    "StepInput",
    "check_outputs",
    "describe_path",
    "hash_inputs",
    "prepare_grant",
    "refuse_changed",
]


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
    return to_file_uri(os.fsencode(path).decode("utf-8", "surrogateescape"))


def hash_inputs(
    inputs: Mapping[str, StrPath],
    *,
    executor: Executor,
    limits: Limits,
    progress: Progress | None = None,
    cache: DigestCache | None = None,
) -> tuple[StepInput, ...]:
    """Hash each input that is on this machine, in the order given, unless the cache knows it.

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
        weighed, cached = weigh_cached(
            path, cache, executor=executor, limits=limits, progress=progress
        )
        manifest = weighed.to_manifest()
        refuse_changes(weighed.tree, path, limits=limits)
        facts = {
            "kind": manifest.kind.value,
            "files": str(len(manifest.resources)),
            "bytes": str(manifest.size_bytes),
            **describe_cached(cached),
        }
        if manifest.kind is ArtifactKind.FILE and is_lock_file(path.name):
            facts["lockFile"] = path.name
        digest = {"sha256": manifest.compute_digest().hex}
        dependency = Dependency(name, digest, uri=describe_path(path), role=name, annotations=facts)
        found.append(StepInput(dependency, path, weighed.tree))
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
        Path(os.path.realpath(to_path(path, what=f"input {name!r}"))): f"input {name!r}"
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


def prepare_grant(
    readable: tuple[Path, ...], outputs: tuple[Output, ...], *, hidden: tuple[Path, ...]
) -> Grant:
    """Return what a step inside walls may touch; the folders of its outputs are made.

    An output that is there is granted itself. For one that is not, its folder is, which therefore
    must not hold anything else that matters.

    Raises:
        InputError: The folder of an output holds an input, the key, or the current folder.
    """
    kept_apart = [Path.cwd(), *readable, *hidden]
    writable = []
    held = []
    for output in outputs:
        if os.path.exists(output.path):  # noqa: PTH110 - false, too, where nobody may look
            writable.append(output.path.absolute())
            held += [str(output.path)] if _holds_anything(output.path) else []
            continue
        folder = Path(os.path.realpath(output.path.parent))
        for path in kept_apart:
            real = Path(os.path.realpath(path))
            if folder in (real, *real.parents):
                raise InputError(
                    f"the folder of the output {output.name!r} holds more than outputs; give it a "
                    "folder of its own, or make the output first, as an empty file or folder"
                )
        folder.mkdir(parents=True, exist_ok=True)
        held += [str(folder)] if _holds_anything(folder) else []
        writable.append(folder)
    return Grant(
        tuple(path.absolute() for path in readable),
        tuple(writable),
        tuple(path.absolute() for path in hidden),
        tuple(dict.fromkeys(held)),
    )


def _holds_anything(path: Path) -> bool:
    """Tell whether there is anything to read; where nobody may look, nobody may read."""
    try:
        return any(path.iterdir()) if path.is_dir() else path.stat().st_size > 0
    except OSError:
        return False
