"""Who shall sign: as a caller says it, and ready to sign."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from weighbridge.artifact import read_document
from weighbridge.core import DEFAULT_LIMITS, Limits, printable
from weighbridge.errors import InputError
from weighbridge.signing import SignerSpec, load_signer, open_signer
from weighbridge.workflow._paths import to_path

if TYPE_CHECKING:
    from weighbridge.core.ports import StrPath
    from weighbridge.signing import Signer

__all__ = ["SignerSpec", "choose_signer", "read_secret"]


def read_secret(file: StrPath, *, limits: Limits = DEFAULT_LIMITS) -> str:
    """Read a password, a PIN or a token from a file; one line end behind it does not count.

    Raises:
        InputError: Missing, unreadable, empty, or not UTF-8.
        LimitExceededError: Larger than ``max_key_bytes``.
    """
    path = to_path(file, what="secret")
    data = read_document(
        path, what="secret", limit_name="max_key_bytes", limit_bytes=limits.max_key_bytes
    )
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"the secret in {printable(str(path))} is not UTF-8") from error
    secret = text.removesuffix("\n").removesuffix("\r")
    if not secret:
        raise InputError(f"the secret in {printable(str(path))} is empty")
    return secret


def choose_signer(
    signer: str | SignerSpec | Signer | None, key: StrPath | None, *, limits: Limits
) -> Signer:
    """Return the signer that one of the two names.

    Args:
        signer: A URI, a spec, or a signer of the caller's own.
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
    if signer is None or isinstance(signer, os.PathLike):
        raise InputError("a signer is a URI; for a file give it as the key")
    return signer
