"""Policy: rules, and the judgement of evidence by them. No I/O, no clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge._lazy import lazy_getattr

if TYPE_CHECKING:
    from weighbridge.policy._canonical import digest_policy
    from weighbridge.policy._case import PolicyCase, parse_case
    from weighbridge.policy._checklist import CHECKLIST_RULES, judge_checklist
    from weighbridge.policy._describe import Demand, describe_policy
    from weighbridge.policy._document import (
        FoundFile,
        Surroundings,
        compare_document,
        judge_document,
    )
    from weighbridge.policy._evaluate import evaluate
    from weighbridge.policy._parse import parse_policy
    from weighbridge.policy._policy import (
        AllowedDigest,
        CardRule,
        EvaluationRule,
        FormatsRule,
        LicensesRule,
        OwnRule,
        Policy,
        ProvenanceRule,
        ReproductionRule,
        ReviewRule,
        ScanRule,
        SignatureRule,
        Signer,
        SourceRule,
        built_in_policy,
    )

__all__ = [
    "CHECKLIST_RULES",
    "AllowedDigest",
    "CardRule",
    "Demand",
    "EvaluationRule",
    "FormatsRule",
    "FoundFile",
    "LicensesRule",
    "OwnRule",
    "Policy",
    "PolicyCase",
    "ProvenanceRule",
    "ReproductionRule",
    "ReviewRule",
    "ScanRule",
    "SignatureRule",
    "Signer",
    "SourceRule",
    "Surroundings",
    "built_in_policy",
    "compare_document",
    "describe_policy",
    "digest_policy",
    "evaluate",
    "judge_checklist",
    "judge_document",
    "parse_case",
    "parse_policy",
]

_MODULES = {
    "_canonical": ("digest_policy",),
    "_case": (
        "PolicyCase",
        "parse_case",
    ),
    "_checklist": (
        "CHECKLIST_RULES",
        "judge_checklist",
    ),
    "_describe": (
        "Demand",
        "describe_policy",
    ),
    "_document": (
        "FoundFile",
        "Surroundings",
        "compare_document",
        "judge_document",
    ),
    "_evaluate": ("evaluate",),
    "_parse": ("parse_policy",),
    "_policy": (
        "AllowedDigest",
        "CardRule",
        "EvaluationRule",
        "FormatsRule",
        "LicensesRule",
        "OwnRule",
        "Policy",
        "ProvenanceRule",
        "ReproductionRule",
        "ReviewRule",
        "ScanRule",
        "SignatureRule",
        "Signer",
        "SourceRule",
        "built_in_policy",
    ),
}

__getattr__ = lazy_getattr(__name__, _MODULES)
