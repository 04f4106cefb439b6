"""A transparency log like Rekor, in its first and its second version.

Both verify what they are asked to log, keep it in a Merkle tree and sign a checkpoint. Version 1
also promises with its own signature and clock; version 2 has no clock.

Source: https://github.com/sigstore/rekor/blob/main/openapi.yaml;
https://github.com/sigstore/rekor-tiles/blob/main/CLIENTS.md; https://c2sp.org/tlog-checkpoint.
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Any

import rfc8785
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.keys import PrivateKey, b64, key_id, new_key, sha256, sign

from .faults import Faults
from .merkle import to_leaf, to_path, to_root
from .web import Reply, Request, to_json


class BadEntryError(Exception):
    """What was sent cannot be logged."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as the log keeps it, with what proves that it is there."""

    body: bytes
    index: int
    leaves: list[bytes]
    checkpoint: str
    root: bytes
    integrated_s: int

    @property
    def path(self) -> list[bytes]:
        """The hashes between the leaf and the root."""
        return to_path(self.index, self.leaves)


class Log:
    """One log with one key. Both versions are this log; they differ in what they say."""

    def __init__(self, host: str, *, version: int, faults: Faults) -> None:
        self.version = version
        self.origin = f"{host} - {secrets.randbits(63)}" if version == 1 else f"{host}/v2"
        self.key: PrivateKey = new_key() if version == 1 else ed25519.Ed25519PrivateKey.generate()
        self.id = to_log_id(self.key, self.origin)
        self._faults = faults
        self._lock = threading.Lock()
        self._bodies: list[bytes] = []
        self._integrated_s: list[int] = []

    def answer(self, request: Request) -> Reply | None:
        """Answer this version's addresses; None for others."""
        entries = f"/api/v{self.version}/log/entries"
        if not request.path.startswith(f"/api/v{self.version}/log"):
            return None
        if self._faults.log_down:
            return Reply(503, b"the log is down", "text/plain")
        if request.method == "POST" and request.path.rstrip("/") == entries:
            try:
                entry = self.add(json.loads(request.body))
            except BadEntryError as error:
                return to_json({"code": 400, "message": str(error)}, status=400)
            answer = self._to_v1(entry) if self.version == 1 else self.to_bundle(entry)
            return to_json(answer, status=201)
        if self.version == 1 and request.method == "GET":
            return self._look_up(request, entries)
        return None

    def add(self, asked: dict[str, Any]) -> Entry:
        """Log what was asked and prove that it is there.

        Raises:
            BadEntryError: It is of no known kind, or its signature does not hold.
        """
        kind = read_v1(asked) if self.version == 1 else read_v2(asked)
        with self._lock:
            self._bodies.append(rfc8785.dumps(kind))
            self._integrated_s.append(int(time.time()) + self._faults.log_clock_offset_s)
            index = len(self._bodies) - 1
        return self.entry(index)

    def to_bundle(self, entry: Entry) -> dict[str, Any]:
        """Return the entry as bundles hold it, and as version 2 answers."""
        kind = json.loads(entry.body)
        said: dict[str, Any] = {
            "logIndex": str(entry.index),
            "logId": {"keyId": b64(self.id)},
            "kindVersion": {"kind": kind["kind"], "version": kind["apiVersion"]},
            "integratedTime": str(entry.integrated_s if self.version == 1 else 0),
            "inclusionProof": {
                "logIndex": str(entry.index),
                "rootHash": b64(entry.root),
                "treeSize": str(len(entry.leaves)),
                "hashes": [b64(node) for node in entry.path],
                "checkpoint": {"envelope": entry.checkpoint},
            },
            "canonicalizedBody": b64(entry.body),
        }
        if self.version == 1:
            said["inclusionPromise"] = {"signedEntryTimestamp": b64(self._promise(entry))}
        if self._faults.log_without_proof:
            del said["inclusionProof"]
        return said

    def entry(self, index: int) -> Entry:
        """Return what is logged at ``index``, proved against the tree as it is now."""
        with self._lock:
            leaves = [to_leaf(body) for body in self._bodies]
            body, integrated_s = self._bodies[index], self._integrated_s[index]
        root = to_root(leaves)
        checkpoint = self._sign_checkpoint(len(leaves), root)
        if self._faults.wrong_root:
            root = sha256(root)
        return Entry(body, index, leaves, checkpoint, root, integrated_s)

    def _sign_checkpoint(self, size: int, root: bytes) -> str:
        note = f"{self.origin}\n{size}\n{b64(root)}\n"
        key = another_key(self.key) if self._faults.wrong_checkpoint_key else self.key
        signature = sign(key, note.encode())
        return f"{note}\n\u2014 {self.origin.split()[0]} {b64(self.id[:4] + signature)}\n"

    def _promise(self, entry: Entry) -> bytes:
        key = another_key(self.key) if self._faults.wrong_promise else self.key
        return sign(key, rfc8785.dumps(self._to_payload(entry)))

    def _to_payload(self, entry: Entry) -> dict[str, Any]:
        return {
            "body": b64(entry.body),
            "integratedTime": entry.integrated_s,
            "logID": self.id.hex(),
            "logIndex": entry.index,
        }

    def _to_v1(self, entry: Entry) -> dict[str, Any]:
        proof = {
            "logIndex": entry.index,
            "rootHash": entry.root.hex(),
            "treeSize": len(entry.leaves),
            "hashes": [node.hex() for node in entry.path],
            "checkpoint": entry.checkpoint,
        }
        verification: dict[str, Any] = {"signedEntryTimestamp": b64(self._promise(entry))}
        if not self._faults.log_without_proof:
            verification["inclusionProof"] = proof
        return {
            to_leaf(entry.body).hex(): {**self._to_payload(entry), "verification": verification}
        }

    def _look_up(self, request: Request, entries: str) -> Reply | None:
        """Answer ``GET .../entries?logIndex=N`` and ``GET .../entries/UUID``."""
        with self._lock:
            names = [to_leaf(body).hex() for body in self._bodies]
        if request.path == entries and request.query.get("logIndex", "").isdecimal():
            index = int(request.query["logIndex"])
        else:
            name = request.path.removeprefix(entries + "/")
            index = names.index(name) if name in names else len(names)
        if index >= len(names):
            return to_json({"code": 404, "message": "entry not found"}, status=404)
        return to_json(self._to_v1(self.entry(index)))


def to_log_id(key: PrivateKey, origin: str) -> bytes:
    """Return a log's name: of its key, or (Ed25519) of its origin and key as signed notes do.

    Source: https://c2sp.org/signed-note.
    """
    if isinstance(key, ed25519.Ed25519PrivateKey):
        raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return sha256(origin.encode() + b"\n\x01" + raw)
    return key_id(key)


def another_key(key: PrivateKey) -> PrivateKey:
    """Return another key of the same type."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return ed25519.Ed25519PrivateKey.generate()
    return new_key()


def read_v1(asked: dict[str, Any]) -> dict[str, Any]:
    """Return what version 1 logs: a DSSE envelope's hashes and signatures, or a hashed record."""
    match asked.get("kind"):
        case "dsse":
            return _read_dsse(asked["spec"]["proposedContent"])
        case "hashedrekord":
            spec = asked["spec"]
            key = base64.b64decode(spec["signature"]["publicKey"]["content"])
            digest = bytes.fromhex(spec["data"]["hash"]["value"])
            signature = base64.b64decode(spec["signature"]["content"])
            check_signature(x509.load_pem_x509_certificate(key), signature, digest)
            return {"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": spec}
    raise BadEntryError(f"entries of kind {asked.get('kind')!r} are not logged here")


def _read_dsse(proposed: dict[str, Any]) -> dict[str, Any]:
    envelope = json.loads(proposed["envelope"])
    payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"]
    signatures = []
    for said, verifier in zip(envelope["signatures"], proposed["verifiers"], strict=True):
        certificate = x509.load_pem_x509_certificate(base64.b64decode(verifier))
        digest = sha256(to_pae(kind, payload))
        check_signature(certificate, base64.b64decode(said["sig"]), digest)
        signatures.append({"signature": said["sig"], "verifier": verifier})
    spec = {
        "envelopeHash": {
            "algorithm": "sha256",
            "value": sha256(proposed["envelope"].encode()).hex(),
        },
        "payloadHash": {"algorithm": "sha256", "value": sha256(payload).hex()},
        "signatures": signatures,
    }
    return {"apiVersion": "0.0.1", "kind": "dsse", "spec": spec}


def read_v2(asked: dict[str, Any]) -> dict[str, Any]:
    """Return what version 2 logs: a hashed record."""
    request = asked.get("hashedRekordRequestV002")
    if request is None:
        raise BadEntryError(f"only hashed records are logged here, not {sorted(asked)}")
    signature = request["signature"]
    certificate = x509.load_der_x509_certificate(
        base64.b64decode(signature["verifier"]["x509Certificate"]["rawBytes"])
    )
    digest = base64.b64decode(request["digest"])
    check_signature(certificate, base64.b64decode(signature["content"]), digest)
    data = {"algorithm": "SHA2_256", "digest": request["digest"]}
    spec = {"hashedRekordV002": {"data": data, "signature": signature}}
    return {"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": spec}


def check_signature(certificate: x509.Certificate, signature: bytes, digest: bytes) -> None:
    """Verify an ECDSA signature of a SHA-256 digest.

    Raises:
        BadEntryError: It does not hold.
    """
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise BadEntryError("the certificate's key is not an elliptic curve key")
    try:
        key.verify(signature, digest, ec.ECDSA(Prehashed(hashes.SHA256())))
    except (InvalidSignature, ValueError) as error:
        raise BadEntryError("the signature does not hold") from error


def to_pae(kind: str, payload: bytes) -> bytes:
    """Return what DSSE signs."""
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
