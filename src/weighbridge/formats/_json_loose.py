"""JSON as the most lenient loaders take it: comments, commas too many, a key twice, NaN."""

from __future__ import annotations

import json
import re

from weighbridge.errors import ParseError

__all__ = ["read_json_loose"]

# A text is passed over whole, so that nothing in it counts as a comment or a bracket.
# What is never closed ends with the text, so that nothing is looked at twice.
_PARTS = re.compile(
    r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|//[^\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/|\Z)|,(?=\s*+[}\]])|#[^\n]*+'
    r"|[\[{]|[\]}]",
    re.DOTALL,
)
# Names without quotes and texts in single quotes, as JSON5 and JavaScript have them.
_LOOSE = re.compile(
    r""""(?:[^"\\]|\\.)*+(?:"|\\?\Z)|'((?:[^'\\]|\\.)*+)(?:'|\\?\Z)"""
    r"""|(?<![\w$])([A-Za-z_$][\w$]*+)(?=\s*+:)""",
    re.DOTALL,
)
_EARLIER = "\0earlier"


def read_json_loose(text: str, *, max_depth: int, max_values: int) -> object:
    r"""Read JSON with comments, trailing commas, names without quotes, and keys that occur twice.

    Where a key occurs twice, the earlier value is kept in a dictionary of its own behind the key
    ``"\0earlier"``.

    Args:
        text: The caller bounds its size.
        max_depth: Lists and objects inside each other.
        max_values: Values, counted by separators.

    Raises:
        ParseError: Not even that, or beyond a bound.

    Source:
        JSON5 1.0, sections 3, 5 and 7, as far as it matters for names.
    """
    depth = deepest = 0
    values = text.count(",")
    if values > max_values:
        raise ParseError(f"it holds {values:,} values, which is more than {max_values:,}")
    pieces: list[str] = []
    at = 0
    for match in _PARTS.finditer(text):
        part = match[0]
        if part[0] in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif part[0] in "]}":
            depth -= 1
        elif part[0] != '"':
            pieces.append(text[at : match.start()])
            pieces.append(" ")
            at = match.end()
    pieces.append(text[at:])
    if deepest > max_depth:
        raise ParseError(f"it is nested deeper than {max_depth} levels")
    return _decode("".join(pieces))


def _decode(plain: str) -> object:
    decoder = json.JSONDecoder(object_pairs_hook=_build, strict=False)
    try:
        return decoder.decode(plain)
    except (ValueError, RecursionError):
        pass
    try:
        return decoder.decode(_LOOSE.sub(_quote, plain))
    except (ValueError, RecursionError) as error:
        raise ParseError(f"it is not JSON: {error}") from error


def _quote(match: re.Match[str]) -> str:
    if match[1] is not None:
        return '"' + match[1].replace("\\'", "'").replace('"', '\\"') + '"'
    return f'"{match[2]}"' if match[2] is not None else match[0]


def _build(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    seen: set[str] = set()
    earlier: list[object] = []
    for key, value in reversed(pairs):
        if key in seen:
            earlier.append({key: value})
        seen.add(key)
    found[_EARLIER] = earlier
    return found
