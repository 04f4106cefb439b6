"""Hashing with a stat cache: what this user hashed before and nobody touched is not read again."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from weighbridge.artifact import load_stat_cache, save_stat_cache
from weighbridge.core import PLAIN
from weighbridge.errors import InputError
from weighbridge.workflow._declare import Base, check_reuse
from weighbridge.workflow._rebuild import list_files, rebuild_manifest, refuse_changed
from weighbridge.workflow._reuse import Reuse, find_base

if TYPE_CHECKING:
    from pathlib import Path

    from weighbridge.artifact import Tree
    from weighbridge.core import Manifest, Serialization
    from weighbridge.signing import SignedManifest
    from weighbridge.workflow._rebuild import Reused
    from weighbridge.workflow._reread import Weighing

__all__ = ["rebuild_cached"]


def rebuild_cached(
    root: Path,
    cache_file: Path,
    *,
    weighing: Weighing,
    signed: SignedManifest | None = None,
    reuse: Reuse | None = None,
    wanted: Serialization | None = None,
) -> tuple[Manifest, Reused]:
    """Build the manifest of an artifact, and bring the cache up to date.

    Files that have the device, inode, size and times with which this user hashed them are not read,
    except those below 1 KiB. With an old signature the cache says what changed since; what did is
    read again.

    Args:
        root: A file or a folder.
        cache_file: The cache; written once everything was hashed.
        weighing: How.
        signed: From a signature that was verified, if one is to be used.
        reuse: What else changed since.
        wanted: The serialization; the cache holds sha256 of files only.

    Raises:
        InputError: The cache cannot be trusted, is inside the artifact, or goes with no other
            serialization; what is declared does not fit.
        WeighbridgeError: As :func:`rebuild_manifest`.
    """
    serialization = wanted or (signed.serialization if signed else PLAIN)
    if serialization != PLAIN or (signed and signed.serialization != PLAIN):
        raise InputError("a stat cache knows the sha256 of files only; sign without it")
    if reuse is not None and reuse.digests is not None:
        raise InputError("a stat cache and a list of digests exclude each other; give one")
    target = weighing.signature
    if target is not None and os.path.realpath(target) == os.path.realpath(cache_file):
        raise InputError("the stat cache and the signature are one file; name another file")
    tree = list_files(root, weighing)
    found = load_stat_cache(cache_file, tree, limits=weighing.limits).find(tree)
    read_from_ns = time.time_ns()
    if signed is None:
        base = Base(found, refuses_pointers=False)
        said = Reuse("", changed=_list_others(tree, found))
    else:
        base = find_base(signed, tree)
        said = replace(reuse or Reuse(""), digests=found)
        check_reuse(said)
    manifest, reused = rebuild_manifest(root, tree, base, said, weighing=weighing)
    refuse_changed(tree, root, weighing)  # what the cache says is of when the files were listed
    hashed = {*reused.hashed, *found}
    digests = {r.name: r.sha256 for r in manifest.resources if r.name in hashed}
    save_stat_cache(cache_file, tree, digests, read_from_ns=read_from_ns)
    return manifest, reused


def _list_others(tree: Tree, found: dict[str, str]) -> list[str]:
    return [entry.name for entry in tree.entries if entry.in_scope and entry.name not in found]
