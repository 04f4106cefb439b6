"""public-key: what verifies a signer's signatures, as a file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from weighbridge.artifact import write_atomically
from weighbridge.core import DEFAULT_LIMITS, Limits, printable
from weighbridge.errors import InputError
from weighbridge.signing import PublicKey, SignerSpec
from weighbridge.workflow._paths import to_path
from weighbridge.workflow._signers import choose_signer

if TYPE_CHECKING:
    from weighbridge.core.ports import StrPath
    from weighbridge.signing import Signer

__all__ = ["export_public_key"]


def export_public_key(
    *,
    key: StrPath | None = None,
    signer: str | SignerSpec | Signer | None = None,
    out: StrPath | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> bytes:
    """Return the public half of the key that a signer signs with, in PEM.

    Args:
        key: A private key in PEM; or give ``signer``.
        signer: ``file:PATH``, ``pkcs11:...``, what a plug-in adds, or anything that can sign.
        out: Where to write it as well; a file that is there already stays.
        limits: Bounds on what is read.

    Raises:
        InputError: The signer cannot be used, or has no lasting key, or ``out`` cannot be written
            or is there already.
    """
    path = None if out is None else to_path(out, what="public key")
    if path is not None and os.path.lexists(path):
        raise InputError(f"{printable(str(path))} is there already; choose another name")
    uri = signer.uri if isinstance(signer, SignerSpec) else signer
    if isinstance(uri, str) and uri.partition(":")[0].lower() == "sigstore":
        raise InputError("a keyless signer has no lasting key; name one that signs with a key")
    verifier = choose_signer(signer, key, limits=limits).own_verifier()
    if not isinstance(verifier, PublicKey):
        raise InputError(
            "this signer has no public key of its own; name one that signs with a key "
            "and no certificate"
        )
    pem = verifier.to_pem()
    if path is not None:
        write_atomically(path, pem, overwrite=False)
    return pem
