"""Searching a text for many short needles at once, without reading it once for each.

Needles share bytes that are rare in text, such as ``_``. One pass shows which of those occur at
all; only what has one of them is searched for, and where there are few, only around them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["CONTROLS", "find_needles", "keep_rare"]

CONTROLS = bytes([*range(9), *range(0x0E, 0x20)])
"""What no text has; tab, line feed, form feed, vertical tab, carriage return and delete are left
out."""

# Bytes that are rare in text, the rarest first: the first that a needle has is its anchor.
_RARE = b"_|%<!=\\~JKGIVO/-"
# These are rare in some texts only, and picking them out would cost more than looking for them.
_ANCHORS = _RARE + b'xjz:" '
_COMMON = bytes(sorted({*range(256)} - {*CONTROLS} - {*_RARE}))
# Below that, searching for each needle costs less than what is prepared here.
_SMALL_BYTES = 2048
_SAMPLE_BYTES = 1024
# What was measured for a megabyte, in microseconds: a search for one needle; and for a group, what
# it costs to look for an anchor, and that much more if each byte were one.
_PLAIN_COST = 400
_GROUP_COST = 250
_DENSE_COST = 25_000
# So few are found one by one: that looks at the bytes between them many at once.
_FEW = 1 / 8192
# A needle that stands there again and again is searched for by itself, which stops at the first.
_MAX_HITS = 32


def keep_rare(chunk: bytes) -> bytes:
    """Return the bytes of ``chunk`` that are rare in text: anchors of needles, and controls."""
    return chunk.translate(None, _COMMON)


def find_needles(window: bytes, rare: bytes, needles: tuple[bytes, ...], found: set[bytes]) -> None:
    """Add to ``found`` each of ``needles`` that occurs in ``window``.

    Args:
        window: What is searched.
        rare: What :func:`keep_rare` returns for it, or for its parts one after another.
        needles: None of them empty; those in ``found`` are not searched for.
        found: What was found before, for instance in another piece of the same text.
    """
    small = len(window) < _SMALL_BYTES
    for anchor, pattern, group in _group(needles):
        if anchor and anchor not in (rare if anchor in _RARE else window):
            continue
        missing = [needle for needle in group if needle not in found]
        density = 1.0 if small or pattern is None else _measure(anchor, window, rare)
        if pattern is None or len(missing) * _PLAIN_COST < _GROUP_COST + _DENSE_COST * density:
            found.update(_search_each(window, missing))
        elif missing:
            few = density < _FEW
            every = _match_few(window, pattern, anchor) if few else pattern.finditer(window)
            _search_around(window, every, anchor, missing, found)


def _measure(anchor: bytes, window: bytes, rare: bytes) -> float:
    """Return the share of the bytes of ``window`` that are ``anchor``, or what a sample says."""
    if anchor in _RARE:
        return rare.count(anchor) / len(window)
    places = (0, len(window) // 2, len(window) - _SAMPLE_BYTES)
    count = sum(window.count(anchor, place, place + _SAMPLE_BYTES) for place in places)
    return max(count / (len(places) * _SAMPLE_BYTES), _FEW)


def _search_each(window: bytes, missing: Iterable[bytes]) -> Iterator[bytes]:
    """Yield those that occur; what several have in common is searched for once."""
    cores: dict[bytes, list[bytes]] = {}
    for needle in missing:
        cores.setdefault(needle.strip(b'": '), []).append(needle)
    for core, group in cores.items():
        if len(group) == 1 or core in window:
            yield from (needle for needle in group if needle in window)


def _search_around(
    window: bytes,
    matches: Iterator[re.Match[bytes]],
    anchor: bytes,
    missing: list[bytes],
    found: set[bytes],
) -> None:
    for hits, match in enumerate(matches):
        if hits == _MAX_HITS or found.issuperset(missing):
            break
        at = match.start()
        for needle in missing:
            start = at - needle.index(anchor)
            if start >= 0 and window.startswith(needle, start):
                found.add(needle)
    else:
        return
    found.update(_search_each(window, [one for one in missing if one not in found]))


def _match_few(
    window: bytes, pattern: re.Pattern[bytes], anchor: bytes
) -> Iterator[re.Match[bytes]]:
    at = window.find(anchor)
    while at >= 0:
        if match := pattern.match(window, at):
            yield match
        at = window.find(anchor, at + 1)


@lru_cache(maxsize=16)
def _group(
    needles: tuple[bytes, ...],
) -> tuple[tuple[bytes, re.Pattern[bytes] | None, tuple[bytes, ...]], ...]:
    """Return anchors with their needles, and with what matches an anchor inside one of them."""
    groups: dict[bytes, list[bytes]] = {}
    for needle in needles:
        anchor = next((bytes([one]) for one in _ANCHORS if one in needle), b"")
        groups.setdefault(anchor, []).append(needle)
    return tuple(
        (anchor, _compile(anchor, group) if anchor else None, tuple(group))
        for anchor, group in groups.items()
    )


def _compile(anchor: bytes, group: list[bytes]) -> re.Pattern[bytes]:
    # What follows first: a branch that begins with another letter is not even tried.
    branches = sorted(
        re.escape(needle.partition(anchor)[2]) + b"(?<=" + re.escape(needle) + b")"
        for needle in group
    )
    return re.compile(re.escape(anchor) + b"(?=" + b"|".join(reversed(branches)) + b")")
