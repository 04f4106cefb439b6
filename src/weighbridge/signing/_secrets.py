"""Secrets in files: passwords, PINs and tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.artifact import read_document
from weighbridge.core import DEFAULT_LIMITS, Limits, printable
from weighbridge.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["load_secret"]


def load_secret(path: Path, *, limits: Limits = DEFAULT_LIMITS) -> str:
    """Read a password, a PIN or a token from a file; one line end behind it does not count.

    Raises:
        InputError: Missing, unreadable, empty, or not UTF-8.
        LimitExceededError: Larger than ``max_key_bytes``.
    """
    data = read_document(
        path, what="secret", limit_name="max_key_bytes", limit_bytes=limits.max_key_bytes
    )
    try:
        text = data.decode()
    except UnicodeDecodeError:  # not its cause: that holds the secret
        raise InputError(f"the secret in {printable(str(path))} is not UTF-8") from None
    secret = text.removesuffix("\n").removesuffix("\r")
    if not secret:
        raise InputError(f"the secret in {printable(str(path))} is empty")
    return secret
