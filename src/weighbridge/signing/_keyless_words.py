"""What sigstore-python and what is under it raise, in words for one line."""

from __future__ import annotations

from weighbridge.core import printable
from weighbridge.errors import WeighbridgeError

__all__ = ["to_words"]


def to_words(error: BaseException) -> str:
    """Return what an error says, short and printable.

    The errors of pydantic have several lines, of which the first says nothing; ours end with what
    to do next, which is for somebody else.
    """
    text = str(error)
    if isinstance(error, WeighbridgeError):
        text = text.partition(";")[0]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > 2 and "validation error" in lines[0]:  # noqa: PLR2004 - head, place, words
        lines = [f"{lines[1]}: {lines[2].partition(' [type=')[0]}"]
    return printable(lines[0] if lines else type(error).__name__, limit=200)
