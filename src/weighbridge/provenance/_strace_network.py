"""Addresses, as strace prints them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from weighbridge.core import printable
from weighbridge.formats import parse_strace_text

__all__ = ["Address", "find_address"]

_PORT = re.compile(rb"sin6?_port=htons\(([0-9]{1,5})\)")
_HOST = re.compile(rb'inet_(?:addr\(|pton\(AF_INET6, )("(?:\\x[0-9a-f]{2})*")')
_LOCAL = re.compile(rb'sun_path=(@?)("(?:\\x[0-9a-f]{2})*")')
_FAMILY = re.compile(rb"sa_family=(AF_[A-Z0-9_]+|0x[0-9a-f]+)")


@dataclass(frozen=True, slots=True)
class Address:
    """What a socket was connected or bound to.

    Attributes:
        words: For people: ``192.0.2.1:443``, ``[2001:db8::1]:443``, ``unix:/run/x``; may be empty.
        path: Of a local socket; for an abstract one its name behind ``@``.
        is_local: Whether it is a local socket with a name.
        is_abstract: Whether that name is no path.
    """

    words: str = ""
    path: bytes = b""
    is_local: bool = False
    is_abstract: bool = False


def find_address(args: tuple[bytes, ...]) -> Address:
    """Return the address among the arguments of ``connect`` or ``bind``.

    A family that is not known is named; netlink, which only leads to the system itself, and the
    address that takes back a connection, give no words.
    """
    text = b", ".join(args)
    if local := _LOCAL.search(text):
        path = local[1] + (parse_strace_text(local[2]) or b"")
        words = f"unix:{printable(os.fsdecode(path))}"
        return Address(words, path, is_local=True, is_abstract=path.startswith(b"@"))
    port, host = _PORT.search(text), _HOST.search(text)
    if port and host:
        name = printable(os.fsdecode(parse_strace_text(host[1]) or b""))
        shown = f"[{name}]" if b"AF_INET6" in text else name
        return Address(f"{shown}:{int(port[1])}")
    family = _FAMILY.search(text)
    if family is None or family[1] in {b"AF_UNSPEC", b"AF_NETLINK", b"AF_UNIX"}:
        return Address()
    return Address(f"an address of kind {family[1].decode()}")
