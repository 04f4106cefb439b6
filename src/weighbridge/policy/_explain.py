"""What is wrong with a policy file, in words instead of pydantic's."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from weighbridge.core import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic_core import ErrorDetails

__all__ = ["to_place", "to_words"]

# For "did you mean": every key of the format by the table that it belongs in, those included that
# cannot be judged yet. `*` stands for any name.
_KEYS: dict[tuple[str, ...], tuple[str, ...]] = {
    (): ("version", "trust", "require", "roots", "rules"),
    ("trust",): ("signers", "builders"),
    ("trust", "signers", "*"): (
        "key",
        "roles",
        "certificate-authority",
        "identity",
        "issuer",
        "trust-config",
        "instance",
        "timestamp-authority",
    ),
    ("require",): (
        "signature",
        "scan",
        "licenses",
        "card",
        "provenance",
        "review",
        "evaluation",
        "reproduction",
    ),
    ("require", "signature"): ("by",),
    ("require", "scan"): ("fail-on", "coverage", "allow"),
    ("require", "licenses"): ("allow", "through-lineage"),
    ("require", "card"): ("profile",),
}
_KINDS = {"string_type": "text", "list_type": "a list", "int_type": "a whole number"}
_SHOWN_CHARACTERS = 80


def to_words(problem: ErrorDetails) -> str:
    """Return half a sentence that says what is wrong and what to do about it."""
    key = printable(str(problem["loc"][-1]), limit=_SHOWN_CHARACTERS)
    shown = printable(repr(problem["input"]), limit=_SHOWN_CHARACTERS)
    match problem["type"]:
        case "extra_forbidden":
            near = difflib.get_close_matches(key, _list_keys(problem["loc"][:-1]), n=1)
            hint = f"did you mean {near[0]!r}?" if near else "remove it"
            return f"there is no key {key!r} here; {hint}"
        case "missing":
            return f"the key {key!r} is missing; add it"
        case "literal_error":
            return f"{shown} is not known here; write {problem['ctx']['expected']}"
        case "too_short" | "too_long":
            return f"{shown} has a wrong number of entries"
        case "greater_than_equal" | "less_than_equal":
            return f"{shown} is not a version of the format that can be read here; write 1"
        case "value_error":
            return str(problem["ctx"]["error"])
        case "string_too_short" | "string_too_long" | "string_pattern_mismatch":
            return f"{shown} cannot be used; it is empty, too long, or has characters out of place"
        case kind:
            return f"{shown} is of the wrong type; write {_KINDS.get(kind, 'a table of keys')}"


def to_place(loc: Sequence[int | str]) -> str:
    """Write ``("require", "scan", "allow", 0)`` as ``require.scan.allow[0]``."""
    place = ""
    for part in loc:
        if isinstance(part, int):
            place += f"[{part}]"
        elif part != "[key]":  # pydantic's mark for "the key itself"
            place += ("." if place else "") + printable(part, limit=_SHOWN_CHARACTERS)
    return place


def _list_keys(loc: Sequence[int | str]) -> tuple[str, ...]:
    names = tuple(str(part) for part in loc)
    if names[:2] == ("trust", "signers"):
        names = (*names[:2], "*")
    return _KEYS.get(names, ())
