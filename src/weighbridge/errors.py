"""Every error that Weighbridge raises, and nothing else.

A message says what happened, to what, and what to do next. Which exit code an error leads to is
decided in one place, :mod:`weighbridge.cli`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ArtifactChangedError",
    "DigestMismatchError",
    "IncompleteError",
    "InputError",
    "LimitExceededError",
    "MissingExtraError",
    "ParseError",
    "RanksError",
    "SignatureError",
    "StepFailedError",
    "TrustError",
    "VerificationError",
    "WeighbridgeError",
]


class Difference(Protocol):
    """What two manifests disagree about; ``core.ManifestDiff`` is one."""

    def to_lines(self) -> Iterable[str]:
        """Return one sentence fragment a difference."""


class WeighbridgeError(Exception):
    """The root: catching it catches everything that Weighbridge raises on purpose."""


class InputError(WeighbridgeError, ValueError):
    """The request cannot be used: a path, an option or a document is wrong. Exit code 2."""


class ParseError(InputError):
    """A document is malformed.

    Attributes:
        where: The place inside the document, such as ``resources[3].digest``; may be empty.
    """

    def __init__(self, message: str, *, where: str = "") -> None:
        """Keep ``where`` apart from the words, and put it behind them."""
        super().__init__(f"{message} (at {where})" if where else message)
        self.where = where


class MissingExtraError(InputError):
    """An optional part is not installed.

    Attributes:
        extra: The name to install, as in ``pip install weighbridge[extra]``.
    """

    def __init__(self, extra: str, *, purpose: str) -> None:
        """Say what is missing and how to get it."""
        super().__init__(f"{purpose} needs an extra: pip install 'weighbridge[{extra}]'")
        self.extra = extra


class VerificationError(WeighbridgeError):
    """Something was examined and does not hold. Exit code 1."""


class ArtifactChangedError(VerificationError):
    """Files changed while they were read, or between reading and verdict.

    Attributes:
        names: The files, by their POSIX path inside the artifact.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        """Name the first file and count the others."""
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        super().__init__(
            f"{names[0]}{more} changed while being read; let writers finish, then run again"
        )
        self.names = names


class DigestMismatchError(VerificationError):
    """The files are not those that were signed.

    Attributes:
        diff: What differs.
    """

    def __init__(self, message: str, *, diff: Difference) -> None:
        """Keep the difference for callers that want more than the message."""
        super().__init__(message)
        self.diff = diff


class RanksError(VerificationError):
    """The ranks of a distributed job are not all there, or do not fit together.

    Attributes:
        ranks: Which are to blame, sorted.
        problems: What is wrong, a sentence each; the message holds the first.
    """

    def __init__(self, ranks: tuple[int, ...], *, problems: tuple[str, ...]) -> None:
        """Say the first problem and count the others."""
        more = f" (and {len(problems) - 1} more problems)" if len(problems) > 1 else ""
        super().__init__(f"the ranks cannot be joined: {problems[0]}{more}; nothing was written")
        self.ranks = ranks
        self.problems = problems


class SignatureError(VerificationError):
    """The signature itself does not hold."""


class StepFailedError(VerificationError):
    """The command of a step failed, so that nothing is said about what it made.

    Attributes:
        exit_code: As the system told it; negative for a signal.
        denied: What the walls around it denied it, by path; None if nobody saw it.
    """

    def __init__(
        self, message: str, *, exit_code: int, denied: tuple[str, ...] | None = ()
    ) -> None:
        """Keep the exit code and the paths apart from the words."""
        super().__init__(message)
        self.exit_code = exit_code
        self.denied = denied


class TrustError(VerificationError):
    """The signature may hold, but not by anybody who is trusted for it."""


class IncompleteError(WeighbridgeError):
    """The work could not be finished, so that there is no answer. Exit code 3."""


class LimitExceededError(IncompleteError):
    """Something hostile or very large met a bound of ``core.Limits``.

    Attributes:
        name: The field of ``Limits``.
        limit: Its value.
        actual: The figure that was met; a lower bound if counting stopped.
    """

    def __init__(self, name: str, *, limit: int, actual: int, subject: str) -> None:
        """Say which limit, its value and the actual figure."""
        super().__init__(f"{subject}: {actual:,} is over the limit {name} = {limit:,}")
        self.name = name
        self.limit = limit
        self.actual = actual
