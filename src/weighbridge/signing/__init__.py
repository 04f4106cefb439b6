"""Signing: keys, signatures, and what a signature says about an artifact's files.

``cryptography`` is imported by the functions that need it, not with this door.
"""

from weighbridge.signing._keys import (
    KeyPair,
    KeySigner,
    PublicKey,
    generate_key,
    load_public_key,
    load_signer,
)
from weighbridge.signing._oms import (
    SignedManifest,
    compare_signed,
    parse_signed_manifest,
    sign_manifest,
)
from weighbridge.signing._ports import Signer, Verifier
from weighbridge.signing._relisting import index_listing, measure_listing, relist
from weighbridge.signing._reuse import (
    Names,
    Operation,
    OperationKind,
    ReusePlan,
    reconcile,
)
from weighbridge.signing._verify import verify_bundle

__all__ = [
    "KeyPair",
    "KeySigner",
    "Names",
    "Operation",
    "OperationKind",
    "PublicKey",
    "ReusePlan",
    "SignedManifest",
    "Signer",
    "Verifier",
    "compare_signed",
    "generate_key",
    "index_listing",
    "load_public_key",
    "load_signer",
    "measure_listing",
    "parse_signed_manifest",
    "reconcile",
    "relist",
    "sign_manifest",
    "verify_bundle",
]
