"""Policy: rules, and the judgement of evidence by them. No I/O, no clock."""

from weighbridge.policy._checklist import CHECKLIST_RULES, judge_checklist
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
    "CHECKLIST_RULES",
    "CardRule",
    "LicensesRule",
    "Policy",
    "ScanRule",
    "SignatureRule",
    "Signer",
    "built_in_policy",
    "evaluate",
    "judge_checklist",
    "parse_policy",
]
