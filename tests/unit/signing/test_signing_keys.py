from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from unit.signing.signing_samples import NOW, manifest_of, openssl, read_bundle, read_key, sha256
from weighbridge.errors import InputError, LimitExceededError, SignatureError
from weighbridge.signing import (
    generate_key,
    load_public_key,
    load_signer,
    sign_manifest,
    verify_bundle,
)

if TYPE_CHECKING:
    from pathlib import Path

    from weighbridge.signing import KeySigner, PublicKey


def signer_from(folder: Path, pem: bytes) -> KeySigner:
    path = folder / "private.pem"
    path.write_bytes(pem)
    return load_signer(path)


def assert_works(signer: KeySigner, public_key: PublicKey) -> None:
    data = sign_manifest(manifest_of({"a": b"1"}), signer=signer, ignore_paths=[])
    assert verify_bundle(read_bundle(data), {"it": public_key}, at=NOW).signers == ("it",)


@pytest.mark.parametrize("curve", ["P-256", "P-384", "P-521"])
def test_a_new_key_signs_and_openssl_knows_its_curve(tmp_path: Path, curve: str) -> None:
    pair = generate_key(curve)
    public_key = read_key(tmp_path, pair.public_pem)
    assert public_key.curve == curve
    assert_works(signer_from(tmp_path, pair.private_pem), public_key)
    assert (
        f"NIST CURVE: {curve}" in openssl("ec", "-text", "-noout", data=pair.private_pem).decode()
    )
    assert openssl("ec", "-pubout", data=pair.private_pem) == pair.public_pem


def test_keys_are_new_each_time_and_their_repr_keeps_the_secret() -> None:
    one, two = generate_key(), generate_key()
    assert one.private_pem != two.private_pem
    assert "PRIVATE" not in repr(one)


def test_an_unknown_curve_is_refused_with_the_choice() -> None:
    with pytest.raises(InputError, match=r"'secp256k1'.*P-256, P-384, P-521"):
        generate_key("secp256k1")


@pytest.mark.parametrize(
    "make",
    [
        ["ecparam", "-name", "prime256v1", "-genkey"],
        ["ecparam", "-name", "prime256v1", "-genkey", "-noout"],
        ["ecparam", "-name", "secp384r1", "-genkey"],
        ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521", "-text"],
    ],
    ids=lambda make: " ".join(make[:1] + make[2:]),
)
@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"], ids=["lf", "crlf", "cr"])
def test_keys_made_by_openssl_are_read(tmp_path: Path, make: list[str], ending: bytes) -> None:
    private = openssl(*make)
    public = openssl("pkey", "-pubout", data=private)
    public_key = read_key(tmp_path, public.replace(b"\n", ending))
    assert_works(signer_from(tmp_path, private.replace(b"\n", ending)), public_key)


def test_the_hint_is_the_hash_of_the_pem_and_the_fingerprint_that_of_the_der(
    tmp_path: Path,
) -> None:
    pem = generate_key().public_pem
    public_key = read_key(tmp_path, pem.replace(b"\n", b"\r\n") + b"\n\n")
    assert public_key.hint == sha256(pem)
    der = openssl("pkey", "-pubin", "-outform", "DER", data=pem)
    assert public_key.fingerprint == hashlib.sha256(der).hexdigest()


def test_a_bundle_may_name_its_key_by_the_hash_of_the_der(tmp_path: Path) -> None:
    pair = generate_key()
    public_key = read_key(tmp_path, pair.public_pem)
    signer = signer_from(tmp_path, pair.private_pem)
    data = sign_manifest(manifest_of({"a": b"1"}), signer=signer, ignore_paths=[])
    other = data.replace(public_key.hint.encode(), public_key.fingerprint.encode())
    assert other != data
    assert verify_bundle(read_bundle(other), {"it": public_key}, at=NOW).signers == ("it",)


P256 = ["ecparam", "-name", "prime256v1", "-genkey", "-noout"]
WANTED = "an EC key on P-256, P-384 or P-521, or an Ed25519 key, is wanted"


def rsa() -> bytes:
    return openssl("genrsa", "2048")


def certificate() -> bytes:
    key = openssl(*P256)
    return openssl("req", "-x509", "-key", "/dev/stdin", "-subj", "/CN=x", "-days", "1", data=key)


BAD_PRIVATE = {
    "RSA": (rsa, f"is an RSA key; {WANTED}"),
    "old RSA": (lambda: openssl("genrsa", "-traditional", "2048"), f"is an RSA key; {WANTED}"),
    "Ed448": (lambda: openssl("genpkey", "-algorithm", "ed448"), f"is an Ed448 key; {WANTED}"),
    "X25519": (lambda: openssl("genpkey", "-algorithm", "x25519"), f"is an X25519 key; {WANTED}"),
    "other curve": (
        lambda: openssl("ecparam", "-name", "secp256k1", "-genkey", "-noout"),
        f"is an EC key on the curve secp256k1; {WANTED}",
    ),
    "unknown curve": (
        lambda: openssl("ecparam", "-name", "sect571r1", "-genkey", "-noout"),
        WANTED,
    ),
    "encrypted PKCS8": (
        lambda: openssl("pkcs8", "-topk8", "-passout", "pass:x", data=openssl(*P256)),
        "is protected by a password and nobody was named who knows it",
    ),
    "encrypted SEC1": (
        lambda: openssl("ec", "-aes128", "-passout", "pass:x", data=openssl(*P256)),
        "is protected by a password and nobody was named who knows it",
    ),
    "explicit curve": (
        lambda: openssl(*P256, "-param_enc", "explicit"),
        "spells its curve out; name it instead",
    ),
    "public key": (
        lambda: openssl("ec", "-pubout", data=openssl(*P256)),
        "is a public key; signing needs the private one",
    ),
    "certificate": (certificate, "is a certificate; take its key out"),
    "parameters alone": (
        lambda: openssl("ecparam", "-name", "prime256v1"),
        "holds no key in PEM",
    ),
    "DER": (lambda: openssl("ec", "-outform", "DER", data=openssl(*P256)), "holds no key in PEM"),
    "two keys": (lambda: openssl(*P256) + openssl(*P256), "holds 2 keys or certificates"),
    "empty": (lambda: b"", "holds no key in PEM"),
    "garbage": (lambda: b"\x00\xff" * 500, "holds no key in PEM"),
    "no end": (lambda: openssl(*P256).split(b"-----END")[0], "holds no key in PEM"),
    "many beginnings": (lambda: b"-----BEGIN PRIVATE KEY-----\n" * 30_000, "holds no key in PEM"),
    "broken base64": (
        lambda: b"-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n",
        "holds a key whose base64 is broken",
    ),
    "empty body": (
        lambda: b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
        "holds a private key that cannot be read",
    ),
    "broken DER": (
        lambda: b"-----BEGIN EC PRIVATE KEY-----\nMAAA\n-----END EC PRIVATE KEY-----\n",
        "holds a private key that cannot be read",
    ),
    "OpenSSH": (
        lambda: b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
        "is in OpenSSH's own format",
    ),
    "something else": (
        lambda: b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
        "holds 'x509 crl' and not a key",
    ),
}


@pytest.mark.parametrize("name", BAD_PRIVATE)
def test_the_wrong_kind_of_private_key_is_named(tmp_path: Path, name: str) -> None:
    make, message = BAD_PRIVATE[name]
    path = tmp_path / "release.key"
    path.write_bytes(make())
    with pytest.raises(InputError) as caught:
        load_signer(path)
    assert str(caught.value).startswith(f"{path} ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


BAD_PUBLIC = {
    "private key": (lambda: openssl(*P256), "is a private key; give the public one"),
    "encrypted private key": (
        lambda: openssl("pkcs8", "-topk8", "-passout", "pass:x", data=openssl(*P256)),
        "is a private key; give the public one",
    ),
    "RSA": (lambda: openssl("rsa", "-pubout", data=rsa()), f"is an RSA key; {WANTED}"),
    "RSA private": (lambda: openssl("genrsa", "-traditional", "2048"), "is an RSA key"),
    "certificate": (certificate, "is a certificate; take its key out"),
    "explicit curve": (
        lambda: openssl("ec", "-pubout", "-param_enc", "explicit", data=openssl(*P256)),
        "spells its curve out; name it instead",
    ),
    "other curve": (
        lambda: openssl(
            "ec", "-pubout", data=openssl("ecparam", "-name", "secp256k1", "-genkey", "-noout")
        ),
        f"is an EC key on the curve secp256k1; {WANTED}",
    ),
    "point not on the curve": (
        lambda: openssl(
            "base64", data=openssl("ec", "-pubout", "-outform", "DER", data=openssl(*P256))[:-1]
        ),
        "holds no key in PEM",
    ),
    "broken DER": (
        lambda: b"-----BEGIN PUBLIC KEY-----\nMAAA\n-----END PUBLIC KEY-----\n",
        "holds a public key that cannot be read",
    ),
}


@pytest.mark.parametrize("name", BAD_PUBLIC)
def test_the_wrong_kind_of_public_key_is_named(tmp_path: Path, name: str) -> None:
    make, message = BAD_PUBLIC[name]
    path = tmp_path / "release.pub"
    path.write_bytes(make())
    with pytest.raises(InputError) as caught:
        load_public_key(path)
    assert str(caught.value).startswith(f"{path} ")
    assert message in str(caught.value)


@pytest.mark.parametrize("load", [load_signer, load_public_key])
def test_what_is_not_a_key_file_is_refused(tmp_path: Path, load: type[object]) -> None:
    with pytest.raises(InputError, match=r"missing\.pem"):
        load(tmp_path / "missing.pem")
    with pytest.raises(InputError, match="is a folder; name the file itself"):
        load(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="not a regular file"):
        load(tmp_path / "pipe")
    with (tmp_path / "sparse.pem").open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(LimitExceededError, match="max_key_bytes"):
        load(tmp_path / "sparse.pem")


def test_the_door_does_not_load_cryptography() -> None:
    code = "import sys, weighbridge.signing; sys.exit('cryptography' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"], ids=["lf", "crlf"])
def test_an_ed25519_key_by_openssl_signs_the_pae_itself(tmp_path: Path, ending: bytes) -> None:
    """Sigstore's algorithm registry: ``ed25519``; ``ed25519-ph`` is for ``hashedrekord``."""
    private = openssl("genpkey", "-algorithm", "ed25519")
    public = openssl("pkey", "-pubout", data=private)
    signer = signer_from(tmp_path, private.replace(b"\n", ending))
    public_key = read_key(tmp_path, public.replace(b"\n", ending))
    assert public_key.curve == "Ed25519"
    assert public_key.hint == sha256(public)
    assert_works(signer, public_key)
    bundle = read_bundle(sign_manifest(manifest_of({"a": b"1"}), signer=signer, ignore_paths=[]))
    for name, data in (
        ("pae", bundle.envelope.to_signed_bytes()),
        ("sig", bundle.envelope.signatures[0].sig),
        ("pub", public),
    ):
        (tmp_path / name).write_bytes(data)
    said = openssl(
        *("pkeyutl", "-verify", "-pubin", "-inkey", f"{tmp_path}/pub", "-rawin"),
        *("-in", f"{tmp_path}/pae", "-sigfile", f"{tmp_path}/sig"),
    )
    assert b"Signature Verified Successfully" in said


@pytest.mark.parametrize("other", ["P-256", "Ed25519"])
def test_an_ed25519_signature_holds_for_its_key_alone(tmp_path: Path, other: str) -> None:
    pair = generate_key("Ed25519")
    signer = signer_from(tmp_path, pair.private_pem)
    data = sign_manifest(manifest_of({"a": b"1"}), signer=signer, ignore_paths=[])
    stranger = read_key(tmp_path, generate_key(other).public_pem)
    nameless = data.replace(signer.public_key.hint.encode(), b"")
    for bundle in (data, nameless):
        with pytest.raises(SignatureError):
            verify_bundle(read_bundle(bundle), {"it": stranger}, at=NOW)
    assert verify_bundle(read_bundle(nameless), {"it": signer.public_key}, at=NOW)
