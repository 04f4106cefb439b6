"""keygen: a pair of key files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.artifact import write_atomically
from weighbridge.core import printable
from weighbridge.errors import InputError
from weighbridge.signing import generate_key

if TYPE_CHECKING:
    from weighbridge.core.ports import StrPath

__all__ = ["KeyFiles", "create_key_files"]


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """Where a new key pair was written."""

    private: Path
    public: Path


def create_key_files(stem: StrPath) -> KeyFiles:
    """Write a new EC P-256 key to ``stem.key`` (only its owner may read it) and ``stem.pub``.

    Raises:
        InputError: One of the files is there already, or the folder cannot be written.
    """
    path = Path(stem)
    files = KeyFiles(
        private=path.with_name(path.name + ".key"), public=path.with_name(path.name + ".pub")
    )
    for file in (files.private, files.public):
        if file.exists() or file.is_symlink():
            raise InputError(f"{printable(str(file))} is there already; choose another name")
    pair = generate_key()
    write_atomically(files.private, pair.private_pem, mode=0o600, overwrite=False)
    write_atomically(files.public, pair.public_pem, overwrite=False)
    return files
