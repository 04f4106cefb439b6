"""Verifying: from a bundle that anybody may have written to a statement with known signers."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from weighbridge.core import (
    DEFAULT_LIMITS,
    Attribution,
    Encoding,
    VerifiedStatement,
    parse_statement,
    printable,
)
from weighbridge.errors import InputError, SignatureError, TrustError
from weighbridge.signing._keys import PublicKey

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from weighbridge.core import Bundle, Limits
    from weighbridge.signing._ports import Verifier

__all__ = ["verify_bundle"]

# Signed over a text that is not the DSSE one, by model_signing 0.1 and 0.2.
_BEFORE_V1 = b'"https://model_signing/Digests/v0.1"'
_SHOWN = 3


def verify_bundle(
    bundle: Bundle,
    verifiers: Mapping[str, Verifier],
    *,
    at: datetime,
    limits: Limits = DEFAULT_LIMITS,
) -> VerifiedStatement:
    """Find out who signed a bundle, and only then look at what was signed.

    Args:
        bundle: As ``core.parse_bundle`` gave it.
        verifiers: Everybody who is trusted, by the caller's own name for them.
        at: When it is judged, aware.
        limits: Apply to the statement.

    Returns:
        The statement and whom it is by, in the words of each verifier for whom it holds.

    Raises:
        SignatureError: Nobody in ``verifiers`` signed these bytes; says whether it is another's
            signature or one that does not hold.
        ParseError: The signature holds, and what was signed is not an in-toto statement.
        InputError: ``verifiers`` is empty.

    Source:
        DSSE v1.0.2, protocol: verify first, parse then.
    """
    if not verifiers:
        raise InputError("no key is trusted; name one to verify with")
    found: list[Attribution] = []
    strange: dict[str, str] = {}
    broken: dict[str, str] = {}
    for name, verifier in sorted(verifiers.items()):
        if isinstance(verifier, PublicKey) and not verifier.may_have_made(bundle):
            strange[name] = ""  # put in words only if nobody signed it: there may be many keys
            continue
        try:
            found.append(_name(verifier.verify(bundle, at=at), name, bundle))
        except TrustError as error:
            strange[name] = str(error)
        except SignatureError as error:
            broken[name] = str(error)
    if not found:
        words = {
            name: words or _refuse(verifiers[name], bundle, at) for name, words in strange.items()
        }
        raise SignatureError(_explain(bundle, broken | words))
    statement = parse_statement(bundle.envelope.payload, limits=limits)
    return VerifiedStatement(statement, tuple(found))


def _refuse(verifier: Verifier, bundle: Bundle, at: datetime) -> str:
    """Return why a verifier does not take a bundle that says it is another's."""
    try:
        verifier.verify(bundle, at=at)
    except (TrustError, SignatureError) as error:
        return str(error)
    return "the bundle says that another key made it"


def _name(attribution: Attribution, signer: str, bundle: Bundle) -> Attribution:
    """Put the signer's name in, and what was not verified: a timestamp that nobody looked at."""
    method, identity, issuer = attribution.method, attribution.identity, attribution.issuer
    existed_by, notes = attribution.existed_by, attribution.notes
    if bundle.timestamps and existed_by is None:
        notes = (*notes, "a timestamp, since no authority is named for it")
    if existed_by is None and not notes:
        return _attribute(signer, method, identity, issuer)
    return Attribution(signer, method, identity, issuer, existed_by, notes)


@lru_cache(maxsize=1_000)
def _attribute(signer: str, method: str, identity: str, issuer: str) -> Attribution:
    """Return one value for all signatures of a signer; a lineage has tens of thousands."""
    return Attribution(signer, method, identity, issuer)


def _explain(bundle: Bundle, refusals: Mapping[str, str]) -> str:
    """Say why nobody will do: the signatures that do not hold come first."""
    if _BEFORE_V1 in bundle.envelope.payload and bundle.envelope.encoding is Encoding.DSSE:
        return (
            "the signature says that it is of a kind from before version 1 "
            "(https://model_signing/Digests/v0.1), to which only weighbridge verify "
            "--accept-legacy agrees; sign the model again"
        )
    if len(refusals) == 1:
        return next(iter(refusals.values()))
    shown = [f"{printable(n, limit=80)}: {words}" for n, words in list(refusals.items())[:_SHOWN]]
    more = f"; and {len(refusals) - _SHOWN} more" if len(refusals) > _SHOWN else ""
    return f"nobody who is trusted made this signature ({' / '.join(shown)}{more})"
