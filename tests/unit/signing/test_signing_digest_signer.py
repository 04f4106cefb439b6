"""Keys that somebody else keeps: what comes back is verified before it is used."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from unit.signing.signing_samples import NOW, manifest_of, read_bundle
from weighbridge.errors import InputError
from weighbridge.signing import DigestSigner, parse_public_key, sign_manifest, verify_bundle

SPKI = PublicFormat.SubjectPublicKeyInfo
CURVES = [
    (ec.SECP256R1(), hashes.SHA256()),
    (ec.SECP384R1(), hashes.SHA384()),
    (ec.SECP521R1(), hashes.SHA512()),
]


@pytest.mark.parametrize(("curve", "algorithm"), CURVES, ids=["256", "384", "521"])
@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER], ids=["pem", "der"])
def test_a_digest_is_all_that_is_handed_out(
    curve: ec.EllipticCurve, algorithm: hashes.HashAlgorithm, encoding: Encoding
) -> None:
    key = ec.generate_private_key(curve)
    seen = []

    def sign_digest(digest: bytes) -> bytes:
        seen.append(digest)
        return key.sign(digest, ec.ECDSA(Prehashed(algorithm)))

    public = parse_public_key(key.public_key().public_bytes(encoding, SPKI), what="it")
    signer = DigestSigner(public, sign_digest)
    data = sign_manifest(manifest_of({"a": b"1"}), signer=signer, ignore_paths=[])
    assert [len(digest) for digest in seen] == [algorithm.digest_size]
    bundle = read_bundle(data)
    assert verify_bundle(bundle, {"it": signer.own_verifier()}, at=NOW).signers == ("it",)
    assert parse_public_key(public.to_pem(), what="it") == public


@pytest.mark.parametrize("sig", [b"", b"\x30\x00", b"garbage", bytes(64)])
def test_something_else_than_a_signature_is_not_passed_on(sig: bytes) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    public = parse_public_key(key.public_key().public_bytes(Encoding.DER, SPKI), what="it")
    with pytest.raises(InputError, match="do not belong together"):
        sign_manifest(
            manifest_of({"a": b"1"}), signer=DigestSigner(public, lambda _: sig), ignore_paths=[]
        )


def test_the_signature_of_another_key_is_not_passed_on() -> None:
    key, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    public = parse_public_key(key.public_key().public_bytes(Encoding.DER, SPKI), what="it")
    signer = DigestSigner(public, lambda d: other.sign(d, ec.ECDSA(Prehashed(hashes.SHA256()))))
    with pytest.raises(InputError, match="do not belong together"):
        sign_manifest(manifest_of({"a": b"1"}), signer=signer, ignore_paths=[])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "cannot be read"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "cannot be read"),
        (
            rsa.generate_private_key(65537, 2048).public_key().public_bytes(Encoding.DER, SPKI),
            "is an RSA key",
        ),
        (
            ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, SPKI),
            "is on Ed25519",
        ),
        (
            ec.generate_private_key(ec.SECP256K1()).public_key().public_bytes(Encoding.PEM, SPKI),
            "secp256k1",
        ),
    ],
)
def test_keys_that_cannot_be_used(data: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_public_key(data, what="it")
