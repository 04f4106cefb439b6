"""The text form of Protocol Buffers: names and values, without any schema."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weighbridge.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["TextField", "parse_text_proto"]

_TOKEN = re.compile(
    r"(?:[\s,;]|#[^\n]*)*(?:"
    r"(?P<name>\[[A-Za-z_][\w-]*[./][\w./-]+\]|[A-Za-z_][\w.]*)|(?P<open>[{<\[])|(?P<close>[}>\]])|(?P<colon>:)|"
    r"(?P<string>\"(?:[^\"\\\n]|\\.)*+\"|'(?:[^'\\\n]|\\.)*+')|(?P<number>[-+]?[\w.][\w.+-]*)|(?P<end>\Z))"
)
_ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|(.))", re.DOTALL)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_MAX_DEPTH = 100


@dataclass(slots=True)
class TextField:
    """One field: a value, or a message.

    Attributes:
        name: Of the field.
        value: Its text, without quotes; empty for a message.
        fields: Of a message.
        offset: Letter at which it begins.
    """

    name: str
    value: str = ""
    fields: list[TextField] = field(default_factory=list)
    offset: int = 0

    def all(self, name: str) -> Iterator[TextField]:
        """Yield the fields of a name."""
        return (one for one in self.fields if one.name == name)

    def text(self, name: str) -> str:
        """Return the last value of a name, or an empty string."""
        values = [one.value for one in self.fields if one.name == name]
        return values[-1] if values else ""


def parse_text_proto(text: str, *, spend: Callable[[int], None]) -> TextField:
    """Return the fields of a text, as those of a message without a name.

    Args:
        text: All of it.
        spend: Told of each field.

    Raises:
        ParseError: It is no such text.

    Source:
        https://protobuf.dev/reference/protobuf/textformat-spec/
    """
    root = TextField("")
    stack = [root]
    at = 0
    name = ""
    lists: list[str] = []
    while True:
        match = _TOKEN.match(text, at)
        if match is None:
            raise ParseError("it is no text form of protobuf", where=f"letter {at}")
        kind, token, at = match.lastgroup, match.group(match.lastgroup or 0), match.end()
        if kind == "end":
            break
        spend(1)
        name = _take(stack, lists, name, kind or "", token, match.start())
    if len(stack) > 1 or lists:
        raise ParseError("a message has no end", where=f"letter {at}")
    return root


def _take(
    stack: list[TextField], lists: list[str], name: str, kind: str, token: str, at: int
) -> str:
    """Take one token; return the name of the field that waits for its value."""
    is_list = token in ("[", "]")
    if kind == "open" and not is_list:
        if not name or len(stack) > _MAX_DEPTH:
            raise ParseError("a message has no name, or is too deep", where=f"letter {at}")
        message = TextField(name, offset=at)
        stack[-1].fields.append(message)
        stack.append(message)
        lists.append("")
        return ""
    if kind == "open":
        lists.append(name)
        return name
    if kind == "close":
        return _close(stack, lists, at, is_list=is_list)
    if kind == "colon":
        return name
    if name and (kind in ("string", "number") or kind == "name"):
        value = _unquote(token) if kind == "string" else token
        last = stack[-1].fields[-1] if stack[-1].fields else None
        stack[-1].fields.append(TextField(name, value, offset=at))
        del last
        return name if lists and lists[-1] == name else ""
    if kind == "name":
        return token
    if kind == "string" and stack[-1].fields:
        stack[-1].fields[-1].value += _unquote(token)  # strings side by side are one
        return ""
    raise ParseError("a value has no name", where=f"letter {at}")


def _close(stack: list[TextField], lists: list[str], at: int, *, is_list: bool) -> str:
    if not lists:
        raise ParseError("an end without a begin", where=f"letter {at}")
    around = lists.pop()
    if is_list:
        return ""
    if around or len(stack) < 2:  # noqa: PLR2004 - the root is not closed
        raise ParseError("an end without a begin", where=f"letter {at}")
    stack.pop()
    return lists[-1] if lists and lists[-1] else ""


def _unquote(token: str) -> str:
    return _ESCAPE.sub(_unescape, token[1:-1])


def _unescape(match: re.Match[str]) -> str:
    octal, hexadecimal, letter = match.groups()
    if octal:
        return chr(int(octal, 8) & 0xFF)
    if hexadecimal:
        return chr(int(hexadecimal, 16))
    return _LETTERS.get(letter, letter)
