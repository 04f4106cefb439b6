"""What is wrong with a policy file or a case, in words instead of pydantic's."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from weighbridge.core import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic_core import ErrorDetails

__all__ = ["CASE_KEYS", "POLICY_KEYS", "pick_problem", "to_place", "to_words"]

# For "did you mean": every key of the format by the table that it belongs in. `*` stands for any
# name and any number.
POLICY_KEYS: dict[tuple[str, ...], tuple[str, ...]] = {
    (): ("version", "trust", "require", "roots", "denied", "allowed", "rules"),
    ("trust",): ("signers", "builders", "verifiers"),
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
    ("trust", "builders", "*"): ("signers", "level"),
    ("trust", "verifiers", "*"): ("signers", "policies", "max-age-days"),
    ("require",): (
        "signature",
        "scan",
        "licenses",
        "card",
        "provenance",
        "review",
        "evaluation",
        "reproduction",
        "formats",
        "source",
    ),
    ("require", "signature"): ("by", "warn-only"),
    ("require", "scan"): ("fail-on", "coverage", "allow", "warn-only"),
    ("require", "licenses"): ("allow", "through-lineage", "warn-only"),
    ("require", "card"): ("profile", "warn-only"),
    ("require", "provenance"): ("level", "completeness", "depth", "max-age-days", "warn-only"),
    ("require", "review"): ("by", "at-least", "max-age-days", "scope", "warn-only"),
    ("require", "evaluation", "*"): ("name", "at-least", "at-most", "by", "warn-only"),
    ("require", "reproduction"): ("level", "warn-only"),
    ("require", "formats"): ("allow", "warn-only"),
    ("require", "source"): ("from", "revision", "warn-only"),
    ("roots", "*"): ("digest", "reason", "license", "max-level", "expires"),
    ("denied", "*"): ("digest", "reason"),
    ("allowed", "*"): ("digest", "reason", "expires", "rules"),
    ("rules", "*"): ("name", "require", "warn-only"),
}
CASE_KEYS: dict[tuple[str, ...], tuple[str, ...]] = {
    (): ("artifact", "policy", "claims", "at", "expect", "rules"),
}
_NAMED = {("trust", "signers"), ("trust", "builders"), ("trust", "verifiers")}
_KINDS = {
    "string_type": "text",
    "list_type": "a list",
    "int_type": "a whole number",
    "bool_type": "true or false",
}
_SHOWN_CHARACTERS = 80


def pick_problem(problems: Sequence[ErrorDetails]) -> ErrorDetails:
    """Return the one to tell: what else is wrong is often wrong because of it.

    That is a key that is not known, if there is one: it may be misspelt, and be the one that is
    missing.
    """
    return next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])


def to_words(problem: ErrorDetails, *, keys: Mapping[tuple[str, ...], tuple[str, ...]]) -> str:
    """Return half a sentence that says what is wrong and what to do about it.

    Args:
        problem: As pydantic tells it.
        keys: The keys that there are, by their table.
    """
    key = printable(str(problem["loc"][-1]), limit=_SHOWN_CHARACTERS)
    shown = printable(repr(problem["input"]), limit=_SHOWN_CHARACTERS)
    match problem["type"]:
        case "extra_forbidden":
            near = difflib.get_close_matches(key, _list_keys(problem["loc"][:-1], keys), n=1)
            hint = f"did you mean {near[0]!r}?" if near else "remove it"
            return f"there is no key {key!r} here; {hint}"
        case "missing":
            return f"the key {key!r} is missing; add it"
        case "literal_error":
            return f"{shown} is not known here; write {problem['ctx']['expected']}"
        case "too_short" | "too_long":
            return f"{shown} has a wrong number of entries"
        case "greater_than_equal" | "less_than_equal":
            return f"{shown} {_to_bound(key, problem['ctx'])}"
        case "value_error":
            return str(problem["ctx"]["error"])
        case "string_too_short" | "string_too_long" | "string_pattern_mismatch":
            return f"{shown} cannot be used; it is empty, too long, or has characters out of place"
        case kind:
            return f"{shown} is of the wrong type; write {_KINDS.get(kind, 'a table of keys')}"


def _to_bound(key: str, bounds: Mapping[str, object]) -> str:
    if key == "version":
        return "is not a version of the format that can be read here; write 1"
    return (
        f"is out of bounds; write {bounds['ge']} or more"
        if "ge" in bounds
        else (f"is out of bounds; write {bounds['le']} or less")
    )


def to_place(loc: Sequence[int | str]) -> str:
    """Write ``("require", "scan", "allow", 0)`` as ``require.scan.allow[0]``."""
    place = ""
    for part in loc:
        if isinstance(part, int):
            place += f"[{part}]"
        elif part != "[key]":  # pydantic's mark for "the key itself"
            place += ("." if place else "") + printable(part, limit=_SHOWN_CHARACTERS)
    return place


def _list_keys(
    loc: Sequence[int | str], keys: Mapping[tuple[str, ...], tuple[str, ...]]
) -> tuple[str, ...]:
    names = tuple("*" if isinstance(part, int) else part for part in loc)
    if names[:2] in _NAMED:
        names = (*names[:2], "*")
    return keys.get(names, ())
