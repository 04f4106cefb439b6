"""Serialization: which digests a model signature lists, and of which runs of bytes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from weighbridge.errors import InputError

__all__ = [
    "DEFAULT_SHARD_BYTES",
    "PLAIN",
    "Dialect",
    "HashType",
    "Listing",
    "Method",
    "Part",
    "Serialization",
]

DEFAULT_SHARD_BYTES = 1_000_000_000
# Beyond this an integer does not survive every reader of JSON (I-JSON, RFC 7493, 2.2).
_MAX_SHARD_BYTES = 2**53 - 1


class Method(StrEnum):
    """What one digest is taken of: a whole file, or a run of its bytes."""

    FILES = "files"
    SHARDS = "shards"


class Dialect(StrEnum):
    """In whose words a signature is written; all are read."""

    SPECIFICATION = "v1.0"
    MODEL_SIGNING_1_1 = "model-signing-1.1"


class HashType(StrEnum):
    """The hash functions of OpenSSF Model Signing: BLAKE2b gives 512 bits, the others 256."""

    SHA256 = "sha256"
    BLAKE2B = "blake2b"
    BLAKE3 = "blake3"

    @property
    def hex_digits(self) -> int:
        """How many hexadecimal digits a digest has."""
        return 128 if self is HashType.BLAKE2B else 64


@dataclass(frozen=True, slots=True)
class Serialization:
    """How a model signature lists files.

    Attributes:
        method: Whole files or shards.
        hash_type: The hash function of each digest listed; the root is always sha256.
        shard_size_bytes: For shards how long each is, but the last of a file; 0 for files.

    Raises:
        InputError: Shards without a size, files with one, or a size that JSON cannot hold.

    Source:
        OpenSSF Model Signing v1.0, section 6.3 and the predicate's ``serialization``.
    """

    method: Method = Method.FILES
    hash_type: HashType = HashType.SHA256
    shard_size_bytes: int = 0

    def __post_init__(self) -> None:
        """Refuse what no signature could say."""
        if self.method is Method.FILES and self.shard_size_bytes:
            raise InputError("a shard size goes with the method 'shards' only")
        if self.method is Method.SHARDS and not 1 <= self.shard_size_bytes <= _MAX_SHARD_BYTES:
            raise InputError(
                f"a shard size of {self.shard_size_bytes:,} bytes cannot be used; "
                f"choose from 1 to {_MAX_SHARD_BYTES:,}"
            )

    def count_parts(self, size_bytes: int) -> int:
        """Return how many digests a file of this size is listed with: none for an empty shard."""
        if self.method is Method.FILES:
            return 1
        return -(-size_bytes // self.shard_size_bytes)


# What the artifact digest is made of too, so that it costs nothing more.
PLAIN = Serialization()


class Part(NamedTuple):
    """One digest of a signature.

    Attributes:
        name: POSIX path of the file inside the artifact.
        start: First byte; 0 for a whole file.
        end: Behind the last byte; -1 for a whole file.
        digest: Lower-case hex.
    """

    name: str
    start: int
    end: int
    digest: str

    @property
    def full_name(self) -> str:
        """How the signature names it: ``path``, or ``path:start:end`` for a shard."""
        return self.name if self.end < 0 else f"{self.name}:{self.start}:{self.end}"


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of an artifact, or of a signature, in one serialization.

    Attributes:
        serialization: How the parts were cut and hashed.
        parts: In the order of the manifest, or in the order that was signed. Empty files have
            none if the method is ``shards``.
    """

    serialization: Serialization
    parts: tuple[Part, ...]
