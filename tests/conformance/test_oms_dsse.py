"""DSSE v1: the example of its protocol page, byte for byte."""

from __future__ import annotations

import base64

import pytest

from weighbridge.core import Envelope, pae

# protocol.md, "Test Vectors": ECDSA over P-256 with SHA-256; the signature is r, then s.
PUBLIC_X = 46950820868899156662930047687818585632848591499744589407958293238635476079160
PUBLIC_Y = 5640078356564379163099075877009565129882514886557779369047442380624545832820
SIGNATURE = (
    "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="
)


def test_the_example_of_the_specification() -> None:
    encoded = pae("http://example.com/HelloWorld", b"hello world")
    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert (
        Envelope(b"hello world", (), "http://example.com/HelloWorld").to_signed_bytes() == encoded
    )


def test_the_signature_of_the_example_holds_over_the_encoding() -> None:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, utils  # noqa: PLC0415

    key = ec.EllipticCurvePublicNumbers(PUBLIC_X, PUBLIC_Y, ec.SECP256R1()).public_key()
    raw = base64.b64decode(SIGNATURE)
    der = utils.encode_dss_signature(
        int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    )
    encoded = pae("http://example.com/HelloWorld", b"hello world")
    key.verify(der, encoded, ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize(
    ("kind", "payload", "encoded"),
    [
        ("", b"", b"DSSEv1 0  0 "),
        ("t", b"  ", b"DSSEv1 1 t 2   "),
        ("é", "é".encode(), "DSSEv1 2 é 2 é".encode()),
        ("t", b"x" * 1000, b"DSSEv1 1 t 1000 " + b"x" * 1000),
        ("t", b"\x00\xff\n", b"DSSEv1 1 t 3 \x00\xff\n"),
    ],
)
def test_lengths_count_bytes_in_plain_decimal(kind: str, payload: bytes, encoded: bytes) -> None:
    assert pae(kind, payload) == encoded


def test_no_two_pairs_have_the_same_encoding() -> None:
    assert pae("a", b"b 1 c") != pae("a b", b"1 c")
    assert pae("a 1 b", b"") != pae("a", b"b 0 ")
