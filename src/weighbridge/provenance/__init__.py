"""Provenance: recording a step: what went in, what came out, what was seen, what was enforced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge._lazy import lazy_getattr

if TYPE_CHECKING:
    from weighbridge.provenance._agree import (
        RankProblem,
        VerifiedRank,
        check_rank,
        find_rank_problems,
    )
    from weighbridge.provenance._audit import AuditWatch, explain_audit, watch_by_audit
    from weighbridge.provenance._audit_log import AUDIT_MONITOR, parse_audit
    from weighbridge.provenance._audit_process import ProcessWatch, unwatched, watch_process
    from weighbridge.provenance._confined import ConfinedLaunch, open_launch, verify_confined
    from weighbridge.provenance._confined_baseline import (
        BaselinePath,
        build_baseline,
        find_program_paths,
    )
    from weighbridge.provenance._decisive import choose_determinism, name_accelerator
    from weighbridge.provenance._denied import find_denied, take_attempts
    from weighbridge.provenance._environment import (
        ask_libraries,
        describe_environment,
        to_scai,
    )
    from weighbridge.provenance._environment_read import SCAI_TYPE, parse_environment
    from weighbridge.provenance._inputs import (
        check_address,
        is_lock_file,
        is_remote,
        parse_remote_input,
    )
    from weighbridge.provenance._interpreter import (
        Interpreter,
        ask_interpreter,
        find_interpreter,
        is_python,
        list_interpreters,
        read_interpreter,
    )
    from weighbridge.provenance._join import join_ranks
    from weighbridge.provenance._landlock import (
        Bubblewrap,
        Confinement,
        Landlock,
        Unenforceable,
        describe_gaps,
        find_enforcement,
    )
    from weighbridge.provenance._machine import list_runtime
    from weighbridge.provenance._packages import Installed, Packages, list_packages, read_packages
    from weighbridge.provenance._rank_report import (
        RankReport,
        parse_rank_report,
        to_rank_report,
    )
    from weighbridge.provenance._script import find_script
    from weighbridge.provenance._secrets import (
        REDACTED,
        choose_environment,
        clean_environment,
        redact_arguments,
        redact_parameter,
        redact_text,
        strip_credentials,
    )
    from weighbridge.provenance._slsa import (
        KINDS,
        PREDICATE_TYPE,
        build_provenance,
        build_trace,
        check_step,
    )
    from weighbridge.provenance._slsa_read import SharedMaterials, parse_provenance
    from weighbridge.provenance._source import Source, read_source
    from weighbridge.provenance._strace import (
        StraceSupport,
        StraceWatch,
        build_strace_command,
        find_strace,
        watch_by_strace,
    )
    from weighbridge.provenance._strace_log import parse_strace
    from weighbridge.provenance._texts import check_names, check_parameters
    from weighbridge.provenance._topology import (
        Topology,
        find_topology,
        name_report,
        parse_report_name,
        to_ranges,
    )
    from weighbridge.provenance._undeclared import find_undeclared, group_by_folder
    from weighbridge.provenance._uris import to_file_uri

__all__ = [
    "AUDIT_MONITOR",
    "KINDS",
    "PREDICATE_TYPE",
    "REDACTED",
    "SCAI_TYPE",
    "AuditWatch",
    "BaselinePath",
    "Bubblewrap",
    "ConfinedLaunch",
    "Confinement",
    "Installed",
    "Interpreter",
    "Landlock",
    "Packages",
    "ProcessWatch",
    "RankProblem",
    "RankReport",
    "SharedMaterials",
    "Source",
    "StraceSupport",
    "StraceWatch",
    "Topology",
    "Unenforceable",
    "VerifiedRank",
    "ask_interpreter",
    "ask_libraries",
    "build_baseline",
    "build_provenance",
    "build_strace_command",
    "build_trace",
    "check_address",
    "check_names",
    "check_parameters",
    "check_rank",
    "check_step",
    "choose_determinism",
    "choose_environment",
    "clean_environment",
    "describe_environment",
    "describe_gaps",
    "explain_audit",
    "find_denied",
    "find_enforcement",
    "find_interpreter",
    "find_program_paths",
    "find_rank_problems",
    "find_script",
    "find_strace",
    "find_topology",
    "find_undeclared",
    "group_by_folder",
    "is_lock_file",
    "is_python",
    "is_remote",
    "join_ranks",
    "list_interpreters",
    "list_packages",
    "list_runtime",
    "name_accelerator",
    "name_report",
    "open_launch",
    "parse_audit",
    "parse_environment",
    "parse_provenance",
    "parse_rank_report",
    "parse_remote_input",
    "parse_report_name",
    "parse_strace",
    "read_interpreter",
    "read_packages",
    "read_source",
    "redact_arguments",
    "redact_parameter",
    "redact_text",
    "strip_credentials",
    "take_attempts",
    "to_file_uri",
    "to_ranges",
    "to_rank_report",
    "to_scai",
    "unwatched",
    "verify_confined",
    "watch_by_audit",
    "watch_by_strace",
    "watch_process",
]

_MODULES = {
    "_agree": ("RankProblem", "VerifiedRank", "check_rank", "find_rank_problems"),
    "_audit": ("AuditWatch", "explain_audit", "watch_by_audit"),
    "_audit_log": ("AUDIT_MONITOR", "parse_audit"),
    "_audit_process": ("ProcessWatch", "unwatched", "watch_process"),
    "_confined": ("ConfinedLaunch", "open_launch", "verify_confined"),
    "_confined_baseline": ("BaselinePath", "build_baseline", "find_program_paths"),
    "_decisive": ("choose_determinism", "name_accelerator"),
    "_denied": ("find_denied", "take_attempts"),
    "_environment": ("ask_libraries", "describe_environment", "to_scai"),
    "_environment_read": ("SCAI_TYPE", "parse_environment"),
    "_inputs": ("check_address", "is_lock_file", "is_remote", "parse_remote_input"),
    "_interpreter": (
        "Interpreter",
        "ask_interpreter",
        "find_interpreter",
        "is_python",
        "list_interpreters",
        "read_interpreter",
    ),
    "_join": ("join_ranks",),
    "_landlock": (
        "Bubblewrap",
        "Confinement",
        "Landlock",
        "Unenforceable",
        "describe_gaps",
        "find_enforcement",
    ),
    "_machine": ("list_runtime",),
    "_packages": ("Installed", "Packages", "list_packages", "read_packages"),
    "_rank_report": ("RankReport", "parse_rank_report", "to_rank_report"),
    "_script": ("find_script",),
    "_secrets": (
        "REDACTED",
        "choose_environment",
        "clean_environment",
        "redact_arguments",
        "redact_parameter",
        "redact_text",
        "strip_credentials",
    ),
    "_slsa": ("KINDS", "PREDICATE_TYPE", "build_provenance", "build_trace", "check_step"),
    "_slsa_read": ("SharedMaterials", "parse_provenance"),
    "_source": ("Source", "read_source"),
    "_strace": (
        "StraceSupport",
        "StraceWatch",
        "build_strace_command",
        "find_strace",
        "watch_by_strace",
    ),
    "_strace_log": ("parse_strace",),
    "_texts": ("check_names", "check_parameters"),
    "_topology": (
        "Topology",
        "find_topology",
        "name_report",
        "parse_report_name",
        "to_ranges",
    ),
    "_undeclared": ("find_undeclared", "group_by_folder"),
    "_uris": ("to_file_uri",),
}

__getattr__ = lazy_getattr(__name__, _MODULES)
