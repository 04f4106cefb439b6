"""Provenance: recording a step: what went in, what came out, what was seen, what was enforced."""

from weighbridge.provenance._strace import (
    StraceSupport,
    StraceWatch,
    build_strace_command,
    find_strace,
    watch_by_strace,
)
from weighbridge.provenance._strace_log import parse_strace

__all__ = [
    "StraceSupport",
    "StraceWatch",
    "build_strace_command",
    "find_strace",
    "parse_strace",
    "watch_by_strace",
]
