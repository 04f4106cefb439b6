"""Policy: rules, and the judgement of evidence by them. No I/O, no clock."""

from weighbridge.policy._canonical import digest_policy
from weighbridge.policy._evaluate import evaluate
from weighbridge.policy._parse import parse_policy
from weighbridge.policy._policy import (
    CardRule,
    LicensesRule,
    Policy,
    ScanRule,
    SignatureRule,
    Signer,
    built_in_policy,
)

__all__ = [
    "CardRule",
    "LicensesRule",
    "Policy",
    "ScanRule",
    "SignatureRule",
    "Signer",
    "built_in_policy",
    "digest_policy",
    "evaluate",
    "parse_policy",
]
