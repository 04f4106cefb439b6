"""Keys and certificates that several services need."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
ORGANIZATION = "local.sigstore"
YEAR = timedelta(days=365)
USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def new_key() -> ec.EllipticCurvePrivateKey:
    """Make a P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def sign(key: PrivateKey, data: bytes) -> bytes:
    """Sign with SHA-256 (ECDSA) or as Ed25519 does."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    return key.sign(data, ec.ECDSA(hashes.SHA256()))


def to_spki(key: PrivateKey) -> bytes:
    """Return the DER SubjectPublicKeyInfo of the public half."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def key_id(key: PrivateKey) -> bytes:
    """Return how logs are named: the sha256 of their public key (RFC 6962, section 3.2)."""
    return sha256(to_spki(key))


def sha256(data: bytes) -> bytes:
    """Return the digest."""
    return hashlib.sha256(data).digest()


def b64(data: bytes) -> str:
    """Return standard base64 as text."""
    return base64.b64encode(data).decode()


def to_pem(*certificates: x509.Certificate) -> str:
    """Return the certificates one after the other as PEM."""
    return "".join(c.public_bytes(Encoding.PEM).decode() for c in certificates)


def now(offset_s: int = 0) -> datetime:
    """Return the time, moved by ``offset_s``, without its microseconds."""
    return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=offset_s)


def to_name(common_name: str) -> x509.Name:
    """Return a distinguished name in the local organization."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def usage(**granted: bool) -> x509.KeyUsage:
    """Return a key usage that grants what is named and nothing else."""
    return x509.KeyUsage(**{name: granted.get(name, False) for name in USAGES})


def identifiers(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePublicKey, issuer: PrivateKey
) -> x509.CertificateBuilder:
    """Add the subject's and the issuer's key identifiers."""
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())
    return builder.add_extension(
        x509.SubjectKeyIdentifier.from_public_key(key), critical=False
    ).add_extension(authority, critical=False)


def build_ca(
    key: ec.EllipticCurvePrivateKey,
    name: str,
    *,
    issuer: tuple[ec.EllipticCurvePrivateKey, x509.Certificate] | None = None,
) -> x509.Certificate:
    """Make a certificate that may sign certificates: self-signed, or signed by ``issuer``.

    It is valid from a year ago, so that a test may move a leaf's clock back without leaving it.
    """
    signer, subject = (issuer[0], issuer[1].subject) if issuer else (key, to_name(name))
    builder = (
        x509.CertificateBuilder()
        .subject_name(to_name(name))
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - YEAR)
        .not_valid_after(now() + 10 * YEAR)
        .add_extension(
            x509.BasicConstraints(ca=True, path_length=0 if issuer else 1), critical=True
        )
        .add_extension(usage(key_cert_sign=True, crl_sign=True), critical=True)
    )
    return identifiers(builder, key.public_key(), signer).sign(signer, hashes.SHA256())
