"""Secrets in files: passwords, PINs and tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.artifact import read_document
from weighbridge.core import DEFAULT_LIMITS, Limits, printable
from weighbridge.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["encode_secret", "load_secret"]


def load_secret(path: Path, *, limits: Limits = DEFAULT_LIMITS) -> str:
    """Read a password, a PIN or a token from a file; one line end behind it does not count.

    Raises:
        InputError: Missing, unreadable, empty, or not UTF-8.
        LimitExceededError: Larger than ``max_key_bytes``.
    """
    data = read_document(
        path,
        what="password or token file",
        limit_name="max_key_bytes",
        limit_bytes=limits.max_key_bytes,
    )
    try:
        text = data.decode()
    except UnicodeDecodeError:  # not its cause: that holds the secret
        raise InputError(
            f"what {printable(str(path))} holds is not UTF-8; write it again"
        ) from None
    secret = text.removesuffix("\n").removesuffix("\r")
    if not secret:
        raise InputError(f"{printable(str(path))} holds no password or token: it is empty")
    return secret


def encode_secret(secret: object, *, what: str) -> bytes:
    """Return what a caller's function said the password is, as the bytes that it stands for.

    Args:
        secret: What ``ask_secret`` returned. A vault that knows nothing may well say None, and
            that must never be taken for "no password".
        what: Whose, for messages.

    Raises:
        InputError: No text, or text that cannot be written as UTF-8.
    """
    if not isinstance(secret, str):
        raise InputError(f"the password of {what} is no text; give one, as a string")
    try:
        return secret.encode("utf-8", "surrogateescape")  # as the environment had it
    except UnicodeEncodeError:  # not its cause: that holds the secret
        raise InputError(f"the password of {what} is not UTF-8; type it again") from None
