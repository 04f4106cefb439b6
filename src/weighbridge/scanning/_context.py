"""What every engine of the scan is given, and what the pickle engine gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from weighbridge.errors import LimitExceededError

if TYPE_CHECKING:
    from weighbridge.core import Finding, Limits
    from weighbridge.scanning._notes import Examine
    from weighbridge.scanning._pickle._trace import PickleTracer

__all__ = ["Budget", "PickleScan", "ScanContext"]

# Small streams of zeros reach any ratio; they are bounded by the bytes, not by the ratio.
_RATIO_COUNTS_FROM_BYTES = 64 * 1024 * 1024
# What text packs to, and no more: searching costs more than expanding.
_TEXT_RATIO = 4
_SEARCHED_BYTES = 16 * 1024 * 1024


@dataclass(slots=True)
class Budget:
    """What examining one file of the artifact may still cost, whatever is nested inside it.

    Counted in work and not in seconds, so that the same bytes get the same verdict on any machine.

    Attributes:
        limits: The bounds.
        subject: The name of the file, for messages.
        size_bytes: Of the file; ``max_ratio`` counts from it.
        pickle_ops: Opcodes so far; so the others.
    """

    limits: Limits
    subject: str
    size_bytes: int = 0
    pickle_ops: int = 0
    members: int = 0
    expanded_bytes: int = 0
    header_bytes: int = 0
    text_bytes: int = 0
    parsed_bytes: int = 0
    fields: int = 0
    searched_bytes: int = 0

    def spend_pickle_ops(self, count: int) -> None:
        """Count opcodes.

        Raises:
            LimitExceededError: More than ``max_pickle_ops`` in this file.
        """
        self.pickle_ops += count
        self._check("max_pickle_ops", self.limits.max_pickle_ops, self.pickle_ops)

    def spend_fields(self, count: int) -> None:
        """Count fields of graphs.

        Raises:
            LimitExceededError: More than ``max_fields`` in this file.
        """
        self.fields += count
        self._check("max_fields", self.limits.max_fields, self.fields)

    def spend_members(self, count: int) -> None:
        """Count container members.

        Raises:
            LimitExceededError: More than ``max_members`` in this file.
        """
        self.members += count
        self._check("max_members", self.limits.max_members, self.members)

    def spend_expanded_bytes(self, count: int) -> None:
        """Count bytes that decompression gave.

        Raises:
            LimitExceededError: More than ``max_expanded_bytes`` in this file, or more than
                ``max_ratio`` for each of its own bytes.
        """
        self.expanded_bytes += count
        self._check("max_expanded_bytes", self.limits.max_expanded_bytes, self.expanded_bytes)
        if self.expanded_bytes > _RATIO_COUNTS_FROM_BYTES:
            ratio = self.expanded_bytes // max(self.size_bytes, 1)
            self._check("max_ratio", self.limits.max_ratio, ratio)

    def spend_header_bytes(self, count: int) -> None:
        """Count bytes of tensor headers, and of the outlines of images.

        Raises:
            LimitExceededError: More than ``max_headers_bytes`` beyond the size of this file.
        """
        self.header_bytes += count
        limit = self.limits.max_headers_bytes + self.size_bytes
        self._check("max_headers_bytes", limit, self.header_bytes)

    def spend_text_bytes(self, count: int) -> None:
        """Count bytes of text that are searched.

        Raises:
            LimitExceededError: More than ``max_text_bytes`` beyond four times this file's size.
        """
        self.text_bytes += count
        limit = self.limits.max_text_bytes + _TEXT_RATIO * self.size_bytes
        self._check("max_text_bytes", limit, self.text_bytes)

    def spend_parsed_bytes(self, count: int) -> None:
        """Count bytes of JSON that are parsed.

        Raises:
            LimitExceededError: More than ``max_parsed_bytes`` beyond the size of this file.
        """
        self.parsed_bytes += count
        limit = self.limits.max_parsed_bytes + self.size_bytes
        self._check("max_parsed_bytes", limit, self.parsed_bytes)

    def can_parse(self, count: int) -> bool:
        """Return whether :meth:`spend_parsed_bytes` would let ``count`` more bytes through."""
        limit = self.limits.max_parsed_bytes + self.size_bytes
        return self.parsed_bytes + count <= limit

    def may_search(self, count: int) -> bool:
        """Return whether ``count`` more bytes may be searched for what nothing leads to.

        Such a search is more than anybody may expect, so that its end is no reason to complain.
        """
        self.searched_bytes += count
        return self.searched_bytes <= _SEARCHED_BYTES

    def _check(self, name: str, limit: int, actual: int) -> None:
        if actual > limit:
            raise LimitExceededError(name, limit=limit, actual=actual, subject=self.subject)


@dataclass(frozen=True, slots=True)
class ScanContext:
    """What examining one file needs besides its bytes.

    Attributes:
        limits: The bounds.
        budget: Shared by everything nested in one file of the artifact.
        allowed: (module, name) pairs that the user vouches for, besides the built-in list.
        nesting: Containers around the bytes at hand; 0 for the file itself.
        script: What the bytes are in a TorchScript archive: ``archive`` itself, ``code`` or
            ``data``; empty elsewhere, and in whatever is nested in a member.
        weights: Whether every tensor is read; otherwise a sample of each.
        examine: The router, for what documents have packed inside them.
        tracer: Keeps what pickles do step by step, if somebody wants to read it.
    """

    limits: Limits
    budget: Budget
    allowed: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    nesting: int = 0
    script: Literal["", "archive", "code", "data"] = ""
    weights: bool = False
    examine: Examine | None = None
    tracer: PickleTracer | None = None


@dataclass(frozen=True, slots=True)
class PickleScan:
    """What the pickle engine says about a run of bytes that are one or more pickles.

    Attributes:
        findings: In the order of their offsets.
        format: ``pickle``, ``joblib`` or ``torch-legacy``.
        end: Offset behind the last byte that was understood; the source's size if all of it was.
        complete: Whether everything up to ``end`` was followed exactly to a STOP.
        reason: Why not, or what lies behind ``end``; empty if neither.
        storage_keys: Keys of the raw storages that PyTorch persistent ids name.
    """

    findings: tuple[Finding, ...]
    format: str
    end: int
    complete: bool
    reason: str = ""
    storage_keys: frozenset[str] = frozenset()
