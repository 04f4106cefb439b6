from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st

from unit.signing.signing_samples import NOW, manifest_of, openssl, read_bundle, read_key
from weighbridge.errors import InputError
from weighbridge.signing import generate_key, load_signer, sign_manifest, verify_bundle
from weighbridge.signing._passwords import _put

P256 = ["ecparam", "-name", "prime256v1", "-genkey", "-noout"]
PASSWORD = "korrektes Pferd ä"

PROTECTED = {
    "PKCS8 by default": ["pkcs8", "-topk8"],
    "PKCS8 with AES-128": ["pkcs8", "-topk8", "-v2", "aes128"],
    "PKCS8 with SHA-512": ["pkcs8", "-topk8", "-v2", "aes256", "-v2prf", "hmacWithSHA512"],
    "PKCS8 with 100,000 rounds": ["pkcs8", "-topk8", "-v2", "aes256", "-iter", "100000"],
    "PKCS8 with scrypt": ["pkcs8", "-topk8", "-scrypt"],
    "SEC1 with AES-128": ["ec", "-aes128"],
    "SEC1 with AES-256": ["ec", "-aes256"],
    "SEC1 with 3DES": ["ec", "-des3"],
}


def knows(secret: str, asked: list[str] | None = None):  # noqa: ANN201
    def ask(what: str) -> str:
        if asked is not None:
            asked.append(what)
        return secret

    return ask


def write(folder: Path, pem: bytes) -> Path:
    path = folder / "release.key"
    path.write_bytes(pem)
    return path


@pytest.mark.parametrize("name", PROTECTED)
def test_keys_that_openssl_protected_are_read_with_the_password(tmp_path: Path, name: str) -> None:
    plain = openssl(*P256)
    pem = openssl(*PROTECTED[name], "-passout", f"pass:{PASSWORD}", data=plain)
    asked: list[str] = []
    signer = load_signer(write(tmp_path, pem), ask_secret=knows(PASSWORD, asked))
    assert asked == ["password of release.key"]
    data = sign_manifest(manifest_of({"a": b"1"}), signer=signer, ignore_paths=[])
    public = read_key(tmp_path, openssl("ec", "-pubout", data=plain))
    assert verify_bundle(read_bundle(data), {"it": public}, at=NOW).signers == ("it",)


@pytest.mark.parametrize("name", PROTECTED)
@pytest.mark.parametrize("password", ["", "wrong", PASSWORD + " ", "x" * 100_000])
def test_a_wrong_password_is_one_sentence(tmp_path: Path, name: str, password: str) -> None:
    pem = openssl(*PROTECTED[name], "-passout", f"pass:{PASSWORD}", data=openssl(*P256))
    path = write(tmp_path, pem)
    with pytest.raises(InputError) as caught:
        load_signer(path, ask_secret=knows(password))
    assert str(caught.value) == (
        f"the password of {path} is wrong, or the file is damaged; try another password"
    )


def test_nobody_to_ask_is_said_with_what_to_do(tmp_path: Path) -> None:
    pair = generate_key(password="x")
    with pytest.raises(InputError, match="--password-file FILE or set WEIGHBRIDGE_PASSWORD"):
        load_signer(write(tmp_path, pair.private_pem))


@pytest.mark.parametrize("curve", ["P-256", "P-384", "P-521", "Ed25519"])
def test_our_own_protected_keys_are_read_by_everybody(tmp_path: Path, curve: str) -> None:
    pair = generate_key(curve, password=PASSWORD)
    assert pair.private_pem.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    signer = load_signer(write(tmp_path, pair.private_pem), ask_secret=knows(PASSWORD))
    assert signer.public_key.curve == curve
    how = ("-passin", f"pass:{PASSWORD}")
    assert openssl("pkey", "-pubout", *how, data=pair.private_pem) == pair.public_pem
    assert serialization.load_pem_private_key(pair.private_pem, PASSWORD.encode())
    shown = openssl("asn1parse", data=pair.private_pem)
    assert b"PBKDF2" in shown
    assert b":0927C0" in shown  # 600,000
    assert b"aes-256-cbc" in shown


def test_two_keys_under_one_password_share_nothing() -> None:
    one, two = (generate_key(password="x").private_pem for _ in range(2))
    assert one.splitlines()[3:5] != two.splitlines()[3:5]


def test_an_empty_password_protects_nothing() -> None:
    with pytest.raises(InputError, match="is empty"):
        generate_key(password="")


def test_a_password_that_no_bytes_spell_is_refused_and_not_shown(tmp_path: Path) -> None:
    pair = generate_key(password=PASSWORD)
    for use in (
        lambda: generate_key(password="S3CRET\ud800"),
        lambda: load_signer(write(tmp_path, pair.private_pem), ask_secret=knows("S3CRET\ud800")),
    ):
        with pytest.raises(InputError, match="not UTF-8") as caught:
            use()
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__


# -- what deriving would cost, as whoever wrote the file wishes

PBES2 = bytes.fromhex("2a864886f70d01050d")
PBKDF2 = bytes.fromhex("2a864886f70d01050c")
SCRYPT = bytes.fromhex("2b06010401da47040b")
AES = bytes.fromhex("60864801650304012a")


def number(value: int) -> bytes:
    return _put(0x02, value.to_bytes(value.bit_length() // 8 + 1, signed=True))


def protected(derivation: bytes, figures: bytes, scheme: bytes = PBES2) -> bytes:
    kdf = _put(0x30, _put(0x06, derivation), figures)
    cipher = _put(0x30, _put(0x06, AES), _put(0x04, bytes(16)))
    protection = _put(0x30, _put(0x06, scheme), _put(0x30, kdf, cipher))
    return _put(0x30, protection, _put(0x04, bytes(160)))


def pbkdf2(iterations: int) -> bytes:
    return protected(PBKDF2, _put(0x30, _put(0x04, bytes(8)), number(iterations)))


def scrypt(cost: int, block: int, lanes: int) -> bytes:
    figures = b"".join(map(number, (cost, block, lanes)))
    return protected(SCRYPT, _put(0x30, _put(0x04, bytes(8)), figures))


BOMBS = {
    "2^31 rounds": (pbkdf2(2**31), "asks for 2,147,483,648 rounds of its password"),
    "one round too many": (pbkdf2(10_000_001), "asks for 10,000,001 rounds"),
    "rounds without end": (pbkdf2(2**80_000), r"asks for more than 2\^64 rounds"),
    "no round": (pbkdf2(0), "asks for 0 rounds"),
    "less than none": (pbkdf2(-5), "asks for -5 rounds"),
    "scrypt with 1 GiB": (scrypt(2**20, 8, 1), "more memory or work"),
    "scrypt with large blocks": (scrypt(2, 2**30, 1), "more memory or work"),
    "scrypt with many lanes": (scrypt(2**14, 8, 2**30), "more memory or work"),
    "scrypt with a few lanes too many": (scrypt(2**14, 8, 17), "more memory or work"),
    "scrypt with nothing": (scrypt(0, 8, 1), "more memory or work"),
    "scrypt with negative figures": (scrypt(-(2**14), -8, 1), "more memory or work"),
    "scrypt cut short": (
        protected(SCRYPT, _put(0x30, _put(0x04, bytes(8)), number(2**14))),
        "not known here",
    ),
    "PBES1": (
        protected(PBKDF2, b"", bytes.fromhex("2a864886f70d010c0103")),
        "not known here",
    ),
    "another derivation": (protected(AES, b""), "not known here"),
    "no figures": (protected(PBKDF2, b""), "not known here"),
    "a figure for the salt": (protected(PBKDF2, _put(0x30, number(1))), "not known here"),
    "nothing": (b"", "not known here"),
    "a tag": (b"\x30", "not known here"),
    "a length without end": (b"\x30\x84\xff\xff\xff\xff", "not known here"),
    "a length of lengths": (b"\x30\xff" + b"\xff" * 200, "not known here"),
    "no length": (b"\x30\x80\x00\x00", "not known here"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_key_that_would_take_for_ever_is_refused_before_anybody_is_asked(
    tmp_path: Path, name: str
) -> None:
    der, message = BOMBS[name]
    body = base64.encodebytes(der)
    pem = (
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + body + b"-----END ENCRYPTED PRIVATE KEY-----\n"
    )
    asked: list[str] = []
    with pytest.raises(InputError, match=message) as caught:
        load_signer(write(tmp_path, pem), ask_secret=knows("x", asked))
    assert asked == []
    assert "\n" not in str(caught.value)


def test_a_key_with_an_old_protection_says_what_to_do(tmp_path: Path) -> None:
    pem = openssl(
        *("pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES", "-passout", "pass:x"), data=openssl(*P256)
    )
    with pytest.raises(InputError, match="openssl pkcs8 -topk8 -v2 aes-256-cbc"):
        load_signer(write(tmp_path, pem), ask_secret=knows("x"))


def test_an_rsa_key_under_a_password_is_still_an_rsa_key(tmp_path: Path) -> None:
    pem = openssl("pkcs8", "-topk8", "-passout", "pass:x", data=openssl("genrsa", "2048"))
    with pytest.raises(InputError, match="is an RSA key"):
        load_signer(write(tmp_path, pem), ask_secret=knows("x"))
    old = openssl("genrsa", "-traditional", "-aes128", "-passout", "pass:x", "2048")
    with pytest.raises(InputError, match="is an RSA key"):
        load_signer(write(tmp_path, old), ask_secret=knows("x"))


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_no_protection_takes_longer_than_its_bound_or_raises_anything_else(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Cheap protections with some bytes changed: a key, or one sentence, and soon."""
    der = bytearray(data.draw(st.sampled_from((pbkdf2(1), scrypt(2, 1, 1), b"\x30\x00"))))
    for _ in range(data.draw(st.integers(0, 4))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    body = base64.encodebytes(bytes(der[: data.draw(st.integers(0, len(der)))]))
    pem = (
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + body + b"-----END ENCRYPTED PRIVATE KEY-----\n"
    )
    with pytest.raises(InputError):
        load_signer(write(tmp_path_factory.mktemp("k"), pem), ask_secret=knows("x"))
