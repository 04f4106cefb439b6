"""One strict reader of JSON, and one writer."""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING, Any, NoReturn

from weighbridge.core._collection import collection_paused
from weighbridge.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core._limits import Limits

__all__ = ["JsonValue", "check_depth", "parse_json", "to_json"]

_CONTAINERS = (dict, list)

# Below this a document is read without a call for each object, which is what takes most time.
_SMALL_BYTES = 1024 * 1024
# What may stand between a key and its colon, in a text that needs those calls.
_SPACED = (b" :", b"\n", b"\t", b"\r")
_KEY_END = b'":'
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


_READ = json.JSONDecoder(parse_constant=_refuse_constant).decode
_READ_EXACT = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=_read_integer).decode


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
    if len(data) <= min(bound, _SMALL_BYTES) and not any(map(data.__contains__, _SPACED)):
        value = _parse_small(data, what, limits, exact_integers=exact_integers)
        if value is not None:
            return value
    # Counted before anything is parsed: a list of empty lists takes thirty times its size.
    values = data.count(b",") + data.count(b"[") + data.count(b"{")
    if values > bound:
        raise ParseError(f"{what} holds {values:,} values, which is more than {bound:,}")
    value = _parse_any(data, what, limits, exact_integers=exact_integers)
    check_depth(value, what=what, limit=limits.max_json_depth)
    return value


def _parse_small(data: bytes, what: str, limits: Limits, *, exact_integers: bool) -> JsonValue:
    """Read a text in which every key has its colon right behind it.

    Such a text has at least as many ends of keys as it has keys, and what is read has fewer keys
    if one was there twice. So if both numbers are the same, none was.

    Returns:
        What was read, lists and objects not too deep in each other; None if there may be anything
        to refuse, which is then read again, for the words.

    Raises:
        ParseError: It is too deep.
    """
    try:
        value: JsonValue = (_READ_EXACT if exact_integers else _READ)(data.decode())
    except (ParseError, ValueError, RecursionError):
        return None
    containers: list[Any] = [value] if isinstance(value, _CONTAINERS) else []
    keys = 0
    for container in containers:  # grows meanwhile
        inside = container
        if type(container) is dict:
            keys += len(container)
            inside = container.values()
        for item in inside:
            kind = type(item)
            if kind is dict or kind is list:
                containers.append(item)
    if keys != data.count(_KEY_END):
        return None
    if len(containers) > limits.max_json_depth:  # fewer cannot be deeper
        check_depth(value, what=what, limit=limits.max_json_depth)
    return value


@collection_paused()
def _parse_any(data: bytes, what: str, limits: Limits, *, exact_integers: bool) -> JsonValue:
    try:
        text = data.decode("utf-8")
        value: JsonValue = json.loads(
            text,
            object_pairs_hook=_refuse_duplicates,
            parse_constant=_refuse_constant,
            parse_int=_read_integer if exact_integers else None,
        )
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
    return value


def check_depth(value: JsonValue, *, what: str, limit: int) -> None:
    """Refuse lists and objects that are nested deeper than ``limit`` levels.

    Raises:
        ParseError: They are.
    """
    level: list[Any] = [value]
    for _ in range(limit + 1):
        if not any(issubclass(kind, _CONTAINERS) for kind in {*map(type, _inside(level))}):
            return
        level = [item for item in _inside(level) if isinstance(item, _CONTAINERS)]
    message = f"{what} is nested deeper than {limit} levels"
    raise ParseError(message)


def _inside(level: list[Any]) -> Iterator[Any]:
    """Yield what is directly inside these lists and objects."""
    objects = [item for item in level if isinstance(item, dict)]
    lists = [item for item in level if isinstance(item, list)]
    return chain(chain.from_iterable(map(dict.values, objects)), chain.from_iterable(lists))


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
