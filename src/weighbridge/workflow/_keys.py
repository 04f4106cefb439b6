"""keygen: a pair of key files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.artifact import write_atomically
from weighbridge.core import printable
from weighbridge.errors import InputError
from weighbridge.signing import generate_key

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["KeyFiles", "create_key_files"]


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """Where a new key pair was written."""

    private: Path
    public: Path


def create_key_files(stem: Path) -> KeyFiles:
    """Write a new EC P-256 key to ``stem.key`` (only its owner may read it) and ``stem.pub``.

    Raises:
        InputError: One of the files is there already, or the folder cannot be written.
    """
    files = KeyFiles(
        private=stem.with_name(stem.name + ".key"), public=stem.with_name(stem.name + ".pub")
    )
    for path in (files.private, files.public):
        if path.exists() or path.is_symlink():
            raise InputError(f"{printable(str(path))} is there already; choose another name")
    pair = generate_key()
    write_atomically(files.private, pair.private_pem, mode=0o600, overwrite=False)
    write_atomically(files.public, pair.public_pem, overwrite=False)
    return files
