"""Hashing with the digest cache: what was hashed for a step before is not read again."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from weighbridge.artifact._tree import identify
from weighbridge.artifact._walk import walk
from weighbridge.artifact._weigh import weigh, weigh_tree
from weighbridge.core import Resource, collection_paused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from weighbridge.artifact._digest_cache import DigestCache
    from weighbridge.artifact._tree import Identity, Tree
    from weighbridge.artifact._weigh import Weighed
    from weighbridge.core import Limits
    from weighbridge.core.ports import Executor, Progress, StrPath

__all__ = ["describe_cached", "hash_file", "weigh_cached"]

# Links are followed; a pipe is not waited for.
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_CHUNK_BYTES = 1024 * 1024


def describe_cached(files: int) -> dict[str, str]:
    """Return the annotations of something of which so many files were not read now."""
    return {"read": "cached", "cachedFiles": str(files)} if files else {}


def weigh_cached(
    root: Path,
    cache: DigestCache | None,
    *,
    executor: Executor,
    limits: Limits,
    progress: Progress | None = None,
    read_all: bool = False,
) -> tuple[Weighed[None], int]:
    """Hash an artifact as :func:`weigh` does, but for files that the cache knows.

    Args:
        root: A file or a folder.
        cache: Is told what was hashed; None: everything is read.
        executor: Runs the batches of files.
        limits: As for :func:`weigh`.
        progress: Is told the bytes that are read.
        read_all: Whether all files are read; the cache is only told.

    Returns:
        What was weighed, and how many files were not read. That nothing changed since the files
        were listed, the caller has to see.

    Raises:
        InputError: As :func:`weigh`.
        LimitExceededError: As :func:`weigh`.
    """
    if cache is None:
        return weigh(root, executor=executor, limits=limits, progress=progress), 0
    tree = walk(root, limits=limits)
    where = str(tree.folder)
    known = {}
    if not read_all:
        known = cache.find((e.identity for e in tree.entries if e.in_scope), where=where)
    others = {e.name for e in tree.entries if e.in_scope and e.identity not in known}
    read_from_ns = time.time_ns()
    weighed: Weighed[None] = weigh_tree(
        tree, executor=executor, limits=limits, only=others, progress=progress
    )
    by_name = {resource.name: resource for resource in weighed.resources}
    cache.add(
        ((e.identity, by_name[e.name].sha256) for e in tree.entries if e.name in by_name),
        where=where,
        read_from_ns=read_from_ns,
    )
    if not known:
        return weighed, 0
    resources = _merge(tree, by_name, known)
    return replace(weighed, resources=resources), len(resources) - len(by_name)


@collection_paused()
def _merge(
    tree: Tree, read: Mapping[str, Resource], known: Mapping[Identity, str]
) -> tuple[Resource, ...]:
    """Return what was read and what is known, in the order of the tree."""
    return tuple(
        read.get(entry.name) or Resource(entry.name, entry.size_bytes, known[entry.identity])
        for entry in tree.entries
        if entry.name in read or (entry.in_scope and entry.identity in known)
    )


def hash_file(path: StrPath, cache: DigestCache | None = None) -> tuple[str, bool]:
    """Return the sha256 of a regular file, and whether it is from the cache; links are followed.

    The digest is empty if it cannot be read, is no regular file, or changes meanwhile.
    """
    read_from_ns = time.time_ns()
    where = os.fspath(path)
    try:
        descriptor = os.open(path, _OPEN)
    except (OSError, ValueError):
        return "", False
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return "", False
        identity = identify(status)
        if cache is not None:
            known = cache.find((identity,), where=where)
            if known:
                return known[identity], True
        hasher = hashlib.sha256()
        left = status.st_size
        while left >= 0 and (data := os.read(descriptor, min(left + 1, _CHUNK_BYTES))):
            hasher.update(data)
            left -= len(data)
        if left or identify(os.fstat(descriptor)) != identity:
            return "", False
    except OSError:
        return "", False
    finally:
        os.close(descriptor)
    digest = hasher.hexdigest()
    if cache is not None:
        cache.add(((identity, digest),), where=where, read_from_ns=read_from_ns)
    return digest, False
