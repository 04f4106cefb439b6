"""The command line: a thin face over :mod:`weighbridge.workflow`.

stdout is data, stderr is words. Exit codes: 0 pass, 1 fail, 2 usage or input, 3 unknown or
incomplete.
"""

from weighbridge.cli._main import main

__all__ = ["main"]
