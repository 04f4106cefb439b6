"""Cases: what a policy is expected to say of an artifact. Bytes -> value, strictly."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from weighbridge.core import Answer, printable
from weighbridge.errors import ParseError
from weighbridge.policy._faults import CASE_KEYS, pick_problem, to_place, to_words
from weighbridge.policy._parse import load_toml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from weighbridge.core import Limits

__all__ = ["PolicyCase", "parse_case"]


@dataclass(frozen=True, slots=True)
class PolicyCase:
    """What a policy is expected to say; paths are as written.

    Attributes:
        artifact: What is judged.
        expect: The verdict.
        policy: By which policy; empty: the one of the run.
        claims: Where statements are, besides where they always are.
        at: When it is judged, aware UTC; None: now.
        rules: The answers of single rules, by their names in the verdict.
    """

    artifact: str
    expect: Answer
    policy: str = ""
    claims: tuple[str, ...] = ()
    at: datetime | None = None
    rules: Mapping[str, Answer] = field(default_factory=lambda: MappingProxyType({}))


def parse_case(data: bytes, *, name: str, limits: Limits) -> PolicyCase:
    """Read a case.

    Args:
        data: TOML in UTF-8.
        name: The file's name, for messages.
        limits: ``max_policy_bytes`` applies.

    Raises:
        LimitExceededError: Larger than ``max_policy_bytes``.
        ParseError: Not TOML, a key that is not known, or a wrong type or value; with the place.
    """
    shown = printable(name)
    raw = load_toml(data, name=shown, limits=limits)
    from pydantic import ValidationError  # noqa: PLC0415 - slow to load

    from weighbridge.policy._case_schema import CaseDocument  # noqa: PLC0415

    try:
        document = CaseDocument.model_validate(raw)
    except ValidationError as error:
        first = pick_problem(error.errors(include_url=False))
        words = to_words(first, keys=CASE_KEYS)
        raise ParseError(f"{shown}: {words}", where=to_place(first["loc"])) from error
    return PolicyCase(
        artifact=document.artifact,
        expect=Answer(document.expect),
        policy=document.policy or "",
        claims=tuple(document.claims),
        at=document.at,
        rules={rule: Answer(answer) for rule, answer in document.rules.items()},
    )
