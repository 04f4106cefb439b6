"""YAML as a loader would see it: every document, tag, alias and merge key; nothing is constructed.

Other than ``_yaml``, which reads metadata of ours and refuses what that does not need, this reads
all that people write, in order to say what it would do.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import yaml

from weighbridge.core import printable
from weighbridge.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["YamlTag", "YamlTree", "read_yaml_tree"]

_CORE = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class YamlTag:
    """One tag that is written in the document, with its handle resolved.

    Attributes:
        line: From 1.
        name: Such as ``tag:yaml.org,2002:python/object/apply:os.system`` or ``!include``.
        text: The scalar behind it; empty if a list or a mapping follows.
    """

    line: int
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class YamlTree:
    r"""All documents of a file.

    Attributes:
        documents: Mappings are dictionaries, sequences lists, scalars their texts. An alias is the
            very object that it stands for, so that a walk must remember what it has seen. Where a
            key occurs twice, the earlier value is kept in a dictionary of its own behind the key
            ``"\0earlier"``.
        tags: All of them but for ``!`` and those of the core schema.
        values: Values once all aliases are written out; at least as many as there are.
    """

    documents: tuple[object, ...]
    tags: tuple[YamlTag, ...]
    values: int


@dataclass(slots=True)
class _Level:
    """A list or a mapping that is being read."""

    value: list[object] | dict[str, object]
    anchor: str | None
    key: str | None = None
    has_key: bool = False
    values: int = 1


@dataclass(slots=True)
class _Builder:
    """Builds values from events; lives for one call of :func:`read_yaml_tree`."""

    max_depth: int
    max_values: int
    documents: list[object] = field(default_factory=list)
    tags: list[YamlTag] = field(default_factory=list)
    anchors: dict[str, tuple[object, int]] = field(default_factory=dict)
    stack: list[_Level] = field(default_factory=list)
    total: int = 0
    count: int = 0

    def take(self, event: yaml.Event) -> None:
        """Take one event.

        Raises:
            ParseError: Too deep, too many values, or an alias that stands for nothing.
        """
        if isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.ScalarEvent):
            self._note_tag(event, event.value)
            self._bind(event.anchor, event.value, 1)
            self._add(event.value, 1)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._open(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            level = self.stack.pop()
            self._bind(level.anchor, level.value, level.values)
            self._add(level.value, level.values)
        elif isinstance(event, yaml.DocumentStartEvent):
            self.anchors.clear()

    def _open(self, event: yaml.CollectionStartEvent) -> None:
        self._note_tag(event, "")
        if len(self.stack) >= self.max_depth:
            raise ParseError(f"line {_line(event)}: too many lists and mappings inside each other")
        value: list[object] | dict[str, object]
        value = {} if isinstance(event, yaml.MappingStartEvent) else []
        self.stack.append(_Level(value, event.anchor))

    def _alias(self, event: yaml.AliasEvent) -> None:
        found = self.anchors.get(event.anchor or "")
        if found is None:
            name = printable(event.anchor or "", limit=80)
            raise ParseError(f"line {_line(event)}: the alias {name} stands for nothing before it")
        self._add(*found)

    def _bind(self, anchor: str | None, value: object, values: int) -> None:
        if anchor is not None:
            self.anchors[anchor] = (value, values)

    def _note_tag(self, event: yaml.NodeEvent, text: str) -> None:
        self.count += 1
        if self.count > self.max_values:
            raise ParseError(f"line {_line(event)}: there are more than {self.max_values:,} values")
        tag = getattr(event, "tag", None)
        if tag and tag != "!":
            self.tags.append(YamlTag(_line(event), tag, text))

    def _add(self, value: object, values: int) -> None:
        if not self.stack:
            self.documents.append(value)
            self.total += values
            return
        level = self.stack[-1]
        level.values += values
        if isinstance(level.value, list):
            level.value.append(value)
        elif not level.has_key:
            # A key that is a list or a mapping is no name; what is in it is kept to be looked at.
            level.key = value if isinstance(value, str) else f"\0key {len(level.value)}"
            level.has_key = True
            if not isinstance(value, str):
                level.value[f"{level.key}:"] = value
        else:
            level.has_key = False
            _put(level.value, level.key or "", value)


def _put(mapping: dict[str, object], key: str, value: object) -> None:
    if key in mapping:
        earlier = mapping.setdefault("\0earlier", [])
        if isinstance(earlier, list):
            earlier.append({key: mapping[key]})
    mapping[key] = value


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def read_yaml_tree(text: str, *, max_depth: int, max_values: int) -> YamlTree:
    """Read every document of a YAML file, as far as any loader would.

    Takes time and memory of the length of the text, whatever its aliases stand for, and does not
    recurse. An alias for something that it lies in is refused.

    Args:
        text: The caller bounds its size.
        max_depth: Lists and mappings inside each other, as they are written.
        max_values: Values as they are written.

    Raises:
        ParseError: Not YAML, or beyond a bound; the message names the line.

    Source:
        YAML 1.1, sections 3 and 4.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C is ten times as fast
    builder = _Builder(max_depth, max_values)
    try:
        with closing(_events(text, loader)) as events:
            for event in events:
                builder.take(event)
    except yaml.MarkedYAMLError as error:
        line = 1 + (error.problem_mark.line if error.problem_mark else 0)
        raise ParseError(f"line {line}: not YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        reason = printable(" ".join(str(error).split()), limit=200)
        raise ParseError(f"not YAML: {reason}") from error
    tags = tuple(tag for tag in builder.tags if not _is_core(tag.name))
    return YamlTree(tuple(builder.documents), tags, builder.total)


def _events(text: str, loader: type) -> Generator[yaml.Event]:
    yield from yaml.parse(text, Loader=loader)


_CORE_TYPES_TEXT = "str int float bool null seq map binary timestamp omap pairs set merge value"
_CORE_TYPES = frozenset(_CORE_TYPES_TEXT.split())


def _is_core(name: str) -> bool:
    return name.startswith(_CORE) and name[len(_CORE) :] in _CORE_TYPES
