"""Authorities and certificates, good and bad, made with ``cryptography``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
CODE = ExtendedKeyUsageOID.CODE_SIGNING
SERVER = ExtendedKeyUsageOID.SERVER_AUTH
ANY = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE


@dataclass(frozen=True)
class Cert:
    """What a certificate shall be; ``issue`` makes it."""

    cn: str = "Release"
    names: tuple[x509.GeneralName, ...] = (
        x509.RFC822Name("release@example.com"),
        x509.UniformResourceIdentifier("https://example.com/release"),
    )
    ca: bool = False
    path_length: int | None = None
    usage: tuple[str, ...] | None = ("digital_signature",)
    purposes: tuple[x509.ObjectIdentifier, ...] = (CODE,)
    starts: datetime = NOW - DAY
    ends: datetime = NOW + 30 * DAY
    basic: bool = True
    extra: tuple[tuple[x509.ExtensionType, bool], ...] = ()
    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))


AUTHORITY = Cert(
    cn="Root", names=(), ca=True, usage=("key_cert_sign",), purposes=(), ends=NOW + 3650 * DAY
)


@dataclass(frozen=True)
class Issued:
    """A certificate and its key."""

    cert: x509.Certificate
    key: Any

    @property
    def pem(self) -> bytes:
        return self.cert.public_bytes(serialization.Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.cert.public_bytes(serialization.Encoding.DER)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


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


def issue(wanted: Cert, by: Issued | None = None) -> Issued:
    """Make a certificate, by itself if nobody else is given."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, wanted.cn)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.cert.subject if by else subject)
        .public_key(wanted.key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(wanted.starts)
        .not_valid_after(wanted.ends)
    )
    extensions = list(wanted.extra)
    if wanted.basic:
        extensions.append((x509.BasicConstraints(wanted.ca, wanted.path_length), True))
    if wanted.usage is not None:
        bits = {usage: usage in wanted.usage for usage in USAGES}
        extensions.append((x509.KeyUsage(**bits), True))
    if wanted.purposes:
        extensions.append((x509.ExtendedKeyUsage(wanted.purposes), False))
    if wanted.names:
        extensions.append((x509.SubjectAlternativeName(wanted.names), False))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    key = by.key if by else wanted.key
    return Issued(builder.sign(key, hashes.SHA256()), wanted.key)


@dataclass(frozen=True)
class Chain:
    """A root, an intermediate authority and a signer."""

    root: Issued
    middle: Issued
    leaf: Issued

    def write(self, folder: Path) -> Path:
        """Write root.pem, middle.pem, leaf.pem and leaf.key, and return the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("root", "middle", "leaf"):
            (folder / f"{name}.pem").write_bytes(getattr(self, name).pem)
        (folder / "leaf.key").write_bytes(self.leaf.key_pem)
        return folder


def build_chain(
    leaf: Cert | None = None, *, middle: Cert | None = None, root: Cert | None = None
) -> Chain:
    """Make a chain; what is not given is as it should be."""
    top = issue(root or replace(AUTHORITY, key=new_key()))
    between = issue(middle or replace(AUTHORITY, cn="Issuing", key=new_key()), top)
    return Chain(top, between, issue(leaf or Cert(), between))


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())
