"""Who signs, as the proof will tell: what a statement can say of its signer before it is signed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.errors import InputError
from weighbridge.signing._certificates import CertificateSigner, parse_certificate, read_facts
from weighbridge.signing._keys import PublicKey
from weighbridge.signing._timestamps import TimestampingSigner

if TYPE_CHECKING:
    from weighbridge.signing._ports import Signer

__all__ = ["describe_signer"]


def describe_signer(signer: Signer) -> str:
    """Return what verifying the signer's signatures gives as the identity; nothing is signed.

    That is the fingerprint of a bare key, the name in a certificate that tells most, the account
    of a keyless signer. An authority or a policy may know a certificate by another of its names.

    Args:
        signer: Ready to sign.

    Raises:
        InputError: It does not know who it is, as a plug-in may.
    """
    if isinstance(signer, TimestampingSigner):
        return describe_signer(signer.signer)
    if isinstance(signer, CertificateSigner):
        leaf = parse_certificate(signer.material.certificates[0])
        facts = None if leaf is None else read_facts(leaf)
        if facts is not None:
            return facts.names[0] if facts.names else facts.common_name or facts.subject
    verifier = signer.own_verifier()
    identity = getattr(verifier, "identity", "")  # of an account
    if isinstance(verifier, PublicKey):
        identity = verifier.fingerprint
    if not isinstance(identity, str) or not identity:
        raise InputError(
            "the signer does not say who it is, so that nobody could tell whose word this is; "
            "sign with a key, a certificate or an account"
        )
    return identity
