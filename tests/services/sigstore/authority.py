"""A certificate authority like Fulcio: a token and a proof of possession in, a short-lived
certificate out.

Source: https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md for the extensions; RFC 6962,
sections 3.2 and 3.3, for the certificate timestamp.
"""

from __future__ import annotations

import base64
import json
import struct
import time
from datetime import timedelta
from typing import Any

import jwt
from asn1crypto.core import OctetString, UTF8String
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from services.keys import (
    build_ca,
    identifiers,
    key_id,
    new_key,
    now,
    sha256,
    sign,
    to_pem,
    to_spki,
    usage,
)

from .faults import Faults
from .oidc import AUDIENCE, Provider
from .web import Reply, Request, to_json

SCT_LIST = ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
ARC = "1.3.6.1.4.1.57264.1."
GITHUB = "https://github.com/"
# The first five are bare text, as they were before extensions had a DER type.
OLD_CLAIMS = {"2": "event_name", "3": "sha", "4": "workflow", "5": "repository", "6": "ref"}
CLAIMS = {
    "9": GITHUB + "{job_workflow_ref}",
    "10": "{job_workflow_sha}",
    "11": "{runner_environment}",
    "12": GITHUB + "{repository}",
    "13": "{sha}",
    "14": "{ref}",
    "15": "{repository_id}",
    "16": GITHUB + "{repository_owner}",
    "17": "{repository_owner_id}",
    "18": GITHUB + "{workflow_ref}",
    "19": "{workflow_sha}",
    "20": "{event_name}",
    "21": GITHUB + "{repository}/actions/runs/{run_id}/attempts/{run_attempt}",
    "22": "{repository_visibility}",
}


class RefusedError(Exception):
    """The request does not earn a certificate."""


class CertificateAuthority:
    """Issues certificates to whoever holds a token of one of its providers."""

    def __init__(self, providers: list[Provider], *, faults: Faults) -> None:
        self._providers = {provider.issuer: provider for provider in providers}
        self._faults = faults
        root = new_key()
        self._root = build_ca(root, "certificate authority root")
        self.key = new_key()
        self.certificate = build_ca(self.key, "certificate authority", issuer=(root, self._root))
        self.ct_key = new_key()

    @property
    def chain(self) -> list[x509.Certificate]:
        """The issuing certificate and its root."""
        return [self.certificate, self._root]

    def answer(self, request: Request) -> Reply | None:
        """Answer Fulcio's two addresses; None for others."""
        match request.method, request.path:
            case "POST", "/api/v2/signingCert":
                return self._sign(request)
            case "GET", "/api/v2/trustBundle":
                return to_json({"chains": [{"certificates": [to_pem(c) for c in self.chain]}]})
        return None

    def issue(self, token: str, csr: x509.CertificateSigningRequest) -> x509.Certificate:
        """Return a certificate for the token's identity and the request's key.

        Raises:
            RefusedError: The token is not valid here, or the key is not the client's.
        """
        if self._faults.ca_refuses:
            raise RefusedError("There was an error processing the identity token")
        claims = self._read_token(token)
        if not csr.is_signature_valid:
            raise RefusedError("The signature supplied in the request could not be verified")
        key = csr.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise RefusedError("The public key supplied in the request is insecure")
        start = now(self._faults.ca_clock_offset_s)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + timedelta(seconds=self._faults.certificate_lifetime_s))
            .add_extension(usage(digital_signature=True), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False
            )
        )
        builder = identifiers(builder, key, self.key)
        builder = builder.add_extension(
            x509.SubjectAlternativeName([to_identity(claims)]), critical=True
        )
        for arc, value in to_extensions(claims).items():
            extension = x509.UnrecognizedExtension(ObjectIdentifier(ARC + arc), value)
            builder = builder.add_extension(extension, critical=False)
        if not self._faults.without_sct:
            sct = self._log_certificate(builder.sign(self.key, hashes.SHA256()))
            extension = x509.UnrecognizedExtension(SCT_LIST, OctetString(sct).dump())
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def _sign(self, request: Request) -> Reply:
        body = json.loads(request.body)
        csr = x509.load_pem_x509_csr(base64.b64decode(body["certificateSigningRequest"]))
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            certificate = self.issue(token, csr)
        except RefusedError as error:
            return to_json({"code": 16, "message": str(error), "details": []}, status=401)
        chain = [to_pem(c) for c in (certificate, *self.chain)]
        return to_json({"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}})

    def _read_token(self, token: str) -> dict[str, Any]:
        """Return the claims of a token that its own issuer signed for us and that is still good."""
        try:
            issuer = jwt.decode(token, options={"verify_signature": False}).get("iss", "")
            provider = self._providers.get(issuer)
            if provider is None:
                raise RefusedError(f"There is no configuration for the issuer {issuer!r}")
            keys = jwt.PyJWKSet.from_dict(provider.keys())
            key = keys[jwt.get_unverified_header(token)["kid"]]
            claims: dict[str, Any] = jwt.decode(
                token, key, algorithms=["ES256"], audience=AUDIENCE, issuer=issuer
            )
        except (jwt.PyJWTError, KeyError) as error:
            raise RefusedError(
                f"There was an error processing the identity token: {error}"
            ) from error
        if "email" in claims and claims.get("email_verified") is not True:
            raise RefusedError("The email address in the token is not verified")
        return claims

    def _log_certificate(self, precertificate: x509.Certificate) -> bytes:
        """Return the list that holds the log's promise to take this certificate in."""
        tbs = precertificate.tbs_certificate_bytes
        when = int((time.time() + self._faults.ca_clock_offset_s) * 1000)
        entry = sha256(to_spki(self.key)) + struct.pack(">I", len(tbs))[1:] + tbs
        signed = struct.pack(">BBQH", 0, 0, when, 1) + entry + struct.pack(">H", 0)
        signature = sign(new_key() if self._faults.wrong_sct_key else self.ct_key, signed)
        head = struct.pack(">B32sQHBBH", 0, key_id(self.ct_key), when, 0, 4, 3, len(signature))
        sct = head + signature
        return struct.pack(">HH", len(sct) + 2, len(sct)) + sct


def to_identity(claims: dict[str, Any]) -> x509.GeneralName:
    """Return who the token is about, as the certificate names it."""
    if "email" in claims:
        return x509.RFC822Name(claims["email"])
    if "job_workflow_ref" in claims:
        return x509.UniformResourceIdentifier(GITHUB + claims["job_workflow_ref"])
    return x509.UniformResourceIdentifier(claims["sub"])


def to_extensions(claims: dict[str, Any]) -> dict[str, bytes]:
    """Return the extensions of Fulcio's arc: the issuer in both forms, then a workflow's claims."""
    found = {"1": claims["iss"].encode(), "8": UTF8String(claims["iss"]).dump()}
    if "job_workflow_ref" in claims:
        found |= {arc: claims[name].encode() for arc, name in OLD_CLAIMS.items()}
        found |= {arc: UTF8String(form.format(**claims)).dump() for arc, form in CLAIMS.items()}
    return found
