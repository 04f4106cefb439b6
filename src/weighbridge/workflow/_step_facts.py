"""What is found out about a step beyond what its author declared."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.artifact import describe_cached, hash_file
from weighbridge.core import Dependency, printable
from weighbridge.provenance import find_undeclared, group_by_folder, to_file_uri

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weighbridge.artifact import DigestCache
    from weighbridge.core import JsonValue, Observation
    from weighbridge.workflow._step_platform import Platform
    from weighbridge.workflow._step_watch import Watched

__all__ = [
    "Undeclared",
    "find_changed_since",
    "list_folders",
    "list_undeclared",
    "to_completeness",
]

# So many are recorded by name; with more, nobody could read the record again.
_MOST_UNDECLARED = 10_000
_KERNEL = ("/proc", "/sys", "/dev")
_MEMORY = frozenset({"/dev/mem", "/dev/kmem", "/dev/port"})
_SHARED = "/dev/shm"  # noqa: S108 - anybody's files, which are in memory


@dataclass(frozen=True, slots=True)
class Undeclared:
    """What was read and not declared.

    Attributes:
        names: Of each file, as it is printed; sorted.
        dependencies: What is recorded of them: each file, or each folder of very many.
        folders: Those folders.
    """

    names: tuple[str, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    folders: frozenset[str] = frozenset()


def find_changed_since(
    observation: Observation | None, covered: frozenset[str], *, since_ns: int
) -> frozenset[str]:
    """Return which files of the source were read and are not as the source says any more.

    What the step itself wrote is left out: it may have read it before.

    Args:
        observation: What was seen.
        covered: What the source accounts for.
        since_ns: When the source was looked at.
    """
    if observation is None:
        return frozenset()
    reads = covered.intersection(observation.reads).difference(observation.writes)
    return frozenset(path for path in reads if _is_changed(path, since_ns))


def _is_changed(path: str, since_ns: int) -> bool:
    try:
        return os.stat(path).st_ctime_ns >= since_ns  # noqa: PTH116 - asked of each file
    except OSError:
        return True


def list_undeclared(  # noqa: PLR0913 - each is one thing that accounts for files
    watched: Watched,
    declared: Iterable[Path],
    platform: Platform,
    covered: frozenset[str],
    *,
    since_ns: int,
    outside: frozenset[str] = frozenset(),
    cache: DigestCache | None = None,
) -> Undeclared:
    """Return what was read and not declared, each with its digest.

    What changed since the step began has none: nobody knows what was read.

    Args:
        watched: What was seen.
        declared: Inputs and the script.
        platform: Accounts for the files of packages.
        covered: What the source accounts for.
        since_ns: When the step began.
        outside: What lies in a declared folder and is not part of its digest.
        cache: Knows files that were hashed before.
    """
    if watched.observation is None:
        return Undeclared()
    found = find_undeclared(
        watched.observation.reads,
        roots=(path for path in _list_roots(watched, declared) if path != _SHARED),
        known=covered | platform.files,
        outside=outside.union((_SHARED,), _list_disks(watched.observation.reads)),
        packages=platform.folders,
    )
    written = frozenset(watched.observation.writes)
    hashed = {
        path: _hash_undeclared(path, cache, since_ns=since_ns, is_written=path in written)
        for path in found
    }
    names = tuple(item.name for item in hashed.values())
    if len(found) <= _MOST_UNDECLARED:
        return Undeclared(names, tuple(hashed.values()))
    groups = group_by_folder(found, most=_MOST_UNDECLARED)
    folders = tuple(
        _join_undeclared(folder, {path: hashed[path] for path in paths})
        for folder, paths in sorted(groups.items())
    )
    return Undeclared(names, folders, frozenset(groups))


def list_folders(
    watched: Watched, declared: Iterable[Path], outputs: Iterable[Path], platform: Platform
) -> frozenset[str]:
    """Return the folders whose files the record accounts for, so that a trace may count them."""
    made = map(os.path.realpath, outputs)
    return frozenset((*_list_roots(watched, declared), *made, *platform.folders))


def _list_roots(watched: Watched, declared: Iterable[Path]) -> tuple[str, ...]:
    """Return the files and folders that are declared, or that every step needs."""
    return (
        *_KERNEL,
        *(os.path.realpath(path) for path in declared),
        *(os.path.realpath(entry.path) for entry in watched.baseline),
        *(str(entry.path) for entry in watched.baseline),
        *(os.path.realpath(path) for path in watched.own),
    )


def _list_disks(reads: Iterable[str]) -> frozenset[str]:
    """Return which of the devices hold files, or all of the memory."""
    devices = (path for path in reads if path.startswith("/dev/"))
    return frozenset(path for path in devices if path in _MEMORY or Path(path).is_block_device())


def _hash_undeclared(
    path: str, cache: DigestCache | None, *, since_ns: int, is_written: bool
) -> Dependency:
    name, uri = printable(path), to_file_uri(path)
    if os.path.lexists(path) and _is_changed(path, since_ns):
        state = {"state": "changed since the step began; what was read is not known"}
        return Dependency(name, {}, uri, role="undeclared", annotations=state)
    digest, is_cached = hash_file(path, None if is_written else cache)
    if not digest:
        state = {"state": "gone, unreadable, changing or no regular file"}
        return Dependency(name, {}, uri, role="undeclared", annotations=state)
    said = describe_cached(int(is_cached))
    return Dependency(name, {"sha256": digest}, uri, role="undeclared", annotations=said)


def _join_undeclared(folder: str, hashed: Mapping[str, Dependency]) -> Dependency:
    """Return one entry for many files: the sha256 of a line for each, sorted by its path's bytes.

    A line is ``SHA256 PATH`` ended by NUL, with ``-`` for a digest that is not known.
    """
    total, unknown = hashlib.sha256(), 0
    for path in sorted(hashed, key=os.fsencode):
        digest = hashed[path].digest.get("sha256", "-")
        unknown += digest == "-"
        total.update(f"{digest} ".encode() + os.fsencode(path) + b"\0")
    facts = {
        "kind": "folder",
        "files": str(len(hashed)),
        "digestOf": "sha256 and path of each file",
    }
    if unknown:
        facts["unknown"] = str(unknown)
    return Dependency(
        printable(folder),
        {"sha256": total.hexdigest()},
        to_file_uri(folder),
        role="undeclared",
        annotations=facts,
    )


def to_completeness(watched: Watched, undeclared: int) -> dict[str, JsonValue]:
    """Return how well it is known that no input is missing."""
    observation = watched.observation
    return {
        "class": watched.completeness.value,
        "monitor": observation.monitor if observation else "",
        "enforcer": watched.enforcer,
        "network": "denied" if watched.enforcer else "not restricted",
        "connections": list(observation.connections) if observation else "unknown",
        "denied": "unknown" if watched.denied is None else [printable(p) for p in watched.denied],
        "undeclared": "unknown" if observation is None or watched.is_blind else str(undeclared),
        "gaps": list(watched.gaps),
    }
