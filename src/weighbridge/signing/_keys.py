"""Keys: elliptic curve keys in PEM files, and the signatures that they make and verify.

``cryptography`` has its home in this module and is imported by the functions that need it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from weighbridge.artifact import read_document
from weighbridge.core import (
    DEFAULT_LIMITS,
    Bundle,
    Encoding,
    Envelope,
    EnvelopeSignature,
    PublicKeyMaterial,
    printable,
)
from weighbridge.errors import InputError, SignatureError, TrustError

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric import ec

    from weighbridge.core import Limits, Statement

__all__ = ["KeyPair", "KeySigner", "PublicKey", "generate_key", "load_public_key", "load_signer"]


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
_WANTED = "an EC key on P-256, P-384 or P-521 is wanted"

_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----")
_PRIVATE_LABELS = frozenset({b"PRIVATE KEY", b"EC PRIVATE KEY"})
_PUBLIC_LABELS = frozenset({b"PUBLIC KEY"})
_ENCRYPTED_LABEL = b"ENCRYPTED PRIVATE KEY"
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
    """A new key in PEM: PKCS#8 without a password, and SubjectPublicKeyInfo."""

    private_pem: bytes = field(repr=False)
    public_pem: bytes


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that signatures are verified with.

    Attributes:
        curve: ``P-256``, ``P-384`` or ``P-521``.
        hint: What bundles call it: sha256 in hex of its SubjectPublicKeyInfo in PEM.
        fingerprint: What most other tools call it: sha256 in hex of the same in DER.
    """

    curve: str
    hint: str
    fingerprint: str
    _key: ec.EllipticCurvePublicKey = field(repr=False, compare=False)

    def answers_to(self, hint: str) -> bool:
        """Return whether ``hint`` names this key; the specification leaves its spelling open."""
        return hint in {self.hint, self.fingerprint}

    def verify(self, bundle: Bundle) -> None:
        """Return if this key signed the bundle's envelope.

        Raises:
            TrustError: The bundle names another key.
            SignatureError: It names this key, or none, and the signature does not hold.
        """
        hint = bundle.material.hint
        if hint and not self.answers_to(hint):
            raise TrustError(f"the bundle names another key than {self.hint}")
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - start-up time

        (signature,) = bundle.envelope.signatures
        signed = bundle.envelope.to_signed_bytes()
        try:
            self._key.verify(signature.sig, signed, self._choose_hash(bundle))
        except InvalidSignature as error:
            raise SignatureError(f"the signature does not hold for the key {self.hint}") from error

    def _choose_hash(self, bundle: Bundle) -> ec.ECDSA:
        """Return the hash that goes with the curve; before version 1 it was sha256 for all."""
        before_v1 = bundle.envelope.encoding is Encoding.BEFORE_V1
        return _ecdsa("secp256r1" if before_v1 else self._key.curve.name)


@dataclass(frozen=True, slots=True)
class KeySigner:
    """Signs with a private key that is held in memory."""

    public_key: PublicKey
    _key: ec.EllipticCurvePrivateKey = field(repr=False, compare=False)

    def sign(self, statement: Statement) -> Bundle:
        """Seal ``statement``: its payload is signed as it is."""
        unsigned = Envelope(statement.payload, ())
        sig = self._key.sign(unsigned.to_signed_bytes(), _ecdsa(self._key.curve.name))
        envelope = replace(unsigned, signatures=(EnvelopeSignature(sig),))
        return Bundle.build(PublicKeyMaterial(self.public_key.hint), envelope)


def generate_key(curve: str = "P-256") -> KeyPair:
    """Make a new key.

    Raises:
        InputError: ``curve`` is not ``P-256``, ``P-384`` or ``P-521``.
    """
    names = {row.label: row.cryptography_name for row in _CURVES.values()}
    if curve not in names:
        raise InputError(f"{curve!r} is not a curve for signing; choose from {', '.join(names)}")
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - start-up time
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(getattr(ec, names[curve])())
    private_pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public_pem, _ = _to_spki(key.public_key())
    return KeyPair(private_pem, public_pem)


def load_signer(path: Path, *, limits: Limits = DEFAULT_LIMITS) -> KeySigner:
    """Read a private key: PKCS#8 or SEC 1 in PEM, as ``openssl`` writes them.

    Args:
        path: A regular file; a link to one is followed.
        limits: ``max_key_bytes`` applies.

    Raises:
        InputError: Missing, not a regular file, too large, not PEM, protected by a password, a
            public key, or not an EC key on one of the three curves.
    """
    shown = printable(str(path))
    pem = _read_key(path, wanted=_PRIVATE_LABELS, limits=limits)
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - start-up time
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError(f"{shown} holds a private key that cannot be read: {_WANTED}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise InputError(_other_kind(shown, key))
    return KeySigner(_build_public_key(shown, key.public_key()), key)


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
    pem = _read_key(path, wanted=_PUBLIC_LABELS, limits=limits)
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - start-up time
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError(f"{shown} holds a public key that cannot be read: {_WANTED}") from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise InputError(_other_kind(shown, key))
    return _build_public_key(shown, key)


def _read_key(path: Path, *, wanted: frozenset[bytes], limits: Limits) -> bytes:
    """Return the one PEM block of the file if it is a key of the wanted kind."""
    data = read_document(
        path, what="key", limit_name="max_key_bytes", limit_bytes=limits.max_key_bytes
    )
    # ``openssl ecparam -genkey`` writes the name of the curve before the key; the key has it too.
    blocks = [block for block in _split_pem(data) if block[0] != b"EC PARAMETERS"]
    shown = printable(str(path))
    if not blocks:
        raise InputError(f"{shown} holds no key in PEM (-----BEGIN ... KEY-----)")
    if len(blocks) > 1:
        raise InputError(f"{shown} holds {len(blocks)} keys or certificates; give a file with one")
    label, body = blocks[0]
    if reason := _reason_against(label, body, wanted):
        raise InputError(f"{shown} {reason}")
    return b"-----BEGIN %b-----\n%b\n-----END %b-----\n" % (label, body, label)


def _split_pem(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return (label, lines between) of each complete block, whatever ends its lines."""
    blocks = []
    label, body = b"", [b""]
    for line in map(bytes.strip, data.splitlines()):
        if begin := _BEGIN.fullmatch(line):
            label, body = begin.group(1), []
        elif label and line == b"-----END %b-----" % label:
            blocks.append((label, b"\n".join(body)))
            label = b""
        elif label:
            body.append(line)
    return blocks


def _reason_against(label: bytes, body: bytes, wanted: frozenset[bytes]) -> str:
    """Say why a PEM block is not a key of the wanted kind; empty if it is one."""
    is_private = label in _PRIVATE_LABELS or label == _ENCRYPTED_LABEL
    if is_private and wanted is _PUBLIC_LABELS:
        return "is a private key; give the public one: openssl ec -in PRIVATE -pubout"
    if label in _PUBLIC_LABELS and wanted is _PRIVATE_LABELS:
        return "is a public key; signing needs the private one"
    if label == _ENCRYPTED_LABEL or (is_private and b",ENCRYPTED" in body):
        return "is protected by a password, which is not supported yet; openssl ec takes it off"
    if label not in wanted:
        unknown = f"holds {label.decode().lower()!r} and not a key; {_WANTED}"
        return _OTHER_LABELS.get(label, unknown)
    return _reason_against_body(body)


def _reason_against_body(body: bytes) -> str:
    try:
        der = base64.b64decode(b"".join(body.split()), validate=True)
    except binascii.Error:
        return "holds a key whose base64 is broken"
    if _PRIME_FIELD_OID in der:
        return "spells its curve out; name it instead: openssl ec -param_enc named_curve"
    return ""


def _other_kind(shown: str, key: object) -> str:
    kind = re.sub(r"(Private|Public)Key$", "", type(key).__name__).lstrip("_")
    article = "an" if kind[:1] in "AEIMORX" else "a"
    return f"{shown} is {article} {kind} key; {_WANTED}"


def _build_public_key(shown: str, key: ec.EllipticCurvePublicKey) -> PublicKey:
    curve = _CURVES.get(key.curve.name)
    if curve is None:
        raise InputError(f"{shown} is an EC key on the curve {key.curve.name}; {_WANTED}")
    pem, der = _to_spki(key)
    return PublicKey(
        curve=curve.label,
        hint=hashlib.sha256(pem).hexdigest(),
        fingerprint=hashlib.sha256(der).hexdigest(),
        _key=key,
    )


def _to_spki(key: ec.EllipticCurvePublicKey) -> tuple[bytes, bytes]:
    """Return the SubjectPublicKeyInfo in PEM and in DER."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - start-up time

    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    pem = key.public_bytes(serialization.Encoding.PEM, spki)
    return pem, key.public_bytes(serialization.Encoding.DER, spki)


def _ecdsa(curve_name: str) -> ec.ECDSA:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - start-up time
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    return ec.ECDSA(getattr(hashes, _CURVES[curve_name].hash_name)())
