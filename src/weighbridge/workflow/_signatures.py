"""Where the signature file of an artifact is, and reading it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from weighbridge.artifact import (
    CLAIMS_NAME,
    DEFAULT_SIGNATURE_NAME,
    OUT_OF_SCOPE_NAMES,
    read_document,
    write_document,
)
from weighbridge.core import ArtifactKind, Dialect, Serialization, parse_bundle, printable
from weighbridge.errors import InputError
from weighbridge.workflow._paths import to_path

if TYPE_CHECKING:
    from pathlib import Path

    from weighbridge.core import Bundle, Limits, Manifest
    from weighbridge.core.ports import StrPath

__all__ = [
    "check_wording",
    "find_signature_path",
    "list_ignored",
    "read_bundle",
    "refuse_to_replace",
    "write_bundle",
]

# Every Sigstore bundle says what it is: near its beginning or its end, as its fields stand.
_END_BYTES = 64 * 1024
_BUNDLE_MARK = re.compile(rb'"mediaType"\s*:\s*"application/vnd\.dev\.sigstore\.bundle')


def check_wording(serialization: object, dialect: object) -> None:
    """Refuse what a caller without types may say, before anything is hashed.

    Raises:
        InputError: One is not of its type; a string would silently mean the usual words.
    """
    if serialization is not None and not isinstance(serialization, Serialization):
        raise InputError("the serialization is a weighbridge.core.Serialization; give one")
    if not isinstance(dialect, Dialect):
        raise InputError("the dialect is a weighbridge.core.Dialect; give one")


def find_signature_path(artifact: Path, signature: StrPath | None) -> Path:
    """Return ``signature``, else ``model.sig`` in a folder, else ``NAME.sig`` beside a file."""
    if signature is not None:
        return to_path(signature, what="signature file")
    if os.path.isdir(artifact):  # noqa: PTH112 - Path.is_dir raises where this says no
        return artifact / DEFAULT_SIGNATURE_NAME
    return artifact.with_name(artifact.name + ".sig")


def read_bundle(path: Path, *, limits: Limits) -> Bundle:
    """Read and parse a signature file; nothing is verified yet.

    Raises:
        InputError: Missing or unreadable; ParseError if malformed.
        LimitExceededError: Larger than ``max_signature_bytes``.
    """
    data = read_document(
        path,
        what="signature file",
        limit_name="max_signature_bytes",
        limit_bytes=limits.max_signature_bytes,
    )
    return parse_bundle(data, what=path.name, limits=limits)


def refuse_to_replace(target: Path, *, source: Path) -> None:
    """Refuse to write a signature over anything but a signature: a key, a model, a model's file.

    Before any work is done, also what cannot be written at all.

    Args:
        target: Where the signature is to be.
        source: What is signed. It may be a signature itself, which must not be lost.

    Raises:
        InputError: ``target`` is ``source``, or is there and is not a signature file, is where
            claims are kept, cannot be read, or its folder cannot be written.
    """
    shown = printable(str(target))
    if not os.access(target.parent, os.W_OK | os.X_OK):
        is_there = os.path.isdir(target.parent)  # noqa: PTH112 - Path.is_dir raises where this says no
        problem = "its folder may not be written" if is_there else "there is no such folder"
        raise InputError(f"{shown} cannot be written: {problem}")
    if target.name == CLAIMS_NAME or target.name.endswith(f".{CLAIMS_NAME}"):
        raise InputError(f"{shown} is where claims are kept; name another file for the signature")
    if not os.path.lexists(target):
        return
    try:
        is_source = source.exists() and target.exists() and target.samefile(source)
        is_bundle = target.is_file() and _is_bundle(*_read_ends(target))
    except OSError as error:
        reason = (error.strerror or "error").lower()
        raise InputError(f"cannot look at {shown} before replacing it: {reason}") from error
    if is_source:
        raise InputError(f"{shown} is what is to be signed; name another file for the signature")
    if not is_bundle:
        raise InputError(f"{shown} is there and is not a signature; remove it or name another file")


def write_bundle(target: Path, bundle: bytes, *, limits: Limits) -> None:
    """Write a signature, whole or not at all.

    Raises:
        InputError: It cannot be written.
        IncompleteError: The disk is full.
        LimitExceededError: It is larger than ``max_signature_bytes``: nobody could read it again.
    """
    write_document(
        target,
        bundle,
        limit_name="max_signature_bytes",
        limit_bytes=limits.max_signature_bytes,
    )


def _read_ends(path: Path) -> tuple[bytes, bytes]:
    """Return the beginning and the end of a file, of whatever size."""
    with path.open("rb") as stream:
        head = stream.read(_END_BYTES)
        stream.seek(max(path.stat().st_size - _END_BYTES, 0))
        return head, stream.read(_END_BYTES)


def _is_bundle(head: bytes, tail: bytes) -> bool:
    """Tell a bundle by its ends: one JSON object, and no text about bundles or list of some."""
    is_object = head.lstrip().startswith(b"{") and tail.rstrip().endswith(b"}")
    is_list = b"\n{" in head.lstrip() or b"\n{" in tail
    return is_object and not is_list and any(map(_BUNDLE_MARK.search, (head, tail)))


def list_ignored(manifest: Manifest, artifact: Path, signature: Path) -> list[str]:
    """Return what a signature records as left out: the names outside the scope and its own.

    A name that is in the scope after all (a folder called ``.gitattributes``) is not listed.
    """
    if manifest.kind is ArtifactKind.FILE:
        return []
    names = set(OUT_OF_SCOPE_NAMES)
    inside = os.path.relpath(os.path.realpath(signature), os.path.realpath(artifact))
    if inside != ".." and not inside.startswith("../"):
        names.add(inside)
    first_parts = {resource.name.partition("/")[0] for resource in manifest.resources}
    return sorted(name for name in names if name not in first_parts)
