"""Objects in a token: the private key, its public half, and the forms in which they come."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from weighbridge.core import printable
from weighbridge.errors import InputError
from weighbridge.signing._digest_signer import parse_public_key

if TYPE_CHECKING:
    from pkcs11 import Session

    from weighbridge.signing._keys import PublicKey
    from weighbridge.signing._pkcs11_uri import Pkcs11Uri

__all__ = ["TokenKey", "find_key", "read_certificate", "read_public_key", "to_der"]

_MAX_OBJECTS = 32
_MAX_SHOWN = 5
_WANTED = "an EC key on P-256, P-384 or P-521 is wanted"


class _Curve(NamedTuple):
    cryptography_name: str
    point_bytes: int


# By CKA_EC_PARAMS: the DER of the curve's object identifier.
_CURVES = {
    bytes.fromhex("06082a8648ce3d030107"): _Curve("SECP256R1", 65),
    bytes.fromhex("06052b81040022"): _Curve("SECP384R1", 97),
    bytes.fromhex("06052b81040023"): _Curve("SECP521R1", 133),
}


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A private key as long as its session is open.

    Attributes:
        handle: What signs.
        id: May be empty.
        label: May be empty.
        always_asks: Whether the token wants its PIN for each signature.
    """

    handle: Any
    id: bytes
    label: str
    always_asks: bool


def find_key(session: Session, uri: Pkcs11Uri, *, what: str) -> TokenKey:
    """Return the one EC private key that the URI names.

    Raises:
        InputError: None, several, one of another kind, or one that may not sign.
    """
    from pkcs11 import Attribute, KeyType, ObjectClass  # noqa: PLC0415 - an extra

    wanted: dict[Any, Any] = {Attribute.CLASS: ObjectClass.PRIVATE_KEY}
    if uri.object is not None:
        wanted[Attribute.LABEL] = uri.object
    if uri.id is not None:
        wanted[Attribute.ID] = uri.id
    found = _read_objects(session, wanted)
    if not found:
        present = _read_objects(session, {Attribute.CLASS: ObjectClass.PRIVATE_KEY})
        there = f"there is {_list_keys(present)}" if present else "it holds none at all"
        raise InputError(f"the {what} holds no such private key; {there}")
    if len(found) > 1:
        raise InputError(
            f"{len(found)} private keys in the {what} match ({_list_keys(found)}); "
            "add object= or id= to the URI"
        )
    (handle,) = found
    kind = handle[Attribute.KEY_TYPE]
    if kind != KeyType.EC:
        name = printable(getattr(kind, "name", str(kind)), limit=40)
        raise InputError(f"the private key in the {what} is of the kind {name}; {_WANTED}")
    if not _read(handle, Attribute.SIGN, default=True):
        raise InputError(f"the {what} does not let this key sign (CKA_SIGN); name another key")
    return TokenKey(
        handle,
        id=_read(handle, Attribute.ID, default=b""),
        label=_read(handle, Attribute.LABEL, default=""),
        always_asks=_read(handle, Attribute.ALWAYS_AUTHENTICATE, default=False),
    )


def read_public_key(session: Session, key: TokenKey, *, what: str) -> PublicKey:
    """Return the public half: the public key object with the key's id, else a certificate's key.

    That it belongs to the private key is found out when something is signed.

    Raises:
        InputError: There is none, there are several, or it is on another curve.
    """
    from pkcs11 import Attribute, KeyType, ObjectClass  # noqa: PLC0415 - an extra

    wanted = {
        Attribute.CLASS: ObjectClass.PUBLIC_KEY,
        Attribute.KEY_TYPE: KeyType.EC,
        **_like(key),
    }
    pems = {_to_pem(item, what=what) for item in _read_objects(session, wanted)}
    if not pems:
        pems = {_key_of(der) for der in _find_certificates(session, _like(key))}
    if not pems:
        raise InputError(
            f"the {what} holds neither the public key nor a certificate with the private key's "
            "id; import one of them into the token"
        )
    if len(pems) > 1:
        raise InputError(
            f"the {what} holds {len(pems)} public keys with the private key's id; "
            "give the keys different ids"
        )
    return parse_public_key(pems.pop(), what=f"the key in the {what}")


def read_certificate(session: Session, key: TokenKey, uri: Pkcs11Uri, *, what: str) -> bytes:
    """Return the DER of the one X.509 certificate with that label and id, else with the key's.

    Raises:
        InputError: There is none, or several.
    """
    from pkcs11 import Attribute  # noqa: PLC0415 - an extra

    named: dict[Any, Any] = {} if uri.object is None else {Attribute.LABEL: uri.object}
    if uri.id is not None:
        named[Attribute.ID] = uri.id
    found = _find_certificates(session, named or _like(key))
    if len(found) != 1:
        many = f"{len(found)} certificates" if found else "no certificate"
        which = "of that name" if named else "with the key's id"
        raise InputError(f"the {what} holds {many} {which}; name another one, or give it as a file")
    return found[0]


def _find_certificates(session: Session, named: dict[Any, Any]) -> list[bytes]:
    from pkcs11 import Attribute, ObjectClass  # noqa: PLC0415 - an extra

    wanted = {Attribute.CLASS: ObjectClass.CERTIFICATE, **named}
    return sorted({bytes(item[Attribute.VALUE]) for item in _read_objects(session, wanted)})


def to_der(raw: bytes) -> bytes:
    """Return the DER of a signature that a token gave as r and s behind each other.

    Raises:
        ValueError: It is not two numbers of the same length.
    """
    from cryptography.hazmat.primitives.asymmetric.utils import (  # noqa: PLC0415 - start-up time
        encode_dss_signature,
    )

    half, odd = divmod(len(raw), 2)
    if odd or not half:
        raise ValueError("not two numbers")
    return encode_dss_signature(
        int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big")
    )


def _like(key: TokenKey) -> dict[Any, Any]:
    """Return what the objects of one key have in common: its id, or its label if it has none."""
    from pkcs11 import Attribute  # noqa: PLC0415 - an extra

    if key.id:
        return {Attribute.ID: key.id}
    if key.label:
        return {Attribute.LABEL: key.label}
    return {}


def _read_objects(session: Session, wanted: dict[Any, Any]) -> list[Any]:
    return list(islice(session.get_objects(wanted), _MAX_OBJECTS))


def _read(item: Any, attribute: Any, *, default: Any) -> Any:  # noqa: ANN401 - a module's values
    """Return an attribute that tokens may leave out."""
    from pkcs11.exceptions import AttributeSensitive, AttributeTypeInvalid  # noqa: PLC0415

    try:
        return item[attribute]
    except (AttributeTypeInvalid, AttributeSensitive):
        return default


def _to_pem(item: Any, *, what: str) -> bytes:  # noqa: ANN401 - a module's object
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - start-up time
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from pkcs11 import Attribute  # noqa: PLC0415 - an extra

    curve = _CURVES.get(bytes(item[Attribute.EC_PARAMS]))
    if curve is None:
        raise InputError(f"the key in the {what} is on another curve; {_WANTED}")
    point = _to_point(bytes(item[Attribute.EC_POINT]), curve.point_bytes)
    key = ec.EllipticCurvePublicKey.from_encoded_point(
        getattr(ec, curve.cryptography_name)(), point
    )
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _to_point(value: bytes, size_bytes: int) -> bytes:
    """Take an uncompressed point out of its DER octet string; older tokens give it bare.

    Source:
        PKCS#11 v2.40, 2.3.3: CKA_EC_POINT is the DER of ANSI X9.62 ECPoint.
    """
    if len(value) == size_bytes:
        return value
    head = b"\x04" + (b"\x81" if size_bytes > 0x7F else b"") + bytes([size_bytes])  # noqa: PLR2004
    if not value.startswith(head) or len(value) != len(head) + size_bytes:
        raise ValueError("not a point")
    return value[len(head) :]


def _key_of(certificate: bytes) -> bytes:
    from cryptography import x509  # noqa: PLC0415 - start-up time
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
    except (UnsupportedAlgorithm, ValueError) as error:
        raise InputError(
            "the certificate beside the key in the token cannot be read; import it again"
        ) from error
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _list_keys(keys: list[Any]) -> str:
    from pkcs11 import Attribute  # noqa: PLC0415 - an extra

    named = sorted(
        f"{printable(_read(key, Attribute.LABEL, default=''), limit=40)!r} with id "
        f"{_read(key, Attribute.ID, default=b'').hex() or 'none'}"
        for key in keys
    )
    more = len(named) - _MAX_SHOWN
    return ", ".join(named[:_MAX_SHOWN]) + (f" and {more} more" if more > 0 else "")
