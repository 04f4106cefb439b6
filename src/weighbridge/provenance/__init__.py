"""Provenance: recording a step: what went in, what came out, what was seen, what was enforced."""

from weighbridge.provenance._inputs import is_remote, parse_remote_input
from weighbridge.provenance._slsa import KINDS, build_provenance

__all__ = ["KINDS", "build_provenance", "is_remote", "parse_remote_input"]
