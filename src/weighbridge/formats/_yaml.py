"""YAML as a tree of the texts that were written; bounded, and nothing is constructed.

YAML's own constructors would make ``False`` of ``no``, 1200 of ``20:00`` and, by tags, any object.
What is read here is metadata, where only the written text has a meaning.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

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


def parse_yaml(
    text: str,
    *,
    first_line: int,
    max_depth: int,
    max_values: int = _MAX_VALUES,
    with_aliases: bool = False,
) -> YamlNode:
    """Read one YAML document.

    Refused, because metadata does not need them and a hostile file could use them: anchors and
    aliases (a few lines that stand for billions of values), tags, keys that are not text, merge
    keys, a key twice in one mapping, several documents.

    Args:
        text: The document; the caller bounds its size.
        first_line: The line of the file that ``text`` begins on.
        max_depth: Lists and mappings inside each other, counted as they are once written out.
        max_values: Values in the document, likewise.
        with_aliases: Whether anchors and aliases are read: what an alias stands for is the same
            object each time, and counts each time.

    Raises:
        ParseError: Not YAML or refused; the message names the line.

    Source:
        YAML 1.1, sections 3 and 4.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C is ten times as fast
    try:
        parsed = yaml.parse(text, Loader=loader)
        with closing(_check_events(parsed, first_line, with_aliases=with_aliases)) as events:
            event = next(events, None)
            if event is None:
                return YamlText(first_line, "", is_null=True)
            composer = _Composer(events, max_values)
            node = composer.compose(event, levels=max_depth)
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


def _check_events(
    events: Iterator[yaml.Event], first_line: int, *, with_aliases: bool
) -> Generator[_Step]:
    for event in events:
        line = first_line + (event.start_mark.line if event.start_mark else 0)
        has_anchor = isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None)
        if has_anchor and not with_aliases:
            raise ParseError(
                f"line {line}: anchors and aliases (& and *) are not read in metadata;"
                " write the value out"
            )
        if getattr(event, "tag", None):
            raise ParseError(f"line {line}: tags (!) are not read in metadata; remove the tag")
        if isinstance(event, yaml.NodeEvent | yaml.CollectionEndEvent):
            yield _Step(line, event)


class _Anchored(NamedTuple):
    """What an alias stands for, how many values that is, and how deep it goes."""

    node: YamlNode
    values: int
    levels: int


class _Composer:
    """Builds nodes from events; lives for one call of :func:`parse_yaml`."""

    def __init__(self, steps: Iterator[_Step], max_values: int) -> None:
        self._steps = steps
        self._max_values = max_values
        self._values = 0
        self._deepest = 0  # the fewest levels left that were reached since it was last set
        self._anchored: dict[str, _Anchored | None] = {}

    def compose(self, step: _Step, *, levels: int) -> YamlNode:
        """Build the node that ``step`` begins, taking what belongs to it from the events.

        Recursion is bounded by ``levels``.
        """
        event = step.event
        if isinstance(event, yaml.AliasEvent):
            return self._resolve(event.anchor or "", step.line, levels=levels)
        self._count(1, step.line)
        anchor: str | None = getattr(event, "anchor", None)
        if anchor is None:
            return self._build(step, levels=levels)
        self._anchored[anchor] = None
        before, outer = self._values - 1, self._deepest
        self._deepest = levels
        node = self._build(step, levels=levels)
        depth = levels - self._deepest
        self._anchored[anchor] = _Anchored(node, self._values - before, depth)
        self._deepest = min(outer, self._deepest)
        return node

    def _resolve(self, anchor: str, line: int, *, levels: int) -> YamlNode:
        name = printable(anchor, limit=_SHOWN_CHARACTERS)
        if anchor not in self._anchored:
            raise ParseError(f"line {line}: the alias {name} stands for nothing before it")
        found = self._anchored[anchor]
        if found is None:
            raise ParseError(f"line {line}: the alias {name} stands for what it is in")
        if found.levels > levels:
            raise ParseError(f"line {line}: too many lists and mappings inside each other")
        self._deepest = min(self._deepest, levels - found.levels)
        self._count(found.values, line)
        return found.node

    def _count(self, values: int, line: int) -> None:
        self._values += values
        if self._values > self._max_values:
            raise ParseError(f"line {line}: there are more than {self._max_values:,} values")

    def _build(self, step: _Step, *, levels: int) -> YamlNode:
        event = step.event
        if isinstance(event, yaml.ScalarEvent):
            is_null = not event.style and event.value in _NULLS
            return YamlText(step.line, event.value, is_null=is_null)
        if levels == 0:
            raise ParseError(f"line {step.line}: too many lists and mappings inside each other")
        self._deepest = min(self._deepest, levels - 1)
        if isinstance(event, yaml.SequenceStartEvent):
            return YamlSequence(step.line, tuple(self._compose_items(levels=levels - 1)))
        items: dict[str, YamlNode] = {}
        children = self._compose_items(levels=levels - 1)
        for key in children:
            if not isinstance(key, YamlText):
                raise ParseError(f"line {key.line}: a key must be text")
            if key.value == "<<":  # YAML 1.1's merge key; a reader that merges would see other keys
                raise ParseError(
                    f"line {key.line}: merge keys (<<) are not read; write the keys out"
                )
            if key.value in items:
                name = printable(key.value, limit=_SHOWN_CHARACTERS)
                raise ParseError(f"line {key.line}: the key {name!r} appears twice")
            items[key.value] = next(children)
        return YamlMapping(step.line, items)

    def _compose_items(self, *, levels: int) -> Iterator[YamlNode]:
        for step in self._steps:
            if isinstance(step.event, yaml.CollectionEndEvent):
                return
            yield self.compose(step, levels=levels)
