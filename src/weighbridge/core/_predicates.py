"""Predicates: the fields of a statement of ours, taken one by one and strictly."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from weighbridge.core._text import printable
from weighbridge.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from weighbridge.core._statement import Statement

__all__ = ["check_type", "parse_time", "take_object", "take_text", "take_time", "to_time"]

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?Z")


def check_type(statement: Statement, wanted: str) -> None:
    """Refuse a statement of another type.

    Raises:
        ParseError: It is one.
    """
    if statement.predicate_type != wanted:
        shown = printable(statement.predicate_type, limit=120)
        raise ParseError(f"the statement is of the type {shown}, not {wanted}")


def take_object(value: object, *, where: str, known: AbstractSet[str]) -> Mapping[str, Any]:
    """Return an object all of whose fields are known.

    Raises:
        ParseError: It is something else, or has another field.
    """
    if not isinstance(value, dict):
        raise ParseError("an object is wanted here", where=where)
    for name in value:
        if name not in known:
            raise ParseError(f"there is no field {printable(name, limit=80)!r} here", where=where)
    return value


def take_text(
    fields: Mapping[str, Any], name: str, *, where: str, limit: int, may_be_empty: bool = False
) -> str:
    """Return a field that is text.

    Raises:
        ParseError: It is missing, not a string, longer than ``limit`` characters, blank although it
            may not be, or no Unicode text.
    """
    text, at = fields.get(name), f"{where}.{name}"
    if not isinstance(text, str):
        raise ParseError("a string is wanted here", where=at)
    if len(text) > limit:
        raise ParseError(f"{len(text):,} characters are more than {limit:,}", where=at)
    if not text.strip() and not (may_be_empty and not text):
        raise ParseError("it is empty", where=at)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ParseError("it is half a surrogate pair and no text", where=at) from error
    return text


def take_time(fields: Mapping[str, Any], name: str, *, where: str) -> datetime:
    """Return a field that is a time in UTC.

    Raises:
        ParseError: It is missing or something else.
    """
    text = fields.get(name)
    if not isinstance(text, str):
        raise ParseError("a time is wanted here", where=f"{where}.{name}")
    return parse_time(text, where=f"{where}.{name}")


def parse_time(text: str, *, where: str) -> datetime:
    """Read what :func:`to_time` writes.

    Raises:
        ParseError: It is no time in UTC.

    Source:
        RFC 3339, section 5.6; ``Z`` alone, and six digits of a second at most.
    """
    found = _TIME.fullmatch(text)
    if found is not None and text.isascii():
        try:
            moment = datetime.fromisoformat(found[1]).replace(tzinfo=UTC)
        except ValueError:
            pass
        else:
            return moment.replace(microsecond=int((found[2] or "").ljust(6, "0")))
    shown = printable(text, limit=40)
    raise ParseError(f"{shown!r} is not a time in UTC such as 2026-01-31T12:00:00Z", where=where)


def to_time(moment: datetime) -> str:
    """Write an aware time in UTC; digits of a second only if there are some."""
    plain = moment.astimezone(UTC).replace(tzinfo=None)
    return f"{plain.isoformat()}Z"
