"""The first line of a script: which program the system starts for it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["HEAD_BYTES", "find_named", "parse_shebang", "read_head"]

HEAD_BYTES = 256  # BINPRM_BUF_SIZE: the kernel looks no further


def read_head(path: bytes | str | Path, size_bytes: int = HEAD_BYTES) -> bytes:
    """Return the beginning of a regular file, without ever waiting; empty for what is none.

    Raises:
        OSError: It cannot be opened or read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - may hold bytes that are no UTF-8
        return file.read(size_bytes) if os.path.isfile(descriptor) else b""  # noqa: PTH113


def parse_shebang(head: bytes) -> tuple[bytes, bytes]:
    """Return the program that a ``#!`` line names, and what stands behind it; both may be empty.

    Source:
        execve(2), Interpreter scripts; Linux, fs/binfmt_script.c.
    """
    if not head.startswith(b"#!"):
        return b"", b""
    line = head[2:HEAD_BYTES].split(b"\n", 1)[0].strip(b" \t").replace(b"\t", b" ")
    program, _, rest = line.partition(b" ")
    return program, rest.strip(b" ")


def find_named(head: bytes, find: Callable[[str], str | None]) -> Path | None:
    """Return the program that runs a script, through ``env`` if that is what its first line names.

    Args:
        head: The beginning of the script.
        find: Searches a name as the shell does.
    """
    program, rest = (os.fsdecode(part) for part in parse_shebang(head))
    if Path(program).name == "env":
        words = (word for word in rest.split() if not word.startswith("-") and "=" not in word)
        program = find(next(words, "")) or ""
    return Path(program) if program.startswith("/") else None
