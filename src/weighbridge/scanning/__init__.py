"""Scan: what is dangerous in an artifact, and what was not looked at."""

from weighbridge.scanning._inspector import ENGINE, build_inspector, conclude
from weighbridge.scanning._rules import list_rules

__all__ = ["ENGINE", "build_inspector", "conclude", "list_rules"]
