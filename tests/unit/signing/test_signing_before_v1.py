"""Signatures from before version 1: read only by those who agree, and never mistaken for others."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from support import build_model
from weighbridge.core import DEFAULT_LIMITS, Encoding, Envelope, pae, parse_bundle, parse_statement
from weighbridge.errors import DigestMismatchError, ParseError, SignatureError
from weighbridge.signing import generate_key, parse_before_v1
from weighbridge.workflow import Consent, check_artifact, verify_artifact

AGREED = Consent(before_v1=True)
OLD_TYPE = "https://model_signing/Digests/v0.1"
KIND = "application/vnd.in-toto+json"
A, B = "0" * 64, "1" * 64


def statement(subjects: list[dict[str, Any]], predicate_type: str = OLD_TYPE) -> bytes:
    document = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subjects,
        "predicateType": predicate_type,
        "predicate": {"unused": "Unused, just passed due to API requirements"},
    }
    return json.dumps(document, indent=2).encode()


def subject(name: str, digest: str = A, **more: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": digest, **more}}


def old_text(payload: bytes) -> bytes:
    """As model_signing 0.2.0 writes it, ``signature/encoding.py``."""
    return f"DSSEV1 {len(KIND)} {KIND} {len(payload)} {payload!r}".encode()


def seal(folder: Path, payload: bytes, text: bytes, *, curve: str = "P-256") -> tuple[Path, Path]:
    """Sign as release 0.2.0 did: with SHA-256 whatever the curve; return bundle and key."""
    pair = generate_key(curve)
    key = serialization.load_pem_private_key(pair.private_pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    signature = key.sign(text, ec.ECDSA(hashes.SHA256()))
    document = {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {
            "publicKey": {
                "rawBytes": base64.b64encode(pair.public_pem).decode(),
                "keyDetails": "PKIX_ECDSA_P256_SHA_256",
            }
        },
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": KIND,
            "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": None}],
        },
    }
    (folder / "old.sig").write_text(json.dumps(document))
    (folder / "old.pub").write_bytes(pair.public_pem)
    return folder / "old.sig", folder / "old.pub"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "w").write_bytes(b"w")
    return tmp_path / "model"


W = "50e721e49c013f00c62cf59f2163542a9d8df02464efeb615d31051b0fddc326"


def test_the_old_text_is_what_the_release_signed() -> None:
    payload = b'{"a": "it\'s \\u00e9"}\n'
    envelope = Envelope(payload, (), encoding=Encoding.BEFORE_V1)
    assert envelope.to_signed_bytes() == old_text(payload)
    assert Envelope(payload, ()).to_signed_bytes() == pae(KIND, payload)


def test_no_bundle_can_ask_for_the_old_text(tmp_path: Path) -> None:
    path, _ = seal(tmp_path, statement([subject("w")]), b"")
    bundle = parse_bundle(path.read_bytes(), what="old.sig", limits=DEFAULT_LIMITS)
    assert bundle.envelope.encoding is Encoding.DSSE


@pytest.mark.parametrize("curve", ["P-256", "P-384", "P-521"])
def test_it_is_verified_by_consent_only(curve: str, model: Path) -> None:
    payload = statement([subject("w", W)])
    signature, key = seal(model.parent, payload, old_text(payload), curve=curve)
    verified = verify_artifact(model, key=key, signature=signature, consent=AGREED)
    assert verified.before_v1
    with pytest.raises(SignatureError, match="only weighbridge verify --accept-legacy"):
        verify_artifact(model, key=key, signature=signature)


def test_the_files_are_compared(model: Path) -> None:
    payload = statement([subject("w", W)])
    signature, key = seal(model.parent, payload, old_text(payload))
    (model / "w").write_bytes(b"x")
    (model / "new").write_bytes(b"new")
    with pytest.raises(DigestMismatchError) as caught:
        verify_artifact(model, key=key, signature=signature, consent=AGREED)
    assert list(caught.value.diff.to_lines()) == ["changed: w (1 bytes)", "extra: new (3 bytes)"]


def test_a_bare_file_goes_by_a_dot(model: Path) -> None:
    payload = statement([subject(".", W)])
    signature, key = seal(model.parent, payload, old_text(payload))
    assert verify_artifact(model / "w", key=key, signature=signature, consent=AGREED).before_v1
    with pytest.raises(DigestMismatchError):
        verify_artifact(model, key=key, signature=signature, consent=AGREED)


def test_the_old_list_under_the_text_of_dsse(model: Path) -> None:
    payload = statement([subject("w", W)])
    signature, key = seal(model.parent, payload, pae(KIND, payload))
    assert verify_artifact(model, key=key, signature=signature, consent=AGREED).before_v1
    with pytest.raises(ParseError, match="from before version 1"):
        verify_artifact(model, key=key, signature=signature)


@pytest.mark.parametrize("marked", [True, False])
def test_a_statement_of_version_1_is_never_read_under_the_old_text(
    model: Path, *, marked: bool
) -> None:
    """Also if it holds the words by which old signatures are told."""
    document = json.loads(statement([subject("w", W)], "https://model_signing/signature/v1.0"))
    if marked:
        document["predicate"]["unused"] = OLD_TYPE
    payload = json.dumps(document).encode()
    signature, key = seal(model.parent, payload, old_text(payload))
    error = ParseError if marked else SignatureError
    reason = "not a signature from before version 1" if marked else "does not hold"
    with pytest.raises(error, match=reason):
        verify_artifact(model, key=key, signature=signature, consent=AGREED)


def test_another_key_is_refused(model: Path) -> None:
    payload = statement([subject("w", W)])
    signature, key = seal(model.parent, payload, old_text(payload))
    key.write_bytes(generate_key().public_pem)
    with pytest.raises(SignatureError, match="does not hold"):
        verify_artifact(model, key=key, signature=signature, consent=AGREED)


@pytest.mark.parametrize(
    ("subjects", "reason"),
    [
        ([subject("a"), subject("a", B)], "twice"),
        ([subject("../a")], "not a plain path"),
        ([subject("/a")], "not a plain path"),
        ([subject("")], "not a plain path"),
        ([subject("."), subject("a")], "not a plain path"),
        ([subject("a", A[:-2])], "no sha256"),
        ([subject("a", A, sha512="0" * 128)], "more than that"),
        ([{"name": "a", "digest": {"sha512": "0" * 128}}], "no sha256"),
    ],
)
def test_a_list_that_is_not_plain_is_refused(subjects: list[dict[str, Any]], reason: str) -> None:
    with pytest.raises(ParseError, match=reason):
        parse_before_v1(parse_statement(statement(subjects)))


def test_the_gate_never_accepts_it(tmp_path: Path) -> None:
    model = build_model(tmp_path / "model")
    payload = statement([subject("w", W)])
    seal(tmp_path, payload, old_text(payload))
    (tmp_path / "old.sig").rename(model / "model.sig")
    policy = tmp_path / "weighbridge.toml"
    policy.write_text(
        'version = 1\n[trust.signers.r]\nkey = "old.pub"\nroles = ["publisher"]\n'
        '[require]\nsignature = { by = ["r"] }\n'
    )
    report = check_artifact(model, policy=policy)
    assert report.verdict.answer.value == "fail"
    assert report.evidence.signature.signers == ()
    assert "from before version 1" in report.evidence.signature.problem
