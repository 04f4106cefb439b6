"""One JSON or YAML document, and the walk over everything in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from weighbridge.core import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Document", "Link", "show", "walk", "write_place"]

_SHOWN_CHARACTERS = 120
_SHOWN_STEPS = 12

Link: TypeAlias = "tuple[Link, str | int] | None"
"""The way to a value: the way to what it is in, and its key; None for the document itself."""


@dataclass(frozen=True, slots=True)
class Document:
    r"""What checks are given.

    Attributes:
        name: The file's name without folders, in small letters.
        path: Its whole name, in small letters, with ``/``.
        syntax: ``json`` or ``yaml``.
        value: Dictionaries with text keys, lists, texts, numbers; in YAML every scalar is a text.
            An object may occur many times (aliases); JSON lines and YAML files of several documents
            are a list. Behind the key ``"\0earlier"`` are values of keys that occur twice.
        found: Which needles occur in the text.
    """

    name: str
    path: str
    syntax: str
    value: object
    found: frozenset[bytes]


def walk(value: object) -> Iterator[tuple[Link, dict[str, object]]]:
    """Yield every mapping in ``value`` once, with the way to it; nothing recurses."""
    pending: list[tuple[Link, object]] = [(None, value)]
    seen: set[int] = set()
    while pending:
        link, item = pending.pop()
        if isinstance(item, dict):
            if id(item) in seen:
                continue
            seen.add(id(item))
            yield link, item
            pending.extend(
                ((link, key), part) for key, part in item.items() if isinstance(part, dict | list)
            )
        elif isinstance(item, list):
            if id(item) in seen:
                continue
            seen.add(id(item))
            pending.extend(
                ((link, n), part) for n, part in enumerate(item) if isinstance(part, dict | list)
            )


def write_place(link: Link, key: str) -> str:
    """Return the way to ``key`` for people: ``a.b[2].key``."""
    steps: list[str] = [key]
    while link is not None and len(steps) < _SHOWN_STEPS:
        link, step = link
        if step != "\0earlier":
            steps.append(f"[{step}]" if isinstance(step, int) else str(step))
    return show(".".join(reversed(steps)).replace(".[", "["))


def show(value: object) -> str:
    """Return a value for a message, short and printable."""
    return printable(value if isinstance(value, str) else repr(value), limit=_SHOWN_CHARACTERS)
