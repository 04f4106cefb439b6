"""Words that JSON in UTF-8 can hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.core import printable

if TYPE_CHECKING:
    from weighbridge.core import JsonValue

__all__ = ["encodable"]


def encodable(value: JsonValue) -> JsonValue:
    """Escape the strings that UTF-8 cannot hold (lone surrogates), and leave all others alone."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return printable(value, limit=len(value))
        return value
    if isinstance(value, dict):
        return {key: encodable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [encodable(item) for item in value]
    return value
