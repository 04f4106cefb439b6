"""YAML as a tree of the texts that were written; bounded, and nothing is constructed.

YAML's own constructors would make ``False`` of ``no``, 1200 of ``20:00`` and, by tags, any object.
What is read here is metadata, where only the written text has a meaning.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from weighbridge.core import printable
from weighbridge.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

__all__ = ["YamlMapping", "YamlNode", "YamlSequence", "YamlText", "parse_yaml"]

# A card with 500 kB of evaluation results has about 35,000 values.
_MAX_VALUES = 250_000
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_SHOWN_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class YamlText:
    """A scalar as it was written.

    Attributes:
        line: Where it begins, from 1.
        value: Its text, escapes undone.
        is_null: Whether it is an unquoted ``null``, ``~`` or nothing at all.
    """

    line: int
    value: str
    is_null: bool = False


@dataclass(frozen=True, slots=True)
class YamlSequence:
    """A list; ``line`` is where it begins, from 1."""

    line: int
    items: tuple[YamlNode, ...]


@dataclass(frozen=True, slots=True)
class YamlMapping:
    """Keys and values; ``line`` is where it begins, from 1."""

    line: int
    items: dict[str, YamlNode]


YamlNode = YamlText | YamlSequence | YamlMapping


def parse_yaml(text: str, *, first_line: int, max_depth: int) -> YamlNode:
    """Read one YAML document.

    Refused, because metadata does not need them and a hostile file could use them: anchors and
    aliases (a few lines that stand for billions of values), tags, keys that are not text, merge
    keys, a key twice in one mapping, several documents.

    Args:
        text: The document; the caller bounds its size.
        first_line: The line of the file that ``text`` begins on.
        max_depth: Lists and mappings inside each other.

    Raises:
        ParseError: Not YAML or refused; the message names the line.

    Source:
        YAML 1.1, sections 3 and 4.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C is ten times as fast
    try:
        with closing(_check_events(yaml.parse(text, Loader=loader), first_line)) as events:
            event = next(events, None)
            if event is None:
                return YamlText(first_line, "", is_null=True)
            node = _compose(event, events, levels=max_depth)
            if (extra := next(events, None)) is not None:
                raise ParseError(f"line {extra.line}: a second document begins")
            return node
    except yaml.MarkedYAMLError as error:
        line = first_line + (error.problem_mark.line if error.problem_mark else 0)
        raise ParseError(f"line {line}: not YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        reason = printable(" ".join(str(error).split()), limit=200)
        raise ParseError(f"not YAML: {reason}") from error


@dataclass(frozen=True, slots=True)
class _Step:
    """One event that passed the checks; the frame of streams and documents is left out."""

    line: int
    event: yaml.Event


def _check_events(events: Iterator[yaml.Event], first_line: int) -> Generator[_Step]:
    values = 0
    for event in events:
        line = first_line + (event.start_mark.line if event.start_mark else 0)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise ParseError(
                f"line {line}: anchors and aliases (& and *) are not read in metadata;"
                " write the value out"
            )
        if getattr(event, "tag", None):
            raise ParseError(f"line {line}: tags (!) are not read in metadata; remove the tag")
        if isinstance(event, yaml.CollectionStartEvent | yaml.ScalarEvent):
            values += 1
            if values > _MAX_VALUES:
                raise ParseError(f"line {line}: there are more than {_MAX_VALUES:,} values")
        elif not isinstance(event, yaml.CollectionEndEvent):
            continue
        yield _Step(line, event)


def _compose(step: _Step, steps: Iterator[_Step], *, levels: int) -> YamlNode:
    """Build the node that ``step`` begins, taking what belongs to it from ``steps``.

    Recursion is bounded by ``levels``.
    """
    event = step.event
    if isinstance(event, yaml.ScalarEvent):
        is_null = not event.style and event.value in _NULLS
        return YamlText(step.line, event.value, is_null=is_null)
    if levels == 0:
        raise ParseError(f"line {step.line}: too many lists and mappings inside each other")
    if isinstance(event, yaml.SequenceStartEvent):
        return YamlSequence(step.line, tuple(_compose_items(steps, levels=levels - 1)))
    items: dict[str, YamlNode] = {}
    children = _compose_items(steps, levels=levels - 1)
    for key in children:
        if not isinstance(key, YamlText):
            raise ParseError(f"line {key.line}: a key must be text")
        if key.value == "<<":  # YAML 1.1's merge key; a reader that merges would see other keys
            raise ParseError(f"line {key.line}: merge keys (<<) are not read; write the keys out")
        if key.value in items:
            name = printable(key.value, limit=_SHOWN_CHARACTERS)
            raise ParseError(f"line {key.line}: the key {name!r} appears twice")
        items[key.value] = next(children)
    return YamlMapping(step.line, items)


def _compose_items(steps: Iterator[_Step], *, levels: int) -> Iterator[YamlNode]:
    for step in steps:
        if isinstance(step.event, yaml.CollectionEndEvent):
            return
        yield _compose(step, steps, levels=levels)
