"""Bundle: a signed envelope and what is needed to verify it. Layout only; no cryptography."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NoReturn, Self

from weighbridge.core._json import parse_json
from weighbridge.errors import LimitExceededError, ParseError

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from weighbridge.core._limits import Limits

__all__ = [
    "Bundle",
    "CertificateMaterial",
    "ChainMaterial",
    "Encoding",
    "Envelope",
    "EnvelopeSignature",
    "Material",
    "PublicKeyMaterial",
    "pae",
    "parse_bundle",
]

_MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_PAYLOAD_TYPE = "application/vnd.in-toto+json"

_PAYLOAD = "dsseEnvelope.payload"
_SIGNATURE = "dsseEnvelope.signatures[0]"

# A bundle is a few strings, two of them long.
_MAX_VALUES = 10_000
_MAX_CERTIFICATES = 10
_MAX_PROOFS = 10

# As :meth:`Bundle.build` writes them for a bare key, to the last byte: most of what claims files
# hold. Nothing in such a text can be read in a second way.
_BUILT = (
    '{"mediaType":"MEDIA","verificationMaterial":{"publicKey":{"hint":"HINT"},"tlogEntries":[]},'
    '"dsseEnvelope":{"payload":"PAYLOAD","payloadType":"TYPE",'
    '"signatures":[{"sig":"SIG","keyid":""}]}}'
)
_BUILT_PARTS = [
    {"MEDIA": _MEDIA_TYPE, "TYPE": _PAYLOAD_TYPE}.get(part, part).encode()
    for part in _BUILT.split('"')
]
_BUILT_PLACES = tuple(_BUILT_PARTS.index(part) for part in (b"HINT", b"PAYLOAD", b"SIG"))
_BUILT_HINT = re.compile(rb"[0-9a-f]{0,128}")


@dataclass(frozen=True, slots=True)
class EnvelopeSignature:
    """One signature of an envelope.

    Attributes:
        sig: For ECDSA the DER of r and s.
        keyid: Whatever the signer wrote; not covered by the signature, never trusted.
    """

    sig: bytes
    keyid: str = ""


class Encoding(StrEnum):
    """Of which text an envelope's signature is; a bundle never says which."""

    DSSE = "DSSEv1"
    BEFORE_V1 = "DSSEV1"


@dataclass(frozen=True, slots=True)
class Envelope:
    """A DSSE envelope. What a signature covers is :func:`pae` of its type and payload.

    Attributes:
        payload: The bytes that were signed.
        signatures: One.
        payload_type: Always in-toto.
        encoding: DSSE, unless a verifier agreed to a signature from before version 1.
    """

    payload: bytes = field(repr=False)
    signatures: tuple[EnvelopeSignature, ...]
    payload_type: str = _PAYLOAD_TYPE
    encoding: Encoding = Encoding.DSSE

    def to_signed_bytes(self) -> bytes:
        """Return the bytes that a signature covers.

        Source:
            DSSE v1.0.2; for what is from before version 1 model_signing 0.2.0,
            ``signature.encoding.pae``: a capital V, and the payload as Python writes bytes.
        """
        if self.encoding is Encoding.DSSE:
            return pae(self.payload_type, self.payload)
        kind, payload = self.payload_type, self.payload
        return f"DSSEV1 {len(kind)} {kind} {len(payload)} {payload!r}".encode()


@dataclass(frozen=True, slots=True)
class PublicKeyMaterial:
    """Says that a bare key made the signature, and which.

    Attributes:
        hint: The key's fingerprint in hex; empty if the signer gave none. Not covered by the
            signature: it helps to find a key that is trusted already, and nothing more.
    """

    hint: str


@dataclass(frozen=True, slots=True)
class ChainMaterial:
    """Says that the holder of a certificate made the signature.

    Attributes:
        certificates: In DER, the signer's own first, then those that lead to the authority; one at
            least. Whether any of them means something is for the verifier to find out.
    """

    certificates: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class CertificateMaterial:
    """Says that a certificate of a few minutes made the signature: Sigstore's keyless signing.

    Attributes:
        certificate: In DER.
        log_entry_count: How many entries of a transparency log come with it; not verified here.
    """

    certificate: bytes
    log_entry_count: int


Material = PublicKeyMaterial | ChainMaterial | CertificateMaterial


@dataclass(frozen=True, slots=True)
class Bundle:
    """A Sigstore bundle v0.3 that holds a DSSE envelope.

    Attributes:
        material: How to verify.
        envelope: The payload and its one signature.
        raw: The bundle's own bytes, as they were read or are to be written.
        timestamps: RFC 3161 responses in DER, over the signature's bytes; nobody has verified them.
    """

    material: Material
    envelope: Envelope
    raw: bytes = field(repr=False)
    timestamps: tuple[bytes, ...] = field(default=(), repr=False)

    @classmethod
    def build(
        cls,
        material: PublicKeyMaterial | ChainMaterial,
        envelope: Envelope,
        *,
        timestamps: tuple[bytes, ...] = (),
    ) -> Self:
        """Fix the bytes of a bundle: JSON on a single line."""
        document = {
            "mediaType": _MEDIA_TYPE,
            "verificationMaterial": _material_to_json(material, timestamps),
            "dsseEnvelope": {
                "payload": "",
                "payloadType": envelope.payload_type,
                "signatures": [
                    {"sig": _to_base64(s.sig), "keyid": s.keyid} for s in envelope.signatures
                ],
            },
        }
        text = json.dumps(document, separators=(",", ":")).encode()
        # The payload is long, and base64 has nothing that JSON would escape.
        before, empty, after = text.partition(b'"payload":"')
        raw = b"".join((before, empty, base64.b64encode(envelope.payload), after))
        return cls(material, envelope, raw, timestamps)


def _material_to_json(
    material: PublicKeyMaterial | ChainMaterial, timestamps: tuple[bytes, ...]
) -> dict[str, object]:
    document: dict[str, object]
    if isinstance(material, PublicKeyMaterial):
        document = {"publicKey": {"hint": material.hint}}
    else:
        certificates = [{"rawBytes": _to_base64(der)} for der in material.certificates]
        document = {"x509CertificateChain": {"certificates": certificates}}
    document["tlogEntries"] = []
    if timestamps:
        entries = [{"signedTimestamp": _to_base64(der)} for der in timestamps]
        document["timestampVerificationData"] = {"rfc3161Timestamps": entries}
    return document


def _to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return the pre-authentication encoding: the type and the payload, with their lengths.

    Source:
        DSSE v1.0.2, protocol, "Signature definition".
    """
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def parse_bundle(data: bytes, *, what: str, limits: Limits) -> Bundle:
    """Read a bundle; nothing is verified, and the payload is not looked into.

    Everything that would be passed over is refused instead: fields that are not known, a second
    signature, log entries beside a key or a chain of certificates.

    Args:
        data: The whole file, or one line of a claims file.
        what: What it is, for messages: ``model.sig``.
        limits: ``max_signature_bytes`` and ``max_json_depth`` apply.

    Raises:
        ParseError: Not such a bundle; says where.
        LimitExceededError: More than ``max_signature_bytes``.

    Source:
        sigstore/protobuf-specs ``Bundle`` v0.3; OpenSSF Model Signing v1.0, bundle format.
    """
    if len(data) > limits.max_signature_bytes:
        limit = limits.max_signature_bytes
        raise LimitExceededError("max_signature_bytes", limit=limit, actual=len(data), subject=what)
    reader = _Reader(what)
    if built := _take_built(data):
        hint, payload, sig = built
        signature = EnvelopeSignature(reader.decode(sig, f"{_SIGNATURE}.sig"))
        envelope = Envelope(reader.decode(payload, _PAYLOAD), (signature,))
        return Bundle(PublicKeyMaterial(hint.decode()), envelope, data)
    document = reader.fields(
        parse_json(data, what=what, limits=limits, max_values=_MAX_VALUES),
        where="",
        known={"mediaType", "verificationMaterial", "dsseEnvelope", "messageSignature"},
    )
    media_type = document.get("mediaType")
    if media_type != _MEDIA_TYPE:
        shown = repr(media_type[:80]) if isinstance(media_type, str) else "missing"
        reader.refuse(f"has the media type {shown}; {_MEDIA_TYPE} is wanted", "mediaType")
    if document.get("messageSignature") is not None:
        reader.refuse("signs bare bytes and not a statement", "messageSignature")
    material, timestamps = _parse_material(reader, document.get("verificationMaterial"))
    envelope = _parse_envelope(reader, document.get("dsseEnvelope"))
    return Bundle(material, envelope, data, timestamps)


def _take_built(data: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Return hint, payload and signature of a bundle as we write it; None of any other text.

    What is not ASCII or has a backslash is for the reader of JSON.
    """
    parts = data.split(b'"', len(_BUILT_PARTS) - 1)
    if len(parts) != len(_BUILT_PARTS):
        return None
    hint, payload, sig = (parts[place] for place in _BUILT_PLACES)
    for place in _BUILT_PLACES:
        parts[place] = _BUILT_PARTS[place]
    if parts != _BUILT_PARTS or not (payload and sig and _BUILT_HINT.fullmatch(hint)):
        return None
    is_plain = data.isascii() and b"\\" not in data
    return (hint, payload, sig) if is_plain else None


def _parse_material(reader: _Reader, value: object) -> tuple[Material, tuple[bytes, ...]]:
    where = "verificationMaterial"
    kinds = ("publicKey", "x509CertificateChain", "certificate")
    material = reader.fields(
        value, where=where, known={*kinds, "tlogEntries", "timestampVerificationData"}
    )
    named = [kind for kind in kinds if material.get(kind) is not None]
    if len(named) != 1:
        found = " and ".join(named) or "nothing"
        reader.refuse(f"names {found} to verify it with; exactly one is wanted", where)
    entries = reader.items(material.get("tlogEntries"), f"{where}.tlogEntries", most=_MAX_PROOFS)
    timestamps = _parse_timestamps(reader, material.get("timestampVerificationData"))
    if named == ["certificate"]:
        der = _parse_certificate(reader, material["certificate"], f"{where}.certificate")
        return CertificateMaterial(der, len(entries)), timestamps
    if entries:
        message = "carries entries of a transparency log, which nobody verifies beside a key"
        reader.refuse(message, f"{where}.tlogEntries")
    if named == ["x509CertificateChain"]:
        return _parse_chain(reader, material["x509CertificateChain"]), timestamps
    where = f"{where}.publicKey"
    # Signers before model_signing 1.1 put the key itself here instead of a hint. It is not used:
    # a key that comes with the signature says nothing about who signed.
    key = reader.fields(
        material["publicKey"], where=where, known={"hint", "rawBytes", "keyDetails"}
    )
    return PublicKeyMaterial(reader.text(key.get("hint"), f"{where}.hint")), timestamps


def _parse_chain(reader: _Reader, value: object) -> ChainMaterial:
    where = "verificationMaterial.x509CertificateChain"
    chain = reader.fields(value, where=where, known={"certificates"})
    where = f"{where}.certificates"
    items = reader.items(chain.get("certificates"), where, most=_MAX_CERTIFICATES)
    if not items:
        reader.refuse("holds a chain without a certificate", where)
    return ChainMaterial(
        tuple(
            _parse_certificate(reader, item, f"{where}[{index}]")
            for index, item in enumerate(items)
        )
    )


def _parse_certificate(reader: _Reader, value: object, where: str) -> bytes:
    fields = reader.fields(value, where=where, known={"rawBytes"})
    return reader.base64(fields.get("rawBytes"), f"{where}.rawBytes")


def _parse_timestamps(reader: _Reader, value: object) -> tuple[bytes, ...]:
    where = "verificationMaterial.timestampVerificationData"
    if value is None:
        return ()
    data = reader.fields(value, where=where, known={"rfc3161Timestamps"})
    where = f"{where}.rfc3161Timestamps"
    found = []
    items = reader.items(data.get("rfc3161Timestamps"), where, most=_MAX_PROOFS)
    for index, item in enumerate(items):
        at = f"{where}[{index}]"
        fields = reader.fields(item, where=at, known={"signedTimestamp"})
        found.append(reader.base64(fields.get("signedTimestamp"), f"{at}.signedTimestamp"))
    return tuple(found)


def _parse_envelope(reader: _Reader, value: object) -> Envelope:
    where = "dsseEnvelope"
    known = {"payload", "payloadType", "signatures"}
    envelope = reader.fields(value, where=where, known=known)
    payload_type = envelope.get("payloadType")
    if payload_type != _PAYLOAD_TYPE:
        shown = repr(payload_type[:80]) if isinstance(payload_type, str) else "missing"
        message = f"has a payload of the type {shown}; {_PAYLOAD_TYPE} is wanted"
        reader.refuse(message, f"{where}.payloadType")
    signatures = envelope.get("signatures")
    if not isinstance(signatures, list) or len(signatures) != 1:
        count = len(signatures) if isinstance(signatures, list) else "no list of"
        reader.refuse(f"has {count} signatures; exactly one is wanted", f"{where}.signatures")
    at = _SIGNATURE
    signature = reader.fields(signatures[0], where=at, known={"sig", "keyid"})
    sig = reader.base64(signature.get("sig"), f"{at}.sig")
    keyid = reader.text(signature.get("keyid"), f"{at}.keyid")
    payload = reader.base64(envelope.get("payload"), _PAYLOAD)
    return Envelope(payload, (EnvelopeSignature(sig, keyid),))


@dataclass(frozen=True, slots=True)
class _Reader:
    """Takes values out of one document and names the document in every refusal."""

    what: str

    def refuse(self, message: str, where: str) -> NoReturn:
        raise ParseError(f"{self.what} {message}", where=where)

    def fields(self, value: object, *, where: str, known: AbstractSet[str]) -> dict[str, Any]:
        if not isinstance(value, dict):
            self.refuse("is not a signature bundle: an object is wanted here", where)
        if unknown := sorted(value.keys() - known):
            self.refuse(f"has the field {unknown[0][:80]!r}, which is not known here", where)
        return value

    def items(self, value: object, where: str, *, most: int) -> list[Any]:
        """Return a list; null and absent are the empty list, as in protobuf JSON."""
        if value is None:
            return []
        if not isinstance(value, list):
            self.refuse("is not a signature bundle: a list is wanted here", where)
        if len(value) > most:
            self.refuse(f"lists {len(value):,} things here; {most} at most make sense", where)
        return value

    def text(self, value: object, where: str) -> str:
        """Return a string; null and absent are the empty string, as in protobuf JSON."""
        if value is None:
            return ""
        if not isinstance(value, str):
            self.refuse("is not a signature bundle: a string is wanted here", where)
        return value

    def base64(self, value: object, where: str) -> bytes:
        """Decode standard base64; of all spellings of the same bytes only the usual one."""
        text = self.text(value, where)
        if not text:
            self.refuse("is not a signature bundle: this is empty or missing", where)
        if not text.isascii():
            self.refuse("holds broken base64: it has letters that are none of its own", where)
        return self.decode(text.encode(), where)

    def decode(self, text: bytes, where: str) -> bytes:
        """Decode base64 that is there, as :meth:`base64` does."""
        try:
            data = binascii.a2b_base64(text, strict_mode=True)
        except ValueError as error:
            raise ParseError(f"{self.what} holds broken base64: {error}", where=where) from error
        # What the decoder lets pass are bits behind the last whole byte.
        tail = len(data) % 3
        if tail and binascii.b2a_base64(data[-tail:], newline=False) != text[-4:]:
            self.refuse("holds base64 with stray bits at its end", where)
        return data
