"""Core: the nouns of Weighbridge and their exact encodings. No I/O.

Rooms exchange the frozen values defined here and nothing else. Each module is imported when one of
its names is first used, for start-up time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge._lazy import lazy_getattr

if TYPE_CHECKING:
    from weighbridge.core._answer import Answer, Severity, worst
    from weighbridge.core._bundle import (
        Bundle,
        CertificateMaterial,
        ChainMaterial,
        Encoding,
        Envelope,
        EnvelopeSignature,
        Material,
        PublicKeyMaterial,
        pae,
        parse_bundle,
    )
    from weighbridge.core._collection import collection_paused
    from weighbridge.core._collisions import find_collisions
    from weighbridge.core._digest import Digest
    from weighbridge.core._evidence import (
        ArtifactEvidence,
        Card,
        CardEvidence,
        Evidence,
        LicenseEvidence,
        SignatureEvidence,
    )
    from weighbridge.core._findings import (
        Coverage,
        CoverageStatus,
        FileScan,
        Finding,
        Location,
        ScanReport,
    )
    from weighbridge.core._json import JsonValue, check_depth, parse_json, to_json
    from weighbridge.core._limits import DEFAULT_LIMITS, Limits
    from weighbridge.core._manifest import (
        ArtifactKind,
        Manifest,
        ManifestDiff,
        Resource,
        diff_manifests,
    )
    from weighbridge.core._paths import covers, parse_ignored, refuse_one
    from weighbridge.core._reading import ReadFailure, ReadFailureKind
    from weighbridge.core._serialization import (
        DEFAULT_SHARD_BYTES,
        PLAIN,
        Dialect,
        HashType,
        Listing,
        Method,
        Part,
        Serialization,
    )
    from weighbridge.core._statement import (
        Attribution,
        Statement,
        Subject,
        VerifiedStatement,
        parse_statement,
    )
    from weighbridge.core._step import (
        Completeness,
        Dependency,
        Observation,
        Refusal,
        StepRecord,
    )
    from weighbridge.core._text import printable, to_size
    from weighbridge.core._verdict import NotChecked, RuleResult, Verdict

__all__ = [
    "DEFAULT_LIMITS",
    "DEFAULT_SHARD_BYTES",
    "PLAIN",
    "Answer",
    "ArtifactEvidence",
    "ArtifactKind",
    "Attribution",
    "Bundle",
    "Card",
    "CardEvidence",
    "CertificateMaterial",
    "ChainMaterial",
    "Completeness",
    "Coverage",
    "CoverageStatus",
    "Dependency",
    "Dialect",
    "Digest",
    "Encoding",
    "Envelope",
    "EnvelopeSignature",
    "Evidence",
    "FileScan",
    "Finding",
    "HashType",
    "JsonValue",
    "LicenseEvidence",
    "Limits",
    "Listing",
    "Location",
    "Manifest",
    "ManifestDiff",
    "Material",
    "Method",
    "NotChecked",
    "Observation",
    "Part",
    "PublicKeyMaterial",
    "ReadFailure",
    "ReadFailureKind",
    "Refusal",
    "Resource",
    "RuleResult",
    "ScanReport",
    "Serialization",
    "Severity",
    "SignatureEvidence",
    "Statement",
    "StepRecord",
    "Subject",
    "Verdict",
    "VerifiedStatement",
    "check_depth",
    "collection_paused",
    "covers",
    "diff_manifests",
    "find_collisions",
    "pae",
    "parse_bundle",
    "parse_ignored",
    "parse_json",
    "parse_statement",
    "printable",
    "refuse_one",
    "to_json",
    "to_size",
    "worst",
]

_MODULES = {
    "_answer": ("Answer", "Severity", "worst"),
    "_bundle": (
        "Bundle",
        "CertificateMaterial",
        "ChainMaterial",
        "Encoding",
        "Envelope",
        "EnvelopeSignature",
        "Material",
        "PublicKeyMaterial",
        "pae",
        "parse_bundle",
    ),
    "_collection": ("collection_paused",),
    "_collisions": ("find_collisions",),
    "_digest": ("Digest",),
    "_evidence": (
        "ArtifactEvidence",
        "Card",
        "CardEvidence",
        "Evidence",
        "LicenseEvidence",
        "SignatureEvidence",
    ),
    "_findings": ("Coverage", "CoverageStatus", "FileScan", "Finding", "Location", "ScanReport"),
    "_json": ("JsonValue", "check_depth", "parse_json", "to_json"),
    "_limits": ("DEFAULT_LIMITS", "Limits"),
    "_manifest": ("ArtifactKind", "Manifest", "ManifestDiff", "Resource", "diff_manifests"),
    "_paths": ("covers", "parse_ignored", "refuse_one"),
    "_reading": ("ReadFailure", "ReadFailureKind"),
    "_serialization": (
        "DEFAULT_SHARD_BYTES",
        "PLAIN",
        "Dialect",
        "HashType",
        "Listing",
        "Method",
        "Part",
        "Serialization",
    ),
    "_statement": ("Attribution", "Statement", "Subject", "VerifiedStatement", "parse_statement"),
    "_step": ("Completeness", "Dependency", "Observation", "Refusal", "StepRecord"),
    "_text": ("printable", "to_size"),
    "_verdict": ("NotChecked", "RuleResult", "Verdict"),
}

__getattr__ = lazy_getattr(__name__, _MODULES)
