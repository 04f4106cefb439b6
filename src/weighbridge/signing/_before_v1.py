"""Signatures from before OpenSSF Model Signing v1.0, by model_signing 0.1 and 0.2.

They are read only if whoever verifies agrees: they do not say how files were listed, nothing in
them covers the list as a whole but the list itself, and their signed text is not that of DSSE.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from weighbridge.core import DEFAULT_LIMITS, Encoding, Resource
from weighbridge.errors import ParseError, SignatureError
from weighbridge.signing._listing import BARE_FILE, NAME, not_plain
from weighbridge.signing._oms import SignedManifest, compute_root
from weighbridge.signing._verify import verify_bundle

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from weighbridge.core import Bundle, Limits, Statement, Subject, VerifiedStatement
    from weighbridge.signing._ports import Verifier

__all__ = ["parse_before_v1", "says_before_v1", "verify_before_v1"]

_PREDICATE_TYPE = "https://model_signing/Digests/v0.1"
_SHA256 = re.compile("[0-9a-f]{64}")


def says_before_v1(bundle: Bundle) -> bool:
    """Return whether the bundle seems to be of this kind; it was not verified, so it may lie."""
    return f'"{_PREDICATE_TYPE}"'.encode() in bundle.envelope.payload


def verify_before_v1(
    bundle: Bundle,
    verifiers: Mapping[str, Verifier],
    *,
    at: datetime,
    limits: Limits = DEFAULT_LIMITS,
) -> VerifiedStatement:
    """Find out who signed a bundle of this kind; only :func:`parse_before_v1` may read the result.

    Both texts are tried: that of DSSE, and that of model_signing 0.1 and 0.2.

    Raises:
        SignatureError: Nobody in ``verifiers`` signed these bytes.
        ParseError: The signature holds, and what was signed is no statement of this kind.
        InputError: ``verifiers`` is empty.
    """
    try:
        verified = verify_bundle(bundle, verifiers, at=at, limits=limits)
    except SignatureError:
        envelope = replace(bundle.envelope, encoding=Encoding.BEFORE_V1)
        verified = verify_bundle(
            replace(bundle, envelope=envelope), verifiers, at=at, limits=limits
        )
    _check_type(verified.statement)
    return verified


def parse_before_v1(statement: Statement) -> SignedManifest:
    """Read the list of files: each is a subject of the statement.

    Raises:
        ParseError: Another predicate type, so that nobody takes a statement of version 1 for one
            of these; a name that is not a plain relative path, or comes twice; anything but one
            sha256 for a name.

    Source:
        OpenSSF Model Signing v1.0, section 5.1, historical note; model_signing 0.2.0,
        ``DigestsIntotoPayload``.
    """
    _check_type(statement)
    resources = tuple(_parse(item, i) for i, item in enumerate(statement.subjects))
    names = {resource.name for resource in resources}
    if len(names) != len(resources):
        raise ParseError("the signature lists a file twice", where="subject")
    if BARE_FILE in names and len(names) > 1:
        raise not_plain(BARE_FILE, where="subject")
    return SignedManifest("", compute_root(r.sha256 for r in resources), resources, ())


def _check_type(statement: Statement) -> None:
    if statement.predicate_type != _PREDICATE_TYPE:
        message = f"this is not a signature from before version 1 ({_PREDICATE_TYPE})"
        raise ParseError(message, where="predicateType")


def _parse(subject: Subject, index: int) -> Resource:
    where = f"subject[{index}]"
    if not (NAME.fullmatch(subject.name) or subject.name == BARE_FILE):
        raise not_plain(subject.name, where=f"{where}.name")
    digest = subject.digest.get("sha256", "")
    if len(subject.digest) != 1 or not _SHA256.fullmatch(digest):
        message = f"the signature has no sha256, or more than that, of {subject.name[:200]!r}"
        raise ParseError(message, where=f"{where}.digest")
    return Resource(subject.name, -1, digest)
