"""A time-stamp authority, as part of the local Sigstore or alone.

Source: RFC 3161 (protocol), RFC 5816 (the signer's certificate by SHA-256), RFC 5652 (CMS).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar

from asn1crypto import algos, cms, core, tsp
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from services.keys import (
    YEAR,
    build_ca,
    identifiers,
    new_key,
    now,
    sha256,
    sign,
    to_name,
    to_pem,
    usage,
)

from .faults import Faults
from .web import Reply, Request, Server

PATH = "/api/v1/timestamp"
POLICY = "1.3.6.1.4.1.57264.2"
REPLY = "application/timestamp-reply"
HANG_S = 60.0


class TimestampAuthority:
    """Signs that bytes with some digest existed now."""

    def __init__(self, *, faults: Faults) -> None:
        self._faults = faults
        self._key = new_key()
        root = new_key()
        self._root = build_ca(root, "time-stamp root")
        builder = (
            x509.CertificateBuilder()
            .subject_name(to_name("time-stamp authority"))
            .issuer_name(self._root.subject)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now() - YEAR)
            .not_valid_after(now() + 10 * YEAR)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage(digital_signature=True), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True
            )
        )
        builder = identifiers(builder, self._key.public_key(), root)
        self._certificate = builder.sign(root, hashes.SHA256())
        self._earlier: bytes | None = None

    @property
    def chain(self) -> list[x509.Certificate]:
        """The signing certificate and its root."""
        return [self._certificate, self._root]

    def answer(self, request: Request, server: Server) -> Reply | None:
        """Answer the one address; None for others."""
        if request.method != "POST" or request.path != PATH:
            return None
        match self._faults.tsa:
            case "down":
                return Reply(503, b"the time-stamp authority is down", "text/plain")
            case "hangs":
                server.stopped.wait(HANG_S)
                return Reply(503, b"too late", "text/plain")
            case "html":
                return Reply(
                    200, b"<!doctype html><title>Log in to the network</title>", "text/html"
                )
        return Reply(200, self.stamp(request.body), REPLY)

    def stamp(self, query: bytes) -> bytes:
        """Return the DER reply to a DER query."""
        try:
            request = tsp.TimeStampReq.load(query, strict=True)
            imprint, nonce = request["message_imprint"], request["nonce"].native
            known = imprint["hash_algorithm"]["algorithm"].native in ("sha256", "sha384", "sha512")
        except ValueError:
            return refuse("bad_data_format")
        if not known:
            return refuse("bad_alg")
        if self._faults.tsa == "rejected":
            return refuse("bad_request")
        if self._faults.tsa == "replayed":
            return self._earlier or self._grant(to_imprint(b"other bytes"), nonce, certified=True)
        if self._faults.tsa == "wrong-nonce":
            nonce = (nonce or 0) + 1
        reply = self._grant(imprint, nonce, certified=bool(request["cert_req"].native))
        if not self._faults.tsa:
            self._earlier = reply
        return reply

    def _grant(self, imprint: tsp.MessageImprint, nonce: int | None, *, certified: bool) -> bytes:
        said = {
            "version": "v1",
            "policy": POLICY,
            "message_imprint": imprint,
            "serial_number": secrets.randbits(63),
            "gen_time": now(self._faults.tsa_clock_offset_s),
            "accuracy": {"seconds": 1},
        }
        info = tsp.TSTInfo(said if nonce is None else {**said, "nonce": nonce}).dump()
        attributes = self._to_attributes(info)
        # Signed as a SET, kept as [0] (RFC 5652, section 5.4).
        signature = sign(self._key, attributes.dump())
        certificate = asn1.Certificate.load(self._certificate.public_bytes(Encoding.DER))
        signer = {
            "version": "v1",
            "sid": cms.IssuerAndSerialNumber(
                {"issuer": certificate.issuer, "serial_number": certificate.serial_number}
            ),
            "digest_algorithm": {"algorithm": "sha256"},
            "signed_attrs": attributes,
            "signature_algorithm": {"algorithm": "sha256_ecdsa"},
            "signature": signature,
        }
        signed = {
            "version": "v3",
            "digest_algorithms": [{"algorithm": "sha256"}],
            "encap_content_info": {
                "content_type": "tst_info",
                "content": core.ParsableOctetString(info),
            },
            "signer_infos": [signer],
        }
        if certified:
            signed["certificates"] = [certificate]
        token = {"content_type": "signed_data", "content": cms.SignedData(signed)}
        return tsp.TimeStampResp(
            {"status": {"status": "granted"}, "time_stamp_token": token}
        ).dump()

    def _to_attributes(self, info: bytes) -> cms.CMSAttributes:
        digest = sha256(self._certificate.public_bytes(Encoding.DER))
        signer = tsp.SigningCertificateV2({"certs": [{"cert_hash": digest}]})
        return cms.CMSAttributes(
            [
                cms.CMSAttribute({"type": "content_type", "values": ["tst_info"]}),
                cms.CMSAttribute({"type": "message_digest", "values": [sha256(info)]}),
                cms.CMSAttribute({"type": "signing_certificate_v2", "values": [signer]}),
            ]
        )


class Refusal(core.Sequence):
    """A TimeStampResp without its optional token, which asn1crypto's own demands."""

    _fields: ClassVar = [("status", tsp.PKIStatusInfo)]


def refuse(why: str) -> bytes:
    """Return a reply that grants nothing."""
    status = tsp.PKIStatusInfo({"status": "rejection", "fail_info": {why}})
    return Refusal({"status": status}).dump()


def to_imprint(data: bytes) -> tsp.MessageImprint:
    """Return what a time stamp says about ``data``."""
    algorithm = algos.DigestAlgorithm({"algorithm": "sha256"})
    return tsp.MessageImprint({"hash_algorithm": algorithm, "hashed_message": sha256(data)})


class LocalTsa:
    """A time-stamp authority alone: ``url``, ``chain_pem`` and ``faults``."""

    def __init__(self, *, port: int = 0) -> None:
        self.faults = Faults()
        self._authority = TimestampAuthority(faults=self.faults)
        self.server = Server(self._answer, port=port)
        self.url = self.server.url + PATH
        self.chain_pem = to_pem(*self._authority.chain)

    def failing(self, **settings: Any) -> AbstractContextManager[None]:
        """Set ``faults`` while the block runs."""
        return self.faults.setting(**settings)

    def _answer(self, request: Request) -> Reply:
        return self._authority.answer(request, self.server) or Reply(404, b"", "text/plain")


@contextmanager
def start_tsa() -> Iterator[LocalTsa]:
    """Serve a time-stamp authority while the block runs."""
    local = LocalTsa()
    local.server.start()
    try:
        yield local
    finally:
        local.server.stop()
