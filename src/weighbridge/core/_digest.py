"""Digest: the name of everything."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from weighbridge.errors import ParseError

__all__ = ["Digest"]

_SHA256_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """A sha256 in lower-case hex; identity is always sha256.

    Raises:
        ParseError: ``hex`` is not exactly 64 lower-case hexadecimal digits.
    """

    hex: str

    def __post_init__(self) -> None:
        """Refuse every other spelling, so that equal digests are equal strings."""
        if not _SHA256_HEX.fullmatch(self.hex):
            message = f"{self.hex[:80]!r} is not a sha256 digest of 64 lower-case hex digits"
            raise ParseError(message)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``sha256:<hex>``.

        Raises:
            ParseError: Another algorithm or spelling.
        """
        algorithm, colon, value = text.partition(":")
        if algorithm != "sha256" or not colon:
            message = f"{text[:80]!r} is not of the form sha256:<64 hex digits>"
            raise ParseError(message)
        return cls(value)

    def __str__(self) -> str:
        """Return ``sha256:<hex>``."""
        return f"sha256:{self.hex}"
