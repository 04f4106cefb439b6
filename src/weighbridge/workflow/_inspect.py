"""inspect: what a signature file says, without trusting a word of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.core import DEFAULT_LIMITS, Limits, parse_statement
from weighbridge.errors import ParseError
from weighbridge.signing import parse_signed_manifest, read_claimed_times
from weighbridge.workflow._claim_content import is_claim_type
from weighbridge.workflow._inspect_claims import inspect_line
from weighbridge.workflow._paths import to_path
from weighbridge.workflow._signatures import read_bundle

if TYPE_CHECKING:
    from datetime import datetime

    from weighbridge.core import Bundle, Statement
    from weighbridge.core.ports import StrPath
    from weighbridge.signing import SignedManifest
    from weighbridge.workflow._inspect_claims import InspectedClaim

__all__ = ["Inspected", "inspect_signature"]


@dataclass(frozen=True, slots=True)
class Inspected:
    """What a bundle says. Nothing was verified: anybody may have written all of it.

    Attributes:
        bundle: As it was read.
        statement: What was signed, if anything was.
        manifest: The list of files in it, or None.
        problem: Why there is no list; empty if there is one.
        claim: What else it says, if it is a claim and no signature of a model.
        claimed_times: What each RFC 3161 timestamp says, or None where it cannot be read.
    """

    bundle: Bundle
    statement: Statement
    manifest: SignedManifest | None
    problem: str = ""
    claimed_times: tuple[datetime | None, ...] = ()
    claim: InspectedClaim | None = None


def inspect_signature(signature: StrPath, *, limits: Limits = DEFAULT_LIMITS) -> Inspected:
    """Read a signature file; verify nothing.

    Raises:
        InputError: Missing or unreadable; ParseError if it is no bundle or holds no statement.
        LimitExceededError: Larger than ``max_signature_bytes``.
    """
    bundle = read_bundle(to_path(signature, what="signature file"), limits=limits)
    statement = parse_statement(bundle.envelope.payload, limits=limits)
    times = read_claimed_times(bundle, limits=limits)
    try:
        manifest = parse_signed_manifest(statement)
    except ParseError as error:
        is_claim = is_claim_type(statement.predicate_type)
        claim = inspect_line(bundle.raw, limits) if is_claim else None
        return Inspected(bundle, statement, None, str(error), times, claim)
    return Inspected(bundle, statement, manifest, claimed_times=times)
