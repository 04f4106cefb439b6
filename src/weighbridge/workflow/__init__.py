"""Workflow: the verbs, and the only place where rooms meet.

Each function takes paths and returns a frozen value; the command line prints it, a program uses
it. A verb's module is imported when the verb is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge._lazy import lazy_getattr

if TYPE_CHECKING:
    from weighbridge.workflow._check import check_artifact
    from weighbridge.workflow._file_lists import sign_file_list
    from weighbridge.workflow._hash import Rehashed, hash_artifact, rehash_artifact
    from weighbridge.workflow._inspect import Inspected, inspect_signature
    from weighbridge.workflow._keys import KeyFiles, create_key_files
    from weighbridge.workflow._rebuild import Reused
    from weighbridge.workflow._reuse import Reuse
    from weighbridge.workflow._scan import scan_artifact
    from weighbridge.workflow._sign import Signed, Verified, sign_artifact, verify_artifact

__all__ = [
    "Inspected",
    "KeyFiles",
    "Rehashed",
    "Reuse",
    "Reused",
    "Signed",
    "Verified",
    "check_artifact",
    "create_key_files",
    "hash_artifact",
    "inspect_signature",
    "rehash_artifact",
    "scan_artifact",
    "sign_artifact",
    "sign_file_list",
    "verify_artifact",
]

_MODULES = {
    "_check": ("check_artifact",),
    "_file_lists": ("sign_file_list",),
    "_hash": ("Rehashed", "hash_artifact", "rehash_artifact"),
    "_inspect": ("Inspected", "inspect_signature"),
    "_keys": ("KeyFiles", "create_key_files"),
    "_rebuild": ("Reused",),
    "_reuse": ("Reuse",),
    "_scan": ("scan_artifact",),
    "_sign": ("Signed", "Verified", "sign_artifact", "verify_artifact"),
}

__getattr__ = lazy_getattr(__name__, _MODULES)
