"""Signing with a key that somebody else keeps, who is handed digests: a token, a KMS."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from weighbridge.core import Bundle, Envelope, EnvelopeSignature, PublicKeyMaterial, printable
from weighbridge.errors import InputError
from weighbridge.signing._keys import build_public_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from weighbridge.core import Statement
    from weighbridge.signing._keys import PublicKey

__all__ = ["DigestSigner", "parse_public_key"]

_WANTED = "an EC key on P-256, P-384 or P-521 is wanted"
_HASHES = {"P-256": "sha256", "P-384": "sha384", "P-521": "sha512"}


@dataclass(frozen=True, slots=True)
class DigestSigner:
    """Signs by having somebody else sign a digest with ECDSA.

    What comes back is verified before anybody else sees it, so that a key that was mixed up is
    noticed by whoever signs and not by whoever verifies.

    Attributes:
        public_key: The public half, on P-256, P-384 or P-521.
        sign_digest: Takes the SHA-256, SHA-384 or SHA-512 of what is to be signed, by the curve,
            and returns the signature in DER.
    """

    public_key: PublicKey
    sign_digest: Callable[[bytes], bytes] = field(repr=False)

    def sign(self, statement: Statement) -> Bundle:
        """Seal ``statement``: its payload is signed as it is.

        Raises:
            InputError: The signature that came back was not made with this key.
        """
        unsigned = Envelope(statement.payload, ())
        hash_name = _HASHES[self.public_key.curve]
        digest = hashlib.new(hash_name, unsigned.to_signed_bytes()).digest()
        sig = bytes(self.sign_digest(digest))
        envelope = replace(unsigned, signatures=(EnvelopeSignature(sig),))
        bundle = Bundle.build(PublicKeyMaterial(self.public_key.hint), envelope)
        if not self.public_key.holds_for(bundle):
            raise InputError(
                "the signature that came back does not hold for the public key "
                f"{self.public_key.fingerprint[:16]}…: private and public key do not belong "
                "together; name another key, or put the public one right"
            )
        return bundle

    def own_verifier(self) -> PublicKey:
        """Return the public half."""
        return self.public_key


def parse_public_key(data: bytes, *, what: str) -> PublicKey:
    """Read the public key of whoever keeps the private one.

    Args:
        data: SubjectPublicKeyInfo in PEM or in DER.
        what: Whose it is, for messages: ``the key in the token``.

    Raises:
        InputError: Not such a key, or not an EC key on P-256, P-384 or P-521.
    """
    shown = printable(what, limit=120)
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - start-up time
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    is_pem = data.lstrip().startswith(b"-----BEGIN")
    load = serialization.load_pem_public_key if is_pem else serialization.load_der_public_key
    try:
        key = build_public_key(shown, load(data))
    except InputError:
        raise
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InputError(f"{shown} cannot be read; {_WANTED}") from error
    if key.curve not in _HASHES:  # Ed25519 does not sign digests
        raise InputError(f"{shown} is on {key.curve}; {_WANTED}")
    return key
