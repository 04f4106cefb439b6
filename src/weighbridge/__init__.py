"""Weighbridge weighs machine-learning artifacts: may this model enter, and why?

The functions are those behind the commands of the same names::

    import weighbridge as wb

    report = wb.check("model/")
    print(report.verdict.answer)

Importing this package imports nothing else; each name is fetched when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from weighbridge._version import __version__

if TYPE_CHECKING:
    from weighbridge.integrations import import_dvc, import_mlflow
    from weighbridge.workflow import (
        CertificateTrust,
        Consent,
        KeylessTrust,
        KeyTrust,
        Reuse,
        SignerSpec,
        step,
    )
    from weighbridge.workflow import accept_artifact as accept
    from weighbridge.workflow import check_artifact as check
    from weighbridge.workflow import create_key_files as keygen
    from weighbridge.workflow import export_public_key as public_key
    from weighbridge.workflow import gather_ranks as gather
    from weighbridge.workflow import hash_artifact as hash  # noqa: A004 - the command's name
    from weighbridge.workflow import review_artifact as review
    from weighbridge.workflow import scan_artifact as scan
    from weighbridge.workflow import sign_artifact as sign
    from weighbridge.workflow import trace_artifact as trace
    from weighbridge.workflow import verify_artifact as verify

__all__ = [
    "CertificateTrust",
    "Consent",
    "KeyTrust",
    "KeylessTrust",
    "Reuse",
    "SignerSpec",
    "__version__",
    "accept",
    "check",
    "gather",
    "hash",
    "import_dvc",
    "import_mlflow",
    "keygen",
    "public_key",
    "review",
    "scan",
    "sign",
    "step",
    "trace",
    "verify",
]

_INTEGRATIONS = frozenset({"import_dvc", "import_mlflow"})
_NAMES = {
    "CertificateTrust": "CertificateTrust",
    "Consent": "Consent",
    "KeyTrust": "KeyTrust",
    "KeylessTrust": "KeylessTrust",
    "Reuse": "Reuse",
    "SignerSpec": "SignerSpec",
    "accept": "accept_artifact",
    "check": "check_artifact",
    "gather": "gather_ranks",
    "hash": "hash_artifact",
    "keygen": "create_key_files",
    "public_key": "export_public_key",
    "review": "review_artifact",
    "scan": "scan_artifact",
    "sign": "sign_artifact",
    "step": "step",
    "trace": "trace_artifact",
    "verify": "verify_artifact",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - one of the names above
    if name in _INTEGRATIONS:
        return getattr(import_module("weighbridge.integrations"), name)
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("weighbridge.workflow"), _NAMES[name])


def __dir__() -> list[str]:
    return sorted({*__all__, "load_ipython_extension", "unload_ipython_extension"})


def load_ipython_extension(shell: object) -> None:
    """Record the cells of a live kernel; IPython calls this for ``%load_ext weighbridge``."""
    import_module("weighbridge.integrations").load_ipython_extension(shell)


def unload_ipython_extension(shell: object) -> None:
    """Record no more cells; IPython calls this for ``%unload_ext weighbridge``."""
    import_module("weighbridge.integrations").unload_ipython_extension(shell)
