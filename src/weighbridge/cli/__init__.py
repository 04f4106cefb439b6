"""The command line: a thin face over :mod:`weighbridge.workflow`.

stdout is data, stderr is words. Exit codes: 0 pass, 1 fail, 2 usage or input, 3 unknown or
incomplete.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit code; no traceback reaches a user.

    Everything is imported inside, so that an interrupt while Python loads it is met here too.
    """
    try:
        from weighbridge.cli._main import run  # noqa: PLC0415

        code = run(arguments)
    except KeyboardInterrupt:
        code = _EXIT_INTERRUPTED
    sys.exit(code)
