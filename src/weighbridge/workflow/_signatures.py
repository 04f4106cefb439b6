"""Where the signature file of an artifact is, and reading it."""

from __future__ import annotations


from typing import TYPE_CHECKING

from weighbridge.artifact import DEFAULT_SIGNATURE_NAME, read_document
from weighbridge.signing import parse_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from weighbridge.core import Bundle, Limits

__all__ = ["find_signature_path", "read_bundle"]


def find_signature_path(artifact: Path, signature: Path | None) -> Path:
    """Return ``signature``, else ``model.sig`` in a folder, else ``NAME.sig`` beside a file."""
    if signature is not None:
        return signature
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
