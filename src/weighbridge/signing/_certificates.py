"""Certificates: read from files, judged whether they may sign, and put into what is signed.

``cryptography`` is imported by the functions that need it. Who is trusted is in ``_chains``.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from weighbridge.core import DEFAULT_LIMITS, Attribution, Bundle, ChainMaterial, printable
from weighbridge.errors import InputError, SignatureError, TrustError
from weighbridge.signing._keys import build_public_key
from weighbridge.signing._pem import decode_body, read_pem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from cryptography import x509

    from weighbridge.core import Limits, Statement
    from weighbridge.signing._keys import PublicKey

__all__ = [
    "MAX_CERTIFICATES",
    "UNREADABLE",
    "CertificateSigner",
    "Facts",
    "add_certificate",
    "describe_subject",
    "find_fault",
    "find_wrong_date",
    "is_issued_by",
    "parse_certificate",
    "read_certificates",
    "read_facts",
    "read_leaf_key",
]

# What a bundle may carry; a chain has two or three.
MAX_CERTIFICATES = 10
_MAX_CERTIFICATE_BYTES = 64 * 1024
_BESIDE_KEY = "the certificate in the token"
_LABELS = frozenset({b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE"})
# What ``cryptography`` raises on a field that it cannot read; KeyError: a strange type of string.
UNREADABLE = (ValueError, KeyError)
_CODE_SIGNING = "1.3.6.1.5.5.7.3.3"
_SERVER = "1.3.6.1.5.5.7.3.1"
# What tells them apart, and no more: a URI has a colon and its scheme before it, a mail address an
# @ and no colon, a host neither.
_URI = re.compile("[A-Za-z][A-Za-z0-9+.-]*:.+", re.DOTALL)
_MAIL = re.compile("[^:]+@[^:@]+")
_HOST = re.compile("[^:@]+")


class Facts(NamedTuple):
    """What a certificate says; that it says so proves nothing.

    Attributes:
        names: Its alternative names: mail addresses, URIs and DNS names, each in the form of its
            kind, so that none passes for one of another kind.
        common_name: The one common name of its subject; empty if there is none, or several.
        subject: Its whole subject, for people.
        starts: The first instant at which it is valid, aware.
        ends: The last one.
        may_sign: Whether its key usage has digital signatures.
        purposes: The object identifiers of its extended key usage.
        is_authority: Whether its basic constraints make it an authority.
        unknown: The object identifier of a critical extension that nobody here knows; may be empty.
    """

    names: tuple[str, ...]
    common_name: str
    subject: str
    starts: datetime
    ends: datetime
    may_sign: bool
    purposes: frozenset[str]
    is_authority: bool
    unknown: str


class KeyHolder(Protocol):
    """A signer with a bare key: in a file, or in a module."""

    @property
    def public_key(self) -> PublicKey:
        """The public half."""

    def sign(self, statement: Statement) -> Bundle:
        """Return a bundle whose payload is exactly ``statement.payload``."""


@dataclass(frozen=True, slots=True)
class CertificateSigner:
    """Signs with a key and says by a certificate whose it is."""

    holder: KeyHolder
    material: ChainMaterial

    def sign(self, statement: Statement) -> Bundle:
        """Seal ``statement``; the bundle carries the certificate and those that lead on from it."""
        return Bundle.build(self.material, self.holder.sign(statement).envelope)

    def own_verifier(self) -> _SameKey:
        """Return what verifies bundles with any certificate for this very key."""
        return _SameKey(self.holder.public_key)


@dataclass(frozen=True, slots=True)
class _SameKey:
    """Whoever signed with a certificate for one key, whichever authority issued it and when.

    No authority is asked: that it is the signer's own key is the proof.
    """

    public_key: PublicKey

    def verify(self, bundle: Bundle, *, at: datetime) -> Attribution:  # noqa: ARG002 - no dates
        """Return that this key signed; see :class:`weighbridge.signing.Verifier`."""
        if not isinstance(bundle.material, ChainMaterial):
            raise TrustError(
                "the signature was not made with a certificate; "
                "name who made it, for instance with --reuse-key"
            )
        leaf = parse_certificate(bundle.material.certificates[0])
        key = None if leaf is None else read_leaf_key(leaf)
        if key is None or key.fingerprint != self.public_key.fingerprint:
            raise TrustError(
                "the signature was made with another key than that of the signer's certificate; "
                "name who made it, for instance with --reuse-certificate-authority"
            )
        if not key.holds_for(bundle):
            raise SignatureError(
                "the signature does not hold for the key in its certificate; "
                "get the signature file again from its publisher"
            )
        return Attribution("", "certificate", key.fingerprint)


def add_certificate(
    holder: KeyHolder,
    certificate: Path | bytes,
    chain: Sequence[Path] = (),
    *,
    limits: Limits = DEFAULT_LIMITS,
) -> CertificateSigner:
    """Return a signer whose bundles carry a certificate.

    What goes into a bundle is the signer's certificate and those that lead on from it. Roots do
    not: whoever verifies has to have them already.

    Args:
        holder: Has the private key.
        certificate: The signer's own, a file in PEM; those that lead on may follow it there. Or its
            DER, if it came from beside the key.
        chain: More files with those that lead on, in any order.
        limits: ``max_key_bytes`` applies to each file.

    Raises:
        InputError: A file cannot be used; the certificate is for another key; nobody could verify
            what is signed with it, since it has expired or may not sign; or a certificate does not
            lead on from it.
    """
    leaf, *rest = _read_given(certificate, limits=limits)
    shown = _BESIDE_KEY if isinstance(certificate, bytes) else printable(str(certificate))
    key = read_leaf_key(leaf)
    if key is None:
        raise InputError(
            f"{shown} is not for an EC key on P-256, P-384 or P-521; have one issued for such a key"
        )
    if key.fingerprint != holder.public_key.fingerprint:
        raise InputError(f"{shown} is for another key; give the certificate of the key that signs")
    facts = read_facts(leaf)
    if facts is None:
        raise InputError(f"{shown} holds a certificate that cannot be read; have it issued again")
    # One that nobody but itself issued can only be trusted as it is.
    fault = find_fault(facts, pinned=is_issued_by(leaf, leaf))
    reason = find_wrong_date(facts, datetime.now(UTC)) or fault
    if reason:
        raise InputError(f"nobody could verify a signature made with {shown}: {reason}")
    for file in chain:
        rest += read_certificates(file, limits=limits)
    certificates = _sort_chain(leaf, rest)
    if len(certificates) > MAX_CERTIFICATES:
        raise InputError(
            f"{len(certificates)} certificates lead on from {shown} and {MAX_CERTIFICATES} "
            "at most go into a signature; leave out those that are not needed"
        )
    return CertificateSigner(holder, ChainMaterial(tuple(_to_der(c) for c in certificates)))


def _read_given(certificate: Path | bytes, *, limits: Limits) -> list[x509.Certificate]:
    if not isinstance(certificate, bytes):
        return read_certificates(certificate, limits=limits)
    leaf = parse_certificate(certificate)
    if leaf is None:
        raise InputError(f"{_BESIDE_KEY} cannot be read; have it issued again")
    return [leaf]


def read_certificates(path: Path, *, limits: Limits = DEFAULT_LIMITS) -> list[x509.Certificate]:
    """Read a file of certificates in PEM.

    Raises:
        InputError: Missing, unreadable, without a certificate, or with anything else in it, such as
            a private key.
    """
    shown = printable(str(path))
    found = []
    for label, body in read_pem(path, what="certificate", limits=limits):
        if label not in _LABELS:
            kind = printable(label.decode().lower())
            raise InputError(f"{shown} holds a {kind}; give a file with certificates alone")
        certificate = _parse_pem(body) if label != b"TRUSTED CERTIFICATE" else None
        if certificate is None:
            raise InputError(
                f"{shown} holds a certificate that cannot be read; "
                "write it again: openssl x509 -in OLD -out NEW"
            )
        found.append(certificate)
    if not found:
        raise InputError(f"{shown} holds no certificate in PEM (-----BEGIN CERTIFICATE-----)")
    return found


def _parse_pem(body: bytes) -> x509.Certificate | None:
    der = decode_body(body)
    return None if der is None else parse_certificate(der)


def parse_certificate(der: bytes) -> x509.Certificate | None:
    """Return the certificate in ``der``, or None if there is none; its extensions are not read."""
    from cryptography import x509  # noqa: PLC0415 - start-up time

    if len(der) > _MAX_CERTIFICATE_BYTES:
        return None
    try:
        # What ``cryptography`` warns of here, such as a negative serial number, RFC 5280 forbids.
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return x509.load_der_x509_certificate(der)
    except (ValueError, x509.InvalidVersion, UserWarning, DeprecationWarning):
        return None


def read_facts(certificate: x509.Certificate) -> Facts | None:
    """Return what a certificate says, or None if it cannot be read in full."""
    from cryptography import x509  # noqa: PLC0415 - start-up time

    try:
        extensions = certificate.extensions
        found = {type(e.value): e.value for e in extensions}
        commons = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        subject = certificate.subject.rfc4514_string()
    except (*UNREADABLE, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return None
    names = found.get(x509.SubjectAlternativeName)
    usage = found.get(x509.KeyUsage)
    purposes = found.get(x509.ExtendedKeyUsage)
    basic = found.get(x509.BasicConstraints)
    return Facts(
        names=_list_names(names) if isinstance(names, x509.SubjectAlternativeName) else (),
        common_name=str(commons[0].value) if len(commons) == 1 else "",
        subject=subject,
        starts=certificate.not_valid_before_utc,
        ends=certificate.not_valid_after_utc,
        may_sign=isinstance(usage, x509.KeyUsage) and usage.digital_signature,
        purposes=frozenset(
            purpose.dotted_string
            for purpose in (purposes if isinstance(purposes, x509.ExtendedKeyUsage) else ())
        ),
        is_authority=isinstance(basic, x509.BasicConstraints) and basic.ca,
        unknown=next((e.oid.dotted_string for e in extensions if _is_unknown(e)), ""),
    )


def _is_unknown(extension: x509.Extension[x509.ExtensionType]) -> bool:
    from cryptography import x509  # noqa: PLC0415 - start-up time

    return extension.critical and isinstance(extension.value, x509.UnrecognizedExtension)


def _list_names(names: Iterable[x509.GeneralName]) -> tuple[str, ...]:
    """Return the names that can be of no other kind than they say.

    Name constraints (RFC 5280, 4.2.1.10) bind names of one kind. An authority that may certify the
    mail addresses of one host only could otherwise write somebody else's into a URI.
    """
    from cryptography import x509  # noqa: PLC0415 - start-up time

    forms = {
        x509.RFC822Name: _MAIL,
        x509.UniformResourceIdentifier: _URI,
        x509.DNSName: _HOST,
    }
    return tuple(
        name.value
        for name in names
        for kind, form in forms.items()
        if isinstance(name, kind) and form.fullmatch(name.value)
    )


def describe_subject(certificate: x509.Certificate) -> str:
    """Return whose a certificate is, for people; whatever is in it."""
    try:
        return printable(certificate.subject.rfc4514_string(), limit=120)
    except UNREADABLE:
        return "somebody whose name cannot be read"


def find_wrong_date(facts: Facts, at: datetime) -> str:
    """Say why a certificate is not valid at a time, with the dates; empty if it is."""
    shown = printable(facts.subject, limit=120)
    if at < facts.starts:
        return f"the certificate of {shown} is not valid before {_to_text(facts.starts)}"
    if at > facts.ends:
        return f"the certificate of {shown} expired on {_to_text(facts.ends)}"
    return ""


def _to_text(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def find_fault(facts: Facts, *, pinned: bool = False) -> str:
    """Say why a certificate may not sign models; empty if it may.

    Args:
        facts: What it says.
        pinned: Whether this very certificate is trusted, so that it may be its own authority.

    Source:
        RFC 5280, 4.2.1.3, 4.2.1.9 and 4.2.1.12. ``anyExtendedKeyUsage`` is not enough: the Baseline
        Requirements for Code Signing, 7.1.2.3, forbid it in such certificates.
    """
    shown = f"the certificate of {printable(facts.subject, limit=120)}"
    if not facts.may_sign:
        return f"{shown} has no key usage 'digital signature'; have one issued for code signing"
    if _CODE_SIGNING not in facts.purposes:
        kind = "for TLS servers and " if _SERVER in facts.purposes else ""
        return f"{shown} is {kind}not for code signing; have one issued with that key usage"
    if facts.unknown:
        return f"{shown} demands what nobody here knows (extension {facts.unknown}); have another"
    if facts.is_authority and not pinned:
        return f"{shown} is that of an authority; have one issued for the signer alone"
    return ""


def read_leaf_key(certificate: x509.Certificate) -> PublicKey | None:
    """Return the key in a certificate, or None if it cannot be read or is of another kind."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - start-up time

    try:
        key = build_public_key("the key", certificate.public_key())
    except (*UNREADABLE, UnsupportedAlgorithm):  # InputError is a ValueError
        return None
    return key if key.curve.startswith("P-") else None


def _sort_chain(
    leaf: x509.Certificate, others: Iterable[x509.Certificate]
) -> list[x509.Certificate]:
    """Return the leaf and those that lead on from it, nearest first, without roots.

    Raises:
        InputError: One of the others does not lead on from it.
    """
    chain = [leaf]
    waiting = []
    for other in others:
        if other not in waiting and other != leaf and not is_issued_by(other, other):
            waiting.append(other)
    for certificate in chain:  # it grows meanwhile
        issuers = [other for other in waiting if is_issued_by(certificate, other)]
        chain += issuers
        waiting = [other for other in waiting if other not in issuers]
    if waiting:
        shown = describe_subject(waiting[0])
        raise InputError(
            f"the certificate of {shown} does not lead on from the signer's; leave it out"
        )
    return chain


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Return whether a certificate bears the name and the signature of its issuer."""
    from cryptography.exceptions import (  # noqa: PLC0415 - start-up time
        InvalidSignature,
        UnsupportedAlgorithm,
    )

    try:
        certificate.verify_directly_issued_by(issuer)
    except (*UNREADABLE, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _to_der(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - start-up time

    return certificate.public_bytes(serialization.Encoding.DER)
