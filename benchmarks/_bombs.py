"""What bombs are made of: a table of builders, and the few formats that several of them need."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable

__all__ = [
    "BOMBS",
    "bomb",
    "field",
    "gzipped",
    "repeat",
    "tarred",
    "text",
    "varint",
    "zipped",
]

MIB = 1024 * 1024
BOMBS: dict[str, Callable[[], bytes]] = {}
"""Name of the file -> what makes it."""


def bomb(name: str) -> Callable[[Callable[[], bytes]], Callable[[], bytes]]:
    """Put a builder into the table."""

    def register(build: Callable[[], bytes]) -> Callable[[], bytes]:
        if name in BOMBS:
            raise ValueError(f"there are two of {name}")
        BOMBS[name] = build
        return build

    return register


def repeat(piece: bytes, size: int) -> bytes:
    """Return ``piece`` again and again, ``size`` bytes of it or a little less."""
    return piece * (size // len(piece))


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number: int, value: bytes | int) -> bytes:
    """Return one field of protobuf."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def text(value: str) -> bytes:
    """Return the opcode of a text in a pickle."""
    data = value.encode()
    return b"X" + len(data).to_bytes(4, "little") + data


def gzipped(data: bytes) -> bytes:
    pack = zlib.compressobj(9, wbits=31)
    return pack.compress(data) + pack.flush()


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def tarred(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def bare_zip(names: list[bytes], data: bytes, comment: bytes = b"", extra: bytes = b"") -> bytes:
    """Return a zip of many members that all lie over the same bytes."""
    crc = zlib.crc32(data)
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 0, 0, 0, crc, len(data), len(data), 1, 0)
    body = local + b"a" + data
    rows = b"".join(
        struct.pack(
            "<4s6H3I5H2I",
            *(b"PK\1\2", 20, 20, 0, 0, 0, 0, crc, len(data), len(data)),
            *(len(name), len(extra), len(comment), 0, 0, 0, 0),
        )
        + name
        + extra
        + comment
        for name in names
    )
    count = min(len(names), 0xFFFF)
    end = b""
    if len(names) > 0xFFFE:
        start = len(body) + len(rows)
        end = struct.pack(
            "<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, len(names), len(names), len(rows), len(body)
        ) + struct.pack("<4sIQI", b"PK\6\7", 0, start, 1)
    return (
        body
        + rows
        + end
        + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, len(rows), len(body), 0)
    )
