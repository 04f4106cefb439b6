"""Artifact: from a path to a manifest; the reader hashes what it gives out.

What not every command needs is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge._lazy import lazy_getattr
from weighbridge.artifact._changes import find_changes, is_as_listed, refuse_changes
from weighbridge.artifact._documents import (
    LEFTOVER,
    check_writable,
    draft_document,
    read_document,
    remove_leftovers,
    write_atomically,
    write_document,
    write_report,
)
from weighbridge.artifact._scope import WHOLE, Scope
from weighbridge.artifact._tree import Entry, Identity, Tree, identify
from weighbridge.artifact._walk import (
    CLAIMS_NAME,
    DEFAULT_SIGNATURE_NAME,
    OUT_OF_SCOPE_NAMES,
    walk,
)
from weighbridge.artifact._weigh import (
    Weighed,
    build_manifest,
    weigh,
    weigh_tree,
)

if TYPE_CHECKING:
    from weighbridge.artifact._cached import describe_cached, hash_file, weigh_cached
    from weighbridge.artifact._claims import (
        append_claims,
        append_claims_to_each,
        check_claims,
        check_lines,
        find_claims,
        read_claims,
    )
    from weighbridge.artifact._digest_cache import DigestCache, find_cache_folder
    from weighbridge.artifact._git import GitRepository, open_git
    from weighbridge.artifact._stat_cache import StatCache, load_stat_cache, save_stat_cache

__all__ = [
    "CLAIMS_NAME",
    "DEFAULT_SIGNATURE_NAME",
    "LEFTOVER",
    "OUT_OF_SCOPE_NAMES",
    "WHOLE",
    "DigestCache",
    "Entry",
    "GitRepository",
    "Identity",
    "Scope",
    "StatCache",
    "Tree",
    "Weighed",
    "append_claims",
    "append_claims_to_each",
    "build_manifest",
    "check_claims",
    "check_lines",
    "check_writable",
    "describe_cached",
    "draft_document",
    "find_cache_folder",
    "find_changes",
    "find_claims",
    "hash_file",
    "identify",
    "is_as_listed",
    "load_stat_cache",
    "open_git",
    "read_claims",
    "read_document",
    "refuse_changes",
    "remove_leftovers",
    "save_stat_cache",
    "walk",
    "weigh",
    "weigh_cached",
    "weigh_tree",
    "write_atomically",
    "write_document",
    "write_report",
]

_MODULES = {
    "_cached": ("describe_cached", "hash_file", "weigh_cached"),
    "_claims": (
        "append_claims",
        "append_claims_to_each",
        "check_claims",
        "find_claims",
        "read_claims",
        "check_lines",
    ),
    "_digest_cache": ("DigestCache", "find_cache_folder"),
    "_git": ("GitRepository", "open_git"),
    "_stat_cache": ("StatCache", "load_stat_cache", "save_stat_cache"),
}

__getattr__ = lazy_getattr(__name__, _MODULES)
