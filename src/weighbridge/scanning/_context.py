"""What every engine of the scan is given, and what the pickle engine gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weighbridge.errors import LimitExceededError

if TYPE_CHECKING:
    from weighbridge.core import Finding, Limits

__all__ = ["Budget", "PickleScan", "ScanContext"]


@dataclass(slots=True)
class Budget:
    """What examining one file of the artifact may still cost, whatever is nested inside it.

    Counted in work and not in seconds, so that the same bytes get the same verdict on any machine.
    """

    limits: Limits
    subject: str
    pickle_ops: int = 0
    members: int = 0
    expanded_bytes: int = 0

    def spend_pickle_ops(self, count: int) -> None:
        """Count opcodes.

        Raises:
            LimitExceededError: More than ``max_pickle_ops`` in this file.
        """
        self.pickle_ops += count
        self._check("max_pickle_ops", self.limits.max_pickle_ops, self.pickle_ops)

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
            LimitExceededError: More than ``max_expanded_bytes`` in this file.
        """
        self.expanded_bytes += count
        self._check("max_expanded_bytes", self.limits.max_expanded_bytes, self.expanded_bytes)

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
    """

    limits: Limits
    budget: Budget
    allowed: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    nesting: int = 0


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
