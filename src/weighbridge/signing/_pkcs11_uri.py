"""``pkcs11:`` URIs: which key in which token, and which module leads to it (RFC 7512)."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any, NoReturn
from urllib.parse import quote, quote_from_bytes, unquote_to_bytes

from weighbridge.core import printable
from weighbridge.errors import InputError

__all__ = ["Pkcs11Uri", "is_pkcs11_uri", "parse_pkcs11_uri"]

_SCHEME = "pkcs11:"
_MAX_CHARS = 4096
# RFC 7512, 2.3, pk11-pchar and pk11-qchar: what may stand for itself.
_PLAIN = "A-Za-z0-9._~:\\[\\]@!$'()*+,=\\-"
_PATH_VALUE = re.compile(f"(?:[{_PLAIN}&]|%[0-9A-Fa-f]{{2}})+")
_QUERY_VALUE = re.compile(f"(?:[{_PLAIN}/?|]|%[0-9A-Fa-f]{{2}})+")
_FILE = (
    re.compile("/(?!/).*", re.DOTALL),
    "is not the absolute path of a file on this machine",
)
_FORMS = {
    "slot-id": (re.compile("0|[1-9][0-9]{0,18}"), "is not a number"),
    "library-version": (
        re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3})?"),
        "is not a version such as 2 or 2.6",
    ),
    "type": (
        re.compile("cert|data|private|public|secret-key"),
        "is none of cert, data, private, public, secret-key",
    ),
    "module-path": _FILE,
    "pin-source": _FILE,
}


@dataclass(frozen=True, slots=True)
class Pkcs11Uri:
    """What a URI says; whatever it does not say is None and matches everything.

    Attributes:
        token: The token's label.
        manufacturer: Of the token.
        serial: Of the token.
        model: Of the token.
        library_manufacturer: Of the module.
        library_description: Of the module.
        library_version: Of the module: ``2`` or ``2.6``.
        object: The label of the key or certificate.
        type: What it is: ``private``, ``public``, ``cert``, ``secret-key`` or ``data``.
        id: Its id.
        slot_manufacturer: Of the reader that the token is in.
        slot_description: Of the reader.
        slot_id: Of the reader; changes when tokens are plugged in.
        module_path: The module's file, absolute.
        pin_source: The file that holds the PIN, absolute.
    """

    token: str | None = None
    manufacturer: str | None = None
    serial: str | None = None
    model: str | None = None
    library_manufacturer: str | None = None
    library_description: str | None = None
    library_version: str | None = None
    object: str | None = None
    type: str | None = None
    id: bytes | None = None
    slot_manufacturer: str | None = None
    slot_description: str | None = None
    slot_id: int | None = None
    module_path: str | None = None
    pin_source: str | None = None

    def to_text(self) -> str:
        """Return the URI in its usual spelling; parsing gives the same value again."""
        path, query = [], []
        for name, value in ((_to_name(f.name), getattr(self, f.name)) for f in fields(self)):
            if value is None:
                continue
            if name in _QUERY:
                query.append(f"{name}={quote(_PREFIXES.get(name, '') + value, safe='/:')}")
            elif isinstance(value, bytes):
                path.append(f"{name}={quote_from_bytes(value, safe='')}")
            else:
                path.append(f"{name}={quote(str(value), safe='')}")
        return _SCHEME + ";".join(path) + ("?" if query else "") + "&".join(query)


def _to_name(field: str) -> str:
    return field.replace("_", "-")


_QUERY = frozenset({"module-path", "pin-source"})
_PREFIXES = {"pin-source": "file:"}
_PATH = frozenset(_to_name(field.name) for field in fields(Pkcs11Uri)) - _QUERY


def is_pkcs11_uri(text: str) -> bool:
    """Return whether ``text`` has the scheme."""
    return text[: len(_SCHEME)].lower() == _SCHEME


def parse_pkcs11_uri(uri: str) -> Pkcs11Uri:
    """Read a ``pkcs11:`` URI; nothing in it is passed over.

    Messages name the attribute and never show its value, which may be a secret in the wrong place.

    Raises:
        InputError: Not such a URI; an attribute that is unknown, comes twice, is empty or does not
            have its form; a PIN in the URI itself; a module by its name only.

    Source:
        RFC 7512, 2.3 (grammar) and 2.4 (comparing).
    """
    if not is_pkcs11_uri(uri):
        raise InputError("a URI of a key in a token begins with pkcs11: (RFC 7512)")
    if len(uri) > _MAX_CHARS:
        raise InputError(f"the pkcs11: URI is longer than {_MAX_CHARS} characters; shorten it")
    path, mark, query = uri[len(_SCHEME) :].partition("?")
    found: dict[str, Any] = {}
    for name, raw in _split(path, ";"):
        if name not in _PATH:
            _refuse(name, _misplaced(name, _QUERY, "behind '?'"))
        _add(found, name, _decode(name, raw, _PATH_VALUE))
    for name, raw in _split(query, "&") if mark else ():
        if name not in _QUERY:
            _refuse(name, _HINTS.get(name) or _misplaced(name, _PATH, "before '?'"))
        _add(found, name, _decode(name, raw, _QUERY_VALUE))
    return Pkcs11Uri(**found)


_HINTS = {
    "pin-value": "would show the PIN to everybody on this machine; leave it out to be asked, "
    "or give pin-source=file:PATH",
    "module-name": "would have to be searched for; give the whole path as module-path",
}


def _misplaced(name: str, others: frozenset[str], place: str) -> str:
    return f"belongs {place}" if name in others else "is not an attribute that is known"


def _split(part: str, separator: str) -> list[tuple[str, str]]:
    """Return name and raw value of each attribute."""
    if not part:
        return []
    pairs = []
    for attribute in part.split(separator):
        name, equals, raw = attribute.partition("=")
        if not equals:
            raise InputError(
                "the pkcs11: URI holds something that is not NAME=VALUE; "
                "separate with ';' before '?' and with '&' behind it"
            )
        pairs.append((name, raw))
    return pairs


def _add(found: dict[str, Any], name: str, value: bytes) -> None:
    field = name.replace("-", "_")
    if field in found:
        _refuse(name, "comes twice")
    found[field] = _read_value(name, value)


def _read_value(name: str, value: bytes) -> str | bytes | int:
    if name == "id":
        return value
    try:
        text = value.decode()
    except UnicodeDecodeError:
        _refuse(name, "is not UTF-8")
    if "\0" in text:
        _refuse(name, "holds a NUL")
    if name == "pin-source":
        text = text.removeprefix("file://") if text.startswith("file:/") else text
        text = text.removeprefix("file:")
    if form := _FORMS.get(name):
        pattern, why = form
        if not pattern.fullmatch(text):
            _refuse(name, why)
    return int(text) if name == "slot-id" else text


def _decode(name: str, raw: str, pattern: re.Pattern[str]) -> bytes:
    if not raw:
        _refuse(name, "is empty; leave it out if it does not matter")
    if not pattern.fullmatch(raw):
        _refuse(name, "holds a character that has to be written as %XX")
    return unquote_to_bytes(raw)


def _refuse(name: str, why: str) -> NoReturn:
    raise InputError(f"{printable(name, limit=40)!r} in the pkcs11: URI {why}")
