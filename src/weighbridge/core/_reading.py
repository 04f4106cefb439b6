"""What reading an artifact could not give."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["ReadFailure", "ReadFailureKind"]


class ReadFailureKind(StrEnum):
    """Why a file is not in the manifest."""

    REFUSED = "refused"
    UNREADABLE = "unreadable"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class ReadFailure:
    """An entry of the artifact that has no digest.

    Attributes:
        name: POSIX path inside the artifact, as the file system gives it.
        kind: REFUSED: a link, a device, a name that cannot be written down. UNREADABLE: the system
            would not let us. CHANGED: it did not stay the same while it was read.
        reason: Half a sentence: ``is a symbolic link to /etc/passwd``.
    """

    name: str
    kind: ReadFailureKind
    reason: str
