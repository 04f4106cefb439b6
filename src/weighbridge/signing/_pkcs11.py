"""Signing with a key that never leaves its token: PKCS#11 modules of HSMs, smart cards, SoftHSM.

``python-pkcs11`` is an extra and is imported by the functions that need it. Loading a module runs
its code, so only a file that the user names is loaded, and nothing is searched for.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weighbridge.core import printable
from weighbridge.errors import IncompleteError, InputError, MissingExtraError
from weighbridge.signing._digest_signer import DigestSigner
from weighbridge.signing._pkcs11_errors import translate
from weighbridge.signing._pkcs11_objects import (
    TokenKey,
    find_key,
    read_certificate,
    read_public_key,
    to_der,
)
from weighbridge.signing._pkcs11_uri import Pkcs11Uri, is_pkcs11_uri, parse_pkcs11_uri
from weighbridge.signing._secrets import load_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pkcs11 import Session, Token

    from weighbridge.core import Limits
    from weighbridge.signing._signers import SignerSpec

__all__ = ["open_pkcs11_signer"]

_VARIABLE = "PKCS11_MODULE_PATH"
_MAX_SHOWN = 5


@dataclass(frozen=True, slots=True)
class _Access:
    """A token and what opens it."""

    token: Token
    what: str
    pin: Any = field(repr=False)  # a string, the mark for a key pad, or None if nobody asks for it

    @contextmanager
    def open_session(self) -> Iterator[Session]:
        """Log in; log out and close however it ends.

        Each signature has a session of its own: one that stays open while a large model is hashed
        would leave the token open for hours, or be closed by it.
        """
        with translate(self.what):
            if self.token.slot.get_token().serial != self.token.serial:
                raise IncompleteError(f"the {self.what} is no longer there; put it back")
            with self.token.open(user_pin=self.pin) as session:
                yield session


def open_pkcs11_signer(spec: SignerSpec, *, limits: Limits) -> tuple[DigestSigner, bytes | None]:
    """Find the key that a ``pkcs11:`` URI names and make sure that it can sign.

    The PIN is tried once. The session is closed again; signing opens another one.

    Args:
        spec: Its ``uri`` and ``ask_secret`` count, and its ``certificate`` if that is a ``pkcs11:``
            URI: one in the same token, by default that with the key's id.
        limits: ``max_key_bytes`` applies to the file with the PIN.

    Returns:
        The signer, and the DER of the certificate in the token if one is asked for.

    Raises:
        InputError: The URI, the module, the token, the PIN or the key cannot be used.
        MissingExtraError: ``python-pkcs11`` is not installed.
        IncompleteError: The token failed.

    Source:
        RFC 7512; PKCS#11 v2.40, CKM_ECDSA.
    """
    uri = parse_pkcs11_uri(spec.uri)
    if uri.type not in (None, "private"):
        raise InputError(f"the pkcs11: URI names a {uri.type} object; a private key signs")
    wanted = _parse_certificate_uri(spec)
    token = _find_token(_load_module(uri), uri)
    what = f"token {printable(token.label, limit=80)!r}"
    _check_mechanism(token, what)
    access = _Access(token, what, _find_pin(spec, uri, token, limits=limits))
    with access.open_session() as session:
        key = find_key(session, uri, what=what)
        public_key = read_public_key(session, key, what=what)
        certificate = None if wanted is None else read_certificate(session, key, wanted, what=what)

    def sign_digest(digest: bytes) -> bytes:
        with access.open_session() as session:
            return _sign(find_key(session, uri, what=what), digest, access.pin)

    return DigestSigner(public_key, sign_digest), certificate


def _parse_certificate_uri(spec: SignerSpec) -> Pkcs11Uri | None:
    if not isinstance(spec.certificate, str) or not is_pkcs11_uri(spec.certificate):
        return None
    uri = parse_pkcs11_uri(spec.certificate)
    if uri != Pkcs11Uri(object=uri.object, id=uri.id, type=uri.type):
        raise InputError(
            "the certificate is looked for in the token of the key; name it by object and id alone"
        )
    if uri.type not in (None, "cert"):
        raise InputError(f"the certificate's URI names a {uri.type} object and no certificate")
    return uri


def _sign(key: TokenKey, digest: bytes, pin: object) -> bytes:
    from pkcs11 import Mechanism  # noqa: PLC0415 - an extra

    again = pin if key.always_asks and isinstance(pin, str) else None
    return to_der(key.handle.sign(digest, mechanism=Mechanism.ECDSA, pin=again))


def _load_module(uri: Pkcs11Uri) -> Any:  # noqa: ANN401 - the type is in a compiled module
    """Load the module that the user names, and run its code.

    Raises:
        InputError: Nobody names one, it is missing, or it is no PKCS#11 module.
        MissingExtraError: ``python-pkcs11`` is not installed.
    """
    try:
        import pkcs11  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtraError("pkcs11", purpose="signing with a key in a token") from error
    path = uri.module_path or os.environ.get(_VARIABLE, "")
    shown = printable(path)
    if not path:
        raise InputError(
            "no PKCS#11 module is named; add ?module-path=/PATH/TO/MODULE.so to the URI "
            f"or set {_VARIABLE}"
        )
    if not Path(path).is_absolute():
        raise InputError(f"{_VARIABLE} is {shown!r}; an absolute path is wanted")
    if not Path(path).is_file():
        raise InputError(f"the PKCS#11 module {shown} is missing; name the one of your token")
    try:
        return pkcs11.lib(path)
    except pkcs11.PKCS11Error as error:
        name = type(error).__name__
        if name == "PKCS11Error":  # from the loader and not from the module
            raise InputError(f"{shown} is not a PKCS#11 module; name the one of your token") from (
                error
            )
        raise InputError(
            f"the PKCS#11 module {shown} does not start ({name}); check its configuration"
        ) from error


def _find_token(module: Any, uri: Pkcs11Uri) -> Token:  # noqa: ANN401 - as above
    """Return the one token that the URI describes.

    Raises:
        InputError: None, or several.
    """
    _check_library(module, uri)
    with translate("PKCS#11 module"):
        present = list(_read_tokens(module))
        matching = [token for token in present if _matches(token, uri)]
    if len(matching) == 1:
        return matching[0]
    tokens = _list_tokens(matching or present)
    if matching:
        raise InputError(
            f"{len(matching)} tokens match the pkcs11: URI ({tokens}); add serial= or slot-id="
        )
    there = f"there is {tokens}" if present else "the module sees none at all"
    raise InputError(f"no token matches the pkcs11: URI; {there}")


def _check_library(module: Any, uri: Pkcs11Uri) -> None:  # noqa: ANN401 - as above
    major, minor = module.library_version
    for name, wanted, actual in (
        ("library-manufacturer", uri.library_manufacturer, {module.manufacturer_id}),
        ("library-description", uri.library_description, {module.library_description}),
        ("library-version", uri.library_version, {f"{major}", f"{major}.{minor}"}),
    ):
        if wanted is not None and wanted not in actual:
            shown = " or ".join(sorted(printable(value, limit=80) for value in actual))
            raise InputError(f"the module's {name} is {shown!r} and not what the URI says")


def _read_tokens(module: Any) -> Iterator[Token]:  # noqa: ANN401 - as above
    from pkcs11 import TokenFlag  # noqa: PLC0415 - an extra
    from pkcs11.exceptions import TokenNotPresent, TokenNotRecognised  # noqa: PLC0415

    for slot in module.get_slots(True):
        try:
            token: Token = slot.get_token()
        except (TokenNotPresent, TokenNotRecognised):
            continue  # taken out meanwhile, or blank: it holds no key
        if token.flags & TokenFlag.TOKEN_INITIALIZED:
            yield token


def _matches(token: Token, uri: Pkcs11Uri) -> bool:
    slot = token.slot
    pairs: tuple[tuple[object, object], ...] = (
        (uri.token, token.label),
        (uri.serial, token.serial.decode(errors="replace").strip(" \0")),
        (uri.manufacturer, token.manufacturer_id),
        (uri.model, token.model),
        (uri.slot_id, slot.slot_id),
        (uri.slot_description, slot.slot_description),
        (uri.slot_manufacturer, slot.manufacturer_id),
    )
    return all(wanted is None or wanted == actual for wanted, actual in pairs)


def _list_tokens(tokens: list[Token]) -> str:
    shown = [
        f"{printable(token.label, limit=40)!r} with serial "
        f"{printable(token.serial.decode(errors='replace'), limit=40)}"
        for token in islice(tokens, _MAX_SHOWN)
    ]
    more = len(tokens) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _check_mechanism(token: Token, what: str) -> None:
    from pkcs11 import Mechanism  # noqa: PLC0415 - an extra

    with translate(what):
        mechanisms = token.slot.get_mechanisms()
    if Mechanism.ECDSA not in mechanisms:
        raise InputError(
            f"the {what} cannot sign with ECDSA (CKM_ECDSA); a token that can is needed"
        )


def _find_pin(spec: SignerSpec, uri: Pkcs11Uri, token: Token, *, limits: Limits) -> object:
    """Return the PIN, the mark for a token with a key pad, or None if no PIN is asked for."""
    from pkcs11 import TokenFlag  # noqa: PLC0415 - an extra
    from pkcs11.types import PROTECTED_AUTH  # noqa: PLC0415

    what = f"token {printable(token.label, limit=80)!r}"
    if token.flags & TokenFlag.USER_PIN_LOCKED:
        raise InputError(
            f"the {what} is locked after too many wrong PINs; have its security officer unlock it"
        )
    if not token.flags & TokenFlag.LOGIN_REQUIRED:
        return None
    if token.flags & TokenFlag.PROTECTED_AUTHENTICATION_PATH:
        return PROTECTED_AUTH
    if uri.pin_source is not None:
        pin = load_secret(Path(uri.pin_source), limits=limits)
    elif spec.ask_secret is not None:
        pin = spec.ask_secret(f"PIN of {what}")
    else:
        raise InputError(f"the PIN of {what} is needed; give a pin-source or ask_secret")
    if not isinstance(pin, str) or not pin:
        raise InputError(f"the PIN of {what} is empty; no token has an empty one")
    if not pin.isascii():
        try:
            pin.encode()
        except UnicodeEncodeError:  # not its cause: that holds the PIN
            raise InputError(f"the PIN of {what} is not UTF-8") from None
    return pin
