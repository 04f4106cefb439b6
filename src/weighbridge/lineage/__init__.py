"""Lineage: the graph of verified statements, its levels, and its weakest path. Pure."""

from weighbridge.lineage._build import build_lineage

__all__ = ["build_lineage"]
