"""Workflow: the verbs, and the only place where rooms meet.

Each function takes paths and returns a frozen value; the command line prints it, a program uses
it. A verb's module is imported when the verb is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge._lazy import lazy_getattr

if TYPE_CHECKING:
    from weighbridge.workflow._check import check_artifact
    from weighbridge.workflow._consent import Consent
    from weighbridge.workflow._file_lists import sign_file_list
    from weighbridge.workflow._gather import Gathered, gather_ranks
    from weighbridge.workflow._hash import Rehashed, hash_artifact, rehash_artifact
    from weighbridge.workflow._imported import (
        KINDS,
        Examined,
        ImportedInput,
        ImportedStep,
        StepSource,
        check_kind,
        claim_imported,
        examine,
        read_step_source,
        strip_address,
    )
    from weighbridge.workflow._inspect import Inspected, inspect_signature
    from weighbridge.workflow._inspect_claims import (
        InspectedClaim,
        inspect_claims,
        is_claims_file,
    )
    from weighbridge.workflow._keys import KeyFiles, create_key_files
    from weighbridge.workflow._lineage import trace_artifact
    from weighbridge.workflow._people import Vouched, accept_artifact, review_artifact
    from weighbridge.workflow._policy_cases import (
        CaseResult,
        ExplainedPolicy,
        explain_policy,
        run_policy_cases,
    )
    from weighbridge.workflow._provenance_yaml import check_document, write_provenance
    from weighbridge.workflow._public_key import export_public_key
    from weighbridge.workflow._rank_choice import RankChoice
    from weighbridge.workflow._rebuild import Reused
    from weighbridge.workflow._record import Recorded, StepPlan
    from weighbridge.workflow._reuse import Reuse
    from weighbridge.workflow._run import run_step
    from weighbridge.workflow._scan import (
        ScanSigning,
        explain_file,
        list_rules,
        load_scan_terms,
        plan_scan_claims,
        scan_artifact,
        scan_one,
    )
    from weighbridge.workflow._sign import Signed, Verified, sign_artifact, verify_artifact
    from weighbridge.workflow._signers import SignerSpec, choose_signer, read_secret
    from weighbridge.workflow._step import step
    from weighbridge.workflow._step_monitor import Observe
    from weighbridge.workflow._step_process import EndedBySignal, end_by_signal
    from weighbridge.workflow._summary import SummaryPlan, plan_summary, sign_summary
    from weighbridge.workflow._trust import CertificateTrust, KeylessTrust, KeyTrust, Trust
    from weighbridge.workflow._trust_roots import TrustRoot, show_trust, update_trust

__all__ = [
    "KINDS",
    "CaseResult",
    "CertificateTrust",
    "Consent",
    "EndedBySignal",
    "Examined",
    "ExplainedPolicy",
    "Gathered",
    "ImportedInput",
    "ImportedStep",
    "Inspected",
    "InspectedClaim",
    "KeyFiles",
    "KeyTrust",
    "KeylessTrust",
    "Observe",
    "RankChoice",
    "Recorded",
    "Rehashed",
    "Reuse",
    "Reused",
    "ScanSigning",
    "Signed",
    "SignerSpec",
    "StepPlan",
    "StepSource",
    "SummaryPlan",
    "Trust",
    "TrustRoot",
    "Verified",
    "Vouched",
    "accept_artifact",
    "check_artifact",
    "check_document",
    "check_kind",
    "choose_signer",
    "claim_imported",
    "create_key_files",
    "end_by_signal",
    "examine",
    "explain_file",
    "explain_policy",
    "export_public_key",
    "gather_ranks",
    "hash_artifact",
    "inspect_claims",
    "inspect_signature",
    "is_claims_file",
    "list_rules",
    "load_scan_terms",
    "plan_scan_claims",
    "plan_summary",
    "read_secret",
    "read_step_source",
    "rehash_artifact",
    "review_artifact",
    "run_policy_cases",
    "run_step",
    "scan_artifact",
    "scan_one",
    "show_trust",
    "sign_artifact",
    "sign_file_list",
    "sign_summary",
    "step",
    "strip_address",
    "trace_artifact",
    "update_trust",
    "verify_artifact",
    "write_provenance",
]

_MODULES = {
    "_check": ("check_artifact",),
    "_provenance_yaml": ("check_document", "write_provenance"),
    "_consent": ("Consent",),
    "_file_lists": ("sign_file_list",),
    "_gather": ("Gathered", "gather_ranks"),
    "_hash": ("Rehashed", "hash_artifact", "rehash_artifact"),
    "_imported": (
        "KINDS",
        "Examined",
        "ImportedInput",
        "ImportedStep",
        "StepSource",
        "check_kind",
        "claim_imported",
        "examine",
        "read_step_source",
        "strip_address",
    ),
    "_inspect": ("Inspected", "inspect_signature"),
    "_inspect_claims": ("InspectedClaim", "inspect_claims", "is_claims_file"),
    "_keys": ("KeyFiles", "create_key_files"),
    "_people": ("Vouched", "accept_artifact", "review_artifact"),
    "_lineage": ("trace_artifact",),
    "_summary": ("SummaryPlan", "plan_summary", "sign_summary"),
    "_policy_cases": ("CaseResult", "ExplainedPolicy", "explain_policy", "run_policy_cases"),
    "_public_key": ("export_public_key",),
    "_rank_choice": ("RankChoice",),
    "_rebuild": ("Reused",),
    "_reuse": ("Reuse",),
    "_record": ("Recorded", "StepPlan"),
    "_run": ("run_step",),
    "_scan": (
        "ScanSigning",
        "explain_file",
        "list_rules",
        "load_scan_terms",
        "plan_scan_claims",
        "scan_artifact",
        "scan_one",
    ),
    "_sign": ("Signed", "Verified", "sign_artifact", "verify_artifact"),
    "_signers": ("SignerSpec", "choose_signer", "read_secret"),
    "_step": ("step",),
    "_step_monitor": ("Observe",),
    "_step_process": ("EndedBySignal", "end_by_signal"),
    "_trust": ("CertificateTrust", "KeyTrust", "KeylessTrust", "Trust"),
    "_trust_roots": ("TrustRoot", "show_trust", "update_trust"),
}

__getattr__ = lazy_getattr(__name__, _MODULES)
