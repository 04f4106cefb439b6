"""Core: the nouns of Weighbridge and their exact encodings. No I/O.

Rooms exchange the frozen values defined here and nothing else.
"""

from weighbridge.core._answer import Answer, Severity, worst
from weighbridge.core._bundle import (
    Bundle,
    Envelope,
    EnvelopeSignature,
    PublicKeyMaterial,
    pae,
    parse_bundle,
)
from weighbridge.core._digest import Digest
from weighbridge.core._evidence import (
    ArtifactEvidence,
    Card,
    CardEvidence,
    Evidence,
    LicenseEvidence,
    ReadFailure,
    ReadFailureKind,
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
from weighbridge.core._json import JsonValue, parse_json, to_json
from weighbridge.core._limits import DEFAULT_LIMITS, Limits
from weighbridge.core._manifest import (
    ArtifactKind,
    Manifest,
    ManifestDiff,
    Resource,
    diff_manifests,
)
from weighbridge.core._statement import (
    Statement,
    Subject,
    VerifiedStatement,
    parse_statement,
)
from weighbridge.core._text import printable, to_size
from weighbridge.core._verdict import NotChecked, RuleResult, Verdict

__all__ = [
    "DEFAULT_LIMITS",
    "Answer",
    "ArtifactEvidence",
    "ArtifactKind",
    "Bundle",
    "Card",
    "CardEvidence",
    "Coverage",
    "CoverageStatus",
    "Digest",
    "Envelope",
    "EnvelopeSignature",
    "Evidence",
    "FileScan",
    "Finding",
    "JsonValue",
    "LicenseEvidence",
    "Limits",
    "Location",
    "Manifest",
    "ManifestDiff",
    "NotChecked",
    "PublicKeyMaterial",
    "ReadFailure",
    "ReadFailureKind",
    "Resource",
    "RuleResult",
    "ScanReport",
    "Severity",
    "SignatureEvidence",
    "Statement",
    "Subject",
    "Verdict",
    "VerifiedStatement",
    "diff_manifests",
    "pae",
    "parse_bundle",
    "parse_json",
    "parse_statement",
    "printable",
    "to_json",
    "to_size",
    "worst",
]
