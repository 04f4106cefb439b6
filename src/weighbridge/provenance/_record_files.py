"""The files that a RECORD lists: hashed; and those beside them that none lists."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.core import Dependency, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from weighbridge.core import Limits
    from weighbridge.core.ports import Executor
    from weighbridge.provenance._records import RecordedFile

__all__ = ["Checked", "check_files", "find_unlisted"]

# Links are followed: installers put links into a cache, and what counts is what is imported. A
# pipe or a device gives other bytes than RECORD says, or none, without being waited for.
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_CHUNK_BYTES = 1024 * 1024
_BATCH_BYTES = 8 * 1024 * 1024
# What opening a file costs, in bytes that could have been hashed meanwhile.
_FILE_COST_BYTES = 16 * 1024
_MAX_LOOSE = 1_000
_MAX_LOOSE_BYTES = 16 * 1024 * 1024
_SHOWN = 5
_CHANGED, _MISSING, _UNREADABLE = "changed", "missing", "unreadable"


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of one RECORD.

    Attributes:
        listed: Absolute paths of all that it lists.
        verified: Of those that have their digest.
        changed: Names of those that have another digest or size.
        missing: Names of those that are not there.
        unknown: What could not be checked, in words.
        size_bytes: Of the verified files.
    """

    listed: tuple[str, ...]
    verified: tuple[str, ...]
    changed: tuple[str, ...]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class _File:
    owner: int
    path: str
    row: RecordedFile


def check_files(
    records: Sequence[tuple[Path, Sequence[RecordedFile]]], *, executor: Executor, limits: Limits
) -> list[Checked]:
    """Hash what each RECORD lists, in batches; one answer for each, in their order.

    Args:
        records: The folder that names are relative to, and the rows.
        executor: Runs one batch each.
        limits: ``max_package_bytes`` bounds what is hashed for one RECORD.
    """
    files: list[_File] = []
    listed: list[tuple[str, ...]] = []
    unknown: list[tuple[str, ...]] = []
    for owner, (folder, rows) in enumerate(records):
        base = os.path.realpath(folder)
        paths = tuple(os.path.normpath(os.path.join(base, row.name)) for row in rows)  # noqa: PTH118
        listed.append(paths)
        own = [_File(owner, p, r) for p, r in zip(paths, rows, strict=True) if r.algorithm]
        words = _find_unhashed(rows)
        total = sum(max(file.row.size_bytes, 0) for file in own)
        if total > limits.max_package_bytes:
            words.append(f"it lists {total:,} bytes, more than max_package_bytes; not checked")
            own = []
        unknown.append(tuple(words))
        files += own
    batches = list(_cut(files))
    done = executor.map(
        lambda batch: [_check_file(file, limits.max_package_bytes) for file in batch], batches
    )
    answers = [
        (file, answer)
        for batch, results in zip(batches, done, strict=True)
        for file, answer in zip(batch, results, strict=True)
    ]
    return _collect(answers, listed, unknown)


def find_unlisted(
    folders: AbstractSet[Path], listed: AbstractSet[str], *, limits: Limits
) -> tuple[tuple[Dependency, ...], list[str]]:
    """Find what lies in package folders and is in no RECORD.

    Loose files at the top, such as ``.pth`` files that run at every start, are hashed; what lies
    inside a package that a RECORD lists, and packages of no RECORD, are problems. Bytecode in
    ``__pycache__`` is left out.

    Args:
        folders: Where distributions were found; those not named ``*-packages`` are left alone.
        listed: Absolute paths that a RECORD lists.
        limits: ``max_entries`` bounds how many files are looked at.
    """
    loose: list[Dependency] = []
    problems: list[str] = []
    for folder in sorted(path for path in folders if path.name.endswith("-packages")):
        base = os.path.realpath(folder)
        owned = {
            path[len(base) + 1 :].partition("/")[0]
            for path in listed
            if path.startswith(f"{base}/")
        }
        try:
            with os.scandir(base) as entries:
                top = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            problems.append(f"cannot list {printable(base)}: {error.strerror}")
            continue
        files = [e for e in top if not e.is_dir(follow_symlinks=False) and e.path not in listed]
        added, said = _hash_loose(base, [e for e in files if not e.name.endswith(".egg-info")])
        loose += added
        problems += said
        below = [e for e in top if e.is_dir(follow_symlinks=False)]
        problems += _tell_unlisted(base, below, owned, listed, limits)
    return tuple(loose), problems


def _find_unhashed(rows: Iterable[RecordedFile]) -> list[str]:
    """Name the rows without a digest that should have one."""
    names = [
        row.name
        for row in rows
        if not row.algorithm
        and not row.name.endswith((".pyc", ".pyo"))
        and row.name.rpartition("/")[2] not in {"RECORD", "RECORD.jws", "RECORD.p7s"}
    ]
    return [f"its RECORD gives no digest for {_join(names)}"] if names else []


def _cut(files: Iterable[_File]) -> Iterator[list[_File]]:
    batch: list[_File] = []
    weight = 0
    for file in files:
        batch.append(file)
        weight += max(file.row.size_bytes, 0) + _FILE_COST_BYTES
        if weight >= _BATCH_BYTES:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


def _check_file(file: _File, limit_bytes: int) -> tuple[str, int]:
    """Return what is wrong, or nothing, and the size in bytes."""
    try:
        descriptor = os.open(file.path, _OPEN)
    except (FileNotFoundError, NotADirectoryError):
        return _MISSING, 0
    except (OSError, ValueError):
        return _UNREADABLE, 0
    try:
        expected_bytes = file.row.size_bytes
        if expected_bytes < 0:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_size > limit_bytes:
                return _UNREADABLE, 0
            expected_bytes = status.st_size
        hasher = hashlib.new(file.row.algorithm)
        done_bytes = 0
        # One byte more than there should be is asked for, to see that there is none.
        while done_bytes <= expected_bytes:
            data = os.read(descriptor, min(expected_bytes + 1 - done_bytes, _CHUNK_BYTES))
            if not data:
                break
            hasher.update(data)
            done_bytes += len(data)
    except OSError:
        return _UNREADABLE, 0
    finally:
        os.close(descriptor)
    same = done_bytes == expected_bytes and hasher.hexdigest() == file.row.digest
    return ("" if same else _CHANGED), done_bytes


def _collect(
    answers: Sequence[tuple[_File, tuple[str, int]]],
    listed: Sequence[tuple[str, ...]],
    unknown: Sequence[tuple[str, ...]],
) -> list[Checked]:
    by_owner: list[dict[str, list[str]]] = [{} for _ in listed]
    sizes = [0] * len(listed)
    for file, (answer, size_bytes) in answers:
        said = file.row.name if answer else file.path
        by_owner[file.owner].setdefault(answer, []).append(said)
        sizes[file.owner] += 0 if answer else size_bytes
    return [
        Checked(
            listed=paths,
            verified=tuple(found.get("", ())),
            changed=tuple(found.get(_CHANGED, ())),
            missing=tuple(found.get(_MISSING, ())),
            unknown=(*words, *_tell_unreadable(found.get(_UNREADABLE, ()))),
            size_bytes=size_bytes,
        )
        for paths, words, found, size_bytes in zip(listed, unknown, by_owner, sizes, strict=True)
    ]


def _tell_unreadable(names: Sequence[str]) -> tuple[str, ...]:
    return (f"cannot be read: {_join(names)}",) if names else ()


def _hash_loose(
    base: str, entries: Sequence[os.DirEntry[str]]
) -> tuple[list[Dependency], list[str]]:
    found: list[Dependency] = []
    not_read = [entry.name for entry in entries[_MAX_LOOSE:]]
    for entry in entries[:_MAX_LOOSE]:
        data = _read_small(entry.path)
        if data is None:
            not_read.append(entry.name)
            continue
        found.append(
            Dependency(
                name=printable(f"{base.rpartition('/')[2]}/{entry.name}"),
                digest={"sha256": hashlib.sha256(data).hexdigest()},
                role="package-file",
            )
        )
    said = f"in {printable(base)}, in no RECORD and not hashed: {_join(not_read)}"
    return found, [said] if not_read else []


def _read_small(path: str) -> bytes | None:
    try:
        descriptor = os.open(path, _OPEN)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_LOOSE_BYTES:
                return None
            data = os.read(descriptor, status.st_size + 1)
        finally:
            os.close(descriptor)
    except OSError:
        return None
    return data if len(data) == status.st_size else None


def _tell_unlisted(
    base: str,
    folders: Iterable[os.DirEntry[str]],
    owned: AbstractSet[str],
    listed: AbstractSet[str],
    limits: Limits,
) -> list[str]:
    strangers: list[str] = []
    planted: list[str] = []
    left = limits.max_entries
    for entry in folders:
        if entry.name.endswith((".dist-info", ".egg-info", ".egg")) or entry.name == "__pycache__":
            continue
        if entry.name not in owned:
            strangers.append(entry.name)
            continue
        for path in _walk_files(entry.path):
            left -= 1
            if path not in listed:
                planted.append(path[len(base) + 1 :])
            if left < 0:
                planted.append("more than max_entries files, of which not all were looked at")
                break
    shown = printable(base)
    said = []
    if planted:
        said.append(f"in {shown}, inside packages whose RECORD does not list it: {_join(planted)}")
    if strangers:
        said.append(f"in {shown}, folders of which no RECORD lists a file: {_join(strangers)}")
    return said


def _walk_files(folder: str) -> Iterator[str]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        yield from (f"{parent}/{name}" for name in sorted(files))
        yield from (p for name in folders if os.path.islink(p := f"{parent}/{name}"))  # noqa: PTH114


def _join(names: Sequence[str]) -> str:
    """Return the first names and the number of the others."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(printable, names[:_SHOWN])) + more
