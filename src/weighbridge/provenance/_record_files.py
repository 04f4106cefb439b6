"""The files that a RECORD lists: hashed; and those beside them that none lists."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from weighbridge.artifact import identify
from weighbridge.core import Dependency, collection_paused, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from weighbridge.artifact import DigestCache, Identity
    from weighbridge.core import Limits
    from weighbridge.core.ports import Executor
    from weighbridge.provenance._records import RecordedFile

__all__ = ["Checked", "check_files", "find_unlisted", "join_names"]

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
        cached: How many of the verified files were not read now.
    """

    listed: tuple[str, ...]
    verified: tuple[str, ...]
    changed: tuple[str, ...]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    size_bytes: int
    cached: int = 0


class _File(NamedTuple):  # there are tens of thousands
    path: str
    row: RecordedFile


class _List(NamedTuple):
    """One RECORD: all that it lists, what of that is checked, and why some of it is not."""

    listed: tuple[str, ...]
    files: Sequence[_File]
    unknown: Sequence[str]


class _Answer(NamedTuple):
    """What came of one file: what is wrong, or its size; its identity if it held still."""

    wrong: str
    size_bytes: int = 0
    identity: Identity | None = None


def check_files(
    records: Sequence[tuple[Path, Sequence[RecordedFile]]],
    *,
    executor: Executor,
    limits: Limits,
    cache: DigestCache | None = None,
) -> list[Checked]:
    """Hash what each RECORD lists, in batches; one answer for each, in their order.

    Args:
        records: The folder that names are relative to, and the rows.
        executor: Runs one batch each.
        limits: ``max_package_bytes`` bounds what is hashed for one RECORD.
        cache: Knows files that have their digest, and is told others.
    """
    lists = _to_lists(records, limits)
    files = [file for one in lists for file in one.files]
    known = [-1] * len(files) if cache is None else _find_known(files, cache)
    left = [file for file, size_bytes in zip(files, known, strict=True) if size_bytes < 0]
    read_from_ns = time.time_ns()
    batches = list(_cut(left))
    done = executor.map(
        lambda batch: [_check_file(file, limits.max_package_bytes) for file in batch], batches
    )
    answers = [answer for results in done for answer in results]
    if cache is not None:
        _remember(left, answers, cache, read_from_ns=read_from_ns)
    sizes, read = iter(known), iter(answers)
    return [_collect(one, sizes, read) for one in lists]


@collection_paused()
def _to_lists(
    records: Sequence[tuple[Path, Sequence[RecordedFile]]], limits: Limits
) -> list[_List]:
    lists = []
    for folder, rows in records:
        base = os.path.realpath(folder)
        listed = tuple([_join_path(base, row.name) for row in rows])
        files = [_File(p, row) for p, row in zip(listed, rows, strict=True) if row.algorithm]
        words = _find_unhashed(rows)
        total = sum([file.row.size_bytes for file in files if file.row.size_bytes > 0])
        if total > limits.max_package_bytes:
            words.append(f"it lists {total:,} bytes, more than max_package_bytes; not checked")
            files = []
        lists.append(_List(listed, files, words))
    return lists


@collection_paused()
def find_unlisted(
    folders: AbstractSet[Path], listed: AbstractSet[str], *, limits: Limits
) -> tuple[dict[str, Dependency], list[str]]:
    """Find what lies in package folders and is in no RECORD.

    Loose files at the top, such as ``.pth`` files that run at every start, are hashed; what lies
    inside a package that a RECORD lists, and packages of no RECORD, are problems. Bytecode in
    ``__pycache__`` is left out.

    Args:
        folders: Where distributions were found; those not named ``*-packages`` are left alone.
        listed: Absolute paths that a RECORD lists.
        limits: ``max_entries`` bounds how many files are looked at.

    Returns:
        Absolute path to the loose file that is there; and problems, in sentences.
    """
    loose: dict[str, Dependency] = {}
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
        loose |= added
        problems += said
        below = [e for e in top if e.is_dir(follow_symlinks=False)]
        problems += _tell_unlisted(base, below, owned, listed, limits)
    return loose, problems


def _join_path(base: str, name: str) -> str:
    if "/." in name or "//" in name or name.startswith(("/", ".")) or name.endswith("/"):
        return os.path.normpath(os.path.join(base, name))  # noqa: PTH118 - bytes that are no UTF-8
    return f"{base}/{name}"


def _find_unhashed(rows: Iterable[RecordedFile]) -> list[str]:
    """Name the rows without a digest that should have one."""
    names = [
        row.name
        for row in rows
        if not row.algorithm
        and not row.name.endswith((".pyc", ".pyo"))
        and row.name.rpartition("/")[2] not in {"RECORD", "RECORD.jws", "RECORD.p7s"}
    ]
    return [f"its RECORD gives no digest for {join_names(names)}"] if names else []


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


@collection_paused()
def _find_known(files: Sequence[_File], cache: DigestCache) -> list[int]:
    """Return the size of each file that had its digest when it was what it is now; -1 of others."""
    identities = [_identify_file(p) if r.algorithm == "sha256" else None for p, r in files]
    asked = {
        identity: file.path for file, identity in zip(files, identities, strict=True) if identity
    }
    digests = cache.find(asked, where=next(iter(asked.values()))) if asked else {}
    return [
        identity[2]
        if identity is not None
        and digests.get(identity) == row.digest
        and row.size_bytes in (-1, identity[2])
        else -1
        for (_, row), identity in zip(files, identities, strict=True)
    ]


def _identify_file(path: str) -> Identity | None:
    try:
        return identify(os.stat(path))  # noqa: PTH116 - for speed
    except (OSError, ValueError):
        return None  # whoever reads it finds out why


def _remember(
    files: Sequence[_File],
    answers: Sequence[_Answer],
    cache: DigestCache,
    *,
    read_from_ns: int,
) -> None:
    cache.add(
        (
            (answer.identity, file.row.digest)
            for file, answer in zip(files, answers, strict=True)
            if answer.identity is not None and file.row.algorithm == "sha256"
        ),
        where=files[0].path if files else "/",
        read_from_ns=read_from_ns,
    )


def _check_file(file: _File, limit_bytes: int) -> _Answer:
    try:
        descriptor = os.open(file.path, _OPEN)
    except (FileNotFoundError, NotADirectoryError):
        return _Answer(_MISSING)
    except (OSError, ValueError):
        return _Answer(_UNREADABLE)
    try:
        status = os.fstat(descriptor)
        expected_bytes = file.row.size_bytes
        if expected_bytes < 0:
            if not stat.S_ISREG(status.st_mode) or status.st_size > limit_bytes:
                return _Answer(_UNREADABLE)
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
        identity = identify(status)
        is_still = stat.S_ISREG(status.st_mode) and identify(os.fstat(descriptor)) == identity
    except OSError:
        return _Answer(_UNREADABLE)
    finally:
        os.close(descriptor)
    if done_bytes != expected_bytes or hasher.hexdigest() != file.row.digest:
        return _Answer(_CHANGED)
    return _Answer("", done_bytes, identity if is_still else None)


def _collect(one: _List, known: Iterator[int], read: Iterator[_Answer]) -> Checked:
    """Take the answers for the files of one list, which are next in each of the two."""
    found: dict[str, list[str]] = {"": [], _CHANGED: [], _MISSING: [], _UNREADABLE: []}
    size_bytes = cached = 0
    for path, row in one.files:
        known_bytes = next(known)
        if known_bytes >= 0:
            found[""].append(path)
            size_bytes += known_bytes
            cached += 1
            continue
        answer = next(read)
        found[answer.wrong].append(row.name if answer.wrong else path)
        size_bytes += answer.size_bytes
    return Checked(
        listed=one.listed,
        verified=tuple(found[""]),
        changed=tuple(found[_CHANGED]),
        missing=tuple(found[_MISSING]),
        unknown=(*one.unknown, *_tell_unreadable(found[_UNREADABLE])),
        size_bytes=size_bytes,
        cached=cached,
    )


def _tell_unreadable(names: Sequence[str]) -> tuple[str, ...]:
    return (f"cannot be read: {join_names(names)}",) if names else ()


def _hash_loose(
    base: str, entries: Sequence[os.DirEntry[str]]
) -> tuple[dict[str, Dependency], list[str]]:
    found: dict[str, Dependency] = {}
    not_read = [entry.name for entry in entries[_MAX_LOOSE:]]
    for entry in entries[:_MAX_LOOSE]:
        data = _read_small(entry.path)
        if data is None:
            not_read.append(entry.name)
            continue
        found[entry.path] = Dependency(
            name=printable(f"{base.rpartition('/')[2]}/{entry.name}"),
            digest={"sha256": hashlib.sha256(data).hexdigest()},
            role="package-file",
        )
    said = f"in {printable(base)}, in no RECORD and not hashed: {join_names(not_read)}"
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
        said.append(
            f"in {shown}, inside packages whose RECORD does not list it: {join_names(planted)}"
        )
    if strangers:
        said.append(f"in {shown}, folders of which no RECORD lists a file: {join_names(strangers)}")
    return said


def _walk_files(folder: str) -> Iterator[str]:
    """Yield what is no folder, and links to folders, in ``folder`` and what is in it."""
    left = [folder]
    while left:
        try:
            with os.scandir(left.pop()) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            continue
        folders = []
        for entry in found:
            if not _is_folder(entry):
                yield entry.path
            elif entry.name != "__pycache__":
                folders.append(entry)
        yield from (entry.path for entry in folders if entry.is_symlink())
        left += [entry.path for entry in reversed(folders) if not entry.is_symlink()]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads nowhere
        return False


def join_names(names: Sequence[str]) -> str:
    """Return the first names and the number of the others."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(printable, names[:_SHOWN])) + more
