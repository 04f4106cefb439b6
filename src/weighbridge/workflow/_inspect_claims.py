"""inspect: what a claims file says, without trusting a word of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.artifact import CLAIMS_NAME, read_claims
from weighbridge.core import DEFAULT_LIMITS, Limits, parse_bundle, parse_statement, printable
from weighbridge.errors import InputError, WeighbridgeError
from weighbridge.provenance import PREDICATE_TYPE, parse_provenance
from weighbridge.workflow._paths import to_path

if TYPE_CHECKING:
    from weighbridge.core import Bundle, Statement, StepRecord
    from weighbridge.core.ports import StrPath

__all__ = ["InspectedClaim", "inspect_claims", "is_claims_file"]


@dataclass(frozen=True, slots=True)
class InspectedClaim:
    """What one line says. Nothing was verified: anybody may have written all of it.

    Attributes:
        bundle: As it was read; None if it is none.
        statement: What was signed; None if there is nothing that can be read.
        record: The step, if the statement is provenance of ours.
        problem: Why something of the above is missing; empty if nothing is.
    """

    bundle: Bundle | None = None
    statement: Statement | None = None
    record: StepRecord | None = None
    problem: str = ""


def is_claims_file(path: StrPath) -> bool:
    """Tell by its name whether a file holds claims."""
    name = to_path(path, what="file").name
    return name == CLAIMS_NAME or name.endswith(f".{CLAIMS_NAME}")


def inspect_claims(claims: StrPath, *, limits: Limits = DEFAULT_LIMITS) -> list[InspectedClaim]:
    """Read a claims file; verify nothing. A line that cannot be read does not hide the others.

    Raises:
        InputError: The file is missing or cannot be read.
        LimitExceededError: It is larger than ``max_signature_bytes``.
    """
    path = to_path(claims, what="claims file")
    if not path.exists():
        raise InputError(f"there is no claims file at {printable(str(path))}")
    return [_inspect_line(line, limits) for line in read_claims(path, limits=limits)]


def _inspect_line(line: bytes, limits: Limits) -> InspectedClaim:
    bundle: Bundle | None = None
    statement: Statement | None = None
    try:
        bundle = parse_bundle(line, what="the claim", limits=limits)
        statement = parse_statement(bundle.envelope.payload, limits=limits)
        if statement.predicate_type == PREDICATE_TYPE:
            return InspectedClaim(bundle, statement, parse_provenance(statement))
    except WeighbridgeError as error:
        return InspectedClaim(bundle, statement, problem=str(error))
    return InspectedClaim(bundle, statement)
