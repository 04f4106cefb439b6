"""What is found out about a step beyond what its author declared."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from weighbridge.artifact import describe_cached, hash_file
from weighbridge.core import Dependency, printable
from weighbridge.provenance import find_undeclared, to_file_uri

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from weighbridge.artifact import DigestCache
    from weighbridge.core import JsonValue
    from weighbridge.workflow._step_platform import Platform
    from weighbridge.workflow._step_watch import Watched

__all__ = [
    "list_undeclared",
    "to_completeness",
]

_KERNEL = ("/proc", "/sys", "/dev")


def list_undeclared(
    watched: Watched,
    declared: Iterable[Path],
    platform: Platform,
    covered: frozenset[str],
    *,
    outside: frozenset[str] = frozenset(),
    cache: DigestCache | None = None,
) -> tuple[Dependency, ...]:
    """Return what was read and not declared, each with the digest that it has now.

    What the step wrote is read, whatever the cache says of it.

    Args:
        watched: What was seen.
        declared: Inputs and the script.
        platform: Accounts for the files of packages.
        covered: What the source accounts for.
        outside: What lies in a declared folder and is not part of its digest.
        cache: Knows files that were hashed before.
    """
    if watched.observation is None:
        return ()
    roots = [
        *_KERNEL,
        *(os.path.realpath(path) for path in declared),
        *(os.path.realpath(entry.path) for entry in watched.baseline),
        *(str(entry.path) for entry in watched.baseline),
        *(os.path.realpath(path) for path in watched.own),
    ]
    found = find_undeclared(
        watched.observation.reads,
        roots=roots,
        known=covered | platform.files,
        outside=outside,
        packages=platform.folders,
    )
    written = frozenset(watched.observation.writes)
    return tuple(_hash_undeclared(path, None if path in written else cache) for path in found)


def _hash_undeclared(path: str, cache: DigestCache | None) -> Dependency:
    name, uri = printable(path), to_file_uri(path)
    digest, is_cached = hash_file(path, cache)
    if not digest:
        state = {"state": "gone, unreadable, changing or no regular file"}
        return Dependency(name, {}, uri, role="undeclared", annotations=state)
    said = describe_cached(int(is_cached))
    return Dependency(name, {"sha256": digest}, uri, role="undeclared", annotations=said)


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
        "undeclared": str(undeclared) if observation else "unknown",
        "gaps": list(watched.gaps),
    }
