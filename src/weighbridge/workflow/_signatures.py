"""Where the signature file of an artifact is, and reading it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.artifact import DEFAULT_SIGNATURE_NAME, OUT_OF_SCOPE_NAMES, read_document
from weighbridge.core import ArtifactKind, parse_bundle

if TYPE_CHECKING:
    from weighbridge.core import Bundle, Limits, Manifest
    from weighbridge.core.ports import StrPath

__all__ = ["find_signature_path", "list_ignored", "read_bundle"]


def find_signature_path(artifact: Path, signature: StrPath | None) -> Path:
    """Return ``signature``, else ``model.sig`` in a folder, else ``NAME.sig`` beside a file."""
    if signature is not None:
        return Path(signature)
    if artifact.is_dir():
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


def list_ignored(manifest: Manifest, artifact: Path, signature: Path) -> list[str]:
    """Return what a signature records as left out: the names outside the scope and its own.

    A name that is in the scope after all (a folder called ``.gitattributes``) is not listed.
    """
    if manifest.kind is ArtifactKind.FILE:
        return []
    names = set(OUT_OF_SCOPE_NAMES)
    inside = os.path.relpath(os.path.realpath(signature), os.path.realpath(artifact))
    if not inside.startswith(".."):
        names.add(inside)
    first_parts = {resource.name.partition("/")[0] for resource in manifest.resources}
    return sorted(name for name in names if name not in first_parts)
