"""Signing: keys, signatures, and what a signature says about an artifact's files.

``cryptography`` is imported by the functions that need it; everything else is when it is first
used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge._lazy import lazy_getattr

if TYPE_CHECKING:
    from weighbridge.signing._before_v1 import parse_before_v1, says_before_v1, verify_before_v1
    from weighbridge.signing._certificates import CertificateSigner, add_certificate
    from weighbridge.signing._chains import CertificateVerifier, load_certificate_verifier
    from weighbridge.signing._digest_signer import DigestSigner, parse_public_key
    from weighbridge.signing._identity import describe_signer
    from weighbridge.signing._keyless import load_keyless_verifier
    from weighbridge.signing._keyless_trust import (
        TrustedParty,
        TrustRoot,
        read_trust_root,
        update_trust_root,
    )
    from weighbridge.signing._keys import (
        CURVE_NAMES,
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
    from weighbridge.signing._ports import Signer, TimeSource, Verifier
    from weighbridge.signing._relisting import index_listing, measure_listing, relist
    from weighbridge.signing._reuse import Names, Operation, OperationKind, ReusePlan, reconcile
    from weighbridge.signing._secrets import load_secret
    from weighbridge.signing._signers import SignerSpec, find_key_file, open_signer
    from weighbridge.signing._times import (
        TimestampAuthorities,
        TimestampedVerifier,
        load_timestamp_authorities,
        read_claimed_times,
    )
    from weighbridge.signing._timestamps import TimestampingSigner, TimestampService, add_timestamp
    from weighbridge.signing._verify import verify_bundle

__all__ = [
    "CURVE_NAMES",
    "CertificateSigner",
    "CertificateVerifier",
    "DigestSigner",
    "KeyPair",
    "KeySigner",
    "Names",
    "Operation",
    "OperationKind",
    "PublicKey",
    "ReusePlan",
    "SignedManifest",
    "Signer",
    "SignerSpec",
    "TimeSource",
    "TimestampAuthorities",
    "TimestampService",
    "TimestampedVerifier",
    "TimestampingSigner",
    "TrustRoot",
    "TrustedParty",
    "Verifier",
    "add_certificate",
    "add_timestamp",
    "compare_signed",
    "describe_signer",
    "find_key_file",
    "generate_key",
    "index_listing",
    "load_certificate_verifier",
    "load_keyless_verifier",
    "load_public_key",
    "load_secret",
    "load_signer",
    "load_timestamp_authorities",
    "measure_listing",
    "open_signer",
    "parse_before_v1",
    "parse_public_key",
    "parse_signed_manifest",
    "read_claimed_times",
    "read_trust_root",
    "reconcile",
    "relist",
    "says_before_v1",
    "sign_manifest",
    "update_trust_root",
    "verify_before_v1",
    "verify_bundle",
]

_MODULES = {
    "_before_v1": (
        "parse_before_v1",
        "says_before_v1",
        "verify_before_v1",
    ),
    "_certificates": (
        "CertificateSigner",
        "add_certificate",
    ),
    "_chains": (
        "CertificateVerifier",
        "load_certificate_verifier",
    ),
    "_digest_signer": (
        "DigestSigner",
        "parse_public_key",
    ),
    "_identity": ("describe_signer",),
    "_keyless": ("load_keyless_verifier",),
    "_keyless_trust": (
        "TrustRoot",
        "TrustedParty",
        "read_trust_root",
        "update_trust_root",
    ),
    "_keys": (
        "CURVE_NAMES",
        "KeyPair",
        "KeySigner",
        "PublicKey",
        "generate_key",
        "load_public_key",
        "load_signer",
    ),
    "_oms": (
        "SignedManifest",
        "compare_signed",
        "parse_signed_manifest",
        "sign_manifest",
    ),
    "_ports": (
        "Signer",
        "TimeSource",
        "Verifier",
    ),
    "_relisting": (
        "index_listing",
        "measure_listing",
        "relist",
    ),
    "_reuse": (
        "Names",
        "Operation",
        "OperationKind",
        "ReusePlan",
        "reconcile",
    ),
    "_secrets": ("load_secret",),
    "_signers": (
        "SignerSpec",
        "find_key_file",
        "open_signer",
    ),
    "_times": (
        "TimestampAuthorities",
        "TimestampedVerifier",
        "load_timestamp_authorities",
        "read_claimed_times",
    ),
    "_timestamps": (
        "TimestampService",
        "TimestampingSigner",
        "add_timestamp",
    ),
    "_verify": ("verify_bundle",),
}

__getattr__ = lazy_getattr(__name__, _MODULES)
