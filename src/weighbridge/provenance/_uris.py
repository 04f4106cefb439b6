"""URIs as strict readers want them."""

from __future__ import annotations

import re
from urllib.parse import quote

__all__ = ["is_uri", "to_file_uri", "to_uri"]

_CHAR = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})"
_SCHEME = r"[A-Za-z][A-Za-z0-9+.\-]*:"
_IPV6 = r"(?://[A-Za-z0-9\-._~!$&'()*+,;=:%@]*\[[0-9A-Fa-f:.]+\])?"
_URI = re.compile(rf"{_SCHEME}{_IPV6}{_CHAR}*(?:\?(?:{_CHAR}|\?)*)?(?:#(?:{_CHAR}|\?)*)?")
_KEPT = "-._~!$&'()*+,;=:@/?#[]"
_ESCAPED = re.compile(r"(%[0-9A-Fa-f]{2})")


def is_uri(text: str) -> bool:
    """Return whether ``text`` is a URI with something behind its scheme.

    Source:
        RFC 3986, appendix A.
    """
    return bool(text.partition(":")[2]) and _URI.fullmatch(text) is not None


def to_uri(text: str) -> str:
    """Return an address with what no URI can hold written as ``%XX``; what is so already stays."""
    parts = _ESCAPED.split(text)  # every second one is an escape
    return "".join(
        part if number % 2 else quote(_to_bytes(part), safe=_KEPT)
        for number, part in enumerate(parts)
    )


def _to_bytes(text: str) -> bytes:
    """Return the bytes that a name stands for; what stands for none is kept as it is (WTF-8)."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def to_file_uri(path: str) -> str:
    """Return the URI of a file: ``file:///data/x``, and ``file:data/x`` of a relative path.

    RFC 8089 knows absolute paths only; by RFC 3986 the other is a URI as well. It stays relative,
    so that the same step on another machine asks for the same.

    Args:
        path: As the system has it; bytes that are no UTF-8 are surrogates.
    """
    text = quote(_to_bytes(path), safe="/-._~")
    return f"file://{text}" if text.startswith("/") else f"file:{text}"
