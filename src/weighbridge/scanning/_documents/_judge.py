"""JSON and YAML: parsed where something in them asks for it, and then judged by the checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.core import parse_json
from weighbridge.errors import ParseError
from weighbridge.formats import read_json_loose, read_yaml_tree
from weighbridge.scanning._documents._checks import (
    DOCUMENT_NEEDLES,
    IDLE_NEEDLES,
    PARSED_NAMES,
    judge_document,
)
from weighbridge.scanning._documents._document import Document, show
from weighbridge.scanning._documents._targets import is_dangerous
from weighbridge.scanning._documents._words import (
    YAML_MARKS,
    find_python,
    has_hidden_letters,
    has_yaml_tags,
    hides_yaml,
    names_keys,
)
from weighbridge.scanning._notes import found, inert, not_examined

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from weighbridge.core import Limits, Location
    from weighbridge.formats import Text, YamlTag, YamlTree
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Note

__all__ = ["judge_json", "judge_yaml"]

# What no search hits is parsed only to tell whether it is JSON at all, and only while that costs
# next to nothing.
_PARSE_ALWAYS_BYTES = 32 * 1024
# What beginning another document costs, where each line is one.
_LINE_COST_BYTES = 32
# An object takes some 300 bytes of memory where two of them are enough to write it.
_MAX_OBJECTS = 500_000
# Events of YAML cost a microsecond each, in C; a byte may be one.
_MAX_YAML_BYTES = 4 * 1024 * 1024
_MAX_YAML_VALUES = 500_000
_YAML_BOMB_VALUES = 1_000_000
_BOMB_RATIO = 20
_MAX_TAGS = 20
_BUILDING = "tag:yaml.org,2002:python/"
# Types of Python that are plain data, whoever builds them.
_PLAIN_TYPES_TEXT = "tuple str int float bool list dict none unicode long complex bytes"
_PLAIN_TYPES = frozenset(_PLAIN_TYPES_TEXT.split())
_NAMING = ("object/apply:", "object/new:", "object:", "name:", "module:", "object/")
_ALL_NEEDLES = frozenset(DOCUMENT_NEEDLES)


def judge_json(
    text: Text, path: str, at: Location, context: ScanContext
) -> Generator[Note, None, bool]:
    """Judge a text that is JSON by its beginning or its name; False, in silence, if it is not."""
    name = path.rpartition("/")[2]
    names = text.found & _ALL_NEEDLES
    hidden = has_hidden_letters(text)
    marked = bool(text.found & set(YAML_MARKS))
    vital = bool(names - IDLE_NEEDLES) or hidden or marked
    needed = vital or bool(names) or name in PARSED_NAMES
    size = len(text.data)
    if not vital and not text.whole:
        yield inert(at, "json", "names no code to load")
        return True
    if not needed and (size > _PARSE_ALWAYS_BYTES or not context.budget.can_parse(size)):
        yield inert(at, "json", "names no code to load")
        return True
    if not text.whole:
        yield not_examined(at, "json", f"it may name code to load ({_list(names) or 'by escapes'})")
        return True
    lines = text.data.count(b"\n")
    context.budget.spend_parsed_bytes(size + _LINE_COST_BYTES * lines)
    try:
        value = _parse(text.data, context.limits, loose=needed)
    except ParseError as error:
        if not needed or (marked and not names):
            return False
        if not vital:
            yield inert(at, "json", "names no code to load")
            return True
        reason = f"it may name code to load ({_list(names) or 'unreadable'}), and {error}"
        yield not_examined(at, "json", reason)
        return True
    if not needed:
        yield inert(at, "json", "names no code to load")
        return True
    hits = _ALL_NEEDLES if hidden else names
    yield from judge_document(Document(name, path, "json", value, hits), at, context)
    return True


def _list(names: frozenset[bytes]) -> str:
    """Return the names of code that occur, for people."""
    return ", ".join(sorted(name.decode().strip('"') for name in names))


def _parse(data: bytes, limits: Limits, *, loose: bool) -> object:
    """Read JSON, or JSON lines: one document a line; or, if it matters, what is nearly JSON."""
    if data.count(b"\n") > limits.max_json_values:
        raise ParseError(f"it has more than {limits.max_json_values:,} lines")
    if (objects := data.count(b"{")) > _MAX_OBJECTS:
        raise ParseError(f"it has more than {_MAX_OBJECTS:,} objects ({objects:,})")
    plain = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return parse_json(plain, what="it", limits=limits)
    except ParseError as error:
        first = error
    lines = [line for line in plain.splitlines() if line.strip()]
    if len(lines) > 1:
        try:
            return [parse_json(line, what="it", limits=limits) for line in lines]
        except ParseError:
            pass
    if not loose:
        raise first
    try:
        return read_json_loose(
            plain.decode(), max_depth=limits.max_json_depth, max_values=limits.max_json_values
        )
    except ParseError as error:
        raise first from error


def judge_yaml(text: Text, path: str, at: Location, context: ScanContext) -> Iterator[Note]:
    """Judge a text that may be YAML; yields at least one row."""
    name = path.rpartition("/")[2]
    names = text.found & _ALL_NEEDLES
    tagged = has_yaml_tags(text)
    needed = bool(names) or tagged or hides_yaml(text) or name in PARSED_NAMES
    if not needed and text.whole:
        yield inert(at, "yaml", "plain data")
        return
    if not text.whole or len(text.data) > _MAX_YAML_BYTES:
        why = "tags (!)" if tagged else _list(names) or "escapes or aliases"
        reason = f"it is too large, and it may name code to load ({why})"
        yield not_examined(at, "yaml", reason)
        return
    context.budget.spend_parsed_bytes(len(text.data))
    try:
        tree = read_yaml_tree(
            text.data.decode().removeprefix("\ufeff"),
            max_depth=context.limits.max_json_depth,
            max_values=_MAX_YAML_VALUES,
        )
    except ParseError as error:
        yield from _judge_unreadable(text, at, error, tagged=tagged, names=names)
        return
    yield from _judge_tree(tree, len(text.data), at)
    if tree.values > _YAML_BOMB_VALUES:
        # Checks follow aliases as if they were written out.
        reason = "its aliases stand for too many values to be judged one by one"
        yield not_examined(at, "yaml", reason)
        return
    hits = _ALL_NEEDLES if hides_yaml(text) else names
    document = Document(name, path, "yaml", list(tree.documents), hits)
    yield from judge_document(document, at, context)


def _judge_unreadable(
    text: Text, at: Location, error: ParseError, *, tagged: bool, names: frozenset[bytes]
) -> Iterator[Note]:
    if find_python(text):
        yield not_examined(at, "code", "source code is not examined yet")
    elif tagged or hides_yaml(text) or (names and names_keys(text)):
        why = (
            "it has tags (!)"
            if tagged
            else f"it may name code to load ({_list(names) or 'by escapes or aliases'})"
        )
        yield not_examined(at, "yaml", f"{why}, and {error}")
    else:
        yield inert(at, "text", "no YAML, and it names no code to load")


def _judge_tree(tree: YamlTree, size: int, at: Location) -> Iterator[Note]:
    if tree.values > max(_YAML_BOMB_VALUES, _BOMB_RATIO * size):
        message = "Its aliases stand for more than a million values once they are written out."
        yield found("WB-DOC-010", at, message, detail=f"{min(tree.values, 10**30):,} values")
    seen: set[str] = set()
    for tag in tree.tags:
        if tag.name not in seen and len(seen) < _MAX_TAGS:
            seen.add(tag.name)
            yield from _judge_tag(tag, at)


def _judge_tag(tag: YamlTag, at: Location) -> Iterator[Note]:
    kind = tag.name.removeprefix(_BUILDING)
    where = f"line {tag.line}"
    if kind == tag.name:
        text = f" {show(tag.text)}" if tag.text else ""
        message = f"What the tag {show(tag.name)}{text} does is up to the reader ({where})."
        yield found("WB-DOC-009", at, message, detail=show(tag.name))
        return
    if kind in _PLAIN_TYPES:
        return
    target = next((kind[len(way) :] for way in _NAMING if kind.startswith(way)), "")
    if kind.startswith(("object/apply:", "object/new:", "module:")) or is_dangerous(target):
        act = "imports" if kind.startswith("module:") else "imports and calls"
        message = f"Reading this with a full loader {act} {show(target)} ({where})."
        yield found("WB-DOC-008", at, message, detail=show(tag.name))
    else:
        message = f"Reading this with a full loader builds {show(target or kind)} ({where})."
        yield found("WB-DOC-009", at, message, detail=show(tag.name))
