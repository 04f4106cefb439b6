"""keygen: a pair of key files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.artifact import write_atomically
from weighbridge.core import printable
from weighbridge.errors import InputError, WeighbridgeError
from weighbridge.signing import generate_key
from weighbridge.workflow._paths import to_path

if TYPE_CHECKING:
    from pathlib import Path

    from weighbridge.core.ports import AskSecret, StrPath

__all__ = ["KeyFiles", "create_key_files"]


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """Where a new key pair was written."""

    private: Path
    public: Path


def create_key_files(
    stem: StrPath, *, curve: str = "P-256", ask_secret: AskSecret | None = None
) -> KeyFiles:
    """Write a new key to ``stem.key`` (only its owner may read it) and ``stem.pub``.

    Args:
        stem: The files' names without their endings.
        curve: ``P-256``, ``P-384``, ``P-521`` or ``Ed25519``.
        ask_secret: Says the password that the private key is encrypted with; None: it is not.

    Raises:
        InputError: One of the files is there already, the folder cannot be written, the password
            is empty, or ``curve`` is another.
    """
    path = to_path(stem, what="key")
    if path.name in ("", ".."):
        raise InputError(f"{printable(str(path))} is a folder; add a name for the key")
    files = KeyFiles(
        private=path.with_name(path.name + ".key"), public=path.with_name(path.name + ".pub")
    )
    for file in (files.private, files.public):
        if os.path.lexists(file):
            raise InputError(f"{printable(str(file))} is there already; choose another name")
    password = None
    if ask_secret is not None:
        password = ask_secret(f"password for {printable(files.private.name)}")
        if not isinstance(password, str):  # None would make a key without one
            raise InputError("the password of the new key is no text; give one, as a string")
    pair = generate_key(curve, password=password)
    write_atomically(files.private, pair.private_pem, mode=0o600, overwrite=False)
    try:
        write_atomically(files.public, pair.public_pem, overwrite=False)
    except WeighbridgeError:
        files.private.unlink()  # half a pair would only be in the way
        raise
    return files
