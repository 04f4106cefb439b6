"""Passwords: private keys that are encrypted, and what deriving a key from a password may cost.

``cryptography`` derives whatever the file asks for, for hours if need be. So the file's own figures
are read here first, from the DER, and bounded.
"""

from __future__ import annotations

import base64
import os
import textwrap
from typing import TYPE_CHECKING

from weighbridge.errors import InputError
from weighbridge.signing._pem import decode_body, to_pem
from weighbridge.signing._secrets import encode_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ENCRYPTED_LABEL", "check_derivation", "encrypt_key", "is_encrypted"]

ENCRYPTED_LABEL = b"ENCRYPTED PRIVATE KEY"

# A few seconds of one processor each; for scrypt its memory times its lanes.
_MAX_ITERATIONS = 10_000_000
_MAX_SCRYPT_BYTES = 256 * 1024 * 1024
_SCRYPT_BLOCK_BYTES = 128
# OWASP Password Storage Cheat Sheet, 2023: PBKDF2-HMAC-SHA256. openssl's own default is 2048.
_OUR_ITERATIONS = 600_000

_SEQUENCE, _INTEGER, _OCTETS, _OID, _NULL = 0x30, 0x02, 0x04, 0x06, 0x05
_LONG_FORM = 0x80
_MAX_LENGTH_BYTES = 4
_PBES2 = bytes.fromhex("2a864886f70d01050d")  # 1.2.840.113549.1.5.13
_PBKDF2 = bytes.fromhex("2a864886f70d01050c")  # 1.2.840.113549.1.5.12
_SCRYPT = bytes.fromhex("2b06010401da47040b")  # 1.3.6.1.4.1.11591.4.11
_HMAC_SHA256 = bytes.fromhex("2a864886f70d0209")  # 1.2.840.113549.2.9
_AES_256_CBC = bytes.fromhex("60864801650304012a")  # 2.16.840.1.101.3.4.1.42


def is_encrypted(label: bytes, body: bytes) -> bool:
    """Return whether a block of a PEM file is a private key under a password."""
    return label == ENCRYPTED_LABEL or (label.endswith(b"PRIVATE KEY") and b",ENCRYPTED" in body)


def check_derivation(shown: str, label: bytes, body: bytes) -> None:
    """Refuse a key whose password would take too long to try.

    Keys in the form from before PKCS#8 (``Proc-Type: 4,ENCRYPTED``) derive with one round of MD5
    and are not looked into.

    Args:
        shown: The file's name, for messages.
        label: Of its PEM block.
        body: The block.

    Raises:
        InputError: More than 10,000,000 iterations of PBKDF2; scrypt with more than 256 MiB, its
            lanes added up; another derivation; or not PKCS#8 at all.

    Source:
        RFC 8018, A.2 and A.4 (PBES2, PBKDF2); RFC 7914, section 7 (scrypt).
    """
    if label != ENCRYPTED_LABEL:
        return
    der = decode_body(body)
    if der is None:
        raise InputError(f"{shown} holds a key whose base64 is broken")
    try:
        name, figures = _read_derivation(der)
    except (ValueError, StopIteration) as error:
        raise InputError(
            f"{shown} is protected in a way that is not known here; "
            "write it again: openssl pkcs8 -topk8 -v2 aes-256-cbc"
        ) from error
    if name == _PBKDF2:
        iterations = figures[0]
        if not 0 < iterations <= _MAX_ITERATIONS:
            raise InputError(
                f"{shown} asks for {_count(iterations)} rounds of its password and "
                f"{_MAX_ITERATIONS:,} are the most; write it again with fewer: "
                "openssl pkcs8 -topk8 -v2 aes-256-cbc -iter 600000"
            )
        return
    cost, block_size, lanes = figures[:3]
    work_bytes = _SCRYPT_BLOCK_BYTES * cost * block_size * lanes
    if min(cost, block_size, lanes) <= 0 or work_bytes > _MAX_SCRYPT_BYTES:
        raise InputError(
            f"{shown} asks for more memory or work for its password than is sensible; "
            "write it again with less: openssl pkcs8 -topk8 -scrypt"
        )


def _count(number: int) -> str:
    """Write a figure that may have thousands of digits."""
    return f"{number:,}" if number.bit_length() <= 64 else "more than 2^64"  # noqa: PLR2004


def _read_derivation(der: bytes) -> tuple[bytes, list[int]]:
    """Return the OID of the derivation and its figures, in order.

    Raises:
        ValueError: Another structure, or a derivation that is not known.
        StopIteration: Something is missing.
    """
    protection = _open(next(_read_items(_open(next(_read_items(der)), _SEQUENCE))), _SEQUENCE)
    scheme = _read_items(protection)
    if _open(next(scheme), _OID) != _PBES2:
        raise ValueError("not PBES2")
    parameters = _open(next(scheme), _SEQUENCE)
    derivation = _read_items(_open(next(_read_items(parameters)), _SEQUENCE))
    name = _open(next(derivation), _OID)
    if name not in (_PBKDF2, _SCRYPT):
        raise ValueError("neither PBKDF2 nor scrypt")
    items = _read_items(_open(next(derivation), _SEQUENCE))
    _open(next(items), _OCTETS)  # the salt; a reference to one elsewhere is not supported
    figures = [int.from_bytes(body, signed=True) for tag, body in items if tag == _INTEGER]
    if len(figures) < (1 if name == _PBKDF2 else 3):
        raise ValueError("figures are missing")
    return name, figures


def _open(item: tuple[int, bytes], tag: int) -> bytes:
    if item[0] != tag:
        raise ValueError(f"tag {item[0]:#x} in place of {tag:#x}")
    return item[1]


def _read_items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (tag, content) of the DER values in ``data``, one after the other."""
    position = 0
    while position < len(data):
        tag, length = data[position : position + 2].ljust(2, b"\xff")
        position += 2
        if length >= _LONG_FORM:
            count = length - _LONG_FORM
            if not 0 < count <= _MAX_LENGTH_BYTES:
                raise ValueError("a length that makes no sense")
            length = int.from_bytes(data[position : position + count])
            position += count
        if length > len(data) - position:
            raise ValueError("cut off")
        yield tag, data[position : position + length]
        position += length


def encrypt_key(pkcs8: bytes, password: str) -> bytes:
    """Return a private key in PEM under a password: PBKDF2 and AES-256-CBC.

    ``cryptography`` writes 2048 iterations and has no way to ask for more; these are 600,000.

    Args:
        pkcs8: The key in DER, not encrypted.
        password: Not empty.

    Raises:
        InputError: The password is empty, or no text.

    Source:
        RFC 5958, section 3; RFC 8018, section 6.2.
    """
    secret = encode_secret(password, what="the new key")
    if not secret:
        raise InputError("the password of the new key is empty; choose one")
    from cryptography.hazmat.primitives import hashes, padding  # noqa: PLC0415 - start-up time
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: PLC0415
    from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC  # noqa: PLC0415

    salt, start = os.urandom(16), os.urandom(16)
    kdf = PBKDF2HMAC(hashes.SHA256(), length=32, salt=salt, iterations=_OUR_ITERATIONS)
    cipher = Cipher(algorithms.AES256(kdf.derive(secret)), modes.CBC(start)).encryptor()
    padder = padding.PKCS7(128).padder()
    padded = padder.update(pkcs8) + padder.finalize()
    sealed = cipher.update(padded) + cipher.finalize()
    rounds = _OUR_ITERATIONS.to_bytes(_OUR_ITERATIONS.bit_length() // 8 + 1)
    digest = _put(_SEQUENCE, _put(_OID, _HMAC_SHA256), _put(_NULL))
    figures = _put(_SEQUENCE, _put(_OCTETS, salt), _put(_INTEGER, rounds), digest)
    derivation = _put(_SEQUENCE, _put(_OID, _PBKDF2), figures)
    encryption = _put(_SEQUENCE, _put(_OID, _AES_256_CBC), _put(_OCTETS, start))
    scheme = _put(_SEQUENCE, _put(_OID, _PBES2), _put(_SEQUENCE, derivation, encryption))
    der = _put(_SEQUENCE, scheme, _put(_OCTETS, sealed))
    lines = textwrap.wrap(base64.b64encode(der).decode(), 64)
    return to_pem(ENCRYPTED_LABEL, "\n".join(lines).encode())


def _put(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = len(body)
    if size < _LONG_FORM:
        return bytes([tag, size]) + body
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, _LONG_FORM | len(length)]) + length + body
