"""Bundles put together without a client's checks, so that a verifier meets what clients refuse.

A signer of sigstore-python stops at a certificate without timestamp or an entry without proof. Here
the services are asked directly and their answers are put into the bundle whatever they say.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from asn1crypto import tsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from services.keys import b64, new_key, sha256, sign, to_pem

from .log import to_pae
from .tsa import to_imprint

if TYPE_CHECKING:
    from .local import LocalSigstore

INTOTO = "application/vnd.in-toto+json"


def assemble_bundle(
    local: LocalSigstore,
    payload: bytes,
    *,
    token: str = "",
    rekor_version: int = 2,
    timestamped: bool = True,
    payload_type: str = INTOTO,
) -> dict[str, Any]:
    """Return a Sigstore bundle over ``payload``, with whatever the services do now.

    ``local.faults`` apply; the reply of a time-stamp authority that is down is left out.
    """
    key = new_key()
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    csr = request.sign(key, hashes.SHA256())
    certificate = local.ca.issue(token or local.token(), csr)
    signature = sign(key, to_pae(payload_type, payload))
    envelope = {
        "payload": b64(payload),
        "payloadType": payload_type,
        "signatures": [{"sig": b64(signature), "keyid": ""}],
    }
    material: dict[str, Any] = {
        "certificate": {"rawBytes": b64(certificate.public_bytes(Encoding.DER))},
        "tlogEntries": [_log(local, envelope, certificate, rekor_version)],
    }
    if timestamped:
        query = tsp.TimeStampReq(
            {"version": "v1", "message_imprint": to_imprint(signature), "cert_req": True}
        )
        stamp = {"signedTimestamp": b64(local.tsa.stamp(query.dump()))}
        material["timestampVerificationData"] = {"rfc3161Timestamps": [stamp]}
    return {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": material,
        "dsseEnvelope": envelope,
    }


def _log(
    local: LocalSigstore, envelope: dict[str, Any], certificate: x509.Certificate, version: int
) -> dict[str, Any]:
    log = local.logs[version]
    if version == 1:
        verifiers = [b64(to_pem(certificate).encode())]
        content = {"envelope": json.dumps(envelope), "verifiers": verifiers}
        asked = {"kind": "dsse", "apiVersion": "0.0.1", "spec": {"proposedContent": content}}
    else:
        digest = sha256(to_pae(envelope["payloadType"], base64.b64decode(envelope["payload"])))
        raw = {"rawBytes": b64(certificate.public_bytes(Encoding.DER))}
        verifier = {"x509Certificate": raw, "keyDetails": "PKIX_ECDSA_P256_SHA_256"}
        signature = {"content": envelope["signatures"][0]["sig"], "verifier": verifier}
        asked = {"hashedRekordRequestV002": {"digest": b64(digest), "signature": signature}}
    return log.to_bundle(log.add(asked))
