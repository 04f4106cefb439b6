"""inspect: what a claims file says, without trusting a word of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.artifact import read_claims
from weighbridge.core import (
    DEFAULT_LIMITS,
    Limits,
    StepRecord,
    parse_bundle,
    parse_statement,
    printable,
)
from weighbridge.errors import InputError, WeighbridgeError
from weighbridge.workflow._claim_content import ContentReader
from weighbridge.workflow._paths import to_path

if TYPE_CHECKING:
    from weighbridge.core import Bundle, Statement
    from weighbridge.core.ports import StrPath
    from weighbridge.workflow._claim_content import Content

__all__ = ["InspectedClaim", "inspect_claims", "inspect_line", "is_claims_file"]

_LINES = ".jsonl"


@dataclass(frozen=True, slots=True)
class InspectedClaim:
    """What one line says. Nothing was verified: anybody may have written all of it.

    Attributes:
        bundle: As it was read; None if it is none.
        statement: What was signed; None if there is nothing that can be read.
        record: The step, if the statement is provenance of ours.
        content: What the statement says, if its type is known; a step's is its record.
        problem: Why something of the above is missing; empty if nothing is.
    """

    bundle: Bundle | None = None
    statement: Statement | None = None
    record: StepRecord | None = None
    content: Content | None = None
    problem: str = ""


def is_claims_file(path: StrPath) -> bool:
    """Tell by its name whether a file holds claims."""
    return to_path(path, what="file").name.endswith(_LINES)


def inspect_claims(claims: StrPath, *, limits: Limits = DEFAULT_LIMITS) -> list[InspectedClaim]:
    """Read a claims file; verify nothing. A line that cannot be read does not hide the others.

    Raises:
        InputError: The file is missing or cannot be read.
        LimitExceededError: It is larger than ``max_signature_bytes``.
    """
    path = to_path(claims, what="claims file")
    if not path.exists():
        raise InputError(f"there is no claims file at {printable(str(path))}")
    return [inspect_line(line, limits) for line in read_claims(path, limits=limits)]


def inspect_line(line: bytes, limits: Limits) -> InspectedClaim:
    """Return what one bundle says, or why that cannot be told."""
    bundle: Bundle | None = None
    statement: Statement | None = None
    try:
        bundle = parse_bundle(line, what="the claim", limits=limits)
        statement = parse_statement(bundle.envelope.payload, limits=limits)
    except WeighbridgeError as error:
        return InspectedClaim(bundle, statement, problem=str(error))
    content, problem = ContentReader().read(statement)
    record = content if isinstance(content, StepRecord) else None
    return InspectedClaim(bundle, statement, record, content, problem)
