"""Files: hash each once, in batches, and let an inspector look at it in the same read."""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from weighbridge.artifact._hashers import FileHasher, hash_parts
from weighbridge.artifact._reader import BytesSource, CheckedReader
from weighbridge.artifact._stream import hash_range
from weighbridge.artifact._tree import Entry, identify
from weighbridge.core import Part, ReadFailure, ReadFailureKind, Resource
from weighbridge.errors import ArtifactChangedError, IncompleteError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import ThreadPoolExecutor
    from threading import Event

    from weighbridge.artifact._hashers import Hash, MakeHash
    from weighbridge.core import Limits, Serialization
    from weighbridge.core.ports import Executor, Inspector, Progress

__all__ = ["Job", "Result", "one_file_dominates", "run_batches"]

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

Result = ReadFailure | tuple[Resource, T | None, tuple[Part, ...]]


@dataclass(frozen=True, slots=True)
class Job(Generic[T_co]):
    """What every worker needs."""

    folder: int
    limits: Limits
    inspector: Inspector[T_co] | None
    progress: Progress | None
    overlap: bool
    stopped: Event
    serialization: Serialization
    make_hash: MakeHash | None

    @property
    def whole_bytes(self) -> int:
        """Up to which size a file is read as a whole, with a bound, and looked at afterwards."""
        return _WHOLE_BYTES if self.inspector is None else _INSPECT_WHOLE_BYTES

    def advance(self, done_bytes: int) -> None:
        """Tell that so much more is done; called by every worker, a few times for each file.

        Raises:
            IncompleteError: The work was given up, so that a worker must not go on.
        """
        if self.stopped.is_set():
            raise IncompleteError("the work was given up")
        if self.progress is not None:
            self.progress.advance(done_bytes)


def one_file_dominates(entries: Sequence[Entry], total_bytes: int) -> bool:
    """Tell whether cores would be idle unless one of them read ahead for another."""
    return any(2 * entry.size_bytes > total_bytes for entry in entries)


def run_batches(job: Job[T], entries: list[Entry], executor: Executor) -> list[Result[T]]:
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
    sizes = [entry.size_bytes for entry in entries]
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


def _weigh_file(job: Job[T], entry: Entry) -> Result[T]:
    try:
        descriptor = os.open(entry.path, _OPEN_FILE, dir_fd=job.folder)
    except OSError as error:
        return _to_failure(entry, error)
    try:
        if entry.size_bytes <= job.whole_bytes:
            return _weigh_whole(job, entry, _read_whole(descriptor, entry))
        return _weigh_large(job, entry, descriptor)
    except ArtifactChangedError:
        return ReadFailure(entry.name, ReadFailureKind.CHANGED, "changed while it was read")
    except OSError as error:
        return _to_failure(entry, error)
    finally:
        os.close(descriptor)


def _to_failure(entry: Entry, error: OSError) -> ReadFailure:
    reason = (error.strerror or type(error).__name__).lower()
    if isinstance(error, FileNotFoundError):
        return ReadFailure(entry.name, ReadFailureKind.CHANGED, "went away while it was read")
    return ReadFailure(entry.name, ReadFailureKind.UNREADABLE, f"cannot be read: {reason}")


def _read_whole(descriptor: int, entry: Entry) -> bytes:
    """Read a small file; one byte more than its size is asked for, to see it grow."""
    size = entry.size_bytes
    data = os.read(descriptor, size + 1)
    while len(data) < size:
        more = os.read(descriptor, size + 1 - len(data))
        if not more:
            break
        data += more
    if len(data) != size or identify(os.fstat(descriptor)) != entry.identity:
        raise ArtifactChangedError((entry.name,))
    return data


def _weigh_whole(job: Job[T], entry: Entry, data: bytes) -> Result[T]:
    digest = hashlib.sha256(data).hexdigest()
    parts: tuple[Part, ...] = ()
    if job.make_hash and entry.in_scope:
        parts = hash_parts(entry.name, data, job.serialization, job.make_hash)
    said = job.inspector(BytesSource(entry.name, data)) if job.inspector else None
    job.advance(len(data))
    return Resource(entry.name, len(data), digest), said, parts


def _weigh_large(job: Job[T], entry: Entry, descriptor: int) -> Result[T]:
    if identify(os.fstat(descriptor)) != entry.identity:
        raise ArtifactChangedError((entry.name,))
    if not (job.make_hash and entry.in_scope):
        digest, said = _read_large(job, entry, descriptor, hashlib.sha256())
        return Resource(entry.name, entry.size_bytes, digest), said, ()
    with _second_thread(wanted=job.overlap) as beside:
        hasher = FileHasher(entry.name, job.serialization, job.make_hash, beside)
        digest, said = _read_large(job, entry, descriptor, hasher)
    return Resource(entry.name, entry.size_bytes, digest), said, hasher.finish()


@contextmanager
def _second_thread(*, wanted: bool) -> Iterator[ThreadPoolExecutor | None]:
    """Give a thread for the second hash of a file, if a core would be idle otherwise."""
    if not wanted:
        yield None
        return
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - costs start-up time

    with ThreadPoolExecutor(1, thread_name_prefix="weighbridge-hash") as pool:
        yield pool


def _read_large(job: Job[T], entry: Entry, descriptor: int, hasher: Hash) -> tuple[str, T | None]:
    if job.inspector is not None:
        reader = CheckedReader(
            descriptor,
            entry.name,
            entry.identity,
            limits=job.limits,
            advance=job.advance,
            hasher=hasher,
        )
        said = job.inspector(reader)
        return reader.finish(overlap=job.overlap), said
    size = entry.size_bytes
    done = hash_range(descriptor, hasher, 0, size, overlap=job.overlap, advance=job.advance)
    if done != size or identify(os.fstat(descriptor)) != entry.identity:
        raise ArtifactChangedError((entry.name,))
    return hasher.hexdigest(), None
