"""Policy files: bytes -> Policy, strictly.

A key that is not known is an error, because a misspelt rule would otherwise be a rule that never
fails.
"""

from __future__ import annotations

import hashlib
import tomllib
from typing import TYPE_CHECKING, Any

from weighbridge.core import check_depth, printable
from weighbridge.errors import LimitExceededError, ParseError
from weighbridge.policy._faults import POLICY_KEYS, pick_problem, to_place, to_words

if TYPE_CHECKING:
    from weighbridge.core import Limits
    from weighbridge.policy._policy import Policy
    from weighbridge.policy._schema import Document

__all__ = ["load_toml", "parse_policy"]


def parse_policy(data: bytes, *, name: str, limits: Limits) -> Policy:
    """Read a policy file.

    Args:
        data: TOML in UTF-8.
        name: The file's name, for messages and the verdict.
        limits: ``max_policy_bytes`` applies.

    Returns:
        The policy. Paths of keys are as written; licences are SPDX ids; times are in UTC.

    Raises:
        LimitExceededError: Larger than ``max_policy_bytes``.
        MissingExtraError: It has rules in CEL, and the extra ``cel`` is not installed.
        ParseError: Not TOML, a key that is not known, a wrong type or value, no rule, a rule that
            names a signer who is not there or has not the role for it, or an expression that is
            not CEL. The message names the place.
    """
    shown = printable(name)
    raw = load_toml(data, name=shown, limits=limits)
    document = _validate(raw, name=shown)
    # Both are slow to load, and needed only here.
    from weighbridge.policy._build import build_policy  # noqa: PLC0415

    digest = hashlib.sha256(data).hexdigest()
    return build_policy(document, name=name, digest=f"sha256:{digest}")


def load_toml(data: bytes, *, name: str, limits: Limits) -> dict[str, Any]:
    """Read TOML as plain values.

    Raises:
        LimitExceededError: Larger than ``max_policy_bytes``.
        ParseError: It is not TOML in UTF-8, or nested too deeply.
    """
    if len(data) > limits.max_policy_bytes:
        raise LimitExceededError(
            "max_policy_bytes", limit=limits.max_policy_bytes, actual=len(data), subject=name
        )
    try:
        raw = tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ParseError(f"{name} is not TOML: byte {error.start:,} is not UTF-8") from error
    except RecursionError as error:
        raise ParseError(f"{name} is nested too deeply") from error
    except ValueError as error:  # TOMLDecodeError, and integers of thousands of digits
        raise ParseError(f"{name} is not TOML: {printable(str(error))}") from error
    check_depth(raw, what=name, limit=limits.max_json_depth)
    return raw


def _validate(raw: dict[str, Any], *, name: str) -> Document:
    from pydantic import ValidationError  # noqa: PLC0415 - slow to load

    from weighbridge.policy._schema import Document  # noqa: PLC0415

    try:
        return Document.model_validate(raw)
    except ValidationError as error:
        first = pick_problem(error.errors(include_url=False))
        words = to_words(first, keys=POLICY_KEYS)
        raise ParseError(f"{name}: {words}", where=to_place(first["loc"])) from error
