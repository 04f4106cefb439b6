"""Weigh: from a path to a manifest, reading each file once."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Generic, TypeVar

from weighbridge.artifact._hashers import FileHasher, choose_hash
from weighbridge.artifact._reader import BytesSource, CheckedReader
from weighbridge.artifact._scope import WHOLE
from weighbridge.artifact._stream import hash_range
from weighbridge.artifact._walk import Entry, Identity, Tree, walk
from weighbridge.core import (
    PLAIN,
    Listing,
    Manifest,
    Part,
    ReadFailure,
    ReadFailureKind,
    Resource,
    printable,
)
from weighbridge.errors import (
    ArtifactChangedError,
    IncompleteError,
    InputError,
    LimitExceededError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from weighbridge.artifact._scope import Scope
    from weighbridge.core import Limits, Serialization
    from weighbridge.core.ports import Executor, Inspector, Progress

__all__ = ["Weighed", "build_manifest", "find_changes", "weigh", "weigh_tree"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

# O_NONBLOCK: a named pipe that took a file's place must not stop us; regular files ignore it.
_OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WHOLE_BYTES = 1024 * 1024
_INSPECT_WHOLE_BYTES = 8 * 1024 * 1024
# What opening a file costs, in bytes that could have been hashed meanwhile.
_FILE_COST_BYTES = 16 * 1024
_TINY_BYTES = 16 * 1024
_BATCHES_PER_WORKER = 16


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
    if changes := find_changes(weighed.tree, root, limits=limits, signature=signature, scope=scope):
        raise ArtifactChangedError(tuple(printable(name) for name in changes))
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
    begin_file = _choose_hasher(serialization)
    _bound_parts(tree, serialization, limits)
    entries = [
        entry
        for entry in tree.entries
        if (entry.in_scope or inspector is not None) and (only is None or entry.name in only)
    ]
    total_bytes = sum(entry.identity.size_bytes for entry in entries)
    if progress is not None:
        progress.start(total_bytes)
    folder = os.open(tree.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        job = _Job(
            folder=folder,
            limits=limits,
            inspector=inspector,
            progress=progress,
            stopped=Event(),
            overlap=_one_file_dominates(entries, total_bytes) and executor.workers > 1,
            begin_file=begin_file,
        )
        results = _run_batches(job, entries, executor)
    finally:
        os.close(folder)
    hashed = [
        result
        for entry, result in zip(entries, results, strict=True)
        if not isinstance(result, ReadFailure) and entry.in_scope
    ]
    parts = tuple(part for result in hashed for part in result[2]) if begin_file else ()
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
        listing=Listing(serialization, parts) if begin_file else None,
    )


def _choose_hasher(serialization: Serialization) -> Callable[[str], FileHasher] | None:
    """Return what begins the hashing of a file in another serialization; None for the plain one."""
    if serialization == PLAIN:
        return None
    make_hash = choose_hash(serialization.hash_type)
    return lambda name: FileHasher(name, serialization, make_hash)


def _bound_parts(tree: Tree, serialization: Serialization, limits: Limits) -> None:
    """Refuse shards so small that their digests would fill the memory."""
    count = sum(serialization.count_parts(e.identity.size_bytes) for e in tree.entries)
    if count > limits.max_entries:
        raise LimitExceededError(
            "max_entries",
            limit=limits.max_entries,
            actual=count,
            subject=f"shards of {printable(tree.label)}",
        )


def find_changes(
    tree: Tree,
    root: Path,
    *,
    limits: Limits,
    signature: Path | None = None,
    scope: Scope = WHOLE,
    out_of_scope: bool = False,
) -> tuple[str, ...]:
    """List the artifact again and name what is not as it was: changed, gone or new, sorted.

    Compares device, inode, size and both times; reads no contents.

    Args:
        tree: The artifact as it was listed.
        root: Where it is.
        limits: As for listing it first.
        signature: As for listing it first.
        scope: As for listing it first.
        out_of_scope: Whether files outside the scope count, because they were examined too.
    """
    try:
        now = walk(root, limits=limits, signature=signature, scope=scope)
    except InputError:
        return (tree.label,)
    if now.entries == tree.entries and now.failures == tree.failures:
        return ()
    before = {e.name: e.identity for e in tree.entries if e.in_scope or out_of_scope}
    after = {e.name: e.identity for e in now.entries if e.in_scope or out_of_scope}
    names = {name for name, identity in before.items() if after.get(name) != identity}
    names |= after.keys() - before.keys()
    names |= {failure.name for failure in {*now.failures} ^ {*tree.failures}}
    return tuple(sorted(names))


_Result = ReadFailure | tuple[Resource, T | None, tuple[Part, ...]]


@dataclass(frozen=True, slots=True)
class _Job(Generic[T_co]):
    """What every worker needs."""

    folder: int
    limits: Limits
    inspector: Inspector[T_co] | None
    progress: Progress | None
    overlap: bool
    stopped: Event
    begin_file: Callable[[str], FileHasher] | None

    def advance(self, done_bytes: int) -> None:
        """Tell that so much more is done; called by every worker, a few times for each file.

        Raises:
            IncompleteError: The work was given up, so that a worker must not go on.
        """
        if self.stopped.is_set():
            raise IncompleteError("the work was given up")
        if self.progress is not None:
            self.progress.advance(done_bytes)


def _one_file_dominates(entries: Sequence[Entry], total_bytes: int) -> bool:
    """Tell whether cores would be idle unless one of them read ahead for another."""
    return any(2 * entry.identity.size_bytes > total_bytes for entry in entries)


def _run_batches(job: _Job[T], entries: list[Entry], executor: Executor) -> list[_Result[T]]:
    batches = _cut(entries, executor.workers)
    done = executor.map(lambda batch: [_weigh_file(job, entries[i]) for i in batch], batches)
    try:
        by_index = {
            index: result
            for batch, results in zip(batches, done, strict=True)
            for index, result in zip(batch, results, strict=True)
        }
    except BaseException:
        job.stopped.set()  # interrupted, for instance: the other workers are to stop soon
        raise
    return [by_index[index] for index in range(len(entries))]


def _cut(entries: list[Entry], workers: int) -> list[list[int]]:
    """Cut ``entries`` into batches of about equal cost, the heaviest first; return their indices.

    The heaviest come first so that no worker begins a large file when the others are done. Very
    small files are one batch: two threads that open and close files hinder each other more than
    they help, because each call gives up the interpreter's lock and has to get it back.
    """
    sizes = [entry.identity.size_bytes for entry in entries]
    tiny = [index for index, size in enumerate(sizes) if size <= _TINY_BYTES]
    total = sum(sizes) + _FILE_COST_BYTES * len(entries)
    target = max(total // (workers * _BATCHES_PER_WORKER), 64 * _FILE_COST_BYTES)
    batches = [(len(tiny) * _FILE_COST_BYTES, tiny)] if tiny else []
    run: list[int] = []
    weight = 0
    for index, size in enumerate(sizes):
        if size > _TINY_BYTES:
            run.append(index)
            weight += size + _FILE_COST_BYTES
            if weight >= target:
                batches.append((weight, run))
                run, weight = [], 0
    if run:
        batches.append((weight, run))
    return [batch for _, batch in sorted(batches, key=lambda item: -item[0])]


def _weigh_file(job: _Job[T], entry: Entry) -> _Result[T]:
    try:
        descriptor = os.open(entry.path, _OPEN_FILE, dir_fd=job.folder)
    except OSError as error:
        return _to_failure(entry, error)
    try:
        size = entry.identity.size_bytes
        # A small file is read as a whole, with a bound, and looked at afterwards.
        if size > _WHOLE_BYTES and Identity.of(os.fstat(descriptor)) != entry.identity:
            raise ArtifactChangedError((entry.name,))  # noqa: TRY301 - one way out for all
        said: T | None = None
        hasher = job.begin_file(entry.name) if job.begin_file and entry.in_scope else None
        if job.inspector is None:
            digest = _hash_only(job, descriptor, entry, hasher)
        elif size <= _INSPECT_WHOLE_BYTES:
            digest, said = _inspect_whole(job, descriptor, entry, hasher)
        else:
            digest, said = _inspect_large(job, descriptor, entry, hasher)
    except ArtifactChangedError:
        return ReadFailure(entry.name, ReadFailureKind.CHANGED, "changed while it was read")
    except OSError as error:
        return _to_failure(entry, error)
    finally:
        os.close(descriptor)
    return Resource(entry.name, size, digest), said, hasher.finish() if hasher else ()


def _to_failure(entry: Entry, error: OSError) -> ReadFailure:
    reason = (error.strerror or type(error).__name__).lower()
    if isinstance(error, FileNotFoundError):
        return ReadFailure(entry.name, ReadFailureKind.CHANGED, "went away while it was read")
    return ReadFailure(entry.name, ReadFailureKind.UNREADABLE, f"cannot be read: {reason}")


def _read_whole(descriptor: int, entry: Entry) -> bytes:
    """Read a small file; one byte more than its size is asked for, to see it grow."""
    size = entry.identity.size_bytes
    data = os.read(descriptor, size + 1)
    while len(data) < size:
        more = os.read(descriptor, size + 1 - len(data))
        if not more:
            break
        data += more
    if len(data) != size or Identity.of(os.fstat(descriptor)) != entry.identity:
        raise ArtifactChangedError((entry.name,))
    return data


def _hash_whole(data: bytes, hasher: FileHasher | None) -> str:
    if hasher is None:
        return hashlib.sha256(data).hexdigest()
    hasher.update(data)
    return hasher.hexdigest()


def _hash_only(job: _Job[T], descriptor: int, entry: Entry, hasher: FileHasher | None) -> str:
    size = entry.identity.size_bytes
    if size <= _WHOLE_BYTES:
        digest = _hash_whole(_read_whole(descriptor, entry), hasher)
        job.advance(size)
        return digest
    whole = hasher or hashlib.sha256()
    done = hash_range(descriptor, whole, 0, size, overlap=job.overlap, advance=job.advance)
    if done != size or Identity.of(os.fstat(descriptor)) != entry.identity:
        raise ArtifactChangedError((entry.name,))
    return whole.hexdigest()


def _inspect_whole(
    job: _Job[T], descriptor: int, entry: Entry, hasher: FileHasher | None
) -> tuple[str, T | None]:
    data = _read_whole(descriptor, entry)
    digest = _hash_whole(data, hasher)
    said = job.inspector(BytesSource(entry.name, data)) if job.inspector else None
    job.advance(len(data))
    return digest, said


def _inspect_large(
    job: _Job[T], descriptor: int, entry: Entry, hasher: FileHasher | None
) -> tuple[str, T | None]:
    reader = CheckedReader(
        descriptor,
        entry.name,
        entry.identity,
        limits=job.limits,
        advance=job.advance,
        hasher=hasher,
    )
    said = job.inspector(reader) if job.inspector else None
    return reader.finish(overlap=job.overlap), said
