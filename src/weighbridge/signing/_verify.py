"""Verifying: from a bundle that anybody may have written to a statement with known signers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.core import (
    DEFAULT_LIMITS,
    Encoding,
    VerifiedStatement,
    parse_statement,
    printable,
)
from weighbridge.errors import InputError, SignatureError, TrustError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.core import Bundle, Limits
    from weighbridge.signing._ports import Verifier

__all__ = ["verify_bundle"]

# Signed over a text that is not the DSSE one, by model_signing 0.1 and 0.2.
_BEFORE_V1 = b'"https://model_signing/Digests/v0.1"'


def verify_bundle(
    bundle: Bundle, keys: Mapping[str, Verifier], *, limits: Limits = DEFAULT_LIMITS
) -> VerifiedStatement:
    """Find out who signed a bundle, and only then look at what was signed.

    Args:
        bundle: As ``core.parse_bundle`` gave it.
        keys: Everybody who is trusted, by the verifier's own name for them.
        limits: Apply to the statement.

    Returns:
        The statement and the names of all whose key verified it, sorted.

    Raises:
        SignatureError: Nobody in ``keys`` signed these bytes; says whether it is another's
            signature or one that does not hold.
        ParseError: The signature holds, and what was signed is not an in-toto statement.
        InputError: ``keys`` is empty.

    Source:
        DSSE v1.0.2, protocol: verify first, parse then.
    """
    if not keys:
        raise InputError("no key is trusted; name one to verify with")
    signers, broken = [], []
    for name in sorted(keys):
        try:
            keys[name].verify(bundle)
        except TrustError:
            continue
        except SignatureError:
            broken.append(name)
        else:
            signers.append(name)
    if not signers:
        raise SignatureError(_explain(bundle, broken=broken, names=sorted(keys)))
    statement = parse_statement(bundle.envelope.payload, limits=limits)
    return VerifiedStatement(statement, tuple(signers))


def _explain(bundle: Bundle, *, broken: list[str], names: list[str]) -> str:
    if _BEFORE_V1 in bundle.envelope.payload and bundle.envelope.encoding is Encoding.DSSE:
        return (
            "the signature says that it is of a kind from before version 1 "
            "(https://model_signing/Digests/v0.1), to which only weighbridge verify "
            "--accept-legacy agrees; sign the model again"
        )
    hint = printable(bundle.material.hint, limit=80)
    if hint and not broken:
        return (
            f"the signature was made with another key (hint {hint}), not with {_join(names)}; "
            "ask the publisher for the public key that belongs to it"
        )
    unnamed = "" if hint else ", and it does not say which key made it"
    return (
        f"the signature does not hold for {_join(broken)}{unnamed}; "
        "get the signature file again from its publisher"
    )


def _join(names: list[str]) -> str:
    shown = ", ".join(printable(name, limit=80) for name in names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"  # noqa: PLR2004
