"""Ports: how bytes, workers and progress reach the rooms. Protocols only."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from weighbridge.core._bundle import Bundle
    from weighbridge.core._digest import Digest

__all__ = [
    "AskSecret",
    "BundleStore",
    "ByteSource",
    "Executor",
    "Inspector",
    "Progress",
    "StrPath",
]

# What a caller may give where a path is wanted.
StrPath: TypeAlias = str | os.PathLike[str]

A = TypeVar("A")
B = TypeVar("B")
T_co = TypeVar("T_co", covariant=True)


class ByteSource(Protocol):
    """Bytes of one file that can be read anywhere; what is read is what is hashed."""

    @property
    def name(self) -> str:
        """POSIX path inside the artifact."""

    @property
    def size_bytes(self) -> int:
        """How many bytes there are."""

    def read_at(self, offset: int, size_bytes: int) -> bytes:
        """Return the bytes from ``offset``, fewer than ``size_bytes`` only at the end.

        Costs least when offsets rise. Returns ``b""`` at and past the end.
        """


class Inspector(Protocol[T_co]):
    """Looks at one file while it is being hashed."""

    def __call__(self, source: ByteSource) -> T_co:
        """Return what was found; never raises on content."""


class Executor(Protocol):
    """Where work runs."""

    @property
    def workers(self) -> int:
        """How many tasks run at once."""

    def map(self, function: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
        """Yield ``function(item)`` for each item, in the items' order; raise the first error."""


class BundleStore(Protocol):
    """Where bundles are kept, and found again by what they are about.

    Adding needs no trust and gives none: a store believes nothing, and who reads verifies.
    """

    @property
    def local_paths(self) -> tuple[Path, ...]:
        """Files and folders of this machine that are the store; a step is kept away from them."""

    def check(self) -> None:
        """Find out whether bundles can be added, before the work that makes them.

        Raises:
            InputError: There is no such store, or it cannot be written.
            IncompleteError: It does not answer, or is full.
        """

    def add(self, bundles: Sequence[Bundle]) -> int:
        """Keep bundles under the sha256 of each of their subjects, each once.

        Adding again changes nothing and completes what was interrupted.

        Returns:
            How many of the bundles were not there yet under all of their subjects.

        Raises:
            InputError: One has a subject without a sha256, or the store cannot be written.
            IncompleteError: It does not answer, or is full.
        """

    def find(self, digest: Digest) -> Iterator[bytes]:
        """Yield what is kept about an artifact: bundles as they were added, unread and unverified.

        Anybody may have added them. Always in the same order; an error rather than a part.

        Raises:
            InputError: There is no such store.
            IncompleteError: It does not answer, holds something that is no bundle of its own, or
                more than is read.
        """


class AskSecret(Protocol):
    """Who knows passwords and PINs: a person at a terminal, a file, a vault."""

    def __call__(self, what: str) -> str:
        """Return the secret.

        Args:
            what: Which, in words: ``password of release.key``.

        Raises:
            InputError: Nobody can be asked.
        """


class Progress(Protocol):
    """Who is told how far long work is. Called from any thread."""

    def start(self, total_bytes: int) -> None:
        """Say how much there is to do."""

    def advance(self, done_bytes: int) -> None:
        """Say that so much more is done."""
