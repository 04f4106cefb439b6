"""When something is judged."""

from __future__ import annotations

from datetime import UTC, datetime

from weighbridge.errors import InputError

__all__ = ["to_moment"]


def to_moment(at: datetime | None) -> datetime:
    """Return when something is judged: ``at``, or now.

    Raises:
        InputError: ``at`` has no zone, so that nobody knows which moment it is.
    """
    if at is None:
        return datetime.now(UTC)
    if at.tzinfo is None:
        raise InputError(f"the time {at.isoformat()} has no zone; add tzinfo=UTC")
    return at
