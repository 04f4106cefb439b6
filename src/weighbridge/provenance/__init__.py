"""Provenance: recording a step: what went in, what came out, what was seen, what was enforced."""

from weighbridge.provenance._environment import (
    SCAI_TYPE,
    describe_environment,
    describe_libraries,
    to_scai,
)
from weighbridge.provenance._interpreter import Interpreter, find_interpreter, read_interpreter
from weighbridge.provenance._machine import list_runtime
from weighbridge.provenance._packages import Packages, read_packages
from weighbridge.provenance._secrets import (
    REDACTED,
    choose_environment,
    clean_environment,
    redact_arguments,
    redact_text,
    strip_credentials,
)
from weighbridge.provenance._source import Source, read_source

__all__ = [
    "REDACTED",
    "SCAI_TYPE",
    "Interpreter",
    "Packages",
    "Source",
    "choose_environment",
    "clean_environment",
    "describe_environment",
    "describe_libraries",
    "find_interpreter",
    "list_runtime",
    "read_interpreter",
    "read_packages",
    "read_source",
    "redact_arguments",
    "redact_text",
    "strip_credentials",
    "to_scai",
]
