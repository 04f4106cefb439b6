"""Which files the system reads by itself when a program is started."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

from weighbridge.core import printable
from weighbridge.provenance._shebang import parse_shebang, read_head

__all__ = ["Program", "find_program"]

_HEAD_BYTES = 4096
_MAX_SCRIPTS = 5
_PT_INTERP = 3


@dataclass(frozen=True, slots=True)
class Program:
    """A program that was started.

    Attributes:
        path: Where it is, without links.
        interpreters: What runs it: of a script, and the loader of a program.
        gaps: Which of them could not be told.
    """

    path: bytes
    interpreters: tuple[bytes, ...] = ()
    gaps: tuple[str, ...] = ()


def find_program(path: bytes) -> Program:
    """Follow links, ``#!`` lines and the loader's name, as they are now.

    Reads at most 4 KiB of each file, and regular files only.

    Source:
        execve(2), Interpreter scripts; elf(5), PT_INTERP.
    """
    first = current = os.path.realpath(path)
    found: list[bytes] = []
    for _ in range(_MAX_SCRIPTS):
        try:
            interpreter = _find_interpreter(current)
        except OSError:
            words = f"what runs {printable(os.fsdecode(current))} could not be told"
            return Program(first, tuple(found), (words,))
        if not interpreter.startswith(b"/"):
            break
        current = os.path.realpath(interpreter)
        if current in found:
            break
        found.append(current)
    return Program(first, tuple(found))


def _find_interpreter(path: bytes) -> bytes:
    head = read_head(path, _HEAD_BYTES)
    return _find_loader(head) if head.startswith(b"\x7fELF") else parse_shebang(head)[0]


def _find_loader(head: bytes) -> bytes:
    """Return what an ELF file names as its loader; the name is near its beginning in practice."""
    try:
        is_64, order = head[4] == 2, "<" if head[5] == 1 else ">"  # noqa: PLR2004
        start = struct.unpack_from(f"{order}Q" if is_64 else f"{order}I", head, 32 if is_64 else 28)
        size, count = struct.unpack_from(f"{order}HH", head, 54 if is_64 else 42)
        for index in range(min(count, 64)):
            at = start[0] + index * size
            if struct.unpack_from(f"{order}I", head, at)[0] != _PT_INTERP:
                continue
            layout = (f"{order}8xQ16xQ", at) if is_64 else (f"{order}4xI8xI", at)
            offset, length = struct.unpack_from(layout[0], head, layout[1])
            return head[offset : offset + length].rstrip(b"\0")
    except (struct.error, IndexError):
        raise OSError from None
    return b""
