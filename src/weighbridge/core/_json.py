"""One strict reader of JSON, and one writer."""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING, Any, NoReturn

from weighbridge.core._collection import collection_paused
from weighbridge.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from weighbridge.core._limits import Limits

__all__ = ["JsonValue", "check_depth", "parse_json", "to_json"]

_CONTAINERS = frozenset({dict, list})

# Above this the search for cyclic garbage is kept from running meanwhile.
_SMALL_BYTES = 64 * 1024
# Beyond it two readers take an integer for two numbers: RFC 7493 (I-JSON), section 2.2.
_MAX_INTEGER = 2**53 - 1
JsonValue = dict[str, Any] | list[Any] | str | int | float | bool | None


def _read_integer(digits: str) -> int:
    number = int(digits)
    if abs(number) > _MAX_INTEGER:
        raise ParseError(
            f"the integer {digits[:40]} is beyond 2^53, where readers differ; "
            "such a number is written as a string"
        )
    return number


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        message = f"the key {twice[:80]!r} appears twice in one object"
        raise ParseError(message)
    return value


def _refuse_constant(name: str) -> NoReturn:
    message = f"{name} is not JSON"
    raise ParseError(message)


_READ = json.JSONDecoder(
    object_pairs_hook=_refuse_duplicates, parse_constant=_refuse_constant
).decode
_READ_EXACT = json.JSONDecoder(
    object_pairs_hook=_refuse_duplicates,
    parse_constant=_refuse_constant,
    parse_int=_read_integer,
).decode


def parse_json(
    data: bytes,
    *,
    what: str,
    limits: Limits,
    max_values: int | None = None,
    exact_integers: bool = False,
) -> JsonValue:
    """Read one JSON document, more strictly than :mod:`json`.

    Args:
        data: UTF-8, without a byte order mark.
        what: What the document is, for messages: ``model.sig``.
        limits: ``max_json_depth`` and ``max_json_values`` apply.
        max_values: Another bound than ``max_json_values``.
        exact_integers: Whether integers are refused that some readers round: beyond 2^53.

    Raises:
        ParseError: Not UTF-8, not JSON, a key twice in one object, ``NaN`` or ``Infinity``, too
            deep, too many values, or an integer that is refused or has thousands of digits.

    Source:
        RFC 8259; I-JSON (RFC 7493) section 2.2 for integers, 2.3 for duplicate keys.
    """
    bound = limits.max_json_values if max_values is None else max_values
    read = _READ_EXACT if exact_integers else _READ
    containers = data.count(b"[") + data.count(b"{")
    # A list of empty lists takes thirty times its size; no document has more values than bytes.
    values = len(data) if len(data) <= bound else data.count(b",") + containers
    if values > bound:
        raise ParseError(f"{what} holds {values:,} values, which is more than {bound:,}")
    if len(data) <= _SMALL_BYTES:
        value = _decode(data, read, what, limits)
    else:
        with collection_paused():
            value = _decode(data, read, what, limits)
    if containers > limits.max_json_depth:  # fewer cannot be deeper
        _check_depth(value, what, limits.max_json_depth, most=containers)
    return value


def _decode(data: bytes, read: Callable[[str], JsonValue], what: str, limits: Limits) -> JsonValue:
    try:
        return read(data.decode())
    except ParseError as error:
        raise ParseError(f"{what}: {error}") from error
    except UnicodeDecodeError as error:
        message = f"{what} is not JSON: byte {error.start} is not UTF-8"
        raise ParseError(message) from error
    except RecursionError as error:
        message = f"{what} is nested deeper than {limits.max_json_depth} levels"
        raise ParseError(message) from error
    except ValueError as error:
        reason = str(error)
        message = f"{what} is not JSON: {reason}"
        raise ParseError(message) from error


def check_depth(value: JsonValue, *, what: str, limit: int) -> None:
    """Refuse lists and objects that are nested deeper than ``limit`` levels.

    Raises:
        ParseError: They are.
    """
    _check_depth(value, what, limit)


def _check_depth(value: JsonValue, what: str, limit: int, *, most: int | None = None) -> None:
    """Look level by level, until there are fewer lists and objects left than levels.

    Args:
        value: What may be nested.
        what: What it is, for messages.
        limit: How many levels there may be.
        most: How many lists and objects there are at most in all of it, if that is known.
    """
    level: list[Any] = [value] if type(value) in _CONTAINERS else []
    for left in range(limit, -1, -1):
        if most is not None:
            most -= len(level)
            if most <= left:
                return
        level = [item for item in _inside(level) if type(item) in _CONTAINERS]
        if not level:
            return
    message = f"{what} is nested deeper than {limit} levels"
    raise ParseError(message)


def _inside(level: list[Any]) -> Iterator[Any]:
    """Yield what is directly inside these lists and objects."""
    return chain.from_iterable(item.values() if type(item) is dict else item for item in level)


def to_json(value: JsonValue) -> str:
    """Write JSON for machines and people: two spaces, keys in the order given.

    Letters of every script stand as they are; what a terminal could act on (control and format
    characters) and lone surrogates are escaped, so that the text can be shown and encoded.

    Raises:
        ValueError: ``value`` holds NaN or an infinity.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(
        char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text
    )
