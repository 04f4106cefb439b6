"""Lay out words in the cells of a terminal."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["count_cells", "pad", "shorten", "wrap"]


def count_cells(text: str) -> int:
    """Return how many columns ``text`` takes: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(_cells(char) for char in text)


def _cells(char: str) -> int:
    if unicodedata.category(char) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1


def pad(text: str, width: int) -> str:
    """Return ``text`` with spaces behind it, up to ``width`` cells."""
    return text + " " * (width - count_cells(text))


def shorten(text: str, width: int, *, mark: str) -> str:
    """Cut the middle out of ``text``, so that it takes at most ``width`` cells.

    The end stays, since the last part of a path tells most.
    """
    if count_cells(text) <= width:
        return text
    room = max(width - count_cells(mark), 0)
    head = _take(text, room // 3)
    tail = _take(text[::-1], room - count_cells(head))[::-1]
    return _take(head + mark + tail, width)


def _take(text: str, width: int) -> str:
    """Return the longest beginning of ``text`` that fits ``width`` cells."""
    cells = 0
    for index, char in enumerate(text):
        cells += _cells(char)
        if cells > width:
            return text[:index]
    return text


def wrap(text: str, width: int) -> list[str]:
    """Break ``text`` between words into lines of at most ``width`` cells, at least one line.

    Words that are longer than a line are broken anywhere. A ``width`` below 2 counts as 2, so that
    any character fits.
    """
    width = max(width, 2)
    lines = [""]
    for word in _pieces(text, width):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if count_cells(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(word)
    return lines


def _pieces(text: str, width: int) -> Iterator[str]:
    for word in text.split():
        rest = word
        while count_cells(rest) > width:
            piece = _take(rest, width)
            yield piece
            rest = rest[len(piece) :]
        if rest:
            yield rest
