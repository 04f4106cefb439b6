"""Policy: rules, and the judgement of evidence by them. No I/O, no clock."""

from weighbridge.policy._checklist import CHECKLIST_RULES, judge_checklist
from weighbridge.policy._document import (
    FoundFile,
    Surroundings,
    compare_document,
    judge_document,
)
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
    "FoundFile",
    "LicensesRule",
    "Policy",
    "ScanRule",
    "SignatureRule",
    "Signer",
    "Surroundings",
    "built_in_policy",
    "compare_document",
    "evaluate",
    "judge_checklist",
    "judge_document",
    "parse_policy",
]
