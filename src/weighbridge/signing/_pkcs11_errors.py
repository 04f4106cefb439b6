"""What a PKCS#11 module refuses, in words."""

from __future__ import annotations

import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING

from weighbridge.core import printable
from weighbridge.errors import IncompleteError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["translate"]

_WRONG_PIN = (
    "refused the PIN; try again with the right one, and mind that a few wrong ones lock a token"
)
_GONE = "is no longer there; put it back and sign again"

# By the names of python-pkcs11, which are those of PKCS#11 v2.40, 5.1, without CKR.
_INPUT = {
    "PinIncorrect": _WRONG_PIN,
    "PinInvalid": _WRONG_PIN,
    "PinLenRange": _WRONG_PIN,
    "PinExpired": "wants a new PIN before it does anything; set one with the token's own tool",
    "PinLocked": "is locked after too many wrong PINs; have its security officer unlock it",
    "UserPinNotInitialized": "has no PIN yet; set one with the token's own tool",
    "UserTooManyTypes": "is used by its security officer in this program; log out first",
    "AnotherUserAlreadyLoggedIn": "is used by somebody else in this program; log out first",
    "UserAlreadyLoggedIn": "is in use elsewhere in this program; let that finish first",
    "MechanismInvalid": "cannot sign with ECDSA (CKM_ECDSA); a token that can is needed",
    "MechanismParamInvalid": "cannot sign with ECDSA (CKM_ECDSA); a token that can is needed",
    "KeyFunctionNotPermitted": "does not let this key sign (CKA_SIGN); name another key",
    "KeyTypeInconsistent": "holds no EC key under that name; name another key",
    "FunctionNotSupported": "cannot sign; a token that can is needed",
}
# Codes for which python-pkcs11 has no name.
_CODES = {"Unmapped error code 0x68": "KeyFunctionNotPermitted"}
_INCOMPLETE = {
    "DeviceRemoved": _GONE,
    "TokenNotPresent": _GONE,
    "TokenNotRecognised": "cannot be read by its module; try the module's own tool",
    "SlotIDInvalid": _GONE,
    "KeyHandleInvalid": _GONE,
    "ObjectHandleInvalid": _GONE,
    "SessionClosed": _GONE,
    "SessionHandleInvalid": _GONE,
    "SessionCount": "has no session free; let other programs finish, then sign again",
    "DeviceMemory": "is out of memory; let other programs finish, then sign again",
    "FunctionRejected": "rejected the signature; confirm it on the token, then sign again",
    "FunctionCancelled": "cancelled the signature; sign again",
}


@contextmanager
def translate(what: str) -> Iterator[None]:
    """Turn what a module raises into one sentence.

    Args:
        what: Which token, or which module before a token was found, in words.

    Raises:
        InputError: The module refuses what was asked for.
        IncompleteError: It could not do it, this time.
    """
    from pkcs11.exceptions import PKCS11Error  # noqa: PLC0415 - an extra

    try:
        yield
    except PKCS11Error as error:
        name = _CODES.get(str(error), type(error).__name__)
        if name in _INPUT:
            raise InputError(f"the {what} {_INPUT[name]}") from error
        words = _INCOMPLETE.get(name)
        if words is None:
            detail = printable(str(error), limit=120)
            words = f"failed ({name}{': ' if detail else ''}{detail}); try the module's own tool"
        raise IncompleteError(f"the {what} {words}") from error
    except (LookupError, TypeError, ValueError, struct.error) as error:
        if isinstance(error, InputError):
            raise
        raise IncompleteError(
            f"the {what} answered something that makes no sense ({type(error).__name__}); "
            "try the module's own tool"
        ) from error
