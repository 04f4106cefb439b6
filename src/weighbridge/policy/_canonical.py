"""What a policy that is in no file is called by: the digest of its values, written out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weighbridge.core import JsonValue
    from weighbridge.policy._policy import Policy

__all__ = ["digest_policy"]


def digest_policy(policy: Policy) -> str:
    """Return ``sha256:<hex>`` of a policy: of its file, or of its values if there is none.

    The values are written as JSON without spaces, keys sorted, sets sorted. Two releases whose
    built-in policies differ in anything give different digests.
    """
    if policy.digest:
        return policy.digest
    text = json.dumps(_plain(policy), separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _plain(value: object) -> JsonValue:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (frozenset, set)):
        return [_plain(item) for item in sorted(value)]
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (str, int)):
        return value
    raise TypeError(f"a policy holds a {type(value).__name__}")
