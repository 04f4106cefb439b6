from __future__ import annotations

import ast
import base64
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import weighbridge
from unit.signing.signing_samples import (
    NOW,
    b64,
    bundle_document,
    public_key_of,
    read_bundle,
    seal,
    signed_bytes,
    signer_of,
    verified,
)
from weighbridge.core import Statement, Subject
from weighbridge.errors import InputError, ParseError, SignatureError, VerificationError
from weighbridge.signing import verify_bundle

SIGNED = signed_bytes()
PAYLOAD = read_bundle(SIGNED).envelope.payload


def test_the_names_of_all_keys_that_fit_are_recorded() -> None:
    keys = {
        "release": public_key_of("release"),
        "alias": public_key_of("release"),
        "other": public_key_of("other"),
    }
    found = verify_bundle(read_bundle(SIGNED), keys, at=NOW)
    assert found.signers == ("alias", "release")
    assert found.statement.payload == PAYLOAD


def test_any_statement_can_be_sealed_not_only_model_signatures() -> None:
    subject = Subject("m", {"sha256": "ab" * 32})
    made = Statement.build([subject], predicate_type="https://slsa.dev/provenance/v1", predicate={})
    bundle = signer_of("release").sign(made)
    assert verify_bundle(bundle, {"release": public_key_of("release")}, at=NOW).statement == made
    assert verify_bundle(
        read_bundle(bundle.raw), {"k": public_key_of("release")}, at=NOW
    ).signers == ("k",)


def test_another_key_is_told_from_a_signature_that_does_not_hold() -> None:
    with pytest.raises(SignatureError) as caught:
        verified(SIGNED, by="other")
    hint = public_key_of("release").hint
    assert f"made with another key (hint {hint}); ask" in str(caught.value)

    document = bundle_document()
    document["dsseEnvelope"]["payload"] = b64(PAYLOAD + b" ")
    with pytest.raises(SignatureError, match="does not hold for this key;"):
        verified(json.dumps(document).encode())


def test_a_bundle_that_names_no_key_is_tried_with_all() -> None:
    document = bundle_document()
    document["verificationMaterial"]["publicKey"] = {"rawBytes": "AAAA", "keyDetails": "x"}
    data = json.dumps(document).encode()
    keys = {"other": public_key_of("other"), "release": public_key_of("release")}
    assert verify_bundle(read_bundle(data), keys, at=NOW).signers == ("release",)
    with pytest.raises(SignatureError, match="does not say which key made it"):
        verified(data, by="other")


def test_the_key_inside_a_bundle_is_never_used() -> None:
    document = json.loads(signed_bytes(by="attacker"))
    document["verificationMaterial"]["publicKey"] = {
        "rawBytes": b64(b"-----BEGIN PUBLIC KEY-----"),
        "hint": public_key_of("release").hint,
    }
    with pytest.raises(SignatureError, match="does not hold for this key"):
        verified(json.dumps(document).encode())


def test_many_keys_are_named_in_short_and_safely() -> None:
    keys = {f"k{n}\x1b[31m": public_key_of("other") for n in range(9)}
    document = bundle_document()
    document["verificationMaterial"]["publicKey"]["hint"] = "\x1b]0;owned\x07"
    with pytest.raises(SignatureError, match="and 6 more") as caught:
        verify_bundle(read_bundle(json.dumps(document).encode()), keys, at=NOW)
    assert "\x1b" not in str(caught.value)


def test_no_trusted_key_is_a_wrong_request() -> None:
    with pytest.raises(InputError, match="no key is trusted"):
        verify_bundle(read_bundle(SIGNED), {}, at=NOW)


def test_the_payload_is_not_read_before_its_signature_holds() -> None:
    bomb = b"[" * 100_000
    with pytest.raises(ParseError, match="the signed statement"):
        verified(seal(bomb))
    with pytest.raises(SignatureError):
        verified(seal(bomb, by="attacker"))


@pytest.mark.parametrize(
    "payload",
    [b"", b"{}", b"null", b"[]", b"\xff", b'{"_type":1,"_type":2}', b"{" * 70, b"1" * 5_000],
)
def test_a_signed_payload_that_is_no_statement_is_malformed(payload: bytes) -> None:
    with pytest.raises(ParseError):
        verified(seal(payload))


def der(*numbers: int, tag: int = 0x30, tail: bytes = b"") -> bytes:
    parts = b""
    for number in numbers:
        raw = number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True)
        parts += bytes([2, len(raw)]) + raw
    return bytes([tag, len(parts)]) + parts + tail


def numbers_of(sig: bytes) -> tuple[int, int]:
    length = sig[3]
    r = int.from_bytes(sig[4 : 4 + length], "big")
    return r, int.from_bytes(sig[6 + length :], "big")


ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SIG = read_bundle(SIGNED).envelope.signatures[0].sig
R, S = numbers_of(SIG)


def test_the_helper_of_the_next_test_writes_true_der() -> None:
    assert der(R, S) == SIG


NOT_THE_SIGNATURE = {
    "a zero": b"\0",
    "cut": SIG[:-1],
    "a byte behind": SIG + b"\0",
    "a null inside": der(R, S, tail=b"\x05\x00"),
    "a set": der(R, S, tag=0x31),
    "long form of the length": bytes([0x30, 0x81, len(SIG) - 2]) + SIG[2:],
    "indefinite length": bytes([0x30, 0x80]) + SIG[2:] + b"\0\0",
    "length of gigabytes": b"\x30\x84\xff\xff\xff\xff" + SIG[2:],
    "zeros": der(0, 0),
    "s is zero": der(R, 0),
    "r is zero": der(0, S),
    "r is the order": der(ORDER, S),
    "s is the order": der(R, ORDER),
    "s too large": der(R, S + ORDER),
    "r too large": der(R + ORDER, S),
    "r negative": der(-R, S),
    "s negative": der(R, -S),
    "ones": der(1, 1),
    "swapped": der(S, R),
    "one number": der(R),
    "three numbers": der(R, S, S),
    "raw numbers": R.to_bytes(32, "big") + S.to_bytes(32, "big"),
    "long": b"\xff" * 10_000,
}


@pytest.mark.parametrize("name", NOT_THE_SIGNATURE)
def test_a_signature_has_one_spelling_in_der(name: str) -> None:
    document = json.loads(SIGNED)
    document["dsseEnvelope"]["signatures"][0]["sig"] = b64(NOT_THE_SIGNATURE[name])
    with pytest.raises(SignatureError, match="does not hold"):
        verified(json.dumps(document).encode())


def test_the_other_half_of_a_signature_vouches_for_the_same_and_nothing_else() -> None:
    """Of ECDSA's two solutions each can be made from the other: signatures are no identifiers."""
    document = json.loads(SIGNED)
    document["dsseEnvelope"]["signatures"][0]["sig"] = b64(der(R, ORDER - S))
    assert verified(json.dumps(document).encode()).statement.payload == PAYLOAD


def test_what_is_signed_covers_the_type_and_the_length() -> None:
    """A signature over the bare payload, or over the early encoding with a capital V, is none."""
    key = signer_of("release")._key
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    kind = "application/vnd.in-toto+json"
    early = f"DSSEV1 {len(kind)} {kind} {len(PAYLOAD)} {PAYLOAD!r}".encode()
    for signed in (PAYLOAD, early):
        document = bundle_document()
        sig = key.sign(signed, ec.ECDSA(hashes.SHA256()))
        document["dsseEnvelope"]["payload"] = b64(PAYLOAD)
        document["dsseEnvelope"]["signatures"][0]["sig"] = b64(sig)
        with pytest.raises(SignatureError):
            verified(json.dumps(document).encode())


@settings(max_examples=400, deadline=None)
@given(
    position=st.integers(0, len(SIGNED) - 1),
    edit=st.sampled_from(["flip", "delete", "insert", "set", "truncate"]),
    value=st.integers(0, 255),
)
def test_no_edit_of_a_bundle_verifies_as_something_else(
    position: int, edit: str, value: int
) -> None:
    before, here, after = SIGNED[:position], SIGNED[position], SIGNED[position + 1 :]
    edited = {
        "flip": before + bytes([here ^ (1 << value % 8)]) + after,
        "delete": before + after,
        "insert": before + bytes([value, here]) + after,
        "set": before + bytes([value]) + after,
        "truncate": before,
    }[edit]
    try:
        found = verified(edited)
    except (ParseError, VerificationError):
        return
    assert found.statement.payload == PAYLOAD
    assert found.signers == ("release",)


@settings(max_examples=200, deadline=None)
@given(position=st.integers(0, len(PAYLOAD) - 1), bit=st.integers(0, 7))
def test_no_bit_of_the_payload_can_be_flipped(position: int, bit: int) -> None:
    flipped = bytearray(PAYLOAD)
    flipped[position] ^= 1 << bit
    document = json.loads(SIGNED)
    document["dsseEnvelope"]["payload"] = b64(bytes(flipped))
    with pytest.raises(SignatureError):
        verified(json.dumps(document).encode())


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes_never_verify_and_never_surprise(data: bytes) -> None:
    document = json.loads(SIGNED)
    document["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(data).decode()
    for candidate in (data, json.dumps(document).encode()):
        with pytest.raises((ParseError, SignatureError)):
            verified(candidate)


def test_verified_statements_are_made_in_the_signing_room_only() -> None:
    root = Path(weighbridge.__file__).parent
    makers = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", getattr(node.func, "attr", "")) == "VerifiedStatement"
    }
    assert makers == {"signing/_verify.py"}
