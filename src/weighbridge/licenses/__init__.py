"""Licences: which licence an artifact declares, and whether a list of licences permits it."""

from weighbridge.licenses._find import find_license, is_allowed

__all__ = ["find_license", "is_allowed"]
