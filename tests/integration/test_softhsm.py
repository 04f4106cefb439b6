"""The token that the tests use is what they take it for."""

from __future__ import annotations

from pathlib import Path

import pkcs11
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pkcs11.util.ec import encode_ecdsa_signature

from services.softhsm import (
    KEYS,
    RSA,
    MissingError,
    SoftHsm,
    TokenKey,
    find_module,
    lock_pin,
    make_token,
)


def open_token(hsm: SoftHsm, pin: str | None = None) -> pkcs11.Session:
    token = pkcs11.lib(hsm.module).get_token(token_label=hsm.label)
    return token.open(user_pin=pin or hsm.pin)


@pytest.mark.parametrize("kind", KEYS, ids=lambda kind: kind.file)
def test_keys_sign_inside(softhsm: SoftHsm, kind: TokenKey) -> None:
    algorithm = {"secp384r1": hashes.SHA384, "secp521r1": hashes.SHA512}.get(
        kind.curve, hashes.SHA256
    )()
    digest = hashes.Hash(algorithm)
    digest.update(b"data")
    hashed = digest.finalize()
    with open_token(softhsm) as session:
        private = session.get_key(
            pkcs11.ObjectClass.PRIVATE_KEY, label=kind.label, id=kind.identifier
        )
        assert private[pkcs11.Attribute.SENSITIVE]
        assert not private[pkcs11.Attribute.EXTRACTABLE]
        raw = private.sign(hashed, mechanism=pkcs11.Mechanism.ECDSA)
    public = load_pem_public_key((softhsm.folder / f"{kind.file}.pub").read_bytes())
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert public.curve.name == kind.curve
    public.verify(encode_ecdsa_signature(raw), hashed, ec.ECDSA(Prehashed(algorithm)))


def test_certificates_lie_beside_their_keys(softhsm: SoftHsm) -> None:
    ca = x509.load_pem_x509_certificate((softhsm.folder / "ca.crt").read_bytes())
    with open_token(softhsm) as session:
        found = {
            entry[pkcs11.Attribute.ID]: entry[pkcs11.Attribute.VALUE]
            for entry in session.get_objects(
                {pkcs11.Attribute.CLASS: pkcs11.ObjectClass.CERTIFICATE}
            )
        }
    assert set(found) == {kind.identifier for kind in KEYS if kind.certified}
    for kind in filter(lambda kind: kind.certified, KEYS):
        inside = x509.load_der_x509_certificate(found[kind.identifier])
        outside = (softhsm.folder / f"{kind.file}.crt").read_bytes()
        assert inside == x509.load_pem_x509_certificate(outside)
        inside.verify_directly_issued_by(ca)
        public = load_pem_public_key((softhsm.folder / f"{kind.file}.pub").read_bytes())
        assert inside.public_key() == public


def test_there_is_an_rsa_key_to_refuse(softhsm: SoftHsm) -> None:
    with open_token(softhsm) as session:
        key = session.get_key(pkcs11.ObjectClass.PRIVATE_KEY, label=RSA[0], id=RSA[1])
        assert key.key_type == pkcs11.KeyType.RSA


def test_a_wrong_pin_opens_nothing(softhsm: SoftHsm) -> None:
    with pytest.raises(pkcs11.PinIncorrect):
        open_token(softhsm, "0000")


def test_softhsm_says_whether_it_locks(tmp_path: Path, softhsm: SoftHsm) -> None:
    other = make_token(tmp_path / "hsm")
    assert not lock_pin(other)  # up to 2.6.1; a release that locks makes better tests possible


def test_without_softhsm_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOFTHSM2_MODULE", "/nowhere/libsofthsm2.so")
    with pytest.raises(MissingError, match="package softhsm2"):
        find_module()
