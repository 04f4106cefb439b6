"""Which files were denied to a step, as strace saw it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from weighbridge.core import Refusal
from weighbridge.formats import StraceCall, StraceFile, parse_strace_file, parse_strace_text
from weighbridge.provenance._strace_calls import find_flags
from weighbridge.provenance._strace_state import Process, Watch, locate, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["note_refusal"]

# What the kernel answers at Landlock (EACCES), a link across (EXDEV), a right (EPERM), and inside
# a system of bubblewrap.
_DENIALS: Final = frozenset({"EACCES", "EPERM", "EXDEV", "EROFS", "ENOENT"})
_OPENING: Final = frozenset({"open", "openat", "openat2", "creat"})
_CHANGING: Final = frozenset({b"O_WRONLY", b"O_RDWR", b"O_CREAT", b"O_TRUNC"})
_NAMING: Final = _OPENING | {
    *("execve", "rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat"),
    *("mkdir", "mkdirat", "rmdir", "mknod", "mknodat", "truncate", "truncate64"),
}


def note_refusal(watch: Watch, process: Process, call: StraceCall) -> None:
    """Keep which file was denied to a call that opens, runs, makes, moves or removes files.

    A name that is there for us and not for the step (``ENOENT``) may be outside of its walls.
    """
    if call.error not in _DENIALS or call.name not in _NAMING:
        return
    folder = process.folder.path
    for path in _list_names(call, folder):
        where = locate(watch, process, path)
        if call.error == "ENOENT" and not os.path.lexists(where):
            continue
        is_open = call.name in _OPENING
        flags = find_flags(call) if is_open else frozenset()
        if b"O_DIRECTORY" in flags and where == folder:
            continue  # every Python looks into its working folder for modules
        writing = not flags.isdisjoint(_CHANGING) if is_open else "exec" not in call.name
        refuse(watch, Refusal(os.fsdecode(where), call.error, writing))


def _list_names(call: StraceCall, folder: bytes) -> Iterator[bytes]:
    """Yield the names in a call as absolute paths; those that nobody can resolve are left out."""
    at: StraceFile | None = None
    for token in call.args[: 1 if "exec" in call.name else 4]:
        text = parse_strace_text(token)
        if text is None:
            at = parse_strace_file(token)
        elif text and b"\0" not in text:
            above = at.path if at and at.path else folder
            if text.startswith(b"/"):
                yield text
            elif above.startswith(b"/"):
                yield above.rstrip(b"/") + b"/" + text
