"""Words for people, from names that strangers chose."""

from __future__ import annotations

__all__ = ["printable", "short_id", "to_count", "to_size"]

_SHORT_CHARACTERS = 12
_ALGORITHM_CHARACTERS = 16


def printable(text: str, *, limit: int = 400) -> str:
    r"""Return ``text`` so that no terminal acts on it.

    Control and format characters (escape sequences, bidirectional overrides, zero-width joiners),
    odd spaces, lone surrogates and unassigned code points are written as ``\xNN`` or ``\uNNNN``;
    what is longer than ``limit`` characters is cut and marked.
    """
    if text.isprintable() and len(text) <= limit:
        return text
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(char if char.isprintable() else _escape(char) for char in cut)


def _escape(char: str) -> str:
    if "\udc80" <= char <= "\udcff":  # a byte that was not UTF-8 (PEP 383)
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")


def short_id(id_: str) -> str:
    """Return the algorithm and the first twelve digits: enough to tell artifacts apart by eye.

    Args:
        id_: A digest with its algorithm, or the id of a node of a lineage; a stranger's word.
    """
    algorithm, colon, value = id_.partition(":")
    return f"{algorithm[:_ALGORITHM_CHARACTERS]}{colon}{value[:_SHORT_CHARACTERS]}"


def to_count(number: int, noun: str) -> str:
    """Return ``1 file`` or ``3,000 files``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def to_size(size_bytes: int) -> str:
    """Return a size in at most three significant digits and a binary unit: ``86.7 MiB``."""
    value = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:  # noqa: PLR2004
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"  # noqa: PLR2004
        value /= 1024
    return f"{value:.1f} TiB"
