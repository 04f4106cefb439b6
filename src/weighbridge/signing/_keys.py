"""Keys: EC and Ed25519 keys in PEM files, and the signatures that they make and verify.

``cryptography`` has its home in this module and is imported by the functions that need it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from weighbridge.core import (
    DEFAULT_LIMITS,
    Attribution,
    Bundle,
    Encoding,
    Envelope,
    EnvelopeSignature,
    PublicKeyMaterial,
    printable,
)
from weighbridge.errors import InputError, SignatureError, TrustError
from weighbridge.signing._passwords import (
    ENCRYPTED_LABEL,
    check_derivation,
    encrypt_key,
    is_encrypted,
)
from weighbridge.signing._pem import decode_body, read_pem, to_pem
from weighbridge.signing._secrets import encode_secret

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    from weighbridge.core import Limits, Statement
    from weighbridge.core.ports import AskSecret

    _Public: TypeAlias = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
    _Private: TypeAlias = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

__all__ = [
    "CURVE_NAMES",
    "KeyPair",
    "KeySigner",
    "PublicKey",
    "build_public_key",
    "generate_key",
    "load_public_key",
    "load_signer",
]


class _Curve(NamedTuple):
    label: str
    cryptography_name: str
    hash_name: str


# OpenSSF Model Signing v1.0 knows these three, each with the hash of its own strength.
_CURVES = {
    "secp256r1": _Curve("P-256", "SECP256R1", "SHA256"),
    "secp384r1": _Curve("P-384", "SECP384R1", "SHA384"),
    "secp521r1": _Curve("P-521", "SECP521R1", "SHA512"),
}
# It leaves signature algorithms to Sigstore's registry, which has this one too; what is signed is
# the PAE itself and not its hash.
_ED25519 = "Ed25519"
CURVE_NAMES = (*(row.label for row in _CURVES.values()), _ED25519)
_WANTED = "an EC key on P-256, P-384 or P-521, or an Ed25519 key, is wanted"

_PRIVATE_LABELS = frozenset({b"PRIVATE KEY", b"EC PRIVATE KEY"})
_PUBLIC_LABELS = frozenset({b"PUBLIC KEY"})
_OTHER_LABELS = {
    b"CERTIFICATE": "is a certificate; take its key out: openssl x509 -pubkey -noout",
    b"CERTIFICATE REQUEST": "is a certificate request; give the key itself",
    b"RSA PRIVATE KEY": f"is an RSA key; {_WANTED}",
    b"RSA PUBLIC KEY": f"is an RSA key; {_WANTED}",
    b"DSA PRIVATE KEY": f"is a DSA key; {_WANTED}",
    b"OPENSSH PRIVATE KEY": "is in OpenSSH's own format; make a PEM key: weighbridge keygen",
}
# The OID of a prime field stands in a key only if its curve is spelled out (RFC 5480, 2.1.1).
_PRIME_FIELD_OID = bytes.fromhex("06072a8648ce3d0101")


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A new key in PEM: PKCS#8, and SubjectPublicKeyInfo."""

    private_pem: bytes = field(repr=False)
    public_pem: bytes


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that signatures are verified with.

    Attributes:
        curve: ``P-256``, ``P-384``, ``P-521`` or ``Ed25519``.
        hint: What bundles call it: sha256 in hex of its SubjectPublicKeyInfo in PEM.
        fingerprint: What most other tools call it: sha256 in hex of the same in DER.
    """

    curve: str
    hint: str
    fingerprint: str
    _key: _Public = field(repr=False, compare=False)

    def answers_to(self, hint: str) -> bool:
        """Return whether ``hint`` names this key; the specification leaves its spelling open."""
        return hint in {self.hint, self.fingerprint}

    def may_have_made(self, bundle: Bundle) -> bool:
        """Return whether a bundle says that this key made it, or does not say which did."""
        material = bundle.material
        if not isinstance(material, PublicKeyMaterial):
            return False
        return not material.hint or self.answers_to(material.hint)

    def verify(self, bundle: Bundle, *, at: datetime) -> Attribution:  # noqa: ARG002 - no dates
        """Return that this key signed the bundle's envelope.

        Raises:
            TrustError: The bundle names another key, or a certificate.
            SignatureError: It names this key, or none, and the signature does not hold.
        """
        material = bundle.material
        if not isinstance(material, PublicKeyMaterial):
            raise TrustError(
                "the signature was made with a certificate and not with a bare key; "
                "verify it with the authority or the identity that the publisher names"
            )
        hint = material.hint
        if hint and not self.answers_to(hint):
            raise TrustError(
                f"the signature was made with another key (hint {printable(hint, limit=80)}); "
                "ask the publisher for the public key that belongs to it"
            )
        if not self.holds_for(bundle):
            unnamed = "" if hint else ", and it does not say which key made it"
            raise SignatureError(
                f"the signature does not hold for this key{unnamed}; "
                "get the signature file again from its publisher"
            )
        return Attribution("", "key", self.fingerprint)

    def to_pem(self) -> bytes:
        """Return its SubjectPublicKeyInfo in PEM, as :func:`load_public_key` reads it."""
        return _to_spki(self._key)[0]

    def holds_for(self, bundle: Bundle) -> bool:
        """Return whether this key made the bundle's one signature over its envelope."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - start-up time

        (signature,) = bundle.envelope.signatures
        signed = bundle.envelope.to_signed_bytes()
        try:
            _verify(self, signature.sig, signed, bundle.envelope.encoding)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class KeySigner:
    """Signs with a private key that is held in memory."""

    public_key: PublicKey
    _key: _Private = field(repr=False, compare=False)

    def sign(self, statement: Statement) -> Bundle:
        """Seal ``statement``: its payload is signed as it is."""
        unsigned = Envelope(statement.payload, ())
        sig = _sign(self._key, unsigned.to_signed_bytes())
        envelope = replace(unsigned, signatures=(EnvelopeSignature(sig),))
        return Bundle.build(PublicKeyMaterial(self.public_key.hint), envelope)

    def own_verifier(self) -> PublicKey:
        """Return the public half."""
        return self.public_key


def generate_key(curve: str = "P-256", *, password: str | None = None) -> KeyPair:
    """Make a new key.

    Args:
        curve: ``P-256``, ``P-384``, ``P-521`` or ``Ed25519``.
        password: The private key is encrypted with it; None: it is not.

    Raises:
        InputError: Another ``curve``, or an empty password.
    """
    if curve not in CURVE_NAMES:
        choice = ", ".join(CURVE_NAMES)
        raise InputError(f"{curve!r} is not a curve for signing; choose from {choice}")
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - start-up time
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519  # noqa: PLC0415

    key: _Private
    if curve == _ED25519:
        key = ed25519.Ed25519PrivateKey.generate()
    else:
        names = {row.label: row.cryptography_name for row in _CURVES.values()}
        key = ec.generate_private_key(getattr(ec, names[curve])())
    public_pem, _ = _to_spki(key.public_key())
    encoding = serialization.Encoding.PEM if password is None else serialization.Encoding.DER
    private = key.private_bytes(
        encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return KeyPair(private if password is None else encrypt_key(private, password), public_pem)


def load_signer(
    path: Path, *, ask_secret: AskSecret | None = None, limits: Limits = DEFAULT_LIMITS
) -> KeySigner:
    """Read a private key: PKCS#8 or SEC 1 in PEM, as ``openssl`` writes them.

    Args:
        path: A regular file; a link to one is followed.
        ask_secret: Who knows the password, if the key is under one.
        limits: ``max_key_bytes`` applies.

    Raises:
        InputError: Missing, not a regular file, too large, not PEM, a public key, or neither an
            Ed25519 key nor an EC key on one of the three curves; under a password that nobody
            knows, that is wrong, or that would take too long to try.
    """
    shown = printable(str(path))
    label, body = _read_key(path, wanted=_PRIVATE_LABELS, limits=limits)
    password = None
    if is_encrypted(label, body):
        check_derivation(shown, label, body)
        if ask_secret is None:
            raise InputError(
                f"{shown} is protected by a password and nobody was named who knows it; "
                "give --password-file FILE or set WEIGHBRIDGE_PASSWORD"
            )
        secret = ask_secret(f"password of {printable(path.name)}")
        password = encode_secret(secret, what=shown)
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - start-up time
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519  # noqa: PLC0415

    try:
        key = serialization.load_pem_private_key(to_pem(label, body), password=password)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if password is not None:
            raise InputError(
                f"the password of {shown} is wrong, or the file is damaged; try another password"
            ) from error
        raise InputError(f"{shown} holds a private key that cannot be read: {_WANTED}") from error
    if not isinstance(key, (ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey)):
        raise InputError(_other_kind(shown, key))
    return KeySigner(build_public_key(shown, key.public_key()), key)


def load_public_key(path: Path, *, limits: Limits = DEFAULT_LIMITS) -> PublicKey:
    """Read a public key: SubjectPublicKeyInfo in PEM.

    Args:
        path: A regular file; a link to one is followed.
        limits: ``max_key_bytes`` applies.

    Raises:
        InputError: Missing, not a regular file, too large, not PEM, a private key, a certificate,
            or not an EC key on one of the three curves.
    """
    shown = printable(str(path))
    label, body = _read_key(path, wanted=_PUBLIC_LABELS, limits=limits)
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - start-up time
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    try:
        key = serialization.load_pem_public_key(to_pem(label, body))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError(f"{shown} holds a public key that cannot be read: {_WANTED}") from error
    return build_public_key(shown, key)


def _read_key(path: Path, *, wanted: frozenset[bytes], limits: Limits) -> tuple[bytes, bytes]:
    """Return the one PEM block of the file if it is a key of the wanted kind."""
    # ``openssl ecparam -genkey`` writes the name of the curve before the key; the key has it too.
    blocks = [
        block for block in read_pem(path, what="key", limits=limits) if block[0] != b"EC PARAMETERS"
    ]
    shown = printable(str(path))
    if not blocks:
        raise InputError(f"{shown} holds no key in PEM (-----BEGIN ... KEY-----)")
    if len(blocks) > 1:
        raise InputError(f"{shown} holds {len(blocks)} keys or certificates; give a file with one")
    label, body = blocks[0]
    if reason := _reason_against(label, body, wanted):
        raise InputError(f"{shown} {reason}")
    return label, body


def _reason_against(label: bytes, body: bytes, wanted: frozenset[bytes]) -> str:
    """Say why a PEM block is not a key of the wanted kind; empty if it is one."""
    is_private = label in _PRIVATE_LABELS or label == ENCRYPTED_LABEL
    if is_private and wanted is _PUBLIC_LABELS:
        return "is a private key; give the public one: openssl ec -in PRIVATE -pubout"
    if label in _PUBLIC_LABELS and wanted is _PRIVATE_LABELS:
        return "is a public key; signing needs the private one"
    if is_private and is_encrypted(label, body):
        return ""
    if label not in wanted:
        unknown = f"holds {label.decode().lower()!r} and not a key; {_WANTED}"
        return _OTHER_LABELS.get(label, unknown)
    return _reason_against_body(body)


def _reason_against_body(body: bytes) -> str:
    der = decode_body(body)
    if der is None:
        return "holds a key whose base64 is broken"
    if _PRIME_FIELD_OID in der:
        return "spells its curve out; name it instead: openssl ec -param_enc named_curve"
    return ""


def _other_kind(shown: str, key: object) -> str:
    kind = re.sub(r"(Private|Public)Key$", "", type(key).__name__).lstrip("_")
    article = "an" if kind[:1] in "AEIMORX" else "a"
    return f"{shown} is {article} {kind} key; {_WANTED}"


def build_public_key(shown: str, key: object) -> PublicKey:
    """Return what signatures are verified with, from a key of ``cryptography``'s.

    Args:
        shown: What it is, for messages.
        key: Any public key.

    Raises:
        InputError: Neither an Ed25519 key nor an EC key on one of the three curves.
    """
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519  # noqa: PLC0415

    if not isinstance(key, (ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey)):
        raise InputError(_other_kind(shown, key))
    curve = _ED25519
    if isinstance(key, ec.EllipticCurvePublicKey):
        row = _CURVES.get(key.curve.name)
        if row is None:
            raise InputError(f"{shown} is an EC key on the curve {key.curve.name}; {_WANTED}")
        curve = row.label
    pem, der = _to_spki(key)
    return PublicKey(
        curve=curve,
        hint=hashlib.sha256(pem).hexdigest(),
        fingerprint=hashlib.sha256(der).hexdigest(),
        _key=key,
    )


def _sign(key: _Private, data: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 - start-up time

    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    return key.sign(data, _ecdsa(_CURVES[key.curve.name].label))


def _verify(key: PublicKey, sig: bytes, data: bytes, encoding: Encoding) -> None:
    public: Any = key._key  # noqa: SLF001 - this module's own; what it is, its curve says
    if key.curve == _ED25519:
        public.verify(sig, data)
    else:
        # Before version 1 every curve went with SHA-256, which is the hash of this one.
        before_v1 = encoding is Encoding.BEFORE_V1
        public.verify(sig, data, _ecdsa("P-256" if before_v1 else key.curve))


def _to_spki(key: _Public) -> tuple[bytes, bytes]:
    """Return the SubjectPublicKeyInfo in PEM and in DER."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - start-up time

    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    pem = key.public_bytes(serialization.Encoding.PEM, spki)
    return pem, key.public_bytes(serialization.Encoding.DER, spki)


@cache
def _ecdsa(label: str) -> ec.ECDSA:
    """Return how the curve of this name signs; the same each time, for it is asked for often."""
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - start-up time
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    (row,) = (row for row in _CURVES.values() if row.label == label)
    return ec.ECDSA(getattr(hashes, row.hash_name)())
