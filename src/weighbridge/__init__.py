"""Weighbridge weighs machine-learning artifacts: may this model enter, and why?

The functions are those behind the commands of the same names::

    import weighbridge as wb

    report = wb.check("model/")
    print(report.verdict.answer)

Importing this package imports nothing else; each name is fetched when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge._lazy import lazy_getattr
from weighbridge._version import __version__

if TYPE_CHECKING:
    from weighbridge.workflow import check_artifact as check
    from weighbridge.workflow import create_key_files as keygen
    from weighbridge.workflow import hash_artifact as hash  # noqa: A004 - the command's name
    from weighbridge.workflow import scan_artifact as scan
    from weighbridge.workflow import sign_artifact as sign
    from weighbridge.workflow import verify_artifact as verify

__all__ = ["__version__", "check", "hash", "keygen", "scan", "sign", "verify"]

__getattr__ = lazy_getattr(
    __name__,
    {
        "check": ("weighbridge.workflow", "check_artifact"),
        "hash": ("weighbridge.workflow", "hash_artifact"),
        "keygen": ("weighbridge.workflow", "create_key_files"),
        "scan": ("weighbridge.workflow", "scan_artifact"),
        "sign": ("weighbridge.workflow", "sign_artifact"),
        "verify": ("weighbridge.workflow", "verify_artifact"),
    },
)
