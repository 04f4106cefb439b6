"""Statement: what somebody claims about an artifact, in bytes that are fixed once."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from weighbridge.core._json import parse_json
from weighbridge.core._limits import DEFAULT_LIMITS
from weighbridge.errors import InputError, ParseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from weighbridge.core._limits import Limits

__all__ = ["Attribution", "Statement", "Subject", "VerifiedStatement", "parse_statement"]

_STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
_WHAT = "the signed statement"
_HEX = re.compile(r"(?:[0-9a-f]{2})+")

# One entry of a manifest needs an opening brace and three commas, so this leaves room for the
# largest manifest.
_VALUES_AN_ENTRY = 8


@dataclass(frozen=True, slots=True)
class Subject:
    """What a statement is about.

    Attributes:
        name: A label; never trusted. May be empty.
        digest: Algorithm to lower-case hex; at least one.
    """

    name: str
    digest: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Statement:
    """An in-toto Statement v1.

    Attributes:
        subjects: At least one.
        predicate_type: A URI that says how to read ``predicate``.
        predicate: The claim itself; not to be changed.
        payload: The bytes that are signed. They are never made again from the other fields.
    """

    subjects: tuple[Subject, ...]
    predicate_type: str
    predicate: Mapping[str, Any]
    payload: bytes = field(repr=False)

    @classmethod
    def build(
        cls,
        subjects: Sequence[Subject],
        *,
        predicate_type: str,
        predicate: Mapping[str, Any],
    ) -> Self:
        """Fix the bytes of a claim: UTF-8, no spaces, keys in the order given.

        Numbers that may pass 2^53, and all floats, are to be written as strings.

        Raises:
            InputError: No subject, or something that JSON in UTF-8 cannot hold.
        """
        if not subjects:
            raise InputError("a statement needs at least one subject")
        document = {
            "_type": _STATEMENT_TYPE,
            "subject": [{"name": s.name, "digest": dict(s.digest)} for s in subjects],
            "predicateType": predicate_type,
            "predicate": predicate,
        }
        try:
            text = json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
            payload = text.encode()
        except (TypeError, ValueError) as error:
            raise InputError(f"the statement cannot be written as JSON: {error}") from error
        return cls(tuple(subjects), predicate_type, predicate, payload)


@dataclass(frozen=True, slots=True)
class Attribution:
    """Whom a signature is by, as its proof tells; not as the signer does.

    Attributes:
        signer: The verifier's own name for whoever signed.
        method: ``key``, ``certificate`` or ``keyless``.
        identity: The fingerprint of the key, the name in the certificate, or the account.
        issuer: Who vouches for ``identity``: the authority's name or the OpenID Connect issuer;
            empty for a bare key.
        existed_by: When the signature existed at the latest, if a timestamp or a log entry that was
            verified says so.
        notes: What came with the signature and was not verified, in words.
    """

    signer: str
    method: str
    identity: str
    issuer: str = ""
    existed_by: datetime | None = None
    notes: tuple[str, ...] = ()

    @property
    def person(self) -> tuple[str, str, str, str]:
        """The verifier's name and whom the proof names: one name may stand for many people."""
        return self.signer, self.method, self.identity, self.issuer


@dataclass(frozen=True, slots=True)
class VerifiedStatement:
    """A statement and who vouches for it. Made by a verifier of ``signing`` and by nothing else.

    Attributes:
        statement: Read from exactly the bytes whose signature holds.
        attributions: One for each trusted signer, sorted by its name; at least one.
    """

    statement: Statement
    attributions: tuple[Attribution, ...]

    @property
    def signers(self) -> tuple[str, ...]:
        """The verifier's own names for whoever signed, sorted."""
        return tuple(attribution.signer for attribution in self.attributions)


def parse_statement(payload: bytes, *, limits: Limits = DEFAULT_LIMITS) -> Statement:
    """Read a statement and keep its bytes as they are.

    Fields that the specification does not name are ignored, as it demands of every reader, at the
    top and in subjects. What the predicate may hold is for the reader of its type to say.

    Args:
        payload: As it was signed.
        limits: ``max_json_depth``, and ``max_entries`` for the number of values.

    Raises:
        ParseError: Not JSON, an integer beyond 2^53 (two readers could take it for two numbers),
            another ``_type``, no subject, a subject without a digest in lower-case hex, or no
            predicate.

    Source:
        in-toto Attestation Framework v1, Statement layer and parsing rules.
    """
    max_values = _VALUES_AN_ENTRY * (limits.max_entries + 100)
    document = parse_json(
        payload, what=_WHAT, limits=limits, max_values=max_values, exact_integers=True
    )
    if not isinstance(document, dict):
        raise ParseError(f"{_WHAT} is not a JSON object")
    if document.get("_type") != _STATEMENT_TYPE:
        found = _shown(document.get("_type"))
        raise ParseError(f"{_WHAT} is of the type {found}, not {_STATEMENT_TYPE}", where="_type")
    subjects = document.get("subject")
    if not isinstance(subjects, list) or not subjects:
        raise ParseError(f"{_WHAT} has no subject", where="subject")
    predicate_type = document.get("predicateType")
    if not isinstance(predicate_type, str) or not predicate_type:
        raise ParseError(f"{_WHAT} does not say of what type it is", where="predicateType")
    predicate = document.get("predicate")
    if not isinstance(predicate, dict):
        raise ParseError(f"{_WHAT} has no predicate", where="predicate")
    parsed = tuple(_parse_subject(item, index) for index, item in enumerate(subjects))
    return Statement(parsed, predicate_type, predicate, payload)


def _parse_subject(item: object, index: int) -> Subject:
    where = f"subject[{index}]"
    if not isinstance(item, dict):
        raise ParseError(f"{_WHAT} has a subject that is not an object", where=where)
    name = item.get("name", "")
    if not isinstance(name, str):
        raise ParseError(f"{_WHAT} has a subject whose name is not a string", where=f"{where}.name")
    digest = item.get("digest")
    if not isinstance(digest, dict) or not digest:
        raise ParseError(f"{_WHAT} has a subject without a digest", where=f"{where}.digest")
    for value in digest.values():
        if not isinstance(value, str) or not _HEX.fullmatch(value):
            message = f"{_WHAT} has the digest {_shown(value)}, which is not lower-case hex"
            raise ParseError(message, where=f"{where}.digest")
    return Subject(name, digest)


def _shown(value: object) -> str:
    if isinstance(value, str):
        return repr(value[:80])
    return "none" if value is None else f"a {type(value).__name__}"
