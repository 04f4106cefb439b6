"""Who shall sign: as a caller says it, and ready to sign."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from weighbridge.core import DEFAULT_LIMITS, Limits
from weighbridge.errors import InputError
from weighbridge.signing import SignerSpec, find_key_file, load_secret, load_signer, open_signer
from weighbridge.workflow._paths import to_optional_path, to_path

if TYPE_CHECKING:
    from pathlib import Path

    from weighbridge.core.ports import StrPath
    from weighbridge.signing import Signer

__all__ = ["SignerSpec", "choose_signer", "list_key_files", "read_secret"]


def read_secret(file: StrPath, *, limits: Limits = DEFAULT_LIMITS) -> str:
    """Read a password, a PIN or a token from a file; one line end behind it does not count.

    Raises:
        InputError: Missing, unreadable, empty, or not UTF-8.
        LimitExceededError: Larger than ``max_key_bytes``.
    """
    return load_secret(to_path(file, what="secret"), limits=limits)


def choose_signer(
    signer: StrPath | SignerSpec | Signer | None, key: StrPath | None, *, limits: Limits
) -> Signer:
    """Return the signer that one of the two names.

    Args:
        signer: A URI, a ``Path`` of a private key, a spec, or a signer of the caller's own.
        key: A private key in PEM, for short.
        limits: Bounds on what is read.

    Raises:
        InputError: Neither or both are given, or what is named cannot sign.
    """
    if (signer is None) == (key is None):
        raise InputError("say who signs: a key or another signer, and one of them")
    if key is not None:
        return load_signer(to_path(key, what="key"), limits=limits)
    if isinstance(signer, str):
        return open_signer(SignerSpec(signer), limits=limits)
    if isinstance(signer, SignerSpec):
        return open_signer(signer, limits=limits)
    if isinstance(signer, os.PathLike):
        return load_signer(to_path(signer, what="key"), limits=limits)
    assert signer is not None  # noqa: S101 - one of the two is given
    return signer


def list_key_files(
    signer: StrPath | SignerSpec | Signer | None, key: StrPath | None
) -> tuple[Path, ...]:
    """Return the private key's file if the signer is one by a file; arguments as for choosing it.

    Raises:
        InputError: What names the signer cannot be used.
    """
    if isinstance(signer, SignerSpec):
        signer = signer.uri
    if isinstance(signer, str):
        found = find_key_file(signer)
    elif isinstance(signer, os.PathLike):
        found = to_path(signer, what="key")
    else:
        found = to_optional_path(key, what="key")
    return () if found is None else (found,)
