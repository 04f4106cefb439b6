"""Weigh: from a path to a manifest, reading each file once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Generic, TypeVar

from weighbridge.artifact._changes import refuse_changes
from weighbridge.artifact._files import Job, one_file_dominates, run_batches
from weighbridge.artifact._hashers import choose_hash
from weighbridge.artifact._scope import WHOLE
from weighbridge.artifact._walk import walk
from weighbridge.core import (
    PLAIN,
    Listing,
    Manifest,
    Method,
    ReadFailure,
    ReadFailureKind,
    Resource,
    printable,
)
from weighbridge.errors import (
    ArtifactChangedError,
    InputError,
    LimitExceededError,
)

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from weighbridge.artifact._scope import Scope
    from weighbridge.artifact._tree import Tree
    from weighbridge.core import Limits, Serialization
    from weighbridge.core.ports import Executor, Inspector, Progress

__all__ = ["Weighed", "build_manifest", "weigh", "weigh_tree"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Weighed(Generic[T]):
    """What weighing gave.

    Attributes:
        tree: What was there when it was listed.
        resources: What was hashed, sorted by name.
        inspections: What the inspector said, in the order of ``tree.entries``, for each file that
            could be read; empty without an inspector.
        failures: What could not be hashed, sorted by name.
        listing: What was hashed, in another serialization; None for the plain one.
    """

    tree: Tree
    resources: tuple[Resource, ...]
    inspections: tuple[T, ...]
    failures: tuple[ReadFailure, ...]
    listing: Listing | None = None

    def to_manifest(self) -> Manifest:
        """Return the manifest.

        Raises:
            InputError: Something is not a regular file, or cannot be read.
            ArtifactChangedError: A file changed while it was read.
        """
        changed = tuple(f.name for f in self.failures if f.kind is ReadFailureKind.CHANGED)
        for failure in self.failures:
            if failure.kind is ReadFailureKind.REFUSED:
                raise InputError(
                    f"{printable(failure.name)} {failure.reason}; "
                    "remove it or replace it with a regular file"
                )
            if failure.kind is ReadFailureKind.UNREADABLE:
                raise InputError(
                    f"{printable(failure.name)} {failure.reason}; make it readable, then run again"
                )
        if changed:
            raise ArtifactChangedError(tuple(printable(name) for name in changed))
        return Manifest(
            kind=self.tree.kind,
            label=self.tree.label,
            resources=self.resources,
            left_out=self.tree.left_out,
            listing=self.listing,
        )


def build_manifest(  # noqa: PLR0913 - each is one thing that varies
    root: Path,
    *,
    executor: Executor,
    limits: Limits,
    signature: Path | None = None,
    scope: Scope = WHOLE,
    serialization: Serialization = PLAIN,
    progress: Progress | None = None,
) -> Manifest:
    """Hash every regular file of the artifact at ``root``.

    Reads each file once, in chunks; memory stays below 16 MiB whatever the files' sizes. Symbolic
    links are refused, not followed.

    Args:
        root: A file or a folder.
        executor: Runs the batches of files.
        limits: ``max_entries`` and ``max_path_depth`` apply.
        signature: The signature file, if it is not ``model.sig`` in the folder.
        scope: What else is left out, and whether links are followed.
        serialization: If it is not the plain one, the same read also gives the digests of this
            one, in ``listing``.
        progress: Is told the bytes.

    Returns:
        Resources sorted by POSIX name in the order of code points; sizes in bytes.

    Raises:
        InputError: ``root`` is missing, empty, or holds something that is not a readable regular
            file.
        ArtifactChangedError: A file changed meanwhile.
        LimitExceededError: Too many entries or shards, or too deep.
        MissingExtraError: BLAKE3 is asked for and not installed.

    Source:
        in-toto ``dirHash``; OpenSSF Model Signing v1.0, section 6.3.1.
    """
    weighed: Weighed[None] = weigh(
        root,
        executor=executor,
        limits=limits,
        signature=signature,
        scope=scope,
        serialization=serialization,
        progress=progress,
    )
    manifest = weighed.to_manifest()
    refuse_changes(weighed.tree, root, limits=limits, signature=signature, scope=scope)
    return manifest


def weigh(  # noqa: PLR0913 - each is one thing that varies
    root: Path,
    *,
    executor: Executor,
    limits: Limits,
    inspector: Inspector[T] | None = None,
    signature: Path | None = None,
    scope: Scope = WHOLE,
    serialization: Serialization = PLAIN,
    progress: Progress | None = None,
) -> Weighed[T]:
    """Hash every file and let ``inspector`` look at it in the same read.

    What cannot be hashed becomes a failure; the other files are still hashed and inspected.

    Args:
        root: A file or a folder.
        executor: Runs the batches of files.
        limits: ``max_entries``, ``max_path_depth`` and ``max_kept_bytes`` apply.
        inspector: Called once for each readable file, from any worker. Files outside the scope
            are inspected too, though not hashed into the manifest; except those below ``.git``.
        signature: The signature file, if it is not ``model.sig`` in the folder.
        scope: What else is left out, and whether links are followed.
        serialization: If it is not the plain one, the same read also gives the digests of this
            one, in ``listing``.
        progress: Is told the bytes.

    Raises:
        InputError: ``root`` is missing, empty, a link or a device.
        LimitExceededError: Too many entries or shards, or too deep.
        MissingExtraError: BLAKE3 is asked for and not installed.
    """
    tree = walk(root, limits=limits, signature=signature, scope=scope)
    return weigh_tree(
        tree,
        executor=executor,
        limits=limits,
        inspector=inspector,
        serialization=serialization,
        progress=progress,
    )


def weigh_tree(  # noqa: PLR0913 - each is one thing that varies
    tree: Tree,
    *,
    executor: Executor,
    limits: Limits,
    only: AbstractSet[str] | None = None,
    inspector: Inspector[T] | None = None,
    serialization: Serialization = PLAIN,
    progress: Progress | None = None,
) -> Weighed[T]:
    """Hash files of an artifact that is listed already, as :func:`weigh` does.

    Args:
        tree: As :func:`walk` gave it.
        executor: Runs the batches of files.
        limits: ``max_kept_bytes`` and ``max_entries`` apply.
        only: The names of the files to look at; the others are not opened.
        inspector: As for :func:`weigh`.
        serialization: As for :func:`weigh`.
        progress: Is told the bytes.
    """
    make_hash = None if serialization == PLAIN else choose_hash(serialization.hash_type)
    _bound_parts(tree, serialization, limits)
    entries = [
        entry
        for entry in tree.entries
        if (entry.in_scope or inspector is not None) and (only is None or entry.name in only)
    ]
    total_bytes = sum([entry.size_bytes for entry in entries])
    if progress is not None:
        progress.start(total_bytes)
    folder = os.open(tree.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        job = Job(
            folder=folder,
            limits=limits,
            inspector=inspector,
            progress=progress,
            stopped=Event(),
            overlap=one_file_dominates(entries, total_bytes) and executor.workers > 1,
            serialization=serialization,
            make_hash=make_hash,
        )
        results = run_batches(job, entries, executor)
    finally:
        os.close(folder)
    hashed = [
        result
        for entry, result in zip(entries, results, strict=True)
        if not isinstance(result, ReadFailure) and entry.in_scope
    ]
    parts = tuple(part for result in hashed for part in result[2]) if make_hash else ()
    return Weighed(
        tree=tree,
        resources=tuple(result[0] for result in hashed),
        inspections=tuple(
            result[1]
            for result in results
            if not isinstance(result, ReadFailure) and result[1] is not None
        ),
        failures=tuple(
            sorted(
                (*tree.failures, *(r for r in results if isinstance(r, ReadFailure))),
                key=lambda failure: failure.name,
            )
        ),
        listing=Listing(serialization, parts) if make_hash else None,
    )


def _bound_parts(tree: Tree, serialization: Serialization, limits: Limits) -> None:
    """Refuse shards so small that their digests would fill the memory."""
    if serialization.method is Method.FILES:  # no more than there are entries
        return
    count = sum(serialization.count_parts(e.size_bytes) for e in tree.entries)
    if count > limits.max_entries:
        raise LimitExceededError(
            "max_entries",
            limit=limits.max_entries,
            actual=count,
            subject=f"shards of {printable(tree.label)}",
        )
