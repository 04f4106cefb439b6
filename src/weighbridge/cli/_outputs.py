"""Files that a command writes besides what it prints."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.core import printable
from weighbridge.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["check_outputs", "write_output"]

_PEM = b"-----BEGIN "


def check_outputs(
    outputs: Iterable[str | None], *, artifact: str, inputs: Iterable[str | None]
) -> None:
    """Refuse, before any work is done, to write over what is read.

    Args:
        outputs: Files to write; None for an option that was not given.
        artifact: Nothing may be written inside it, or it would not be what was weighed.
        inputs: Files that are read; None likewise.

    Raises:
        InputError: An output lies inside the artifact, is an input, another output, or a file that
            holds a key or a certificate.
    """
    wanted = [output for output in outputs if output]
    if not wanted:
        return
    folder = os.path.realpath(artifact)
    taken = {os.path.realpath(file): "read too" for file in inputs if file}
    for output in wanted:
        target = os.path.realpath(output)
        shown = printable(output)
        if target == folder or target.startswith(folder + os.sep):
            raise InputError(
                f"{shown} lies inside the artifact and would change it; write elsewhere"
            )
        if target in taken:
            raise InputError(f"{shown} is {taken[target]}; name another file")
        if _holds_pem(target):
            raise InputError(f"{shown} holds a key or a certificate; name another file")
        if not target.startswith("/dev/"):
            taken[target] = "written twice"


def _holds_pem(target: str) -> bool:
    """Tell a key by how it begins: nobody means to lose one, whichever option reads it."""
    path = Path(target)
    with suppress(OSError):
        if path.is_file():
            with path.open("rb") as file:
                return file.read(len(_PEM)) == _PEM
    return False


def write_output(file: str, text: str) -> None:
    """Write ``text`` as UTF-8, whole or not at all."""
    from weighbridge.artifact import write_report  # noqa: PLC0415 - costs start-up time

    write_report(Path(file), text.encode())
